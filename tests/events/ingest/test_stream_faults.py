"""The stream under faults: it refuses in time, never acknowledges what is not durable, and heals by itself."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest
from oracles.store_keys import counters_key
from servers.patience import patience

from events.ingest.group_commit import StreamLimits
from events.ingest.history import History
from events.ingest.stream import Appended, Stream
from events.records import Record
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.store.keys import events_key

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]


@contextmanager
def stalled(store: EmbeddedStore) -> Iterator[None]:
    """The store stands still, as on a disk that does not answer."""
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


@asynccontextmanager
async def polled(store: EmbeddedStore) -> AsyncIterator[None]:
    """A supervisor looks after the store meanwhile."""

    async def poll() -> None:
        while True:
            store.poll()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(poll())
    try:
        yield
    finally:
        task.cancel()


async def accepted_again(stream: Stream, record: Record, seconds: float = patience(2)) -> float:
    """How long it took until an append went through."""
    started = time.monotonic()
    while True:
        try:
            await stream.append([record])
        except StoreUnavailable:
            assert time.monotonic() - started < seconds
            await asyncio.sleep(0.02)
        else:
            return time.monotonic() - started


async def refusal(stream: Stream, record: Record) -> tuple[str, float]:
    """The cause of a refused append and how long it took."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await stream.append([record])
    assert caught.value.retry_after_seconds >= 1
    return caught.value.cause, time.monotonic() - started


async def message_ids(connection: Connection) -> list[str]:
    entries = await connection.client.xrange(events_key(0))
    return [event["message_id"] for _, fields in entries for event in msgspec.json.decode(fields[b"e"])]


