"""The conversation with the analysis process: answers, refusals, time-outs, askers who leave, and servers that die."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from servers.patience import reached

from app.analysis.client import AnalysisAnswer, AnalysisClient, AnalysisError
from app.analysis.queries import ExperimentQuery, Query
from app.analysis.server import AnalysisServer, Answering
from app.serving.sockets import CannotListen, listen_unix, turn_away
from events.parts.part import DataDamaged
from experiments.readout.study import InvalidDate, UnknownMetric

pytestmark = pytest.mark.anyio
ASKED = ExperimentQuery("banner")


@asynccontextmanager
async def serving(folder: Path, answering: Answering) -> AsyncGenerator[AnalysisClient]:
    """A client of a real server on a real socket that answers so."""
    listener = listen_unix(folder / "analysis.sock")
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(AnalysisServer(answering).serve(listener, ready.set, stop))
    await ready.wait()
    yield AnalysisClient(folder / "analysis.sock", timeout_seconds=5)
    stop.set()
    await task


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


async def echo(query: Query) -> AnalysisAnswer:
    assert isinstance(query, ExperimentQuery)
    return AnalysisAnswer(200, "text/plain", query.key.encode(), {"etag": '"1"'})


@pytest.mark.parametrize(("end", "told"), [("client", "another user's process listens"), ("server", "not answer")])
async def test_neither_end_speaks_with_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, told: str
) -> None:
    monkeypatch.setattr(f"app.analysis.{end}.is_trusted", lambda _: False)
    asked: list[Query] = []

    async def answering(query: Query) -> AnalysisAnswer:
        asked.append(query)
        return await echo(query)

    async with serving(tmp_path, answering) as client:
        with pytest.raises(AnalysisError, match=told):
            await client.ask(ASKED)
    assert asked == []


async def test_a_link_in_place_of_the_sockets_folder_is_not_listened_in(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    with pytest.raises(CannotListen, match="a link or belongs to someone else"):
        listen_unix(tmp_path / "run" / "analysis.sock")


async def test_an_answer_comes_with_its_body_type_and_headers(tmp_path: Path) -> None:
    async with serving(tmp_path, echo) as client:
        answer = await client.ask(ExperimentQuery("ž" * 300_000))
    assert answer == AnalysisAnswer(200, "text/plain", ("ž" * 300_000).encode(), {"etag": '"1"'})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownMetric("purchase_rat", ["purchase_rate"]), 404, "unknown_metric"),
        (InvalidDate("at: 'x' is not a moment"), 400, "invalid_date"),
        (DataDamaged("0-1.parquet", "its sha256 is another"), 503, "data_damaged"),
    ],
)
async def test_what_an_answer_raises_reaches_the_asker_as_status_code_and_sentence(
    tmp_path: Path, error: Exception, status: int, code: str
) -> None:
    async def fail(query: Query) -> AnalysisAnswer:
        raise error

    async with serving(tmp_path, fail) as client:
        with pytest.raises(AnalysisError) as refused:
            await client.ask(ASKED)
    assert (refused.value.status, refused.value.code, refused.value.detail) == (status, code, str(error))


async def test_an_unforeseen_failure_tells_the_asker_nothing_of_the_inside(tmp_path: Path) -> None:
    async def fail(query: Query) -> AnalysisAnswer:
        raise RuntimeError("/secret/path")

    async with serving(tmp_path, fail) as client:
        with pytest.raises(AnalysisError) as refused:
            await client.ask(ASKED)
    assert (refused.value.status, refused.value.code) == (503, "analysis_failed")
    assert "secret" not in refused.value.detail


async def test_a_call_that_takes_too_long_ends_in_time(tmp_path: Path) -> None:
    async def never(query: Query) -> AnalysisAnswer:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(tmp_path, never) as client:
        client.timeout_seconds = 0.1
        with pytest.raises(AnalysisError) as refused:
            await client.ask(ASKED)
    assert (refused.value.status, refused.value.code) == (503, "analysis_timeout")
    assert refused.value.retry_after_seconds == 5


async def test_hanging_up_cancels_the_call(tmp_path: Path) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(query: Query) -> AnalysisAnswer:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    async with serving(tmp_path, wait) as client:
        client.timeout_seconds = 600
        asker = asyncio.create_task(client.ask(ASKED))
        await begun.wait()
        asker.cancel()
        await asyncio.wait_for(cancelled.wait(), 30)


async def test_two_questions_of_one_key_are_worked_on_at_once_and_another_key_does_not_wait(tmp_path: Path) -> None:
    begun, go_on = list[str](), asyncio.Event()

    async def wait(query: Query) -> AnalysisAnswer:
        assert isinstance(query, ExperimentQuery)
        begun.append(query.key)
        await go_on.wait()
        return await echo(query)

    async with serving(tmp_path, wait) as client:
        eager = [asyncio.create_task(client.ask(ExperimentQuery("eager"), "secret-1")) for _ in range(4)]
        await reached(lambda: len(begun) == 2, "two are worked on")
        calm = asyncio.create_task(client.ask(ExperimentQuery("calm"), "secret-2"))
        await reached(lambda: len(begun) == 3, "another key does not wait")
        go_on.set()
        await asyncio.gather(*eager, calm)
    assert begun == ["eager", "eager", "calm", "eager", "eager"]


async def test_who_waits_when_the_server_dies_is_told_to_ask_again_and_its_heir_answers(tmp_path: Path) -> None:
    listener = listen_unix(tmp_path / "analysis.sock")
    listener.setblocking(True)

    def die_then_hand_over() -> None:
        listener.accept()[0].close()

    dying = threading.Thread(target=die_then_hand_over, daemon=True)
    dying.start()
    client = AnalysisClient(tmp_path / "analysis.sock", timeout_seconds=5)
    with pytest.raises(AnalysisError) as refused:
        await client.ask(ExperimentQuery("here"))
    assert (refused.value.status, refused.value.code) == (503, "analysis_restarted")
    assert refused.value.retry_after_seconds == 2
    await asyncio.to_thread(dying.join)
    asker, stop = asyncio.create_task(client.ask(ExperimentQuery("here"))), asyncio.Event()
    heir = asyncio.create_task(AnalysisServer(echo).serve(listener, lambda: None, stop))
    assert (await asker).body == b"here"
    stop.set()
    await heir


async def test_askers_of_a_server_that_cannot_start_are_turned_away_at_once(tmp_path: Path) -> None:
    listener = listen_unix(tmp_path / "analysis.sock")
    client = AnalysisClient(tmp_path / "analysis.sock", timeout_seconds=5)
    asker = asyncio.create_task(client.ask(ExperimentQuery("anyone?")))

    def is_told() -> bool:
        turn_away(listener)
        return asker.done()

    await reached(is_told, "the asker is turned away")
    with pytest.raises(AnalysisError) as refused:
        await asker
    assert refused.value.code == "analysis_restarted"
    listener.close()


async def test_nobody_listening_is_an_unavailable_analysis(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError) as refused:
        await AnalysisClient(tmp_path / "nobody.sock").ask(ASKED)
    assert (refused.value.status, refused.value.code) == (503, "analysis_unavailable")


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x00\x00\x03{}x" + b"\xff" * 64,
        b"\xff\xff\xff\xff",
        framed(b'{"query":{"type":"GuessQuery","key":"x"},"timeout_seconds":5}'),
        framed(b'{"query":{"type":"ExperimentQuery","key":["x"]},"timeout_seconds":5}'),
        framed(b'{"query":{"type":"UnitsQuery","key":"x","format":"exe"},"timeout_seconds":5}'),
        framed(b'{"query":{"type":"ExperimentQuery","key":"x"},"timeout_seconds":"soon"}'),
    ],
)
async def test_who_does_not_speak_the_language_is_hung_up_on_and_harms_nobody(tmp_path: Path, content: bytes) -> None:
    async with serving(tmp_path, echo) as client:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "analysis.sock")
        writer.write(content)
        with contextlib.suppress(ConnectionResetError):  # its last bytes may not have been read
            assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        assert (await client.ask(ExperimentQuery("still here"))).body == b"still here"
