"""Answers that go on: what changes is encoded once for all who wait for it, and each of them holds but its place.

A handler answers with `Streams.answer`, our protocol then keeps the connection (`app/serving/streaming.py`). Where a
request came by the long way, that first part is the whole answer, and the client asks again after `retry`.
"""

import asyncio
import secrets
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, NamedTuple

from app.http.access import Grant, Keys
from app.http.errors import retry_later
from app.http.exchange import HttpAnswer

RETRY_MS: Final = (1_000, 5_000)  # drawn for each connection, so that a restart is no stampede
BEAT: Final = b":\n\n"
AT_ONCE: Final = 50  # connections that are written to before other work gets its turn
FULL_SECONDS: Final = 30
HEADERS: Final[Sequence[tuple[bytes, bytes]]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"connection", b"close"),
)


class Said(NamedTuple):
    """What a channel says: `version` names it, `event` is how it is sent."""

    version: bytes
    event: bytes


class Channel:
    """What all of its streams say: always the newest alone, so that who is slow skips what is over."""

    def __init__(self, read: Callable[[], Said]) -> None:
        self._read = read
        self.said = read()
        self.since = monotonic()  # when it began to say that
        self.listeners: set[Any] = set()

    def changes(self) -> bool:
        """Whether there is something new to say; from now on it says that."""
        said = self._read()
        if said.version == self.said.version:
            return False
        self.said, self.since = said, monotonic()
        return True


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which channel an answer goes on with, for how long, and where it is registered."""

    channel: Channel
    grant: Grant
    streams: "Streams"


@dataclass(slots=True)
class Holders:
    """The open streams of one key."""

    grant: Grant
    open: set[Any] = field(default_factory=set[Any])


class Streams:
    """All open streams of one worker. `open` are connections with `say`, `end` and a `subscription`."""

    def __init__(self, most: int, keys: Keys) -> None:
        self.most = most
        self.open: set[Any] = set()
        self._keys = keys
        self._channels: dict[Hashable, Channel] = {}
        self._holders: dict[bytes, Holders] = {}

    def channel(self, name: Hashable, read: Callable[[], Said]) -> Channel:
        """The channel of this name; `read` says what it says, where nobody listens yet."""
        found = self._channels.get(name)
        if found is None or not found.listeners:
            found = self._channels[name] = Channel(read)
        return found

    def answer(self, channel: Channel, grant: Grant, first: bytes) -> HttpAnswer:
        """An answer that begins with these bytes, and ends with the key. Raises Problem 503 where there are enough."""
        if len(self.open) >= self.most:
            detail = f"{len(self.open)} streams are open; ask for the state itself, or again in {FULL_SECONDS} s"
            raise retry_later(503, "too_many_streams", detail, FULL_SECONDS)
        low, high = RETRY_MS
        begins = b"retry: %d\n\n%b" % (low + secrets.randbelow(high - low), first)
        return HttpAnswer(200, begins, b"", [*HEADERS], Subscription(channel, grant, self))

    def enter(self, connection: Any) -> None:
        """A connection that goes on from here."""
        subscription: Subscription = connection.subscription
        subscription.channel.listeners.add(connection)
        grant = subscription.grant
        self._holders.setdefault(grant.digest, Holders(grant)).open.add(connection)
        self.open.add(connection)

    def leave(self, connection: Any) -> None:
        """It is closed."""
        subscription: Subscription = connection.subscription
        subscription.channel.listeners.discard(connection)
        self.open.discard(connection)
        digest = subscription.grant.digest
        holders = self._holders.get(digest)
        if holders is not None:
            holders.open.discard(connection)
            if not holders.open:
                del self._holders[digest]

    def look(self) -> None:
        """Tells what changed, and ends the streams of keys that are not what they were."""
        for holders in list(self._holders.values()):
            if not self._keys.stands(holders.grant):
                for connection in list(holders.open):
                    connection.end()
        for name, channel in list(self._channels.items()):
            if not channel.listeners:
                del self._channels[name]
            elif channel.changes():
                self._spread(list(channel.listeners))

    def close(self) -> None:
        """Ends all, and opens no more."""
        self.most = 0
        for connection in list(self.open):
            connection.end()

    def _spread(self, left: list[Any]) -> None:
        for connection in left[-AT_ONCE:]:
            connection.say()
        del left[-AT_ONCE:]
        if left:
            asyncio.get_running_loop().call_soon(self._spread, left)
