"""Measures the log behind the stream: the writer's drain against ingest, bytes per event, compaction, hidden rows.

    python benchmarks/log.py [--events 400000] [--data FOLDER] [--soak SECONDS | --parts]

With `--soak` it only writes as fast as it can for that time, and samples the memory of the writer's own process,
told for each tenth of the time (`--soak 600`: for each minute).
With `--parts` it says what an event takes in parts of a second, a minute and a quarter of an hour, and through the open
day of a site with an event a minute (some minutes).
Ingest and drain alternate in one run on the same store (`appendonly yes`, `appendfsync always`), so that their ratio
holds on any machine. FOLDER should lie on the disk that will hold the log.
"""

import argparse
import asyncio
import multiprocessing
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import uvloop
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from worlds.event_log import Received, write_log

from events.authority import Authority
from events.deletes.hidden import HiddenRows
from events.ingest.stream import Stream
from events.log.export import Exporter
from events.log.reader import LogReader
from events.parts.arrow import allocate_sparingly
from events.parts.part import Contents, Part, PartListing, live_parts
from events.records import Record
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.writer.compaction import Compaction
from events.writer.shard import WriterOptions
from events.writer.watermark import wait_until_written
from events.writer.writer import run_writer

ROUNDS = 4
EXPORTED = 100_000
CLIENTS = 16
EVENTS_PER_REQUEST = 20
DAY_SECONDS = 86_400
SLOW_SECONDS = 900
START_US = 1_790_000_000_000_000
PAGES = ["/", "/cart", "/checkout", "/search", *(f"/products/{number}" for number in range(400))]


def shop_events(count: int, seed: int) -> Iterator[Record]:
    """The events of a shop as its clients send them: exposures, pages, engagement beats, products, orders.

    Each visitor's page calls from a network of its own, and orders come from the backend.
    """
    chance = random.Random(seed)
    for number in range(count):
        visitor = f"{chance.getrandbits(40) % (count // 12 + 1):010x}-4c1e-4f0a"
        message_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        when = START_US + number * 700 + chance.randrange(100_000)
        page = chance.choice(PAGES)
        page_view = Record(
            message_id=message_id,
            type="page",
            visitor_id=visitor,
            network=crc32(visitor.encode()),
            time=when,
            url=f"https://shop.example{page}",
            path=page,
            device=chance.choice(["mobile", "desktop", "tablet"]),
            country=chance.choice(["DE", "DE", "DE", "AT", "CH", "FR"]),
        )
        yield replace(page_view, **_more(chance, number % 10, page_view))


def _more(chance: random.Random, choice: int, page: Record) -> dict[str, Any]:
    """What makes another event of a page view."""
    product = f"sku-{chance.randrange(400)}"
    if choice < 4:
        return {}
    if choice == 4:
        attributes = {"country": page.country, "device": page.device}
        design = {"experiment": "free-shipping-banner", "variant": chance.choice("ab"), "phase": 0, "propensity": 0.5}
        return design | {"type": "exposure", "exposure_source": "personalize", "properties": attributes}
    if choice < 8:
        seen = {"page_view_id": f"pv-{chance.getrandbits(48):012x}", "engaged_ms": chance.randrange(60_000)}
        return seen | {"type": "engagement", "properties": {"seq": chance.randrange(8), "final": False}}
    if choice == 8:
        properties = {"list": "search", "position": chance.randrange(40)}
        return {"type": "track", "event": "Product Viewed", "product_ids": [product], "properties": properties}
    sent = {"network": None, "authority": Authority.BACKEND}
    order = {"order_id": f"o-{chance.getrandbits(40)}", "user_id": f"u-{chance.getrandbits(30)}", "currency": "EUR"}
    lines = {"product_ids": [product], "quantities": [1.0], "prices": [19.9]}
    return (
        sent
        | order
        | lines
        | {"type": "track", "event": "Order Completed", "value": round(chance.lognormvariate(4, 1), 2)}
    )


async def ingest(stream: Stream, events: Sequence[Record]) -> float:
    """Events acknowledged per second."""
    batches = iter([events[start : start + EVENTS_PER_REQUEST] for start in range(0, len(events), EVENTS_PER_REQUEST)])

    async def client() -> None:
        for batch in batches:
            await stream.append(batch)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return len(events) / (time.perf_counter() - started)


async def drain(connection: Connection, data: Path, events: int) -> tuple[float, float]:
    """Events written per second of wall clock, and per second of this process's own time."""
    stop = asyncio.Event()
    started, cpu = time.perf_counter(), time.process_time()
    writer = asyncio.create_task(run_writer(connection, data, WriterOptions(), stop))
    await wait_until_written(connection, 120)
    rates = events / (time.perf_counter() - started), events / (time.process_time() - cpu)
    stop.set()
    await writer
    return rates


async def rounds(data: Path, events: int) -> None:
    store = EmbeddedStore(data)
    store.start()
    connection = await connect(None, store.socket)
    stream = Stream(connection)
    each = events // ROUNDS
    print(f"{'':10}{'ingest/s':>12}{'drain/s':>12}{'per core':>12}{'drain/ingest':>14}{'peak MB':>10}")
    for number in range(ROUNDS):
        made = list(shop_events(each, number))
        taken = await ingest(stream, made)
        del made
        wall, core = await drain(connection, data, each)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"round {number:<4}{taken:12,.0f}{wall:12,.0f}{core:12,.0f}{wall / taken:14.2f}{peak:10.0f}")
    await stream.close()
    await connection.close()
    store.stop()


