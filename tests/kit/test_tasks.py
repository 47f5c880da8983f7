"""Background work goes on after whatever a round raises, is heard of when it fails, and ends with its owner."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.patience import HUNG_SECONDS

from kit.tasks import Promises, SharedLook, Tasks, together, unless


class Foreign(Exception):
    """An exception that nobody foresaw."""


ERRORS = [Foreign("odd"), KeyError("k"), OSError(5, "io"), AssertionError(), ExceptionGroup("g", [ValueError()])]
ERRORS += [TimeoutError(), StopAsyncIteration(), RecursionError(), MemoryError()]


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(HUNG_SECONDS):
            await test()

    asyncio.run(bounded())


async def forever() -> None:
    await asyncio.Event().wait()


async def cancelled_elsewhere() -> None:
    """Awaits something that somebody else cancels."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_round_may_raise_anything_and_the_next_one_comes(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    rounds = list[int]()

    async def work() -> bool:
        rounds.append(len(rounds))
        if len(rounds) == 2:
            raise error
        return len(rounds) == 4

    async def test() -> None:
        async with Tasks() as tasks:
            tasks.repeat(work, "the counting", every_seconds=0)
            await tasks.finish()

    run(test)
    assert rounds == [0, 1, 2, 3]
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [error]
    assert "the counting failed" in caplog.text


def test_a_round_whose_awaited_thing_was_cancelled_is_no_end_either(caplog: pytest.LogCaptureFixture) -> None:
    rounds = list[int]()

    async def work() -> bool:
        rounds.append(len(rounds))
        if len(rounds) < 3:
            await cancelled_elsewhere()
        return True

    async def test() -> None:
        async with Tasks() as tasks:
            tasks.repeat(work, "the counting", every_seconds=0)
            await tasks.finish()

    run(test)
    assert len(rounds) == 3
    assert caplog.text.count("the counting failed") == 2


