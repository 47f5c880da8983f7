"""Whether a test of two pages counts both arms alike when visitors leave at any moment: loads of it in real Chromium.

`python -m benchmarks.redirects [LOADS [SEED]]`. Every load is a new visitor of a page that one arm of a running
experiment is led away from; a tenth is aborted at a random moment between the script and the page event (loading is
stopped, another address gone to, the tab closed). Printed is what is stored: exposed units, those who arrived where
their arm leads, and p that the split is by chance, which is to stay above 0.001.
"""

import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.chromium import open_chromium
from servers.redirect_crowd import ARMS, FILES, Crowd, Stored, drawn, redirect_pages
from servers.service import running

FAIR = 0.001


def cpu_seconds() -> float:
    """Of this process and all that it started and that still run: the service, the browser."""
    used = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:2])
    return used


def main(count: int, seed: int) -> int:
    """Prints the table; 1 where the split is not one of chance."""
    print(f"{count} loads, seed {seed}")
    loads = drawn(count, random.Random(seed))
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), FILES) as site,
        redirect_pages(site) as port,
        open_chromium() as browser,
    ):
        began, crowd = time.perf_counter(), Crowd(port)
        crowd.walk(browser, loads)
        seconds, cpu = time.perf_counter() - began, cpu_seconds()
        stored = Stored.of(site, loads)
    print(f"{'arm':10}{'exposed':>10}{'arrived':>10}{'of them':>10}")
    for arm in ARMS:
        exposed, arrived = stored.exposed[arm], stored.arrived[arm]
        print(f"{arm:10}{exposed:10}{arrived:10}{arrived / max(1, exposed):10.2%}")
    left = ", ".join(f"{number} by {how}" for how, number in sorted(stored.aborted.items()))
    print(f"split: p = {stored.p:.3g}, in the readout {stored.readout_p:.3g}; it is to be above {FAIR}")
    print(f"aborted: {left}; of them without an exposure {stored.unexposed}")
    print(f"not aborted and without exactly one exposure: {len(stored.uncounted)}; tabs that hung: {len(crowd.failed)}")
    print(f"redirect_lost: {'; '.join(stored.checks) or 'says nothing'}")
    print(f"{seconds:.0f} s, {count / seconds:.1f} loads a second, {cpu / count:.2f} s of CPU a load")
    return int(stored.p <= FAIR or bool(stored.uncounted))


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:3]]
    sys.exit(main(given[0] if given else 10_000, given[1] if len(given) > 1 else random.SystemRandom().getrandbits(32)))
