"""Stops asking a store that does not answer, and notices within half a second that it answers again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from events.store_errors import STORE_ERRORS, StoreUnavailable, cause_of

PROBE_SECONDS: Final = 0.5


class Breaker:
    """Closed while the store answers; opened with a cause, it probes until the store answers again."""

    def __init__(self, probe: Callable[[], Awaitable[object]], probe_seconds: float = PROBE_SECONDS) -> None:
        self._probe = probe
        self._probe_seconds = probe_seconds
        self._probing: asyncio.Task[None] | None = None
        self.cause: str | None = None
        self.opened = 0  # how often

    def open(self, cause: str) -> None:
        """Notes why the store cannot be asked; a probe is under way from now on."""
        if self.cause is None:
            self.opened += 1
        self.cause = cause
        if self._probing is None:
            self._probing = asyncio.get_running_loop().create_task(self._probe_until_answered())

    def check(self) -> None:
        """Raises StoreUnavailable at once while the breaker is open."""
        if self.cause is not None:
            raise StoreUnavailable(self.cause)

    async def close(self) -> None:
        """Ends the probing; the breaker is not used afterwards."""
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing

    async def _probe_until_answered(self) -> None:
        while self.cause is not None:
            await asyncio.sleep(self._probe_seconds)
            try:
                await self._probe()
            except (StoreUnavailable, *STORE_ERRORS) as error:
                self.cause = cause_of(error)
            else:
                self.cause = None
        self._probing = None
