"""Measures the log behind its door: the writer's drain against ingest, bytes per event, compaction, hidden rows.

    python benchmarks/log.py [--events 400000] [--data FOLDER]

Ingest and drain alternate in one run on the same store (`appendonly yes`, `appendfsync always`), so that their ratio
holds on any machine. FOLDER should lie on the disk that will hold the log.
"""

import argparse
import asyncio
import random
import resource
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop

from events.compaction import Compaction
from events.connection import Connection, connect
from events.export import Exporter
from events.hidden import HiddenRows
from events.parts import PartListing, live_parts
from events.records import Record
from events.server import EmbeddedStore
from events.shard_writer import WriterOptions
from events.stream import Stream
from events.watermark import wait_until_written
from events.writer import run_writer

ROUNDS = 4
CLIENTS = 16
EVENTS_PER_REQUEST = 20
DAY_SECONDS = 86_400
START_US = 1_790_000_000_000_000
PAGES = ["/", "/cart", "/checkout", "/search", *(f"/products/{number}" for number in range(400))]


def shop_events(count: int, seed: int) -> Iterator[Record]:
    """The events of a shop as its clients send them: exposures, pages, engagement beats, products, orders."""
    chance = random.Random(seed)
    for number in range(count):
        visitor = f"{chance.getrandbits(40) % (count // 12 + 1):010x}-4c1e-4f0a"
        message_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        when = START_US + number * 700 + chance.randrange(100_000)
        page = chance.choice(PAGES)
        yield _event(chance, number % 10, Record(message_id=message_id, type="page", visitor_id=visitor, time=when,
            url=f"https://shop.example{page}", path=page, device=chance.choice(["mobile", "desktop", "tablet"]),
            country=chance.choice(["DE", "DE", "DE", "AT", "CH", "FR"])))  # fmt: skip


def _event(chance: random.Random, choice: int, page: Record) -> Record:
    from msgspec.structs import replace

    if choice < 4:
        return page
    if choice == 4:
        return replace(page, type="exposure", experiment="free-shipping-banner", variant=chance.choice("ab"), phase=0,
            propensity=0.5, exposure_source="personalize", properties={"country": page.country, "device": page.device})  # fmt: skip
    if choice < 8:
        return replace(page, type="engagement", page_view_id=f"pv-{chance.getrandbits(48):012x}",
            engaged_ms=chance.randrange(60_000), properties={"seq": chance.randrange(8), "final": False})  # fmt: skip
    if choice == 8:
        return replace(page, type="track", event="Product Viewed", product_ids=[f"sku-{chance.randrange(400)}"],
            properties={"list": "search", "position": chance.randrange(40)})  # fmt: skip
    return replace(page, type="track", event="Order Completed", value=round(chance.lognormvariate(4, 0.6), 2),
        currency="EUR", order_id=f"o-{chance.getrandbits(40)}", product_ids=[f"sku-{chance.randrange(400)}"],
        quantities=[1.0], prices=[19.9], user_id=f"u-{chance.getrandbits(30)}")  # fmt: skip


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
    position = await Stream(connection).position()
    stop = asyncio.Event()
    started, cpu = time.perf_counter(), time.process_time()
    writer = asyncio.create_task(run_writer(connection, data, WriterOptions(), stop))
    await wait_until_written(connection, position, 120)
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


def after(data: Path) -> None:
    parts = live_parts(data / "log")
    rows = sum(part.rows for part in parts)
    print(f"{len(parts)} parts, {rows:,} rows: {sum(part.bytes for part in parts) / rows:.1f} bytes an event,"
          f" {sum(part.digests.stat().st_size for part in parts) / rows:.1f} in digests")  # fmt: skip
    hidden = HiddenRows(data)
    print(f"hidden rows, first time {_seconds(lambda: hidden.positions(parts)):.3f} s, again {_seconds(lambda: hidden.positions(parts)):.4f} s")
    listing = PartListing(data / "log")
    print(f"listing, first time {_seconds(listing.live) * 1000:.1f} ms, again {_seconds(listing.live) * 1000:.2f} ms")
    seconds = _seconds(Compaction(data, 0, lambda: time.time() + 2 * DAY_SECONDS).run)
    merged = live_parts(data / "log")
    print(f"compaction of the day: {rows / seconds:,.0f} rows/s, {len(merged)} part,"
          f" {sum(part.bytes for part in merged) / rows:.1f} bytes an event")  # fmt: skip
    exporter = Exporter(data)
    cursor, read = None, 0
    started = time.perf_counter()
    while read < 100_000 and (page := exporter.page(cursor, 10_000)).rows:
        cursor, read = page.cursor, read + len(page.rows)
    print(f"export of the merged day: {read / (time.perf_counter() - started):,.0f} rows/s")


def _seconds(act: object) -> float:
    started = time.perf_counter()
    act()  # type: ignore[operator]
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.data) as folder:
        uvloop.run(rounds(Path(folder), arguments.events))
        after(Path(folder))


if __name__ == "__main__":
    main()
