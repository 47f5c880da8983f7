"""What the store's client raises becomes one error with a cause; a store that does not answer is not asked on."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from redis import exceptions

from events.causes import StoreCause
from kit.tasks import Tasks

LOGIN_REFUSED: Final[StoreCause] = "store_login_refused"
REPLICAS_SHORT: Final[StoreCause] = "store_replicas_short"
_CAUSES: Final[tuple[tuple[type[Exception], StoreCause], ...]] = (
    (exceptions.TimeoutError, "store_timeout"),
    (TimeoutError, "store_timeout"),
    (exceptions.OutOfMemoryError, "store_out_of_memory"),
    (exceptions.BusyLoadingError, "store_loading"),
    (exceptions.AuthenticationError, "store_login_refused"),
    (exceptions.AuthorizationError, "store_login_refused"),
    (exceptions.NoPermissionError, "store_login_refused"),
    (exceptions.ReadOnlyError, "store_read_only"),
    (exceptions.ClusterDownError, "store_cluster_down"),
    (exceptions.SlotNotCoveredError, "store_cluster_down"),
    (exceptions.AskError, "store_cluster_down"),  # a slot that moves: its keys stand on two nodes
    (exceptions.MovedError, "store_cluster_down"),
    (exceptions.TryAgainError, "store_cluster_down"),
    (exceptions.ConnectionError, "store_down"),
    (exceptions.RedisClusterException, "store_down"),  # no node could be reached; it derives from Exception alone
    (OSError, "store_down"),
)
_SAID: Final[tuple[tuple[str, StoreCause], ...]] = (  # how an answer begins, or what it has in it
    ("MISCONF", "store_disk_full"),
    ("NOREPLICAS", REPLICAS_SHORT),
    ("access a non local key in a cluster", "store_cluster_down"),
)
_OF_CERTIFICATES: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")  # in what TLS calls a refusal
_BESIDE_THE_STORE: Final[frozenset[StoreCause]] = frozenset(
    {"stopping", "busy", "page_share_full", "log_disk_full", "log_not_writable", "log_behind", "disk_low"}
)
"""What keeps events out while the store answers."""
UNKNOWN: Final[StoreCause] = "store_error"
BUSY: Final[StoreCause] = "busy"
PAGES_FULL: Final[StoreCause] = "page_share_full"
STOPPING: Final[StoreCause] = "stopping"


class StoreUnavailable(Exception):
    """The store cannot take or give data now; `cause` is a word for machines, the wait is in seconds."""

    def __init__(self, cause: StoreCause, retry_after_seconds: int = 1) -> None:
        what = "no event is taken now" if cause in _BESIDE_THE_STORE else "the event store is unavailable"
        super().__init__(f"{what} ({cause}), try again in {retry_after_seconds} s")
        self.cause: StoreCause = cause
        self.retry_after_seconds = retry_after_seconds


class StoreRefused(Exception):
    """This store must not be used as it is set up; the message says what would be right."""


def cause_of(error: BaseException) -> StoreCause:
    """The word that names why a command failed: `store_down`, `store_timeout`, `store_out_of_memory`, …

    `store_error` for everything that has no word of its own, whatever class it is of.
    """
    if isinstance(error, StoreUnavailable):
        return error.cause
    if _of_certificates(error) is not None:
        return LOGIN_REFUSED
    told = str(error)
    for words, cause in _SAID:
        if words in told:
            return cause
    known: list[StoreCause] = [cause for kind, cause in _CAUSES if isinstance(error, kind)]
    return known[0] if known else UNKNOWN


def reason_of(error: BaseException) -> str:
    """Why a server was refused, or refuses, in a sentence: what TLS says of a certificate, else its own text."""
    refused = _of_certificates(error)
    if refused is None:
        return str(error)
    return str(getattr(refused, "verify_message", "") or (refused.reason or "").lower().replace("_", " "))


def _of_certificates(error: BaseException) -> ssl.SSLError | None:
    """What TLS said, in all that led to an error, where it was about a certificate."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError) and any(word in (seen.reason or "") for word in _OF_CERTIFICATES):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def is_out_of_reach(cause: str) -> bool:
    """Whether the next command would fail the same way, so that waiting for a probe is better than trying.

    Every cause but those that a store which answers gives to single commands; the embedded store's own words for why
    it does not run count as well.
    """
    return cause not in {UNKNOWN, BUSY, PAGES_FULL}


PROBE_SECONDS: Final = 0.5


class Breaker:
    """Closed while the store answers; opened with a cause, it probes until the store answers again."""

    def __init__(self, probe: Callable[[], Awaitable[object]], probe_seconds: float = PROBE_SECONDS) -> None:
        self._probe = probe
        self._probe_seconds = probe_seconds
        self._probing = Tasks()
        self.cause: StoreCause | None = None

    def open(self, cause: StoreCause) -> None:
        """Notes why the store cannot be asked; a probe is under way from now on."""
        if self.cause == STOPPING:
            return
        self.cause = cause
        if self._probing.idle:
            self._probing.repeat(self._answered, "the probe of the store", self._probe_seconds, self._probe_seconds)

    async def close(self) -> None:
        """Ends the probing, and refuses from then on."""
        self.cause = STOPPING
        await self._probing.close()

    async def _answered(self) -> bool:
        try:
            await self._probe()
        except StoreUnavailable as unavailable:
            self.cause = unavailable.cause
            return False
        self.cause = None
        return True
