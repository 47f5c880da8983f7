"""How long customers' experience takes of a large log, beside a full readout of the same one.

    python -m benchmarks.experience [--events 2000000] [--folder FOLDER]

All thirteen KPIs with 90 days of trailing windows, compared with the time before, and the journey; pages, orders and
answers (the log has no tickets). One thread, CPU seconds of the work itself, the log opened and verified before.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import readout_log
from benchmarks.readout import OneCatalog, made, ours, say
from events.engines.duckdb import EngineLimits, EventLog
from experiments.catalog.catalog import catalog_of
from experiments.cx.asked import ExperienceQuery
from experiments.cx.report import customer_experience
from experiments.definitions.content import PublishedCatalog, content_version
from experiments.definitions.folder import read_folder
from experiments.readout.read import Readouts


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        data = made(Path(folder), chosen.events)
        opening, readout = ours(data, 6, 2)
        opening()
        whole, answer = cpu_seconds(readout), cpu_seconds(lambda: experience(data))
        say(f"customers' experience of {chosen.events:,} events, CPU s", answer)
        say("full readout of the same log, CPU s", whole)
        say("ratio", answer / whole)
        say("peak MB of both", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def cpu_seconds(work: Callable[[], object]) -> float:
    """What it costs."""
    began = time.process_time()
    work()
    return time.process_time() - began


def experience(data: Path) -> object:
    """The answer as of five days after the last event."""
    content = read_folder(data / "definitions").complete()
    catalog = catalog_of(
        PublishedCatalog(version=content_version(content), received_at=datetime.now(UTC), content=content)
    )
    end = datetime.fromtimestamp((readout_log.START_US + 40 * readout_log.DAY_US) / 1e6, UTC)
    readouts = Readouts(EventLog(data, EngineLimits(timeout_seconds=3600.0)), OneCatalog(catalog), now=lambda: end)
    return customer_experience(readouts, catalog, ExperienceQuery(compare="previous"))


if __name__ == "__main__":
    main()
