"""Background work that never ends without a word: rounds that go on, work done once, and works side by side."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

LONGEST_PAUSE_SECONDS: Final = 10.0
SLICE_SECONDS: Final = 0.0005  # so long something is put together before others of the loop have a turn

T = TypeVar("T")

logger = logging.getLogger(__name__)


def task_maker(loop: asyncio.AbstractEventLoop) -> Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]:
    """What makes a task on a loop, for who needs one for each request, and keeps it. Nowhere else tasks are made.

    Its work logs by itself what fails in it, and tells whoever waits for what it brings, however it ends.
    """
    return loop.create_task


class Tasks:
    """The background work of one owner, who closes it (`async with`, or `close`): nothing of it outlives that."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way: true at once when the last work has done its last step."""
        return not self._running

    def start(self, work: Callable[[], Awaitable[object]], name: str) -> None:
        """Do something once. What it raises is logged by this name; nobody waits for it but `finish`."""
        self._spawn(self._once(work, name), name)

    def repeat(
        self,
        work: Callable[[], Awaitable[bool | None]],
        name: str,
        every_seconds: float,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        """Do something again and again, for the first time after a pause, until a round returns True.

        Whatever a round raises is logged by this name, and the rounds go on: after pauses that double with each
        failure in a row, up to the longest.
        """
        self._spawn(self._rounds(work, name, every_seconds, max(every_seconds, longest_pause_seconds)), name)

    async def finish(self) -> None:
        """Wait until all that was started has ended by itself."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Cancel what is under way and wait for its end; nothing can be started after that."""
        self._closed = True
        for task in self._running:
            task.cancel()
        await self.finish()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._closed:
            work.close()
            raise RuntimeError(f"{name} is started by an owner that has closed")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)  # for one that is cancelled before its first step

    async def _once(self, work: Callable[[], Awaitable[object]], name: str) -> None:
        try:
            await work()
        except (Exception, asyncio.CancelledError) as error:
            if is_own_end(error):
                raise
            logger.exception("%s failed", name)
        finally:
            self._running.discard(_current())

    async def _rounds(
        self, work: Callable[[], Awaitable[bool | None]], name: str, every_seconds: float, longest_seconds: float
    ) -> None:
        pause, finished, own = every_seconds, False, _current()
        try:
            while not finished:
                await asyncio.sleep(pause)
                try:
                    finished = bool(await work())
                    pause = every_seconds
                except (Exception, asyncio.CancelledError) as error:
                    if is_own_end(error):
                        raise
                    pause = min(pause * 2, longest_seconds)
                    logger.exception("%s failed, it goes on in %g s", name, pause)
        finally:
            self._running.discard(own)  # also where it is thrown away with its loop


class SharedLook(Generic[T]):
    """One look for all who ask while it is under way, and for a while after it; one that hangs is joined."""

    def __init__(
        self, look: Callable[[], Awaitable[T]], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """What `look` found holds for so many `seconds`; what it raised is for those who asked alone."""
        self._look = look
        self._seconds = seconds
        self._clock = clock
        self._asked: asyncio.Task[T] | None = None
        self._until = 0.0

    async def answer(self) -> T:
        """What was found, or what the look raised; whoever gives up waiting leaves it to the others."""
        if self._asked is None or (self._asked.done() and self._clock() >= self._until):
            self._asked = asyncio.get_running_loop().create_task(self._looked())
            self._asked.add_done_callback(lambda asked: asked.cancelled() or asked.exception())  # if nobody waits
        return await asyncio.shield(self._asked)

    async def _looked(self) -> T:
        found = await self._look()
        self._until = self._clock() + self._seconds
        return found


class Promises:
    """What the works of one loop say of themselves: each that it will speak again within so many seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[Hashable, float] = {}

    def back_within(self, work: Hashable, seconds: float | None) -> None:
        """To be said by the work itself, at each turn and before a longer wait; None: it has come to its end."""
        if seconds is None:
            self._until.pop(work, None)
        else:
            self._until[work] = self._clock() + seconds

    @property
    def kept(self) -> bool:
        """Whether none is late."""
        now = self._clock()
        return all(until >= now for until in self._until.values())


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Do several things side by side; the first that fails cancels the others, and what it raised is raised.

    A task group of Python 3.11 leaves who waits for a failed one marked as cancelled (`Task.cancelling`), and so
    `is_own_end` would be wrong for as long as that task lives.
    """
    loop = asyncio.get_running_loop()
    running = [loop.create_task(work) for work in works]
    if not running:
        return
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        ended = [each for each in running if each.done()]
        for each in running:
            each.cancel()
        await asyncio.wait(running)
    failed = [each for each in ended if not each.cancelled() and each.exception() is not None]
    for other in running:
        if other not in failed[:1] and not other.cancelled() and other.exception() is not None:
            logger.error("another of the works failed too", exc_info=other.exception())
    for each in [*failed, *ended]:
        each.result()  # a work that was cancelled by itself has not been done either


async def in_slices(pieces: Iterable[T]) -> list[T]:
    """All pieces; no more are made in one turn of the loop than half a millisecond takes, one at the least."""
    found: list[T] = []
    since = time.perf_counter()
    for piece in pieces:
        found.append(piece)
        if time.perf_counter() - since > SLICE_SECONDS:
            await asyncio.sleep(0)
            since = time.perf_counter()
    return found


async def unless(end: Coroutine[Any, Any, object], work: Coroutine[Any, Any, T]) -> T | None:
    """What the work returns, or None where `end` returns first; the other one is cancelled and has ended by then.

    Raises what the work raises, or what `end` raises before that.
    """
    loop = asyncio.get_running_loop()
    working, ending = loop.create_task(work), loop.create_task(end)
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        ending.result()
        return None
    finally:
        for task in (working, ending):
            task.cancel()
        await asyncio.wait({working, ending})


def is_own_end(error: BaseException) -> bool:
    """Whether the owner ends this task; the cancellation of something that it awaited is an error like others."""
    return isinstance(error, asyncio.CancelledError) and _current().cancelling() > 0


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
