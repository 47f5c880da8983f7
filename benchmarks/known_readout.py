"""How long a whole service takes for its first readout, and for one that is known already, over HTTP.

    python -m benchmarks.known_readout [ASKS]

A log of 100,000 events lies ready. The experiment has five metrics and one dimension; medians of ASKS (200), with the
CPU time of worker and analysis together beside them.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.service import Service, running

from benchmarks import readout_log

FILES = {
    "banner.yaml": (
        "key: banner\nstatus: running\nvariants: [control, threshold]\ngoals: [purchase_rate]\n"
        "secondary: [revenue_per_visitor, average_order_value, engaged_time, nps]\nplan: {dimensions: [device]}\n"
    )
}
ASKED = {
    "all of it": "/v1/experiments/banner/results",
    "one metric": "/v1/experiments/banner/results?metric=purchase_rate",
    "day by day": "/v1/experiments/banner/timeseries",
    "hello world of the same worker": "/healthz",
}


def main(asks: int = 200) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        readout_log.write(readout_log.LogPlan(100_000), Path(folder) / "data")
        with running(Path(folder), FILES, RESONATE_WORKERS="1") as service, service.client() as client:
            started = time.perf_counter()
            client.get(ASKED["all of it"]).raise_for_status()
            print(f"first readout after start: {time.perf_counter() - started:.2f} s")
            for name, path in ASKED.items():
                say(name, service, client, path, asks)
                etag = client.get(path).headers.get("etag")
                if etag:
                    say(f"{name}, 304", service, client, path, asks, {"if-none-match": etag})


def say(name: str, service: Service, client: httpx.Client, path: str, asks: int, headers: dict[str, str] = {}) -> None:  # noqa: B006 - read only
    """One row of the table."""
    answer = client.get(path, headers=headers)
    taken: list[float] = []
    before = cpu_seconds(service)
    for _ in range(asks):
        started = time.perf_counter()
        client.get(path, headers=headers)
        taken.append(time.perf_counter() - started)
    spent = cpu_seconds(service) - before
    middle, most = statistics.median(taken), statistics.quantiles(taken, n=10)[-1]
    size = f"{len(answer.content):7,} bytes"
    print(f"{name:32} {answer.status_code} {size} p50 {1e3 * middle:5.1f} ms p90 {1e3 * most:5.1f} ms", end="")
    print(f" CPU {1e3 * spent / asks:5.1f} ms", flush=True)


def cpu_seconds(service: Service) -> float:
    """What workers and analysis have used."""
    processes = service.processes()
    times = [process.cpu_times() for role in ("worker", "analysis") for process in processes.get(role, [])]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
