"""How long a full readout takes beside hand-written DuckDB SQL for the same numbers, and how it grows.

    python -m benchmarks.readout [--events 10000000] [--large 0] [--units 10000000] [--folder FOLDER]

Six metrics of all kinds, two dimensions, every day in retrospect; one thread each, CPU seconds, each side in a process
of its own, in turns, the better of the turns. `--large 50000000` adds the peak memory of a readout of that many events.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import readout_log
from benchmarks.readout_by_hand import SOURCES, by_hand
from experiments.catalog.catalog import Catalog, catalog_of
from experiments.definitions.content import PublishedCatalog, content_version
from experiments.definitions.folder import read_folder

TURNS = 3
DEFINITION = """
key: banner
status: running
variants: [control, threshold]
goals: [{goal}]
secondary: [{secondary}]
plan: {{dimensions: [{dimensions}]}}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of the work itself, seconds to open and verify the log first, peak memory in MB."""

    seconds: float
    opening: float
    peak_mb: float


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--units", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--one", nargs=4, metavar=("SIDE", "FOLDER", "METRICS", "DIMENSIONS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.one[0], Path(chosen.one[1]), int(chosen.one[2]), int(chosen.one[3]))))
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        compare(Path(folder), chosen.events, chosen.large)


def compare(folder: Path, events: int, large: int) -> None:
    """The readout against the hand-written one, and against itself with less of everything."""
    data, small = made(folder, events), made(folder, events // 10)
    full, hand = Cost(9e9, 0, 0), Cost(9e9, 0, 0)
    for _ in range(TURNS):
        full, hand = better(full, run("ours", data, 6, 2)), better(hand, run("hand", data, 6, 2))
    say(f"full readout of {events:,} events, CPU s", full.seconds)
    say("hand-written SQL for the same numbers, CPU s", hand.seconds)
    say("ratio (goal 1.5 at most)", full.seconds / hand.seconds)
    say("opening: sha256 of every part and repeated messages, once a part, CPU s", full.opening)
    say("peak MB: ours, by hand", full.peak_mb, hand.peak_mb)
    tenth = run("ours", small, 6, 2)
    say(f"time of {events:,} over that of {events // 10:,} events (12 at most)", full.seconds / tenth.seconds)
    first, plain = run("ours", data, 1, 0), run("ours", data, 6, 0)
    say(
        "each further metric, of a readout of engaged time alone (0.15 at most)",
        (plain.seconds - first.seconds) / 5 / first.seconds,
    )
    dimensions = run("ours", data, 1, 2)
    say("each further dimension, of the same (0.15 at most)", (dimensions.seconds - first.seconds) / 2 / first.seconds)
    if large:
        say(f"peak MB of {large:,} events (2,000 at most)", run("ours", made(folder, large), 6, 2).peak_mb)


def made(folder: Path, events: int) -> Path:
    """The log of so many events."""
    data = folder / f"{events}"
    readout_log.write(readout_log.LogPlan(events), data)
    definitions = data / "definitions"
    definitions.mkdir()
    return data


def run(side: str, data: Path, metrics: int, dimensions: int) -> Cost:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.readout", "--one", side, str(data), str(metrics), str(dimensions)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def one(side: str, data: Path, metrics: int, dimensions: int) -> dict[str, float]:
    """Do it here."""
    opening, work = (
        ours(data, metrics, dimensions) if side == "ours" else (lambda: None, hand(data, metrics, dimensions))
    )
    started = time.process_time()
    opening()
    opened = time.process_time()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.process_time() - opened, "opening": opened - started, "peak_mb": peak}


def hand(data: Path, metrics: int, dimensions: int) -> Callable[[], object]:
    """The hand-written side."""
    return lambda: by_hand(data, data / "spill", metrics, dimensions)


@dataclass(frozen=True, slots=True)
class OneCatalog:
    """Definitions that never change and were never frozen."""

    catalog: Catalog

    def latest(self) -> Catalog:
        return self.catalog

    def at(self, time: datetime) -> Catalog:
        return self.catalog

    def design(self, key: str, phase: int) -> None:
        return None

    def phases(self, key: str) -> tuple[()]:
        return ()


def ours(data: Path, metrics: int, dimensions: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """(open the log, read)."""
    names = list(SOURCES)[:metrics]
    text = DEFINITION.format(
        goal=names[0], secondary=", ".join(names[1:]), dimensions=", ".join(("device", "plan")[:dimensions])
    )
    (data / "definitions" / "banner.yaml").write_text(text)
    content = read_folder(data / "definitions").complete()
    published = PublishedCatalog(version=content_version(content), received_at=datetime.now(UTC), content=content)
    catalog = catalog_of(published)

    from events.engines.duckdb import EngineLimits, EventLog
    from experiments.readout.read import Readouts

    end = readout_log.START_US + 40 * readout_log.DAY_US
    log = EventLog(data, EngineLimits(timeout_seconds=3600.0))
    readouts = Readouts(log, OneCatalog(catalog), now=lambda: datetime.fromtimestamp(end / 1e6, UTC))
    return log.snapshot, lambda: readouts.read("banner")


def better(left: Cost, right: Cost) -> Cost:
    """The quicker of two turns."""
    return left if left.seconds <= right.seconds else right


def say(what: str, *numbers: float) -> None:
    """One row of the table."""
    print(f"{what:80} {'  '.join(f'{number:10.3f}' for number in numbers)}", flush=True)


if __name__ == "__main__":
    main()
