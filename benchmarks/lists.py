"""What a list of small experiments costs, against one of them: CPU of the analysis, interleaved in one run.

    python -m benchmarks.lists [ROUNDS]

Each experiment has 250 visitors, two goals and a secondary metric of one of four kinds; medians of ROUNDS (7). Asked
again: the same list while nothing arrives, and after one more exposure of one experiment.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from worlds.event_log import received, write_log
from worlds.readout_studies import DAY, START, Shop, readouts

from experiments.readout.read import Readouts

SIZES = (1, 2, 12, 50)
VISITORS = 250
BESIDE = ("average_order_value", "return_d7", "nps", "engaged_time_estimate")


def main(rounds: int = 7) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        sites = {size: site(Path(folder) / str(size), size) for size in SIZES}
        taken: dict[tuple[int, str], list[float]] = {}
        for turn in range(rounds + 1):  # the first one warms up
            for size, (made, shop) in sites.items():
                anew = Readouts(made.log, made.archive, now=made.now)
                found = {"first": cpu(anew.results), "again": cpu(anew.results)}
                shop.expose(f"late-{turn}", "b", START + DAY, experiment="exp0", message_id=f"late-{turn}-{size}")
                write_log(made.log.reader.data, received(shop.records[-1:], DAY), shard=turn + 1)
                found["one exposure later"] = cpu(anew.results)
                for name, seconds in found.items():
                    taken.setdefault((size, name), []).extend([seconds] if turn else [])
    one = statistics.median(taken[1, "first"])
    print(f"{'experiments':>11} {'first':>10} {'x one':>6} {'again':>10} {'one exposure later':>19}")
    for size in SIZES:
        first, again, later = (
            statistics.median(taken[size, name]) for name in ("first", "again", "one exposure later")
        )
        print(f"{size:>11} {1e3 * first:7.1f} ms {first / one:6.2f} {1e3 * again:7.2f} ms {1e3 * later:16.1f} ms")
    most, fewer = SIZES[-1], SIZES[-2]
    more = statistics.median(taken[most, "first"]) - statistics.median(taken[fewer, "first"])
    print(f"one more of {most}: {100 * more / (most - fewer) / one:.1f} % of the first")


def cpu(answer: Callable[[], Any]) -> float:
    """Seconds of CPU that an answer takes."""
    before = time.process_time()
    answer()
    return time.process_time() - before


def site(data: Path, experiments: int) -> tuple[Readouts, Shop]:
    """A log of so many small experiments with visitors of their own, fourteen days later."""
    chance, shop = random.Random(1), Shop()
    for number in range(experiments * VISITORS):
        name, when = f"v{number}", START + chance.randrange(5 * DAY)
        device = chance.choice(["mobile", "desktop"])
        shop.expose(name, chance.choice(["control", "b"]), when, experiment=f"exp{number % experiments}", device=device)
        if chance.random() < 0.3:
            shop.buy(name, when + chance.randrange(6 * DAY), float(chance.randrange(1, 100)))
        if chance.random() < 0.5:
            shop.add("page", name, when + chance.randrange(13 * DAY), page_view_id=f"p{number}")
    head = "status: running\nvariants: [control, b]\ngoals: [purchase_rate, revenue_per_visitor]\n"
    files = {
        f"exp{number}.yaml": f"key: exp{number}\n{head}secondary: [{BESIDE[number % len(BESIDE)]}]\n"
        for number in range(experiments)
    }
    made = readouts(data, shop.records, 14.0, files)
    return Readouts(made.log, made.archive, now=made.now), shop


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
