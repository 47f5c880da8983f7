"""What idle connections cost: CPU of one worker with 3,000 kept connections and with none, in one run.

`python -m benchmarks.idle [SECONDS] [STREAMS]`. The two are measured in turn, three times; printed are medians. Then
the same beside so many open streams (200).
"""

import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.http import definitions, free_port, wait_for
from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper

CONNECTIONS = 3_000
ROUNDS = 3
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"


def kept(port: int) -> socket.socket:
    """A connection that has been answered once, and is silent from then on."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(REQUEST)
    connection.recv(4096)
    return connection


def streaming(port: int) -> socket.socket:
    """A stream of changes, which has been told the first thing."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(b"GET /sub/pk_benchmark HTTP/1.1\r\nHost: shop\r\n\r\n")
    if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
        raise SystemExit("no stream was opened")
    return connection


def share_of_a_core(process: psutil.Process, seconds: float) -> float:
    """CPU time of the process while nobody asks, per second."""
    time.sleep(1)  # what the connections' making has left to do
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


def run(port: int, process: psutil.Process, seconds: float) -> tuple[float, float]:
    """Medians of the share of a core: without connections, and with them."""
    without: list[float] = []
    beside: list[float] = []
    for _ in range(ROUNDS):
        without.append(share_of_a_core(process, seconds))
        with ExitStack() as connections:
            for _ in range(CONNECTIONS):
                connections.enter_context(kept(port))
            beside.append(share_of_a_core(process, seconds))
    return statistics.median(without), statistics.median(beside)


def main() -> None:
    """The whole run."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    streams = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        data, port = Path(folder) / "data", free_port()
        data.mkdir()
        definitions(Path(folder) / "definitions")
        CatalogKeeper(Path(folder) / "definitions", data, lambda: datetime.now(UTC)).boot()
        store = EmbeddedStore(data)
        store.start()
        worker = subprocess.Popen([sys.executable, "-m", "benchmarks.http_servers", "ours", str(port), str(data)])
        try:
            wait_for(port)
            for count in (0, streams):
                with ExitStack() as opened:
                    for _ in range(count):
                        opened.enter_context(streaming(port))
                    without, beside = run(port, psutil.Process(worker.pid), seconds)
                told = f"none {without:.2%} of a core, {CONNECTIONS} kept {beside:.2%}; ratio {beside / without:.2f}"
                print(f"idle connections beside {count} streams: {told}", flush=True)
        finally:
            worker.terminate()
            worker.wait()
            store.stop()


if __name__ == "__main__":
    main()
