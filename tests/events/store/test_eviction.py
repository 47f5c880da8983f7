"""A store that is short of memory evicts histories and nothing else, and what pages send fills their share alone."""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from oracles.store_keys import counters_key, generations_key
from redis.asyncio import Redis

from events.authority import Authority
from events.ingest.log_ins import LogIns
from events.ingest.stream import Appended, Stream
from events.records import Record
from events.store import preparation
from events.store.availability import PAGES_FULL, StoreUnavailable
from events.store.connection import Connection
from events.store.embedded import EmbeddedStore
from events.store.keys import OWNER, TOMBSTONES, events_key, history_key, watermark_key
from events.store.memory import read_memory
from events.store.shared_reads import SharedReads
from events.writer.lease import Lease, Owner
from events.writer.watermark import wait_until_written

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]
SMALLEST = 16 << 20
BACKEND = Authority.BACKEND


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    embedded = EmbeddedStore(tmp_path, memory_bytes=SMALLEST)
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def log_ins(connection: Connection, tmp_path: Path) -> AsyncIterator[LogIns]:
    reads = SharedReads(connection, wait_seconds=1)
    yield LogIns(connection, reads, tmp_path / "log-ins", lambda *_: None)
    await reads.close()


async def values(client: Any) -> dict[bytes, bytes]:
    """Every key that is no history, with all that it holds."""
    kept = [key for key in await client.keys("*") if not key.startswith(b"{h:")]
    return {key: await client.dump(key) for key in kept}


async def write_histories(connection: Connection, count: int, since: int = 0) -> None:
    """Histories of ten kilobytes each, of people whom nobody saw."""
    for number in range(since, since + count, 10):
        lines = [part for line in range(50) for part in (f"o-{line}\x1fp", f"{line} 1 {'9' * 150} 0")]
        people = [history_key(f"v:{each}") for each in range(number, number + 10)]
        await connection.call_many([("resonate_purchased", each, tuple(lines)) for each in people])


async def evicted(client: Any) -> int:
    return int((await client.info("stats"))["evicted_keys"])


async def everything_else(connection: Connection, stream: Stream, log_ins: LogIns, record: MakeRecord) -> None:
    """A key of each other kind."""
    await stream.append([record(f"m-{each}", properties={"note": "x" * 5_000}) for each in range(100)])
    await stream.append([record(f"b-{each}", authority=BACKEND) for each in range(100)])
    await connection.call("resonate_mark", events_key(0), "1-1", "stream_id", "7")
    await wait_until_written(connection, 0.01)
    for number in range(100):
        await log_ins.begin(f"v-{number}", "u-1", 3600)
    assert await Lease(connection, Owner("a", "b", "c", 1)).claim() is None
    await connection.client.hset(TOMBSTONES, "visitor:x", "{}")


async def test_histories_make_room_for_each_other_and_nothing_else_ever_goes(
    connection: Connection, stream: Stream, log_ins: LogIns, record: MakeRecord
) -> None:
    await everything_else(connection, stream, log_ins, record)
    before = await values(connection.client)
    await write_histories(connection, 3_000)  # twice as many as there is memory
    assert await evicted(connection.client) > 1_000
    assert await values(connection.client) == before
    assert {OWNER.encode(), TOMBSTONES.encode(), watermark_key(0).encode(), b"{0}:wanted"} <= before.keys()
    assert await log_ins.hold([("v-7", "u-1")]) == [True]
    assert (await stream.append([record("m-7"), record("b-7", authority=BACKEND)])) == Appended(0, 2)


async def test_histories_alone_expire(
    connection: Connection, stream: Stream, log_ins: LogIns, record: MakeRecord
) -> None:
    await everything_else(connection, stream, log_ins, record)
    order = {"event": "Order Completed", "order_id": "o-1", "product_ids": ["p-1"], "authority": BACKEND}
    await stream.append([record("m-o", user_id="u-1", **order), record("m-i", type="identify", user_id="u-1")])
    expiring = {key for key in await connection.client.keys("*") if await connection.client.ttl(key) != -1}
    assert expiring == {history_key("v:v-1").encode(), history_key("u:u-1").encode()}
    code = preparation.FUNCTIONS.read_text(encoding="utf-8")
    assert set(re.findall(r'"P?EXPIRE\w*", ([^,)]+), (\w+)', code)) == {("keys[1]", "HISTORY_SECONDS")}
    assert not re.findall(r'"(EX|PX|EXAT|PXAT)"', code)


async def test_no_history_makes_an_event_be_refused(connection: Connection, stream: Stream, record: MakeRecord) -> None:
    await write_histories(connection, 2_000)
    before = await evicted(connection.client)
    for number in range(150):  # six megabytes that no part holds yet
        events = [
            record(f"b-{number}-{each}", authority=BACKEND, properties={"note": "x" * 4_000}) for each in range(10)
        ]
        assert await stream.append(events) == Appended(10, 0)
    assert await evicted(connection.client) > before


