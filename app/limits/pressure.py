"""Who is refused first when a worker is short of what all share: pages, then pages whose user is proven, backends last.

Time and connections decide about every request, the store's memory and the disk about events alone: an assignment needs
neither, and its exposure is answered as unlogged.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Final

from events.authority import Authority, sender
from events.causes import StoreCause

logger = logging.getLogger(__name__)

LATE_SECONDS: Final = (0.2, 0.4)  # that the loop comes to what is due: pages are refused, then those with a proof
SHORTEST_SECONDS: Final = 1e-9  # between two looks
CROWDED: Final = (0.9, 0.95)  # of the connections that a worker may keep open
MEMORY_HIGH: Final = (0.8, 0.9)  # of the store's memory, without what it can evict
MEMORY_TOLD: Final = 0.75  # of the store's memory: told, and nothing is refused yet
DISK_LOW: Final = (1.0, 0.5, 0.25)  # of the floor are free: pages' events, those with a proof, all
DISK_TOLD: Final = 2.0  # floors are free, or
SHARE_TOLD: Final = 0.05  # of the fullest disk: told, and nothing is refused yet
TOLD_SECONDS: Final = 60.0


class Pressure:
    """How short a worker is. One late look is no shortage of time, and none is what other processes take: of how late
    the loop is, only the share counts in which it worked, because by refusing it gains no more.
    """

    def __init__(self, cpu_seconds: Callable[[], float] = time.thread_time) -> None:
        """`cpu_seconds` is what the loop has worked so far."""
        self.is_on = False  # whether requests are refused
        self.is_crowded = False  # whether those are that come next to the last connections
        self.events: dict[
            Authority, StoreCause
        ] = {}  # whose events are refused, and why; whoever holds it sees it change
        self.causes: tuple[StoreCause, ...] = ()  # of what there is little, told before anything is refused for it
        self._cpu_seconds = cpu_seconds
        self._late = self._later = 0.0
        self._looked_at = self._worked = 0.0
        self._refused = 0  # ranks
        self._told_at = -TOLD_SECONDS

    def watch(self, now: float, late_seconds: float, crowding: float = 0.0) -> None:
        """The loop came so late to this look, at its time `now`; `crowding` is the share of connections in use."""
        worked = self._cpu_seconds()
        share = (worked - self._worked) / max(now - self._looked_at, SHORTEST_SECONDS)
        self._looked_at, self._worked = now, worked
        self._later, self._late = self._late, late_seconds * min(share, 1.0)
        self._refused = max(_reached(self.late_seconds, LATE_SECONDS), _reached(crowding, CROWDED))
        self.is_on, self.is_crowded = self._refused > 0, crowding > CROWDED[0]
        if self.is_on and now - self._told_at >= TOLD_SECONDS:
            self._told_at = now
            logger.warning(
                "requests of pages get 503: the loop is %.1f s late, %.0f %% of the connections are in use",
                self.late_seconds, crowding * 100,
            )  # fmt: skip

    @property
    def late_seconds(self) -> float:
        """How late its own work made it at the last two looks, at the least."""
        return min(self._late, self._later)

    def refuses(self, *, secret: bool, proving: bool) -> bool:
        """Whether a request is refused: one with a secret key, or a page's that sends the proof of a user or none."""
        return self.is_on and sender(secret=secret, proven=proving) < self._refused

    def measure(self, memory_share: float, floors_free: float, free_share: float = 1.0) -> None:
        """So much of the store's memory is taken for good; on the fullest disk so many times the floor is free, and so
        much of it (without a floor nothing of the disk is told).
        """
        refused: dict[StoreCause, int] = {
            "disk_low": sum(floors_free < bound for bound in DISK_LOW),
            "store_memory_high": _reached(memory_share, MEMORY_HIGH),
        }
        scarce = floors_free < DISK_TOLD or (free_share < SHARE_TOLD and math.isfinite(floors_free))
        told: dict[StoreCause, bool] = {"disk_low": scarce, "store_memory_high": memory_share > MEMORY_TOLD}
        causes: tuple[StoreCause, ...] = tuple(cause for cause in refused if told[cause])
        for cause in set(causes) - set(self.causes):
            logger.warning("%s: events of pages are refused when there is less", cause)
        self.causes = causes
        self.events.clear()
        for cause in causes:
            for authority in Authority:
                if authority < refused[cause]:
                    self.events.setdefault(authority, cause)


def _reached(amount: float, bounds: tuple[float, ...]) -> int:
    """How many of the ranks are refused, from the lowest on."""
    return sum(amount > bound for bound in bounds)
