"""What open streams cost a worker, and how soon they are told: the figures of 1,000 pages that wait for changes.

`python -m benchmarks.streams [STREAMS] [SECONDS]`. One worker, half of the streams GrowthBook's, half OpenFeature's.
Printed are memory a stream, the CPU of idle ones, the delay of a pause to each of them from the moment at which the
catalogue changed, and OFREP's p99 beside them against without, measured in turn.
"""

import asyncio
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.http import definitions, free_port, wait_for
from benchmarks.idle import share_of_a_core
from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper

PATHS = (b"/sub/pk_benchmark", b"/ofrep/v1/stream?key=pk_benchmark")
BODY = b'{"context":{"targetingKey":"v-%d","device":"mobile","cart_value":10.5,"resonate.expose":false}}'
ROUNDS = 5
PAUSES = 5
QUESTIONS = 3_000


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
                    return time.monotonic()

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


async def run(port: int, process: psutil.Process, keeper: CatalogKeeper, file: Path, streams: int, seconds: float
              ) -> None:  # fmt: skip
    waiting = Waiting(port)
    await asyncio.to_thread(asked, port, QUESTIONS)  # warm
    idle = await asyncio.to_thread(share_of_a_core, process, seconds)
    before = process.memory_info().rss
    await waiting.open(streams)
    memory = (process.memory_info().rss - before) / streams
    beside = await asyncio.to_thread(share_of_a_core, process, seconds)
    print(f"memory a stream: {memory / 1000:.1f} kB")
    print(f"idle: {idle:.2%} of a core without, {beside:.2%} with {streams} streams, {beside - idle:+.2%}")
    delays: list[float] = []
    text = file.read_text()
    for pause in range(PAUSES):
        listening = asyncio.create_task(waiting.told())
        await asyncio.sleep(0.1 + 0.37 * pause % 0.5)
        file.write_text(text.replace("status: running", "status: paused") if pause % 2 == 0 else text)
        await asyncio.to_thread(keeper.boot)
        changed = time.monotonic()
        delays += [moment - changed for moment in await listening]
    worst = f"p50 {statistics.median(delays):.3f} s, p99 {percentile(delays, 0.99):.3f} s, worst {max(delays):.3f} s"
    print(f"a change is seen by all {streams} after {worst} ({PAUSES} changes)")
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


def main() -> None:
    """The whole run."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        data, port, written = Path(folder) / "data", free_port(), Path(folder) / "definitions"
        data.mkdir()
        definitions(written)
        keeper = CatalogKeeper(written, data, lambda: datetime.now(UTC))
        keeper.boot()
        store = EmbeddedStore(data)
        store.start()
        worker = subprocess.Popen([sys.executable, "-m", "benchmarks.http_servers", "ours", str(port), str(data)])
        try:
            wait_for(port)
            file = sorted(written.glob("*.yaml"))[0]
            asyncio.run(run(port, psutil.Process(worker.pid), keeper, file, streams, seconds))
        finally:
            worker.terminate()
            worker.wait()
            store.stop()


if __name__ == "__main__":
    main()
