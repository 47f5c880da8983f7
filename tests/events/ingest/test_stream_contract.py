"""What appending to the stream promises, the same for the embedded store, a single server, TLS, and a cluster."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from oracles.store_keys import counters_key

from events.authority import Authority
from events.ingest.group_commit import shard_of
from events.ingest.history import History
from events.ingest.stream import Appended, Stream
from events.records import Record
from events.store.connection import Call, Connection
from events.store.keys import events_key
from events.store.memory import read_memory
from events.store.shared_reads import SharedReads
from events.writer.watermark import read_progress

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]


async def entries(connection: Connection, shard: int) -> list[dict[bytes, bytes]]:
    return [fields for _, fields in await connection.client.xrange(events_key(shard))]


async def stored(connection: Connection) -> dict[int, list[dict[str, Any]]]:
    return {
        shard: [event for fields in await entries(connection, shard) for event in msgspec.json.decode(fields[b"e"])]
        for shard in range(connection.shards)
    }


async def test_every_record_is_stored_once_in_its_visitors_shard(
    any_connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(any_connection)
    records = [record(f"m-{number}", f"v-{number % 40}") for number in range(200)]

    assert await stream.append(records) == Appended(stored=200, duplicates=0)

    found = await stored(any_connection)
    assert sorted(event["message_id"] for events in found.values() for event in events) == sorted(
        each.message_id for each in records
    )
    assert all(
        shard_of(event["visitor_id"], any_connection.shards) == shard
        for shard, events in found.items()
        for event in events
    )


async def test_what_is_sent_again_is_a_duplicate_and_changes_nothing(
    any_connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(any_connection)
    records = [record(f"m-{number}", f"v-{number}") for number in range(50)]
    await stream.append(records)
    before = await stored(any_connection)

    assert await stream.append([*records, record("m-new", "v-1")]) == Appended(stored=1, duplicates=50)

    after = await stored(any_connection)
    assert sum(len(events) for events in after.values()) == sum(len(events) for events in before.values()) + 1


async def test_of_one_message_id_with_two_bodies_the_first_stays_and_a_counter_says_so(
    any_connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(any_connection)
    await stream.append([record("m-1", value=1.0)])

    assert await stream.append([record("m-1", value=2.0), record("m-1", value=1.0)]) == Appended(0, 2)

    shard = shard_of("v-1", any_connection.shards)
    assert [event["value"] for event in (await stored(any_connection))[shard]] == [1.0]
    assert (
        int(await any_connection.client.hget(counters_key(shard), "conflicts")) == stream.state.message_conflicts == 1
    )


async def test_a_message_id_of_one_sender_takes_no_place_of_another(
    any_connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(any_connection)
    for authority in Authority:
        assert await stream.append([record("m-1", "v-1", authority=authority)]) == Appended(stored=1, duplicates=0)
        assert await stream.append([record("m-1", "v-1", authority=authority)]) == Appended(stored=0, duplicates=1)


async def test_requests_at_the_same_time_share_entries_and_each_learns_its_own_duplicates(
    any_connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(any_connection)
    await stream.append([record("m-3")])

    answers = await asyncio.gather(*[stream.append([record(f"m-{number}")]) for number in range(100)])

    assert [number for number, answer in enumerate(answers) if answer == Appended(0, 1)] == [3]
    assert len(await entries(any_connection, shard_of("v-1", any_connection.shards))) <= 4


async def test_the_position_grows_with_every_append(any_connection: Connection, record: MakeRecord) -> None:
    stream = Stream(any_connection)
    assert {progress.stream_number for progress in (await read_progress(any_connection)).values()} == {0}
    await stream.append([record("m-1")])
    first = await read_progress(any_connection)
    await stream.append([record("m-2")])
    second = await read_progress(any_connection)

    shard = shard_of("v-1", any_connection.shards)
    assert 0 < first[shard].stream_number < second[shard].stream_number
    assert len(second) == any_connection.shards


async def test_a_purchase_is_in_the_history_as_soon_as_it_is_acknowledged(
    any_connection: Connection, record: MakeRecord
) -> None:
    order = {"event": "Order Completed", "order_id": "o-1", "product_ids": ["p-1", "p-2"], "prices": [5.0, 6.5]}
    await Stream(any_connection).append([record("m-1", quantities=[2.0, 1.0], **order)])

    recent = await History(SharedReads(any_connection, wait_seconds=1)).recent(["u:u-1", "v:v-1"])

    assert recent.available
    assert {(line.product_id, line.quantity, line.price) for line in recent.purchases} == {
        ("p-1", 2.0, 5.0),
        ("p-2", 1.0, 6.5),
    }


async def test_a_visitors_purchases_go_with_the_user_who_logs_in_first(
    any_connection: Connection, record: MakeRecord
) -> None:
    stream, history = Stream(any_connection), History(SharedReads(any_connection, wait_seconds=1))
    await stream.append([record("m-1", event="Order Completed", order_id="o-1", product_ids=["p-1"])])

    await stream.append([record("m-2", type="identify", user_id="u-1", authority=1)])
    await stream.append([record("m-3", type="identify", user_id="u-2", authority=2)])

    assert [line.product_id for line in (await history.recent(["u:u-1"])).purchases] == ["p-1"]
    assert (await history.recent(["u:u-2"])).purchases == ()


async def test_functions_that_the_store_lost_are_loaded_again(any_connection: Connection, record: MakeRecord) -> None:
    await any_connection.client.execute_command("FUNCTION FLUSH")
    assert await Stream(any_connection).append([record("m-1")]) == Appended(1, 0)


async def test_functions_that_the_store_lost_are_loaded_again_for_many_calls_at_once_too(
    any_connection: Connection,
) -> None:
    await any_connection.prepare()
    calls: list[Call] = [("resonate_position", events_key(each % any_connection.shards), ()) for each in range(3)]
    before = await any_connection.call_many(calls)
    await any_connection.client.execute_command("FUNCTION FLUSH")
    assert await any_connection.call_many(calls) == before


async def test_how_much_it_holds_is_known_of_a_store_of_any_shape(
    any_connection: Connection, record: MakeRecord
) -> None:
    order = {"event": "Order Completed", "order_id": "o-1", "product_ids": ["p-1"]}
    stream = Stream(any_connection)
    await stream.append([record(f"m-{each}", properties={"note": "x" * 50_000}) for each in range(20)])
    before = await read_memory(any_connection)
    await stream.append([record("m-o", **order)])  # a key that expires: what is used says less
    after = await read_memory(any_connection)
    await stream.close()
    assert 1_000_000 < after.held <= before.held + 100_000
    assert (after.share > 0) is bool(after.limit)


async def test_the_store_is_asked_once_whether_it_takes_events_for_all_who_ask_at_a_time(
    any_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As probes and strangers do, who need no key for it."""
    asked: list[str] = []
    call = any_connection.call

    async def counted(function: str, key: str, *arguments: Any, **options: Any) -> Any:
        asked.append(key)
        return await call(function, key, *arguments, **options)

    monkeypatch.setattr(any_connection, "call", counted)
    stream = Stream(any_connection)
    await asyncio.gather(*[stream.check() for _ in range(200)])
    await stream.close()
    assert len(asked) == any_connection.shards
