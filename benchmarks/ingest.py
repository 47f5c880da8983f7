"""Measures appending to the log against the bare store, interleaved in one run, and prints ratios.

    python benchmarks/ingest.py [--seconds 2] [--rounds 5] [--data FOLDER]

Every figure is durable: `appendonly yes`, `appendfsync always`. FOLDER should lie on the disk that will hold the log.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import uvloop

from events.ingest.stream import Stream
from events.records import Record
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.store.keys import events_key

CLIENTS = 32
EVENTS_PER_REQUEST = 20
IDS_MEASURED = 200_000
BARE = "{0}:bare"

encode = msgspec.json.Encoder().encode

Sender = Callable[[int], Awaitable[int]]  # the number of a request -> events acknowledged


def events_of(request: int, count: int = EVENTS_PER_REQUEST) -> list[Record]:
    """The events of one request, about 350 bytes each in the log."""
    return [
        Record(
            message_id=f"ajs-next-{request:012d}-{index:04d}-5f0c1d",
            type="track",
            visitor_id=f"visitor-{request % 5000:08d}",
            time=1_790_000_000_000_000 + request,
            event="Product Viewed",
            url=f"https://shop.example/products/{request % 700}?ref=mail",
            path=f"/products/{request % 700}",
            device="mobile",
            country="DE",
            properties={"product_id": f"sku-{index}", "category": "shoes", "price": 59.9, "position": index},
        )
        for index in range(count)
    ]


async def throughput(send: Sender, first: int, seconds: float, clients: int = CLIENTS) -> tuple[float, int]:
    """Events acknowledged per second, and the number of the next request."""
    numbers = iter(range(first, first + 10_000_000))
    deadline = time.perf_counter() + seconds
    started = time.perf_counter()

    async def client() -> int:
        acknowledged = 0
        while time.perf_counter() < deadline:
            acknowledged += await send(next(numbers))
        return acknowledged

    total = sum(await asyncio.gather(*[client() for _ in range(clients)]))
    return total / (time.perf_counter() - started), next(numbers)


class Ways:
    """The ways to write that are compared; each takes the number of a request and answers the events acknowledged."""

    def __init__(self, connection: Connection, stream: Stream) -> None:
        self._client = connection.client
        self._stream = stream
        self._turn = asyncio.Lock()

    async def ours(self, request: int) -> int:
        """The service: 20 events a request, de-duplicated."""
        return (await self._stream.append(events_of(request))).stored

    async def ours_one(self, request: int) -> int:
        """The service: one event a request, de-duplicated."""
        return (await self._stream.append(events_of(request, 1))).stored

    async def pipelined(self, request: int) -> int:
        """20 bare XADDs in one pipeline."""
        pipeline = self._client.pipeline(transaction=False)
        for record in events_of(request):
            pipeline.execute_command("XADD", BARE, "*", "e", encode(record))
        return len(await pipeline.execute())

    async def bare_each(self, request: int) -> int:
        """20 bare XADDs, each waited for."""
        for record in events_of(request):
            await self._client.execute_command("XADD", BARE, "*", "e", encode(record))
        return EVENTS_PER_REQUEST

    async def bare_one(self, request: int) -> int:
        """One bare XADD."""
        await self._client.execute_command("XADD", BARE, "*", "e", encode(events_of(request, 1)[0]))
        return 1

    async def bare_in_turn(self, request: int) -> int:
        """One bare XADD, after those of all other requests: a worker with one connection and no group commit."""
        async with self._turn:
            return await self.bare_one(request)

    def all(self) -> dict[str, Sender]:
        """Every way by its name."""
        names = ("ours", "pipelined", "bare_each", "ours_one", "bare_one", "bare_in_turn")
        return {name: getattr(self, name) for name in names}


async def server_seconds(connection: Connection) -> float:
    """CPU time that the store has used so far."""
    information = await connection.client.info("cpu")
    return information["used_cpu_user"] + information["used_cpu_sys"]


async def trim(connection: Connection) -> None:
    """Keeps memory out of the comparison."""
    for key in (BARE, events_key(0)):
        await connection.client.xtrim(key, maxlen=0, approximate=False)


async def memory(connection: Connection) -> int:
    """Bytes that the store uses, once the buffers of past requests are given back."""
    await asyncio.sleep(1.0)
    return (await connection.client.info("memory"))["used_memory"]


async def bytes_kept(connection: Connection, stream: Stream, first: int) -> tuple[float, float]:
    """Bytes per remembered messageId, and bytes of an event in the store (its id included) per byte of its JSON."""
    await connection.client.execute_command("FLUSHALL", "SYNC")
    await stream.append(events_of(first))
    await trim(connection)
    before = await memory(connection)
    requests = range(first + 1, first + 1 + IDS_MEASURED // EVENTS_PER_REQUEST)
    payload = 0
    for request in requests:
        events = events_of(request)
        payload += sum(len(msgspec.json.encode(event)) for event in events)
        await stream.append(events)
    with_events = await memory(connection)
    await trim(connection)
    return (await memory(connection) - before) / IDS_MEASURED, (with_events - before) / payload


async def compare(connection: Connection, rounds: int, seconds: float) -> None:
    """Runs every sender once a round and prints medians, ratios and the store's CPU time per event."""
    stream = Stream(connection)
    ways = Ways(connection, stream).all()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    first = 0
    for _ in range(rounds):
        for name, send in ways.items():
            used = await server_seconds(connection)
            rate, following = await throughput(send, first, seconds)
            costs[name].append((await server_seconds(connection) - used) / (rate * seconds) * 1e6)
            rates[name].append(rate)
            first = following
            await trim(connection)
    median = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in median.items():
        print(f"{name:16} {rate:10,.0f} events/s   store {statistics.median(costs[name]):6.1f} µs an event")
    per_id, per_byte = await bytes_kept(connection, stream, first)
    figures = (
        ("ours / bare pipelined XADD", median["ours"] / median["pipelined"], ">= 0.5"),
        ("group commit / one durable XADD per request, in turn", median["ours"] / median["bare_in_turn"], ">= 20"),
        ("group commit / one durable XADD per event, 32 at once", median["ours"] / median["bare_each"], ""),
        ("requests of one event: ours / one durable XADD each", median["ours_one"] / median["bare_one"], ""),
        ("bytes per id", per_id, "<= 20"),
        ("bytes in the store / bytes of JSON", per_byte, "<= 1.4"),
    )
    for name, value, goal in figures:
        print(f"{name:55}{value:8.2f}   {goal}")
    await stream.close()


async def measure(store: EmbeddedStore, rounds: int, seconds: float) -> None:
    """Opens the connection, compares, closes it."""
    connection = await connect(None, store.socket, data=store.data)
    try:
        await compare(connection, rounds, seconds)
    finally:
        await connection.close()


def main() -> None:
    """Parses the arguments and runs the comparison on a store of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="per way of writing and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="folder for the store (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.data) as folder:
        store = EmbeddedStore(Path(folder), memory_bytes=4 << 30)
        store.start()
        try:
            uvloop.run(measure(store, arguments.rounds, arguments.seconds))
        finally:
            store.stop()


if __name__ == "__main__":
    main()
