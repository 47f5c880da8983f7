"""What others wait beside eight connections that repeat one of the costliest legal requests.

`python -m benchmarks.fairness [SECONDS]`: for each of them, how many times longer than in the same run without them an
assignment takes from another network (p50, p99; 8 and 20 times are promised) and from a backend (p50; 4 times), and
the longest of twenty answers of `/healthz` (1 s).
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.costly_crowd import BACKEND, CROWD, DEFAULTS, FLAG, PAGE, PROBE, QUESTION, client, repeating
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from worlds.costly_requests import COSTLIEST, DEFINITIONS

PAUSE_SECONDS = 0.005  # between the questions of one caller


def seconds_each(service: Service, network: str, key: str, seconds: float) -> tuple[float, float]:
    """Median and p99 of how long a caller's assignments took, one after the other."""
    took: list[float] = []
    with client(service, network, key) as honest:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            began = time.perf_counter()
            honest.post(FLAG, json=QUESTION).raise_for_status()
            took.append(time.perf_counter() - began)
            time.sleep(PAUSE_SECONDS)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def main() -> None:
    """The whole run."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), DEFINITIONS, RESONATE_WORKERS="1", **DEFAULTS) as shop,
    ):
        quiet = {key: seconds_each(shop, PAGE, key, seconds) for key in (PUBLISHABLE_KEY, SECRET_KEY)}
        print(f"{'repeated beside it':46} {'p50':>6} {'p99':>6} {'backend':>8} {'/healthz s':>11}", flush=True)
        for costly in COSTLIEST:
            with repeating(shop, costly):
                with client(shop, CROWD, PUBLISHABLE_KEY if costly.keyed else None) as same:
                    until(lambda: same.post("/v1/track", content=b"").status_code == 429, "they are refused", 60)
                page = seconds_each(shop, PAGE, PUBLISHABLE_KEY, seconds)
                backend = seconds_each(shop, BACKEND, SECRET_KEY, seconds)
                with client(shop, PROBE, None) as probe:
                    health = max(probe.get("/healthz").elapsed.total_seconds() for _ in range(20))
            median, tail = (then / before for then, before in zip(page, quiet[PUBLISHABLE_KEY], strict=True))
            secret = backend[0] / quiet[SECRET_KEY][0]
            print(f"{costly.name:46} {median:6.1f} {tail:6.1f} {secret:8.1f} {health:11.3f}", flush=True)


if __name__ == "__main__":
    main()