@given(fails=st.lists(st.booleans(), max_size=12), every=st.floats(0.01, 20), longest=st.floats(0.01, 20))
def test_pauses_double_with_each_failure_in_a_row_up_to_the_longest(
    fails: list[bool], every: float, longest: float
) -> None:
    pauses = list[float]()
    rounds = iter([*fails, None])

    async def work() -> bool:
        if failing := next(rounds):
            raise Foreign
        return failing is None

    async def test() -> None:
        real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await real(0)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "sleep", sleep)
            async with Tasks() as tasks:
                tasks.repeat(work, "the counting", every, longest)
                await tasks.finish()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("kit.tasks"), "disabled", True)
        run(test)
    most = max(every, longest)
    expected = accumulate(fails, lambda pause, failed: min(pause * 2, most) if failed else every, initial=every)
    assert pauses == list(expected)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_work_that_fails_is_logged_with_its_name_and_ends(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise error

    async def test() -> None:
        async with Tasks() as tasks:
            tasks.start(work, "the loading")
            tasks.start(cancelled_elsewhere, "the waiting")
            await tasks.finish()
            assert tasks.idle

    run(test)
    assert [record.getMessage() for record in caplog.records] == ["the loading failed", "the waiting failed"]


def test_what_is_under_way_ends_with_its_owner_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = {"once": asyncio.Event(), "round": asyncio.Event()}, list[str]()

    async def work(name: str) -> None:
        begun[name].set()
        try:
            await forever()
        finally:
            ended.append(name)

    async def test() -> None:
        async with Tasks() as tasks:
            tasks.start(lambda: work("once"), "once")
            tasks.repeat(lambda: work("round"), "round", every_seconds=0)
            tasks.repeat(forever, "between rounds", every_seconds=1000)
            for event in begun.values():
                await event.wait()
            tasks.start(forever, "not begun yet")
        assert tasks.idle
        assert len(asyncio.all_tasks()) == 1

    run(test)
    assert sorted(ended) == ["once", "round"]
    assert caplog.records == []


def test_an_owner_that_has_closed_starts_nothing() -> None:
    async def test() -> None:
        tasks = Tasks()
        await tasks.close()
        with pytest.raises(RuntimeError, match="the loading is started by an owner that has closed"):
            tasks.start(forever, "the loading")

    run(test)


@given(amounts=st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_work_that_sees_nothing_left_is_idle_before_more_can_come(amounts: list[int]) -> None:
    """What group commit rests on: whoever puts something when the task is idle starts it, else the task takes it."""
    waiting, done = list[int](), list[int]()

    async def take() -> None:
        while waiting:
            await asyncio.sleep(0)
            done.append(waiting.pop())

    async def test() -> None:
        async with Tasks() as tasks:
            for number, steps in enumerate(amounts):
                waiting.append(number)
                if tasks.idle:
                    tasks.start(take, "taking")
                for _ in range(steps):
                    await asyncio.sleep(0)
            await tasks.finish()

    run(test)
    assert sorted(done) == list(range(len(amounts)))


def test_of_works_side_by_side_the_first_that_fails_ends_the_others(caplog: pytest.LogCaptureFixture) -> None:
    ended = list[str]()

    async def endless() -> None:
        try:
            await forever()
        finally:
            ended.append("endless")
            raise KeyError("while ending")

    async def failing() -> None:
        raise Foreign("first")

    async def test() -> None:
        with pytest.raises(Foreign, match="first"):
            await together(endless(), failing())
        assert asyncio.current_task().cancelling() == 0, "its own end would be taken for a work's, and the reverse"
        await together()

    run(test)
    assert ended == ["endless"]
    assert "KeyError: 'while ending'" in caplog.text


def test_a_work_that_was_cancelled_by_itself_is_not_taken_for_done() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def test() -> None:
        with pytest.raises(asyncio.CancelledError):
            await together(cancelled(), asyncio.sleep(0))
        assert asyncio.current_task().cancelling() == 0

    run(test)


def test_work_returns_unless_the_end_comes_first() -> None:
    ended = list[str]()

    async def number() -> int:
        return 7

    async def endless(name: str) -> int:
        try:
            await forever()
        finally:
            ended.append(name)
        return 0

    async def test() -> None:
        assert await unless(endless("end"), number()) == 7
        assert ended == ["end"]
        assert await unless(number(), endless("work")) is None
        assert ended == ["end", "work"]
        assert await unless(number(), number()) == 7
        assert len(asyncio.all_tasks()) == 1

    run(test)


def test_what_the_work_or_the_end_raises_is_raised() -> None:
    async def failing() -> None:
        raise Foreign

    async def test() -> None:
        with pytest.raises(Foreign):
            await unless(forever(), failing())
        with pytest.raises(Foreign):
            await unless(failing(), forever())
        assert len(asyncio.all_tasks()) == 1

    run(test)


def test_whoever_cancels_the_wait_cancels_the_work() -> None:
    ended = list[str]()

    async def endless() -> None:
        try:
            await forever()
        finally:
            ended.append("work")

    async def test() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await unless(forever(), endless())
        assert len(asyncio.all_tasks()) == 1

    run(test)
    assert ended == ["work"]


def test_a_promise_that_is_late_is_broken_for_all() -> None:
    now = [0.0]
    promises = Promises(lambda: now[0])
    assert promises.kept
    promises.back_within("shard 0", 8.0)
    promises.back_within("shard 1", 30.0)
    now[0] = 8.5
    assert not promises.kept
    promises.back_within("shard 0", 8.0)
    assert promises.kept
    now[0] = 20.0
    promises.back_within("shard 0", None)
    assert promises.kept
    now[0] = 31.0
    assert not promises.kept


def test_one_look_is_for_all_who_ask_meanwhile_and_for_a_while_after_it() -> None:
    async def live() -> None:
        now, looks, end = [0.0], list[int](), asyncio.Event()

        async def look() -> int:
            looks.append(len(looks))
            await end.wait()
            if len(looks) == 3:
                raise ValueError("it is away")
            return looks[-1]

        shared = SharedLook(look, 0.2, lambda: now[0])
        given_up = asyncio.ensure_future(shared.answer())
        asked = [asyncio.ensure_future(shared.answer()) for _ in range(50)]
        await asyncio.sleep(0)
        given_up.cancel()  # and the others are answered all the same
        end.set()
        assert await asyncio.gather(*asked) == [0] * 50
        now[0] = 0.19
        assert await shared.answer() == 0
        now[0] = 0.2
        assert await shared.answer() == 1
        now[0] = 0.4
        with pytest.raises(ValueError, match="away"):
            await shared.answer()
        assert (await shared.answer(), looks) == (3, [0, 1, 2, 3])

    run(live)
