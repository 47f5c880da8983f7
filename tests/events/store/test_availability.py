"""Whatever the store's client raises is a refusal with a cause, and what watches the store goes on."""

import asyncio
import inspect
import logging
from typing import Any

import pytest
from oracles.writing import record
from redis import exceptions
from servers.patience import reached

from events.ingest.history import History
from events.ingest.stream import Stream
from events.store.availability import Breaker, StoreUnavailable, cause_of, is_out_of_reach
from events.store.connection import Connection
from events.store.held_connection import HeldConnection
from events.store.shared_reads import SharedReads

pytestmark = pytest.mark.anyio

KINDS = [kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if issubclass(kind, Exception)]


def raised(kind: type[Exception]) -> Exception:
    return kind("12182 127.0.0.1:7001")  # a moved slot, for those that read their text


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (exceptions.RedisClusterException("no node can be reached"), "store_down"),
        (exceptions.SlotNotCoveredError("slot 7"), "store_cluster_down"),
        (exceptions.ClusterDownError("CLUSTERDOWN"), "store_cluster_down"),
        (exceptions.ConnectionError("refused"), "store_down"),
        (TimeoutError(), "store_timeout"),
        (exceptions.ResponseError("MISCONF errors while writing"), "store_disk_full"),
        (StoreUnavailable("store_refused"), "store_refused"),
        (KeyError("slots"), "store_error"),
    ],
)
def test_an_error_has_the_cause_of_its_kind(error: Exception, cause: str) -> None:
    assert cause_of(error) == cause


@pytest.mark.parametrize("kind", [*KINDS, KeyError, RuntimeError, AssertionError, EOFError])
async def test_whatever_the_client_raises_becomes_a_refusal_of_the_call_and_of_the_command(
    kind: type[Exception], connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise raised(kind)

    monkeypatch.setattr(HeldConnection, "execute", fail)
    held = connection.held()
    with pytest.raises(StoreUnavailable) as of_call:
        await connection.call("resonate_position", "{0}:events", held=held)
    with pytest.raises(StoreUnavailable) as of_command:
        await connection.answer(fail())
    assert of_call.value.cause == of_command.value.cause == cause_of(raised(kind))


async def test_an_unknown_error_is_logged_once_for_each_class(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        causes = [
            connection.unavailable(error).cause for error in (KeyError("a"), KeyError("b"), EOFError(), OSError())
        ]
    assert causes == ["store_error", "store_error", "store_error", "store_down"]
    assert [message.split(" with ")[1].split(":")[0] for message in caplog.messages] == ["KeyError", "EOFError"]


async def test_a_probe_may_raise_anything_and_the_breaker_closes_when_it_answers() -> None:
    errors: list[Exception] = [KeyError("slots"), RuntimeError("closed"), StoreUnavailable("store_loading")]
    answered = asyncio.Event()

    async def probe() -> None:
        if errors:
            raise errors.pop(0)
        answered.set()

    breaker = Breaker(probe, probe_seconds=0)
    breaker.open("store_down")
    await reached(answered.is_set, "the probe answers")
    await reached(lambda: breaker.cause is None, "the breaker is closed")
    assert errors == []
    await breaker.close()


async def test_a_breaker_that_is_closed_down_refuses_and_probes_no_more() -> None:
    breaker = Breaker(asyncio.Event().wait)
    await breaker.close()
    breaker.open("store_down")
    assert breaker.cause == "stopping"


def test_only_what_a_store_says_of_one_command_leaves_it_in_reach() -> None:
    assert [cause for cause in ("store_error", "busy", "store_down", "stopping") if not is_out_of_reach(cause)] == [
        "store_error",
        "busy",
    ]


@pytest.mark.parametrize("answer", [None, [], 7, b"OK", [b"1-0", [0]], [b"1-0", 5, 0], [b"1-0", [], None]])
async def test_an_answer_of_another_shape_refuses_its_flush_and_the_next_one_goes_through(
    answer: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def say(*_: object) -> Any:
        return answer

    stream = Stream(connection)
    async with asyncio.timeout(20):
        with monkeypatch.context() as patched:
            patched.setattr(HeldConnection, "execute", say)
            outcomes = await asyncio.gather(
                *[stream.append([record(f"m-{number}")]) for number in range(20)], return_exceptions=True
            )
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert (await stream.append([record("m-0")])).stored == 1
    assert "a flush of shard 0 failed" in caplog.text
    await stream.close()


async def test_histories_that_are_no_hashes_are_unavailable_and_the_next_read_is_not(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say(*_: object) -> list[Any]:
        return []

    reads = SharedReads(connection, wait_seconds=5)
    history = History(reads)
    with monkeypatch.context() as patched:
        patched.setattr(connection, "ask_many", say)
        assert not (await history.recent(["v:v-1"])).available

    async def is_available() -> bool:
        return (await history.recent(["v:v-1"])).available

    await reached(is_available, "histories can be read again")
    await reads.close()
