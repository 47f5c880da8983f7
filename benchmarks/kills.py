"""Kills of a whole service under load: what was acknowledged, lost, doubled and invented, and how soon it was back.

`python -m benchmarks.kills [KILLS [EVENTS_A_BATCH]]`. Clients in a process of their own send without pause and re-send
every batch once. Workers, the writer, the store and the whole tree are killed by SIGKILL, the store is stalled for 3 s,
a second writer is added, in a shuffled order at random moments. Then everything is exported and compared.
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from conftest import SMALLEST_DEFINITIONS
from oracles.promise import Journal, Verdict, restless, verdict
from servers.faults import KILLS, seconds_until_ready
from servers.service import Service, running

from events.log.verify import verify_log

SEED = 5


def run(service: Service, kills: int, events: int) -> tuple[Verdict, dict[str, list[float]]]:
    """The verdict, and the seconds until ready by kind of kill."""
    chance = random.Random(SEED)
    order = [kind for _ in range(-(-kills // len(KILLS))) for kind in KILLS][:kills]
    chance.shuffle(order)
    journal = Journal()
    ready: dict[str, list[float]] = {kind: [] for kind in KILLS}
    with restless(service, "client", clients=8, events=events) as path:
        for number, kind in enumerate(order, 1):
            time.sleep(chance.uniform(0.1, 2.0))
            KILLS[kind](service)
            ready[kind].append(seconds_until_ready(service, journal))
            print(f"{number:3} {kind:18} ready after {ready[kind][-1]:.2f} s", flush=True)
    return verdict(service, journal.read(path), timeout_seconds=600), ready


def main(kills: int = 54, events: int = 60) -> int:
    """Run once and print; 1 unless the promise was kept."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), SMALLEST_DEFINITIONS, RESONATE_WORKERS="2") as service,
    ):
        kept, ready = run(service, kills, events)
        sound = verify_log(service.data).is_sound
    print(f"\n{kills} kills: {kept}; log {'sound' if sound else 'NOT SOUND'}")
    for kind, seconds in ready.items():
        if seconds:
            middle, most = statistics.median(seconds), max(seconds)
            print(f"{kind:18} {len(seconds):3} ×  ready after {middle:.2f} s, {most:.2f} s at most")
    return 0 if sound and not (kept.lost or kept.doubled or kept.invented) and 500 not in kept.statuses else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
