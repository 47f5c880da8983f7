"""What pages cost: the CPU of one from a known readout against a FastAPI hello-world, and assignment beside them.

    python -m benchmarks.dashboard [ASKS] [SECONDS]

A log of 100,000 events lies ready; the experiment has nine metrics and one dimension. CPU is that of worker and
analysis together, a page; the hello-world is a process of its own on uvicorn, asked by the same client. Then visitors
are assigned for SECONDS (10) without pages and with ten page views a second, in turns.
"""

import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.people import Visitor, signed_in_visitor
from servers.service import PUBLISHABLE_KEY, Service, running

from benchmarks import readout_log
from benchmarks.http import free_port, wait_for
from benchmarks.known_readout import cpu_seconds

FILES = {
    "banner.yaml": (
        "key: banner\nstatus: running\nvariants: [control, threshold]\ngoals: [purchase_rate]\n"
        "secondary: [revenue_per_visitor, average_order_value, engaged_time, nps, orders_per_visitor,"
        " pages_per_visitor]\n"
        "guardrails: {refund_rate: 2%, return_d7: 5%}\nplan: {dimensions: [device]}\n"
    )
}
PAGES = {"list": "/dashboard", "experiment": "/dashboard/experiments/banner", "sign-in": "/dashboard/sign-in"}
PAGES_A_SECOND = 10
TURNS = 3


def main(asks: int = 100, seconds: int = 10) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        readout_log.write(readout_log.LogPlan(100_000), Path(folder) / "data")
        with (
            running(Path(folder), FILES, RESONATE_WORKERS="1") as service,
            signed_in_visitor(service.url, service.data, "viewer") as viewer,
        ):
            service.results("banner")
            viewer.get(PAGES["experiment"]).raise_for_status()
            for name, path in PAGES.items():
                size = len(viewer.get(path).content)
                cost = spent(partial(viewer.get, path), partial(cpu_seconds, service), asks)
                hello = hello_world(10 * asks)
                print(
                    f"{name:24} CPU {1e3 * cost:6.2f} ms, {cost / hello:5.1f} hello-worlds, {size:,} bytes", flush=True
                )
            for turn, viewed in itertools.product(range(TURNS), (False, True)):
                taken = assigned(service, viewer, seconds, viewed=viewed)
                beside = f"{PAGES_A_SECOND} pages a second" if viewed else "no pages"
                told = statistics.quantiles(taken, n=100)
                print(
                    f"turn {turn + 1}, {beside:20} p50 {1e3 * told[49]:5.2f} ms p99 {1e3 * told[98]:6.2f} ms",
                    flush=True,
                )


def spent(ask: Callable[[], object], used: Callable[[], float], asks: int) -> float:
    """CPU seconds of one answer."""
    for _ in range(5):
        ask()
    before = used()
    for _ in range(asks):
        ask()
    return (used() - before) / asks


def hello_world(asks: int) -> float:
    """CPU seconds of one of FastAPI's hello-worlds."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.http_servers", "hello", str(port), "-"]
    with subprocess.Popen(command) as process, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        try:
            wait_for(port)
            times = psutil.Process(process.pid).cpu_times
            return spent(partial(client.get, "/"), lambda: sum(times()[:2]), asks)
        finally:
            process.terminate()


def assigned(service: Service, viewer: Visitor, seconds: int, *, viewed: bool) -> list[float]:
    """How long each of 100 assignments a second took."""
    taken: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(1.0 / PAGES_A_SECOND):
            viewer.get(PAGES["experiment"])

    looking = threading.Thread(target=look)
    if viewed:
        looking.start()
    with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {PUBLISHABLE_KEY}"}) as client:
        end = time.perf_counter() + seconds
        for number in itertools.count():
            started = time.perf_counter()
            if started >= end:
                break
            client.post("/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": f"visitor-{number}"}})
            taken.append(time.perf_counter() - started)
            time.sleep(max(0.0, 0.01 - taken[-1]))
    over.set()
    if viewed:
        looking.join()
    return taken


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