async def test_a_stalled_store_is_refused_in_time_and_accepts_again_when_it_goes_on(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-0")])
    with stalled(store):
        cause, seconds = await refusal(stream, record("m-1"))
        assert cause == "store_timeout"
        assert seconds < 1.5
        cause, seconds = await refusal(stream, record("m-2"))
        assert seconds < 0.5  # the breaker is open
    await accepted_again(stream, record("m-3"))


async def test_everything_that_waits_behind_a_stalled_flush_is_refused_with_it(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    async def refused_after(message_id: str) -> float:
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await stream.append([record(message_id)])
        return time.monotonic() - started

    with stalled(store):
        first = asyncio.create_task(refused_after("m-1"))
        await asyncio.sleep(0.5)
        assert await refused_after("m-2") < await first  # with the first, not a whole wait after it


async def test_an_ambiguous_flush_is_not_acknowledged_and_sending_again_does_not_double_it(
    store: EmbeddedStore, connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    with stalled(store):
        await refusal(stream, record("m-1"))
    await accepted_again(stream, record("m-1"))
    assert await message_ids(connection) == ["m-1"]


async def test_a_killed_store_heals_without_a_restart_of_the_worker(
    store: EmbeddedStore, connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-0")])
    os.kill(store.pid, signal.SIGKILL)
    store._process.wait(10)
    cause, seconds = await refusal(stream, record("m-1"))
    assert (cause, stream.state.available) == ("store_down", False)
    assert seconds < 1.0
    async with polled(store):
        await accepted_again(stream, record("m-1"))
    assert await message_ids(connection) == ["m-0", "m-1"]
    assert stream.state.available


async def test_the_first_append_after_a_restart_between_two_requests_succeeds(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-0")])
    store.stop()
    store.start()
    assert await stream.append([record("m-1")]) == Appended(1, 0)


async def test_a_store_absent_at_the_start_is_used_as_soon_as_it_is_there(tmp_path: Path, record: MakeRecord) -> None:
    store = EmbeddedStore(tmp_path)
    connection = await connect(None, store.socket, data=tmp_path)
    stream = Stream(connection)
    assert await refusal(stream, record("m-0"))
    store.start()
    await accepted_again(stream, record("m-0"))
    assert stream.state.available
    await stream.close()
    await connection.close()
    store.stop()


async def test_the_embedded_stores_own_cause_reaches_the_one_who_appends(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-0")])
    store._note(running=False, cause="store_disk_full", detail="the disk of the store is full")
    os.kill(store.pid, signal.SIGKILL)
    store._process.wait(10)
    assert (await refusal(stream, record("m-1")))[0] == "store_disk_full"
    assert (stream.state.available, stream.state.cause) == (False, "store_disk_full")


async def test_a_stopped_embedded_store_is_not_tried_with_every_request(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-0")])
    store.stop()
    assert (await refusal(stream, record("m-1")))[0] == "store_stopped"
    assert (stream.state.available, stream.state.cause) == (False, "store_stopped")
    failures = stream.state.flush_failures
    await refusal(stream, record("m-2"))
    assert stream.state.flush_failures == failures
    store.start()
    await accepted_again(stream, record("m-3"))


async def test_out_of_memory_refuses_a_flush_whole_and_heals_after_the_drain(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    for number in range(40):
        await stream.append([record(f"m-{number}", properties={"note": "x" * 50_000})])
    await connection.client.config_set("maxmemory", 2 << 20)
    before = await connection.client.hgetall(counters_key(0))

    assert (await refusal(stream, record("m-new")))[0] == "store_out_of_memory"
    assert stream.state.cause == "store_out_of_memory"
    assert await connection.client.hgetall(counters_key(0)) == before

    [(stream_id, _)] = await connection.client.xrevrange(events_key(0), count=1)
    await connection.call("resonate_mark", events_key(0), stream_id, "stream_id", "7")  # as the writer does
    await accepted_again(stream, record("m-new"))


async def test_a_cancelled_request_does_not_disturb_the_others_of_its_flush(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    tasks = [asyncio.create_task(stream.append([record(f"m-{number}")])) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert outcomes[1::2] == [Appended(1, 0)] * 10
    assert {f"m-{number}" for number in range(1, 20, 2)} <= set(await message_ids(connection))
    assert await stream.append([record("m-last")]) == Appended(1, 0)


async def test_too_much_waiting_is_refused_as_busy(
    store: EmbeddedStore, connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(connection, StreamLimits(waiting_events=10))
    await stream.append([record("m-0")])
    with stalled(store):
        waiting: list[asyncio.Task[Appended]] = []
        for crowd in (range(1, 2), range(2, 12), range(12, 22)):  # two flushes under way, and ten events that wait
            waiting += [asyncio.create_task(stream.append([record(f"m-{number}")])) for number in crowd]
            await asyncio.sleep(0.05)
        assert (await refusal(stream, record("m-99")))[0] == "busy"
    assert await asyncio.gather(*waiting) == [Appended(1, 0)] * 21
    await stream.close()


async def test_a_flush_takes_no_more_than_its_share_and_the_rest_follows(
    connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(connection, StreamLimits(flush_events=10))
    await asyncio.gather(*[stream.append([record(f"m-{number}")]) for number in range(50)])
    entries = await connection.client.xrange(events_key(0))
    assert [int(fields[b"n"]) for _, fields in entries] == [10] * 5
    assert [int(fields[b"t"]) for _, fields in entries] == [10, 20, 30, 40, 50]


async def test_closing_flushes_what_waits(connection: Connection, record: MakeRecord) -> None:
    stream = Stream(connection)
    tasks = [asyncio.create_task(stream.append([record(f"m-{number}")])) for number in range(5)]
    await asyncio.sleep(0)
    await stream.close()
    assert await asyncio.gather(*tasks) == [Appended(1, 0)] * 5


async def test_a_history_read_never_waits_long_and_asks_no_more_until_the_store_answers(
    store: EmbeddedStore, connection: Connection
) -> None:
    history = History(connection)
    assert (await history.recent(["v-1"])).available
    with stalled(store):
        started = time.monotonic()
        assert not (await history.recent(["v-1"])).available
        assert time.monotonic() - started < patience(0.15)
        started = time.monotonic()
        for _ in range(20):
            assert not (await history.recent(["v-1"])).available
        assert time.monotonic() - started < patience(0.04)  # 20 waits of 50 ms would be longer
    started = time.monotonic()
    while not (await history.recent(["v-1"])).available:
        assert time.monotonic() - started < patience(2)
        await asyncio.sleep(0.02)
    await history.close()


async def test_an_order_is_acknowledged_even_when_its_history_cannot_be_written(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await connection.client.set("{h:v-1}", "not a hash")
    order = record("m-1", event="Order Completed", order_id="o-1", product_ids=["p-1"])
    assert await stream.append([order]) == Appended(1, 0)
    assert stream.state.history_failures == 1