async def drained(connection: Connection) -> None:
    """As the writer does once a part holds everything."""
    [(newest, _)] = await connection.client.xrevrange(events_key(0), count=1)
    await connection.call("resonate_mark", events_key(0), newest, "stream_id", "7")


LINES, BATCH = 50, 4  # a batch waits in a buffer of its connection as well, which is far less than 1 % of the store


def orders(record: MakeRecord, since: int) -> list[Record]:
    """A batch of orders of people whom nobody saw; each makes a history of its visitor and one of its user."""
    products = [f"p-{line}-{'x' * 400}" for line in range(LINES)]
    order = {"event": "Order Completed", "authority": BACKEND, "product_ids": products, "prices": [9.9] * LINES}
    people = range(since, since + BATCH)
    return [record(f"m-{n}", f"v-{n}", user_id=f"u-{n}", order_id=f"o-{n}", **order) for n in people]


async def test_ten_times_its_memory_of_orders_and_the_store_takes_no_more(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    used: list[int] = []
    batches = 10 * SMALLEST // (BATCH * 2 * LINES * 430)  # what a line takes, in each of both histories
    for number in range(batches):
        assert await stream.append(orders(record, number * BATCH)) == Appended(BATCH, 0)
        await drained(connection)
        used.append(int((await connection.client.info("memory"))["used_memory"]))
    full = used[batches // 5 :]  # twice its memory was told by then
    assert max(full) <= SMALLEST
    later = full[len(full) // 2 :]  # what is freed at once may be much, so the most of each half says whether it grows
    assert max(later) - max(full[: len(full) // 2]) < 0.01 * SMALLEST
    assert await evicted(connection.client) > 0


async def test_what_pages_sent_and_no_part_holds_fills_a_quarter_and_others_pass(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    taken = 0
    with suppress(StoreUnavailable):
        while await stream.append([record(f"m-{taken}", properties={"note": "x" * 20_000})]):
            taken += 1
    assert 0.2 * SMALLEST < await connection.client.memory_usage(events_key(0), samples=0) <= 0.26 * SMALLEST
    assert stream.state.available
    proven = [record(f"p-{each}", authority=Authority.PROVEN) for each in range(10)]
    assert await stream.append([*proven, record("b-1", authority=BACKEND)]) == Appended(11, 0)
    with pytest.raises(StoreUnavailable, match=PAGES_FULL):
        await stream.append([record("m-late", properties={"note": "x" * 20_000})])
    await drained(connection)
    assert await stream.append([record("m-late", properties={"note": "x" * 20_000})]) == Appended(1, 0)


async def test_the_ids_of_pages_keep_to_a_quarter_and_the_newest_are_known(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    backends = [record(f"b-{each}", authority=BACKEND) for each in range(100)]
    await stream.append(backends)
    largest = 0
    for start in range(0, 300_000, 5_000):
        await stream.append([record(f"m-{each}") for each in range(start, start + 5_000)])
        await drained(connection)
        if start % 50_000 == 0:
            [largest] = [max(largest, int((await connection.client.info("memory"))["used_memory"]))]
    kept = await connection.client.hgetall(generations_key(0))
    assert int(kept[b"generation"]) > int(time.time()) // 43_200 + 2  # generations that ended before their time
    assert largest < 2.5 * (1 << 20) + SMALLEST / 4
    assert await stream.append([record(f"m-{each}") for each in range(290_000, 300_000)]) == Appended(0, 10_000)
    assert await stream.append(backends) == Appended(0, 100)


async def test_what_is_held_is_what_no_eviction_gives_back(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    for number in range(100):
        await stream.append([record(f"b-{number}", authority=BACKEND, properties={"note": "x" * 40_000})])
    alone = await read_memory(connection)
    await write_histories(connection, 1_500)
    full = await read_memory(connection)
    used = int((await connection.client.info("memory"))["used_memory"])
    assert used > 0.95 * SMALLEST == 0.95 * full.limit
    assert abs(full.held - alone.held) < 0.1 * SMALLEST
    assert full.share == pytest.approx(full.held / SMALLEST)


async def test_a_store_without_memory_still_says_what_is_written(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-1")])
    await connection.client.config_set("maxmemory", 1 << 20)
    written = await wait_until_written(connection, 0.05)
    assert (written.pending, len(written.behind)) == (1, 1)


async def test_counts_follow_what_is_taken_out(connection: Connection, stream: Stream, record: MakeRecord) -> None:
    await stream.append([record("m-1"), record("m-2")])
    await stream.append([record("b-1", authority=BACKEND)])
    client: Redis = connection.client  # pyright: ignore[reportAssignmentType]
    told = await client.hgetall(counters_key(0))
    assert int(told[b"bytes"]) > int(told[b"page_bytes"]) > 0
    await drained(connection)
    told = await client.hgetall(counters_key(0))
    assert (told[b"bytes"], told[b"page_bytes"]) == (told[b"bytes_gone"], told[b"page_bytes_gone"])
