"""What the store's client raises becomes one error with a cause; a store that does not answer is not asked on."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from redis import exceptions

STORE_ERRORS: Final = (exceptions.RedisError, OSError)  # builtin TimeoutError is an OSError

_CAUSES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (exceptions.TimeoutError, "store_timeout"),
    (TimeoutError, "store_timeout"),
    (exceptions.OutOfMemoryError, "store_out_of_memory"),
    (exceptions.BusyLoadingError, "store_loading"),
    (exceptions.AuthenticationError, "store_login_refused"),
    (exceptions.AuthorizationError, "store_login_refused"),
    (exceptions.NoPermissionError, "store_login_refused"),
    (exceptions.ReadOnlyError, "store_read_only"),
    (exceptions.ClusterDownError, "store_cluster_down"),
    (exceptions.MasterDownError, "store_cluster_down"),
    (exceptions.ConnectionError, "store_down"),
    (OSError, "store_down"),
)
_ANSWERED: Final = frozenset({"store_error", "busy"})


class StoreUnavailable(Exception):
    """The store cannot take or give data now; `cause` is a word for machines, the wait is in seconds."""

    def __init__(self, cause: str, retry_after_seconds: int = 1) -> None:
        super().__init__(f"the event store is unavailable ({cause}), try again in {retry_after_seconds} s")
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds


class StoreRefused(Exception):
    """This store must not be used as it is set up; the message says what would be right."""


def cause_of(error: BaseException) -> str:
    """The word that names why a command failed: `store_down`, `store_timeout`, `store_out_of_memory`, …"""
    if isinstance(error, StoreUnavailable):
        return error.cause
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause
    return "store_disk_full" if str(error).startswith("MISCONF") else "store_error"


def is_out_of_reach(error: BaseException) -> bool:
    """Whether the next command would fail the same way, so that waiting for a probe is better than trying.

    Every cause but those that a store which answers gives to single commands; the embedded store's own words for why
    it does not run count as well.
    """
    return cause_of(error) not in _ANSWERED


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
