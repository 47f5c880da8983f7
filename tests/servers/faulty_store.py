"""A store's client that fails at one of its calls, whichever: in place of the real one, which does all the others."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis.asyncio.sentinel  # whose exceptions are in the tree as well
import redis.cluster
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterNode, ClusterPipeline

from events.store.connection import Connection

Raise = Callable[[], BaseException]
WRAPPED = (Pipeline, ClusterPipeline, ClusterNode)
LED_TO = ("connection_pool", "nodes_manager")  # members of a client that are asked as well


class Faults:
    """Counts the calls of a client, and fails the one whose number is `at`; `error` None: that one never returns."""

    def __init__(self, at: int, error: Raise | None) -> None:
        self.at = at
        self.error = error
        self.calls = 0

    def is_due(self) -> bool:
        self.calls += 1
        return self.calls == self.at

    async def fail(self) -> None:
        if self.error is None:
            await asyncio.Event().wait()
        else:
            raise self.error()


class Faulty:
    """Stands in for an object of the client; for `isinstance` it is one."""

    def __init__(self, target: Any, faults: Faults) -> None:
        self._target = target
        self._faults = faults

    @property
    def __class__(self) -> Any:
        return type(self._target)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name in LED_TO:
            return Faulty(value, self._faults)
        return self._call(value) if callable(value) and not inspect.isclass(value) else value

    def _call(self, value: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            waits = inspect.iscoroutinefunction(value)
            if not (waits or self._faults.error) or not self._faults.is_due():
                return self._found(value(*arguments, **named))
            if waits:
                return self._faults.fail()
            raise self._faults.error()  # type: ignore[misc]

        return call

    def _found(self, found: Any) -> Any:
        if isinstance(found, WRAPPED):
            return self if found is self._target else Faulty(found, self._faults)
        return self._steps(found) if hasattr(found, "__anext__") else found

    async def _steps(self, found: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for each in found:
            if self._faults.is_due():
                await self._faults.fail()
            yield each


@contextmanager
def failing(connection: Connection, at: int, error: Raise | None) -> Iterator[Faults]:
    """The connection's client fails at the call of this number, while the block runs."""
    client, faults = connection.client, Faults(at, error)
    connection.client = Faulty(client, faults)  # type: ignore[assignment]
    try:
        yield faults
    finally:
        connection.client = client


def made(kind: type[BaseException]) -> Raise:
    """Makes an error of a class, as those have it that read where a slot is from their text."""

    def make() -> BaseException:
        try:
            return kind("12182 127.0.0.1:7001")
        except TypeError:  # of more than a text
            return kind.__new__(kind, "12182 127.0.0.1:7001")

    return make


def classes_of_errors() -> list[type[Exception]]:
    """Every exception class of the client library."""
    found: dict[type[Exception], None] = {}
    waiting: list[type[Exception]] = [Exception]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            if kind not in found:
                waiting.append(kind)
                found[kind] = None
    return [kind for kind in found if kind.__module__.partition(".")[0] == redis.__name__]
