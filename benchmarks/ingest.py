"""Measures the log's door against the bare store, interleaved in one run, and prints ratios.

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

from events.connection import Connection, connect
from events.records import Record
from events.server import EmbeddedStore
from events.stream import Stream

CLIENTS = 32
EVENTS_PER_REQUEST = 20
IDS_MEASURED = 200_000

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


def senders(connection: Connection, stream: Stream) -> dict[str, Sender]:
    """The ways to write that are compared."""
    encode = msgspec.json.Encoder().encode

    async def door(request: int) -> int:
        return (await stream.append(events_of(request))).stored

    async def one_event(request: int) -> int:
        return (await stream.append(events_of(request, 1))).stored

    async def pipelined(request: int) -> int:
        pipeline = connection.client.pipeline(transaction=False)
        for record in events_of(request):
            pipeline.execute_command("XADD", "{0}:bare", "*", "e", encode(record))
        return len(await pipeline.execute())

    async def one_each(request: int) -> int:
        for record in events_of(request):
            await connection.client.execute_command("XADD", "{0}:bare", "*", "e", encode(record))
        return EVENTS_PER_REQUEST

    gate = asyncio.Lock()

    async def in_turn(request: int) -> int:
        async with gate:
            return await one_event_bare(request)

    async def one_event_bare(request: int) -> int:
        await connection.client.execute_command("XADD", "{0}:bare", "*", "e", encode(events_of(request, 1)[0]))
        return 1

    return {
        "door": door,
        "pipelined": pipelined,
        "one each": one_each,
        "door, 1 event": one_event,
        "XADD, 1 event": one_event_bare,
        "XADD in turn": in_turn,
    }


async def server_seconds(connection: Connection) -> float:
    """CPU time that the store has used so far."""
    information = await connection.client.info("cpu")
    return information["used_cpu_user"] + information["used_cpu_sys"]


async def trim(connection: Connection) -> None:
    """Keeps memory out of the comparison."""
    for key in ("{0}:bare", "{0}:events"):
        await connection.client.xtrim(key, maxlen=0, approximate=False)


async def bytes_per_id(connection: Connection, stream: Stream, first: int) -> float:
    """Growth of the store per remembered messageId, the events themselves trimmed away."""
    await connection.client.execute_command("FLUSHALL", "SYNC")
    before = (await connection.client.info("memory"))["used_memory"]
    requests = IDS_MEASURED // EVENTS_PER_REQUEST
    for start in range(0, requests, 100):
        await asyncio.gather(*[stream.append(events_of(first + start + index)) for index in range(100)])
        await trim(connection)
    await asyncio.sleep(0.2)
    return ((await connection.client.info("memory"))["used_memory"] - before) / (requests * EVENTS_PER_REQUEST)


async def compare(connection: Connection, rounds: int, seconds: float) -> None:
    """Runs every sender once a round and prints medians, ratios and the store's CPU time per event."""
    stream = Stream(connection)
    ways = senders(connection, stream)
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
    print(f"door / pipelined XADD                         {median['door'] / median['pipelined']:6.2f}   (goal >= 0.5)")
    print(f"group commit / one durable XADD per event     {median['door'] / median['one each']:6.1f}   (goal >= 20)")
    print(f"requests of 1 event: door / one durable XADD  {median['door, 1 event'] / median['XADD, 1 event']:6.2f}")
    print(f"bytes per id                                  {await bytes_per_id(connection, stream, first):6.1f}   (goal <= 20)")
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
