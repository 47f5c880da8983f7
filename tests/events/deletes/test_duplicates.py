"""How the store remembers messageIds: two generations of small hashes, and what that costs."""

import time
from collections.abc import Callable

import pytest
from oracles.store_keys import bucket_key, counters_key, generations_key

from events.ingest.stream import Appended, Stream
from events.records import Record
from events.store.connection import Connection
from events.store.keys import events_key

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]
GENERATION_SECONDS = 12 * 3600


async def generation(connection: Connection) -> dict[str, str]:
    fields = await connection.client.hgetall(generations_key(0))
    return {name.decode(): value.decode() for name, value in fields.items()}


async def age_by_one_generation(connection: Connection) -> None:
    """Renames what is remembered as if it had been written 12 hours earlier."""
    kept = await generation(connection)
    for name in ("previous", "generation"):
        if name in kept:
            old = int(kept[name])
            for key in await connection.client.keys(f"{{0}}:page_ids:{old}:*"):
                await connection.client.rename(key, bucket_key(0, old - 1, int(key.rsplit(b":", 1)[1])))
            await connection.client.hset(generations_key(0), name, old - 1)
    await connection.client.hset(generations_key(0), "period", int(kept["period"]) - 1)


async def test_an_id_is_known_for_twelve_to_twenty_four_hours(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    assert await stream.append([record("m-1")]) == Appended(1, 0)
    await age_by_one_generation(connection)
    assert await stream.append([record("m-1"), record("m-2")]) == Appended(1, 1)
    await age_by_one_generation(connection)
    assert await stream.append([record("m-1"), record("m-2")]) == Appended(1, 1)  # m-1 is forgotten, m-2 is not


async def test_a_conflict_is_seen_across_generations(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-1", value=1.0)])
    await age_by_one_generation(connection)
    await stream.append([record("m-1", value=2.0)])
    assert stream.state.message_conflicts == 1


async def test_a_corrected_time_is_no_other_body(stream: Stream, record: MakeRecord) -> None:
    await stream.append([record("m-1", time=1, value=1.0)])
    assert await stream.append([record("m-1", time=2, value=1.0)]) == Appended(0, 1)
    assert stream.state.message_conflicts == 0


async def test_a_generation_is_as_wide_as_the_last_one_was_full(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record(f"m-{number}") for number in range(10_000)])
    assert int((await generation(connection))["buckets"]) == 4096
    await age_by_one_generation(connection)
    await stream.append([record("m-new")])
    buckets = int((await generation(connection))["buckets"])
    assert 32 <= 10_000 / buckets <= 64


async def test_a_generation_that_is_over_is_swept_a_little_with_every_flush(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record(f"m-{number}") for number in range(2000)])
    await age_by_one_generation(connection)
    await stream.append([record("m-a")])
    await age_by_one_generation(connection)
    for number in range(4096 // 64 + 1):
        await stream.append([record(f"n-{number}")])
    kept = await generation(connection)
    living = {kept["generation"], kept["previous"]}
    assert {key.split(b":")[2].decode() for key in await connection.client.keys("{0}:page_ids:*")} <= living
    assert kept["expired"] == ""


async def test_a_clock_that_goes_back_forgets_nothing(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-1")])
    ahead = int(time.time()) // GENERATION_SECONDS + 5
    kept = await generation(connection)
    for key in await connection.client.keys(f"{{0}}:page_ids:{kept['generation']}:*"):
        await connection.client.rename(key, bucket_key(0, ahead, int(key.rsplit(b":", 1)[1])))
    await connection.client.hset(generations_key(0), mapping={"generation": ahead, "period": ahead})
    assert await stream.append([record("m-1")]) == Appended(0, 1)


async def test_ids_cost_at_most_twenty_bytes_each(connection: Connection, stream: Stream, record: MakeRecord) -> None:
    count = 150_000
    for start in range(0, count, 5000):
        await stream.append([record(f"m-{number}") for number in range(start, start + 5000)])
        await connection.client.xtrim(events_key(0), maxlen=0, approximate=False)
    sizes = [
        await connection.client.memory_usage(key) for key in (await connection.client.keys("{0}:page_ids:*"))[:200]
    ]
    entry_of_the_key_table = 32 + 8
    buckets = int((await generation(connection))["buckets"])
    assert (sum(sizes) / len(sizes) + entry_of_the_key_table) * buckets / count <= 20


async def test_the_counters_add_up(connection: Connection, stream: Stream, record: MakeRecord) -> None:
    await stream.append([record("m-1"), record("m-2"), record("m-1", value=5.0)])
    await stream.append([record("m-2")])
    counters = await connection.client.hgetall(counters_key(0))
    assert counters == {
        b"appended": b"2", b"of_pages": b"2", b"bytes": counters[b"bytes"], b"page_bytes": counters[b"bytes"],
        b"duplicates": b"2", b"conflicts": b"1",
    }  # fmt: skip


async def test_sequences_stay_below_what_a_stream_number_holds(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    ahead = int(time.time() * 1000) + 1_000_000
    await connection.call("resonate_raise", events_key(0), f"{ahead}-999999")
    for number in range(3):
        await stream.append([record(f"m-{number}")])
    ids = [stream_id for stream_id, _ in await connection.client.xrange(events_key(0))]
    assert ids == [f"{ahead}-1000000".encode(), f"{ahead + 1}-1".encode(), f"{ahead + 1}-2".encode()]


async def test_after_raising_every_new_position_is_above_what_parts_hold(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    assert await connection.call("resonate_raise", events_key(0), "9999999999999-7") == 1
    await stream.append([record("m-1")])
    assert await connection.call("resonate_raise", events_key(0), "5-1") == 0
    [(stream_id, _)] = await connection.client.xrange(events_key(0))
    assert stream_id == b"9999999999999-8"


async def test_a_mark_trims_what_is_written_and_counts_it(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-1"), record("m-2")])
    await stream.append([record("m-3")])
    [(first, _), (second, _)] = await connection.client.xrange(events_key(0))
    await connection.call("resonate_mark", events_key(0), first, "stream_id", "42", "time_us", "7")
    assert await connection.client.hgetall("{0}:watermark") == {b"written": b"2", b"stream_id": b"42", b"time_us": b"7"}
    assert [stream_id for stream_id, _ in await connection.client.xrange(events_key(0))] == [second]
