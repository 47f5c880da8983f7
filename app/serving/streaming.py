"""A connection whose answer goes on: it holds its transport and its place, and nothing of a request any more."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from app.http.deadlines import Queue
from app.http.streams import BEAT, Said, Subscription

BEAT_SECONDS: Final = 15.0  # between two signs of life, for proxies that close what is silent


class StreamConnection(asyncio.Protocol):
    """Takes over the transport of a request that was answered with a stream.

    What it has to say waits nowhere: while the other end takes nothing it is left out, and then told the newest.
    `reads` counts how often the other end took what waited; who takes nothing for 30 s is closed by
    `app/limits/connections.py`.
    """

    __slots__ = ("_beats", "_left", "_paused", "_position", "reads", "subscription", "transport")

    def __init__(
        self, transport: Any, subscription: Subscription, beats: Queue, left: Callable[[], None] | None
    ) -> None:
        """`left` is called when it is closed."""
        self.transport = transport
        self.subscription = subscription
        self.reads = 0
        self._position: Said = subscription.channel.said
        self._beats = beats
        self._left = left
        self._paused = False
        transport.set_write_buffer_limits(high=0)  # so that it is told as soon as anything waits
        transport.set_protocol(self)
        subscription.streams.enter(self)
        self._expect_beat()

    def say(self) -> None:
        """What its channel says, if it has not said that."""
        said = self.subscription.channel.said
        if self._position is not said and not self._paused:
            self._position = said
            self.transport.write(said.event)

    def beat(self) -> None:
        """A sign of life."""
        if not self._paused:
            self.transport.write(BEAT)
        self._expect_beat()

    def end(self) -> None:
        """At once; what the other end does not take is dropped."""
        if self._paused:
            self.transport.abort()
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """There is nothing more to ask on this connection, whose answer said that it is its last."""
        self.transport.close()

    def pause_writing(self) -> None:
        """From now on what was written waits."""
        self._paused = True

    def resume_writing(self) -> None:
        """All was taken."""
        self.reads += 1
        self._paused = False
        self.say()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        self._beats.pop(self.beat, None)
        self.subscription.streams.leave(self)
        if self._left is not None:
            self._left()

    def _expect_beat(self) -> None:
        self._beats.pop(self.beat, None)
        self._beats[self.beat] = asyncio.get_running_loop().time()
