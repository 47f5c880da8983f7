"""What pages read of the analysis: asked once, and what came of it last is shown to who cannot wait for the newest."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.analysis.client import AnalysisAnswer, AnalysisError
from app.analysis.queries import MetricsQuery, Query, ResultsQuery
from app.worker.reads import KEPT_SECONDS, MOST_KEPT, UNEXPECTED, PageQuestion, Reads
from kit.tasks import Tasks

pytestmark = pytest.mark.anyio
BANNER = PageQuestion(ResultsQuery("banner"), "first")
SOON, LONG = 0.0, 30.0  # seconds that a page waits


class Clock:
    """One that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Asked:
    """An analysis that answers by number, when it is let."""

    def __init__(self) -> None:
        self.times = 0
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> AnalysisAnswer:
        self.times += 1
        number = self.times
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return AnalysisAnswer(200, "application/json", b"%d" % number)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def background() -> AsyncIterator[Tasks]:
    async with Tasks() as tasks:
        yield tasks


@pytest.fixture
def reads(background: Tasks, clock: Clock) -> Reads:
    return Reads(background, clock)


async def body(reads: Reads, asked: Asked, seconds: float, question: PageQuestion = BANNER) -> bytes | None:
    answer = await reads.within(question, asked, seconds)
    return None if answer is None else answer.body


async def test_who_reloads_while_it_is_computed_starts_it_no_second_time(reads: Reads, background: Tasks) -> None:
    asked = Asked()
    assert [await body(reads, asked, SOON) for _ in range(3)] == [None, None, None]
    assert asked.times == 1
    asked.may_answer.set()
    assert await body(reads, asked, LONG) == b"1"
    await background.finish()
    assert asked.times == 1


async def test_where_events_never_cease_and_reading_is_slow_who_reloads_sees_what_was_computed_meanwhile(
    reads: Reads, background: Tasks, clock: Clock
) -> None:
    asked = Asked()
    assert await body(reads, asked, SOON) is None
    for reload in range(1, 4):
        asked.may_answer.set()
        await background.finish()  # it is there, and the log has grown: who asks now asks anew
        asked.may_answer.clear()
        clock.seconds += 1.0
        assert await body(reads, asked, SOON) == b"%d" % reload
    clock.seconds += KEPT_SECONDS
    assert await body(reads, asked, SOON) is None


async def test_the_newest_is_shown_where_it_is_there_in_time(reads: Reads, background: Tasks) -> None:
    asked = Asked()
    asked.may_answer.set()
    assert [await body(reads, asked, LONG), await body(reads, asked, LONG)] == [b"1", b"2"]


@pytest.mark.parametrize("other", [PageQuestion(MetricsQuery(), "first"), PageQuestion(BANNER.query, "second")])
async def test_nothing_of_another_question_or_of_other_definitions_is_shown(
    reads: Reads, background: Tasks, other: PageQuestion
) -> None:
    asked = Asked()
    asked.may_answer.set()
    assert await body(reads, asked, LONG) == b"1"
    asked.may_answer.clear()
    assert await body(reads, asked, SOON, other) is None


async def test_what_was_refused_is_raised_to_all_who_wait_and_never_shown_later(
    reads: Reads, background: Tasks
) -> None:
    asked = Asked()
    asked.error = AnalysisError(404, "unknown_experiment", "there is none")
    assert await body(reads, asked, SOON) is None
    asked.may_answer.set()
    for _ in range(2):
        with pytest.raises(AnalysisError, match="there is none"):
            await body(reads, asked, LONG)
    asked.error = None
    assert await body(reads, asked, LONG) == b"3"


async def test_a_fault_of_ours_ends_the_wait_and_not_the_next_question(
    reads: Reads, background: Tasks, caplog: pytest.LogCaptureFixture
) -> None:
    asked = Asked()
    asked.error = RuntimeError("a fault")
    asked.may_answer.set()
    with pytest.raises(AnalysisError, match=UNEXPECTED):
        await body(reads, asked, LONG)
    await background.finish()
    assert "a fault" in caplog.text
    asked.error = None
    assert await body(reads, asked, LONG) == b"2"


async def test_so_many_answers_are_kept_and_the_oldest_go(reads: Reads, background: Tasks) -> None:
    asked = Asked()
    asked.may_answer.set()
    queries: list[Query] = [ResultsQuery(f"test-{number}") for number in range(MOST_KEPT + 1)]
    for query in queries:
        await body(reads, asked, LONG, PageQuestion(query, "first"))
    asked.may_answer.clear()
    assert await body(reads, asked, SOON, PageQuestion(queries[0], "first")) is None
    assert await body(reads, asked, SOON, PageQuestion(queries[1], "first")) == b"2"


async def test_what_may_be_a_minute_old_is_asked_for_once_a_minute(
    reads: Reads, background: Tasks, clock: Clock
) -> None:
    asked = Asked()
    asked.may_answer.set()
    found: list[bytes] = []
    for _ in range(4):
        answer = await reads.within(BANNER, asked, LONG, young=60.0)
        found.append(answer.body if answer else b"")
        clock.seconds += 29.0
    assert found == [b"1", b"1", b"1", b"2"]
