"""How many connections a worker keeps open, of one network and of all, and which it closes because nobody reads."""

import logging
import resource
import time
from collections.abc import Callable, Collection
from typing import Any, Final, Literal

from app.limits.networks import UNKNOWN, Networks

logger = logging.getLogger(__name__)

RESERVED: Final = 256  # open files of a worker that are no caller's: models, counters, the store, the analysis
LEAST_FILES: Final = 256  # that must be allowed
FEWEST: Final = 16
UNREAD_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 5.0
EXHAUSTED_SECONDS: Final = 5.0
Exhausted = Literal["connections_exhausted"]
EXHAUSTED: Final[Exhausted] = "connections_exhausted"
TOLD_SECONDS: Final = 60.0  # between two lines of the log about the same limit


class TooFewFiles(Exception):
    """So few files may be open that a service cannot work; the message says how many, and where that is set."""


def connection_limits(wanted: int, streams: int = 0) -> tuple[int, int]:
    """How many connections and beside them streams a worker may have. The limit of open files is raised as far as it
    may be, for this process and those that it starts; where it is too low no more than a quarter of them are streams.

    What is in force is logged, as a warning where it is not what was asked. Raises TooFewFiles.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + streams + RESERVED
    if hard != resource.RLIM_INFINITY and hard < LEAST_FILES:
        raise TooFewFiles(
            f"{hard} files may be open at once, a service needs at least {LEAST_FILES}: raise the hard limit (ulimit "
            "-Hn, LimitNOFILE= of systemd, --ulimit nofile= of a container)"
        )
    files = max(soft, needed) if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    in_force = streams if files >= needed else min(streams, files // 4)
    limit = max(FEWEST, min(wanted, files - min(RESERVED, files // 2) - in_force))
    if (limit, in_force) == (wanted, streams):
        logger.info("each worker keeps at most %d connections and %d streams open", wanted, streams)
    else:
        told = (
            "each worker keeps at most %d connections and %d streams open, not %d and %d as asked: that would take %d "
        )
        logger.warning(told + "open files, and the hard limit is %d", limit, in_force, wanted, streams, needed, files)
    return limit, in_force


class OpenConnections:
    """The open connections of one worker by network; those of trusted proxies, and of nobody's network, go free."""

    def __init__(
        self,
        networks: Networks,
        most: int,
        clock: Callable[[], float] = time.monotonic,
        note: Callable[[Exhausted, str | None], None] = lambda code, named: None,
    ) -> None:
        """`note` is told that there are none left for anybody, and by None that there are again."""
        self._note = note
        self._exhausted_at: float | None = None
        self._networks = networks
        self._most = most
        self._clock = clock
        self._open: dict[str, int] = {}
        self._told_at = -TOLD_SECONDS

    def enter(self, address: str) -> str | None:
        """The network that the new connection counts for, until it leaves; None where there are enough of it."""
        network = self._networks.of_connection(address)
        if network == UNKNOWN:
            return network
        count = self._open.get(network, 0)
        if count >= self._most:
            self.tell(network, count)
            return None
        self._open[network] = count + 1
        return network

    def tell(self, whose: str, count: int) -> None:
        """Logs that there are enough connections, once a minute."""
        if self._clock() - self._told_at >= TOLD_SECONDS:
            self._told_at = self._clock()
            logger.warning("%d connections of %s are open, further ones get 503", count, whose)

    def exhausted(self, count: int) -> None:
        """A connection was refused because there are too many of all, whose network has no share in that."""
        self._exhausted_at = self._clock()
        self._note(EXHAUSTED, "")
        self.tell("all callers", count)

    def watch(self, _now: float, _late_seconds: float) -> None:
        """Called often: some time after the last refusal there are enough again."""
        if self._exhausted_at is not None and self._clock() - self._exhausted_at > EXHAUSTED_SECONDS:
            self._exhausted_at = None
            self._note(EXHAUSTED, None)

    def leave(self, network: str) -> None:
        """One that had entered is closed."""
        if network != UNKNOWN:
            left = self._open[network] - 1
            if left:
                self._open[network] = left
            else:
                del self._open[network]


class Readers:
    """Closes connections of a worker whose other end takes none of what was written for 30 s."""

    def __init__(self, connections: Collection[Any]) -> None:
        """`connections` have a `transport` and `reads`, which counts how often what was written was taken."""
        self._connections = connections
        self._unread: dict[Any, tuple[int, int, float]] = {}
        self._next = 0.0

    def watch(self, now: float, _late_seconds: float) -> None:
        """Called often, it looks at all of them every 5 s."""
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        before, self._unread = self._unread, {}
        for connection in list(self._connections):
            size = connection.transport.get_write_buffer_size()
            if not size:
                continue
            reads = connection.reads
            last_size, last_reads, since = before.get(connection, (size, reads, now))
            if size < last_size or reads != last_reads:
                since = now
            if now - since >= UNREAD_SECONDS:
                connection.transport.abort()
            else:
                self._unread[connection] = (size, reads, since)
