"""Room for connections: idle ones make way, whom there is none for is told to come back, and nobody is reset."""

import math
import resource
from collections.abc import Callable, Collection
from typing import Any, Final

from app.limits.pressure import CROWDED

IDLE_SECONDS: Final = 1.0  # without a word, after which a connection makes way
SPARE: Final = 64  # open files that answers to those beyond the limit may take: one after the other, and a few together
AT_ONCE: Final = SPARE // 2  # of these are left: who comes then is answered before he has said anything

Queue = dict[Callable[[], object], float]  # what hangs up, and since when there is silence; the oldest first


class Room:
    """Of one worker. A descriptor is the lowest number that is free, so that a newcomer's says how many are in use."""

    def __init__(
        self, connections: Collection[Any], most: int | None, *queues: Queue, files: int | None = None
    ) -> None:
        """`queues` hold who is silent, those first who are to make way first. `most` is how many are kept open, `files`
        how many files may be (None: as this process is allowed).

        Who is hung up on is taken out of the connections at once, though its descriptor is free a moment later.
        """
        self._connections = connections
        self._most = most or math.inf
        self._queues = queues
        files = files or resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._files = math.inf if files == resource.RLIM_INFINITY else files

    @property
    def crowd(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    @property
    def crowding(self) -> float:
        """The share of the connections that may be open which is."""
        return len(self._connections) / self._most

    def watch(self, now: float, _late_seconds: float = 0.0) -> None:
        """Hangs up on the silent until so few connections are open that nobody need be refused."""
        while self.crowding > CROWDED[0] and self._hang_up(now):
            pass

    def has_room(self, descriptor: int, now: float) -> bool:
        """Whether a newcomer, who is counted already, may stay; others may have made way for it."""
        self.watch(now)
        if descriptor < self._files - SPARE:
            return len(self._connections) <= self._most
        return self._hang_up(now)

    def has_time(self, descriptor: int) -> bool:
        """Whether one that may not stay can be listened to, before it is told so."""
        return len(self._connections) <= self._most + AT_ONCE and descriptor < self._files - AT_ONCE

    def _hang_up(self, now: float) -> bool:
        """On whoever is silent for the longest time; False where nobody is. One whose answer is still on its way goes
        once it has that.
        """
        for queue in self._queues:
            while queue:
                hang_up, since = next(iter(queue.items()))
                if now - since < IDLE_SECONDS:
                    break
                del queue[hang_up]
                before = len(self._connections)
                hang_up()
                if len(self._connections) < before:
                    return True
        return False
