"""What a coroutine costs: the CPU time of its steps, without what others do while it waits."""

from collections.abc import Coroutine, Generator
from time import thread_time
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Metered(Generic[Result]):
    """Awaits a coroutine for its caller, and sums what its steps cost up to its end, however it ends."""

    __slots__ = ("_coroutine", "cpu_seconds")

    def __init__(self, coroutine: Coroutine[Any, Any, Result]) -> None:
        self._coroutine = coroutine
        self.cpu_seconds = 0.0

    def __await__(self) -> Generator[Any, Any, Result]:
        send, error = self._coroutine.send, None
        while True:
            began = thread_time()
            try:
                awaited = send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as end:
                return end.value
            finally:
                self.cpu_seconds += thread_time() - began
            error = None
            try:
                yield awaited
            except BaseException as raised:  # noqa: BLE001 - the coroutine's business, above all that it is cancelled
                error = raised