async def soak(data: Path, seconds: float) -> None:
    """Full ingest beside a writer in its own process, whose resident memory is sampled ten times."""
    store = EmbeddedStore(data)
    store.start()
    connection = await connect(None, store.socket)
    stream = Stream(connection)
    process = multiprocessing.get_context("spawn").Process(target=write, args=(store.socket, data), daemon=True)
    process.start()
    made = list(shop_events(50_000, 1))
    ended = time.monotonic() + seconds
    sampled, events = time.monotonic() + seconds / 10, 0
    sizes: list[float] = []
    sampler = asyncio.create_task(_sample(process.pid, sizes))
    while time.monotonic() < ended:
        fresh = [replace(event, message_id=f"{events}-{event.message_id}") for event in made]
        events += len(fresh)
        rate = await ingest(stream, fresh)
        if time.monotonic() > sampled:
            sampled += seconds / 10
            backlog = (await wait_until_written(connection, 0)).pending
            least, middle, most = min(sizes), statistics.median(sizes), max(sizes)
            sizes.clear()
            print(
                f"{events:12,} events, {rate:9,.0f}/s, {backlog:9,} pending, writer {least:6.0f} MB at least,"
                f" {middle:6.0f} in the middle, {most:6.0f} at most",
                flush=True,
            )
    sampler.cancel()
    process.terminate()
    process.join()
    await stream.close()
    await connection.close()
    store.stop()


async def _sample(pid: int | None, sizes: list[float]) -> None:
    while True:
        sizes.append(_resident_mb(pid))
        await asyncio.sleep(0.25)


def write(socket: Path, data: Path) -> None:
    """The writer's own process, as `app.processes.writer_process` sets it up."""
    allocate_sparingly()

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await run_writer(await connect(None, socket), data, WriterOptions(grace_seconds=5), stop)

    uvloop.run(run())


def _resident_mb(pid: int | None) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def after(data: Path) -> None:
    """What the parts weigh, and what reading and merging them costs."""
    parts = live_parts(data / "log")
    rows = sum(part.rows for part in parts)
    digests = sum(part.digests.stat().st_size for part in parts) / rows
    print(f"{len(parts)} parts, {rows:,} rows: {_bytes_an_event(parts):.1f} bytes an event, {digests:.1f} in digests")
    hidden, listing = HiddenRows(data, Contents()), PartListing(data / "log")
    for name, act in (("hidden rows", lambda: hidden.positions(parts)), ("listing", listing.live)):
        print(f"{name}: first time {_seconds(act) * 1000:.1f} ms, again {_seconds(act) * 1000:.2f} ms")
    seconds = _seconds(Compaction(data, 0, lambda: time.time() + 2 * DAY_SECONDS).run)
    merged = live_parts(data / "log")
    print(
        f"compaction: {rows / seconds:,.0f} rows/s to {len(merged)} part, {_bytes_an_event(merged):.1f} bytes an event"
    )
    print(f"export of the merged day: {_export_rate(data):,.0f} rows/s")


def sizes_of_parts(data: Path) -> None:
    """What an event takes in parts of some seconds, however many events come in a second."""
    for rate in (1, 8, 64):
        events = list(shop_events(rate * SLOW_SECONDS, 1))
        sent = [Received(event, START_US + number * 1_000_000 // rate) for number, event in enumerate(events)]
        for seconds in (1, 60, SLOW_SECONDS):
            parts = write_log(data / f"{rate}-{seconds}", sent, cut=rate * seconds)
            print(f"{rate} events a second, parts of {seconds} s: {_bytes_an_event(parts):,.1f} bytes an event")


def size_of_a_slow_day(data: Path) -> None:
    """What an event takes through the open day of a site with an event a minute, merged as a writer does."""
    now = START_US // 1_000_000 // DAY_SECONDS * DAY_SECONDS
    events = list(shop_events(DAY_SECONDS // 60, 1))
    compaction = Compaction(data, now=lambda: now, pace=lambda: now)
    weights: list[float] = []
    for number, event in enumerate(events):
        now += 60 if number else 1
        write_log(data, [Received(event, now * 1_000_000)], first=number)
        compaction.run()
        weights.append(_bytes_an_event(live_parts(data / "log")))
        if number % 60 == 59:
            hourly = weights[-60:]
            print(f"an event a minute, hour {number // 60}: {min(hourly):.0f} to {max(hourly):.0f} bytes an event")


def _bytes_an_event(parts: Sequence[Part]) -> float:
    return sum(part.bytes for part in parts) / sum(part.rows for part in parts)


def _export_rate(data: Path) -> float:
    exporter, cursor, rows = Exporter(LogReader(data)), None, 0
    started = time.perf_counter()
    while rows < EXPORTED and (page := exporter.page(cursor, 10_000)).rows:
        cursor, rows = page.cursor, rows + len(page.rows)
    return rows / (time.perf_counter() - started)


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--soak", type=float, metavar="SECONDS")
    parser.add_argument("--parts", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.data) as folder:
        if arguments.parts:
            sizes_of_parts(Path(folder))
            size_of_a_slow_day(Path(folder) / "slow")
            return
        if arguments.soak:
            uvloop.run(soak(Path(folder), arguments.soak))
            return
        uvloop.run(rounds(Path(folder), arguments.events))
        after(Path(folder))


if __name__ == "__main__":
    main()
