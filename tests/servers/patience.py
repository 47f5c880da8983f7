"""How a test waits: for a condition by its name, or for a stretch of time that says why there is no event to wait for.

Nothing else in the tests sleeps (tests/test_tests.py holds them to it). How fast something is, the benchmarks print.
"""

import asyncio
import contextlib
import inspect
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from threading import Timer
from typing import Final, TypeVar

HUNG_SECONDS: Final = 60.0  # no figure: who waits so long waits in vain; an idle connection is kept for 65 s
# The same for what has no such end: a minute's work on a machine that four others use. With a planted fault a minute.
VAIN_SECONDS: Final = float(os.environ.get("TESTS_VAIN_SECONDS", "240"))
LOOK_SECONDS: Final = 0.01

Found = TypeVar("Found")


def until(
    condition: Callable[[], Found], what: str, seconds: float = VAIN_SECONDS, tell: Callable[[], str] = str
) -> Found:
    """Wait until the condition holds; what it found. Fails with the condition's name, and what `tell` adds to it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}{tell()}")
        time.sleep(LOOK_SECONDS)
    return found


async def reached(condition: Callable[[], Found | Awaitable[Found]], what: str, seconds: float = VAIN_SECONDS) -> Found:
    """The same on an event loop, which goes on meanwhile; the condition may be a coroutine."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        answer = condition()
        found = await answer if inspect.isawaitable(answer) else answer
        if found:
            return found
        if loop.time() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        await asyncio.sleep(LOOK_SECONDS)


def stall(seconds: float, why: str) -> None:
    """Let time pass that is part of what happens, such as a store that does not answer; `why` no event can end it."""
    assert why
    time.sleep(seconds)


@contextlib.contextmanager
def ended_when_hung(process: subprocess.Popen[str] | subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Ends a process that still runs after so long, so that whoever reads what it says comes to the end of it."""
    hung = Timer(seconds, process.kill)
    hung.start()
    try:
        yield
    finally:
        hung.cancel()
