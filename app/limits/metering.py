"""What the steps of a worker's loop cost: CPU time, without what others do while a coroutine waits."""

from collections.abc import Callable, Coroutine, Generator
from time import monotonic, thread_time
from types import coroutine
from typing import Any, Final, Protocol, TypeVar

Result = TypeVar("Result")

SHORT_SECONDS: Final = 0.0005


class CpuClock:
    """The CPU time of one thread, step by step.

    To ask the system for it takes as long as to answer a tenth of a request. So a short step cost what time passed, and
    only of a long one, in which others may have had the core, it is asked: it cost at most what the thread has used
    since the last long one and what no step was charged for. Steps together cost no more than the thread has used.
    """

    def __init__(self, now: Callable[[], float] = monotonic, used: Callable[[], float] = thread_time) -> None:
        self.now = now
        self._used = used
        self._read = used()
        self._short = 0.0  # what short steps cost since then

    def since(self, began: float) -> float:
        """What a step cost that began then by `now`, and ends here."""
        passed = self.now() - began
        if passed < SHORT_SECONDS:
            self._short += passed
            return passed
        used = self._used()
        unclaimed = used - self._read - self._short
        self._read, self._short = used, 0.0
        return max(0.0, min(passed, unclaimed))


class Bill(Protocol):
    """Where it is noted what was used."""

    cpu_seconds: float


@coroutine
def metered(work: Coroutine[Any, Any, Result], clock: CpuClock, bill: Bill) -> Generator[Any, Any, Result]:
    """Awaits a coroutine for its caller, and bills what its steps cost up to its end, however it ends."""
    error = None
    while True:
        began = clock.now()
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration as end:
            return end.value
        finally:
            bill.cpu_seconds += clock.since(began)
        error = None
        try:
            yield awaited
        except BaseException as raised:  # noqa: BLE001 - the coroutine's business, above all that it is cancelled
            error = raised
