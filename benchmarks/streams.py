"""What open streams cost a worker, and how soon they are told: the figures of 1,000 pages that wait for changes.

`python -m benchmarks.streams [STREAMS] [SECONDS]`. One worker, half of the streams GrowthBook's, half OpenFeature's.
A service of one worker, as `resonate serve` runs it. Printed are memory a stream, the CPU of idle ones, the delay of a
pause to each of them (from the moment at which the catalogue changed, and from the beginning and the answer of the call
that paused), and OFREP's p99 beside them against without, measured in turn.
"""

import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from benchmarks.http import TEN, definitions, free_port
from benchmarks.idle import share_of_a_core
from experiments.catalog.files import CatalogPaths

PATHS = (b"/sub/pk_benchmark", b"/ofrep/v1/stream?key=pk_benchmark")
BODY = b'{"context":{"targetingKey":"v-%d","device":"mobile","cart_value":10.5,"resonate.expose":false}}'
ROUNDS = 5
PAUSES = 10  # and resumptions
QUESTIONS = 3_000
SECRET = {"Authorization": "Bearer sk_benchmark"}
UNLIMITED = ("RATE_LIMIT_PER_SECOND", "RATE_LIMIT_BURST", "BUDGET_CPU_MS", "BUDGET_BYTES_KB", "BUDGET_EVENTS",
             "MAX_CONNECTIONS_PER_NETWORK")  # fmt: skip


class Waiting:
    """Open streams that note when they were told something new."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.readers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self, count: int) -> None:
        """So many more, each of which has read what it was told at first."""
        for place in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(b"GET %b HTTP/1.1\r\nHost: shop\r\n\r\n" % PATHS[place % 2])
            await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"\nid: ")
            await reader.readuntil(b"\n\n")
            self.readers.append((reader, writer))

    async def told(self) -> list[float]:
        """The moment at which each was told the next thing."""

        async def next_event(reader: asyncio.StreamReader) -> float:
            while True:
                if b"data: " in await reader.readuntil(b"\n\n"):
                    return time.time()

        return await asyncio.gather(*(next_event(reader) for reader, _ in self.readers))

    def close(self) -> None:
        for _, writer in self.readers:
            writer.close()
        self.readers.clear()


def asked(port: int, count: int) -> list[float]:
    """The seconds of so many evaluations, one after the other on one connection."""
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number in range(count):
            body = BODY % number
            path = b"/ofrep/v1/evaluate/flags/experiment-1?key=pk_benchmark"
            head = b"POST %b HTTP/1.1\r\nHost: shop\r\n" % path
            began = time.perf_counter()
            connection.sendall(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
            connection.recv(65_536)
            took.append(time.perf_counter() - began)
    return took


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def run(url: str, process: psutil.Process, catalogue: Path, streams: int, seconds: float) -> None:
    """Prints all figures of this many streams on one worker."""
    port = int(url.rpartition(":")[2])
    waiting = Waiting(port)
    await asyncio.to_thread(asked, port, QUESTIONS)  # warm
    idle = await asyncio.to_thread(share_of_a_core, process, seconds)
    before = process.memory_info().rss
    await waiting.open(streams)
    memory = (process.memory_info().rss - before) / streams
    beside = await asyncio.to_thread(share_of_a_core, process, seconds)
    print(f"memory a stream: {memory / 1000:.1f} kB")
    print(f"idle: {idle:.2%} of a core without, {beside:.2%} with {streams} streams, {beside - idle:+.2%}", flush=True)
    await told_of_pauses(url, waiting, catalogue)
    ratios: list[float] = []
    for _ in range(ROUNDS):
        with_streams = await asyncio.to_thread(asked, port, QUESTIONS)
        waiting.close()
        await asyncio.sleep(1)
        without = await asyncio.to_thread(asked, port, QUESTIONS)
        await waiting.open(streams)
        ratios.append(percentile(with_streams, 0.99) / percentile(without, 0.99))
        print(f"OFREP p99: {percentile(with_streams, 0.99) * 1e3:.2f} ms beside {streams} streams, "
              f"{percentile(without, 0.99) * 1e3:.2f} ms without")  # fmt: skip
    print(f"OFREP p99 beside streams: {statistics.median(ratios):.2f} times that without (median of {ROUNDS})")
    waiting.close()


async def told_of_pauses(url: str, waiting: Waiting, catalogue: Path) -> None:
    """Pauses and resumes by the API, and prints when all streams were told."""
    delays: dict[str, list[float]] = {"the catalogue changed": [], "the call began": [], "the call was answered": []}
    async with httpx.AsyncClient(base_url=url, headers=SECRET, timeout=60) as client:
        for pause in range(PAUSES):
            listening = asyncio.create_task(waiting.told())
            await asyncio.sleep(0.1 + 0.37 * pause % 0.5)
            action = "resume" if pause % 2 else "pause"
            began = time.time()
            (await client.post(f"/v1/experiments/{TEN[0]}/{action}")).raise_for_status()
            answered = time.time()
            moments = await listening
            since = (catalogue.stat().st_mtime, began, answered)
            for name, start in zip(delays, since, strict=True):
                delays[name] += [moment - start for moment in moments]
    for name, seen in delays.items():
        worst = f"p99 {percentile(seen, 0.99):.3f} s, worst {max(seen):.3f} s ({PAUSES} changes)"
        print(f"all {len(waiting.readers)} are told after {name}: p50 {statistics.median(seen):.3f} s, {worst}")


@contextmanager
def service(folder: Path, streams: int) -> Generator[tuple[str, psutil.Process]]:
    """A service of one worker without limits, by its address and its worker."""
    definitions(folder / "definitions")
    port = free_port()
    said = {
        "PORT": port, "WORKERS": 1, "DATA": folder / "data", "DEFINITIONS": folder / "definitions",
        "PUBLISHABLE_KEYS": "pk_benchmark", "SECRET_KEYS": "sk_benchmark", "MAX_STREAMS": 2 * streams,
        **dict.fromkeys(UNLIMITED, 1_000_000),
    }  # fmt: skip
    environment = {**os.environ, **{f"RESONATE_{name}": str(value) for name, value in said.items()}}
    serving = subprocess.Popen([sys.executable, "-P", "-m", "app.cli.main", "serve"], env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while not is_ready(url):
            if serving.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the service did not start")
            time.sleep(0.1)
        children = psutil.Process(serving.pid).children(recursive=True)
        [worker] = [each for each in children if "worker" in each.cmdline()]
        yield url, worker
    finally:
        serving.terminate()
        serving.wait()


def is_ready(url: str) -> bool:
    """Whether a service answers there."""
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    """The whole run."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder, service(Path(folder), streams) as (url, worker):
        asyncio.run(run(url, worker, CatalogPaths(Path(folder) / "data").current, streams, seconds))


if __name__ == "__main__":
    main()
