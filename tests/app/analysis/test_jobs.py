"""The queue before the analysis thread: one computation per question, none for nobody."""

import asyncio
import threading

import pytest

from app.analysis.jobs import Jobs

pytestmark = pytest.mark.anyio


class Slow:
    """A computation that lasts until it is let go or interrupted."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.go = threading.Event()
        self.interrupted = threading.Event()
        self.runs = 0

    def __call__(self) -> str:
        self.runs += 1
        self.started.set()
        self.go.wait(5)
        if self.interrupted.is_set():
            raise InterruptedError
        return "done"

    def interrupt(self) -> None:
        self.interrupted.set()
        self.go.set()


async def begun(slow: Slow) -> None:
    await asyncio.to_thread(slow.started.wait, 5)


async def test_the_same_question_is_computed_once_for_all_who_ask() -> None:
    slow = Slow()
    jobs = Jobs("test", slow.interrupt)
    askers = [asyncio.create_task(jobs.answer("question", slow)) for _ in range(5)]
    await begun(slow)
    slow.go.set()
    assert await asyncio.gather(*askers) == ["done"] * 5
    assert slow.runs == 1


async def test_a_question_is_computed_again_once_it_was_answered() -> None:
    slow = Slow()
    slow.go.set()
    jobs = Jobs("test", slow.interrupt)
    assert [await jobs.answer("question", slow), await jobs.answer("question", slow)] == ["done", "done"]
    assert slow.runs == 2


async def test_one_who_gives_up_does_not_stop_the_work_of_another() -> None:
    slow = Slow()
    jobs = Jobs("test", slow.interrupt)
    leaver, stayer = (asyncio.create_task(jobs.answer("question", slow)) for _ in range(2))
    await begun(slow)
    leaver.cancel()
    await asyncio.sleep(0)
    slow.go.set()
    assert await stayer == "done"
    assert not slow.interrupted.is_set()


async def test_the_last_who_gives_up_interrupts_the_work() -> None:
    slow = Slow()
    jobs = Jobs("test", slow.interrupt)
    asker = asyncio.create_task(jobs.answer("question", slow))
    await begun(slow)
    asker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asker
    assert slow.interrupted.is_set()


async def test_giving_up_in_the_queue_leaves_the_running_work_alone() -> None:
    slow, later = Slow(), Slow()
    jobs = Jobs("test", slow.interrupt)
    running = asyncio.create_task(jobs.answer("running", slow))
    await begun(slow)
    waiting = asyncio.create_task(jobs.answer("waiting", later))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    slow.go.set()
    assert await running == "done"
    assert later.runs == 0


async def test_a_failure_reaches_everyone_who_asked() -> None:
    def fail() -> None:
        raise LookupError("no such experiment")

    answers = await asyncio.gather(
        *(Jobs("test", lambda: None).answer("question", fail) for _ in range(2)), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == ["no such experiment"] * 2
