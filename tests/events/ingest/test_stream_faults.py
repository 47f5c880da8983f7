"""The stream under faults: it refuses in time, never acknowledges what is not durable, and heals by itself."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from oracles.store_keys import counters_key
from servers.patience import reached

from events.authority import Authority
from events.ingest.group_commit import StreamLimits
from events.ingest.history import History
from events.ingest.stream import Appended, Stream
from events.records import Record, visitor_person
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.store.keys import events_key, history_key
from events.store.shared_reads import WAIT_SECONDS, SharedReads

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]
REPOSITORY = Path(__file__).parents[3]


@contextmanager
def stalled(store: EmbeddedStore) -> Iterator[None]:
    """The store stands still, as on a disk that does not answer."""
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


async def accepted_again(stream: Stream, record: Record, looked_after: EmbeddedStore | None = None) -> None:
    """Until an append goes through; a supervisor may look after the store meanwhile."""

    async def is_accepted() -> bool:
        if looked_after is not None:
            looked_after.poll()
        try:
            return bool(await stream.append([record]))
        except StoreUnavailable:
            return False

    await reached(is_accepted, "an append goes through")


async def refusal(stream: Stream, record: Record) -> str:
    """The cause of a refused append."""
    with pytest.raises(StoreUnavailable) as caught:
        await stream.append([record])
    assert caught.value.retry_after_seconds >= 1
    return caught.value.cause


async def put(stream: Stream, records: Sequence[Record], *, left: int = 0) -> list[asyncio.Task[Appended]]:
    """Appends each by itself; once no more than `left` of them wait for a flush, as the others are under way."""
    tasks = [asyncio.create_task(stream.append([each])) for each in records]
    await asyncio.sleep(0)
    _, commit = stream._commits  # that of pages
    await reached(lambda: commit._waiting_events == left, f"all but {left} events are under way")
    return tasks


async def message_ids(connection: Connection) -> list[str]:
    entries = await connection.client.xrange(events_key(0))
    return [event["message_id"] for _, fields in entries for event in msgspec.json.decode(fields[b"e"])]


async def test_a_stalled_store_is_refused_in_time_and_accepts_again_when_it_goes_on(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-0")])
    with stalled(store):
        assert await refusal(stream, record("m-1")) == "store_timeout"
        failures = stream.state.flush_failures
        assert await refusal(stream, record("m-2")) == "store_timeout"
        assert stream.state.flush_failures == failures  # the breaker is open: the store is not asked
    await accepted_again(stream, record("m-3"))


async def test_everything_that_waits_behind_a_stalled_flush_is_refused_with_it(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    with stalled(store):
        [first] = await put(stream, [record("m-1")])
        outcomes = await asyncio.gather(first, stream.append([record("m-2")]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
    assert stream.state.flush_failures == 1  # with the first, not a whole wait after it


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
    assert await refusal(stream, record("m-1")) == "store_down"
    assert not stream.state.available
    await accepted_again(stream, record("m-1"), store)
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
    assert await refusal(stream, record("m-1")) == "store_disk_full"
    assert (stream.state.available, stream.state.cause) == (False, "store_disk_full")


async def test_a_stopped_embedded_store_is_not_tried_with_every_request(
    store: EmbeddedStore, stream: Stream, record: MakeRecord
) -> None:
    await stream.append([record("m-0")])
    store.stop()
    assert await refusal(stream, record("m-1")) == "store_stopped"
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

    assert await refusal(stream, record("m-new")) == "store_out_of_memory"
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
        for crowd, left in ((range(1, 2), 0), (range(2, 12), 0), (range(12, 22), 10)):  # two flushes, and ten that wait
            waiting += await put(stream, [record(f"m-{number}") for number in crowd], left=left)
        assert await refusal(stream, record("m-99")) == "busy"
    assert await asyncio.gather(*waiting) == [Appended(1, 0)] * 21
    await stream.close()


async def test_pages_that_wait_leave_room_for_backends(
    store: EmbeddedStore, connection: Connection, record: MakeRecord
) -> None:
    stream = Stream(connection, StreamLimits(waiting_events=10))
    await stream.append([record("m-0")])
    with stalled(store):
        waiting: list[asyncio.Task[Appended]] = []
        for crowd, left in ((range(1, 2), 0), (range(2, 12), 0), (range(12, 22), 10)):  # two flushes, and ten that wait
            waiting += await put(stream, [record(f"m-{number}") for number in crowd], left=left)
        assert await refusal(stream, record("m-99")) == "busy"
        backend = asyncio.create_task(stream.append([record("b-1", authority=Authority.BACKEND)]))
        await asyncio.sleep(0)
    assert await backend == Appended(1, 0)
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


@pytest.mark.parametrize("steps", range(12))
async def test_whoever_comes_while_it_closes_is_answered(
    connection: Connection, record: MakeRecord, steps: int
) -> None:
    stream = Stream(connection)
    await stream.append([record("m-first")])

    async def late() -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        with suppress(StoreUnavailable):
            await stream.append([record("m-late")])

    coming = asyncio.create_task(late())
    await stream.close()
    await asyncio.wait_for(coming, 20)


async def test_a_history_read_never_waits_long_and_asks_no_more_until_the_store_answers(
    store: EmbeddedStore, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, waits = SharedReads(connection), list[float]()
    history = History(reads)
    assert (await history.recent(["v:v-1"])).available
    with monkeypatch.context() as patched:
        patched.setattr("events.store.shared_reads.asyncio", NotingTimeouts(waits))
        with stalled(store):
            for _ in range(20):
                assert not (await history.recent(["v:v-1"])).available
    assert waits == [WAIT_SECONDS]  # of twenty one waits
    assert f"History reads wait {waits[0] * 1000:g} ms at most" in (REPOSITORY / "docs" / "store.md").read_text()

    async def is_available() -> bool:
        return (await history.recent(["v:v-1"])).available

    await reached(is_available, "histories can be read again")
    await reads.close()


class NotingTimeouts:
    """asyncio, which notes for how long it is asked to wait at most."""

    def __init__(self, waits: list[float]) -> None:
        self._waits = waits

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        self._waits.append(seconds)
        return asyncio.timeout(seconds)


async def test_an_order_is_acknowledged_even_when_its_history_cannot_be_written(
    connection: Connection, stream: Stream, record: MakeRecord
) -> None:
    await connection.client.set(history_key(visitor_person("v-1")), "not a hash")
    order = record("m-1", event="Order Completed", order_id="o-1", product_ids=["p-1"])
    assert await stream.append([order]) == Appended(1, 0)
    assert stream.state.history_failures == 1
