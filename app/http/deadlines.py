"""Ends what takes too long: whoever is waited for stands in a queue of equal patience, and one sweep reads them all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from itertools import takewhile
from typing import Any, Final, TypeVar

from app.limits.connections import Readers
from app.limits.room import Queue, Room

logger = logging.getLogger(__name__)

RECEIPT_SECONDS: Final = 5.0  # for a request head, a body, and each piece of an upload
UPLOAD_SECONDS: Final = 60.0  # for an upload as a whole
SWEEP_SECONDS: Final = 0.25

Awaited = TypeVar("Awaited")


class Deadlines:
    """The queues of one worker, by their patience in seconds.

    A queue holds what is to be called when somebody's time is over, and the loop time since when it runs, the oldest
    first: to enter is `queue[call] = loop.time()` after a `pop`. A sweep reads no further than to the first whose time
    is not over, so that idle connections cost nothing; a timer each would cost more than reading them.
    """

    def __init__(self) -> None:
        self._queues: dict[tuple[float, str], Queue] = {}
        self._expected = 0.0
        self._room: Room | None = None
        self.watchers: list[
            Callable[[float, float], None]
        ] = []  # told at each sweep the loop's time and how late it is

    def room(self, connections: Collection[Any], most: int | None, *silent: Queue) -> Room:
        """Of a server's connections, of which so many are kept open. From now on the `silent` ones make way where there
        are too many, and it is seen to that the other ends read.
        """
        if self._room is None:
            self._room = Room(connections, most, *silent)
            self.watchers += [Readers(connections).watch, self._room.watch]
        return self._room

    @property
    def crowd(self) -> int:
        """How many connections are open."""
        return 0 if self._room is None else self._room.crowd

    @property
    def crowding(self) -> float:
        """The share of the connections that may be open which is."""
        return 0.0 if self._room is None else self._room.crowding

    def queue(self, seconds: float, whose: str = "") -> Queue:
        """Those whose time is over after so many seconds, of one kind."""
        if not self._queues:
            self._plan(asyncio.get_running_loop())
        return self._queues.setdefault((seconds, whose), {})

    async def within(self, seconds: float, awaitable: Awaitable[Awaited]) -> Awaited:
        """What is awaited. Raises TimeoutError after so many seconds."""
        task = asyncio.current_task()
        assert task is not None
        over = False

        def end() -> None:
            nonlocal over
            over = True
            task.cancel()

        queue = self.queue(seconds)
        queue[end] = task.get_loop().time()
        try:
            return await awaitable
        except asyncio.CancelledError:
            if not over or task.uncancel():
                raise
            raise TimeoutError from None
        finally:
            queue.pop(end, None)

    def sweep(self) -> None:
        """Runs as long as the loop does, from the first connection on."""
        loop = asyncio.get_running_loop()
        now, expected = loop.time(), self._expected
        self._plan(loop)
        for watch in self.watchers:
            _surely(partial(watch, now, now - expected))
        for (seconds, _), queue in list(self._queues.items()):
            latest = loop.time() - seconds
            over = [call for call, _ in takewhile(lambda waiting: waiting[1] < latest, queue.items())]  # noqa: B023
            for call in over:
                if queue.pop(call, None) is not None:
                    _surely(call)

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        self._expected = loop.time() + SWEEP_SECONDS
        loop.call_later(SWEEP_SECONDS, self.sweep)


def _surely(call: Callable[[], object]) -> None:
    """What one of them raises keeps no other from being called, and no connection from coming to its end."""
    try:
        call()
    except Exception:
        logger.exception("a deadline could not be kept")
