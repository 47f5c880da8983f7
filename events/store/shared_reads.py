"""Reads of little that no request waits long for: many share a round trip, and a dead store is not asked."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from events.store.availability import UNKNOWN, Breaker, StoreUnavailable, cause_of
from events.store.connection import Command, Connection
from kit.tasks import Tasks

WAIT_SECONDS: Final = 0.05


class SharedReads:
    """Reads behind a breaker that opens on the first time-out.

    Those that arrive while one is under way share the next round trip, as appends share a flush.
    """

    def __init__(self, connection: Connection, wait_seconds: float = WAIT_SECONDS) -> None:
        self.breaker = Breaker(connection.probe)
        self._connection = connection
        self._wait_seconds = wait_seconds
        self._waiting: list[tuple[Sequence[Command], asyncio.Future[list[Any]]]] = []
        self._asked = asyncio.Event()
        self._reading = Tasks()
        self._reading.repeat(self._read_when_asked, "a shared read", 0)

    async def ask_many(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to these commands, which change nothing, within 50 ms.

        Raises StoreUnavailable, at once while the store is away.
        """
        if self.breaker.cause is not None:
            raise StoreUnavailable(self.breaker.cause)
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, future))
        self._asked.set()
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await future
        except (TimeoutError, StoreUnavailable) as error:
            self.breaker.open(cause_of(error))
            raise StoreUnavailable(cause_of(error)) from error

    async def close(self) -> None:
        """Ends the reading and the probing; the connection belongs to the caller."""
        await self._reading.close()
        await self.breaker.close()

    async def _read_when_asked(self) -> None:
        await self._asked.wait()
        self._asked.clear()
        waiting, self._waiting = self._waiting, []
        reads = [(commands, future) for commands, future in waiting if not future.done()]  # the others waited too long
        cause = UNKNOWN
        try:
            asked = [command for commands, _ in reads for command in commands]
            answers = iter(await self._connection.ask_many(asked, self._wait_seconds))
            for commands, future in reads:
                own = [next(answers) for _ in commands]
                if not future.done():
                    future.set_result(own)
        except StoreUnavailable as unavailable:
            cause = unavailable.cause
        finally:
            for _, future in reads:
                if not future.done():
                    future.set_exception(StoreUnavailable(cause))
