"""Who is refused first when a worker is short of time: pages, then pages whose user is proven, backends never."""

import logging
import time
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

LATE_SECONDS: Final = 0.2  # that the loop comes to what is due: from here on pages are refused
VERY_LATE_SECONDS: Final = 0.4  # from here on those too that send the proof of a user
TOLD_SECONDS: Final = 60.0


class Pressure:
    """How short a worker is of time. One late look is no shortage, and none is what another process takes: a loop that
    is late though it worked for less than half of the time gains nothing by refusing.
    """

    def __init__(self, cpu_seconds: Callable[[], float] = time.thread_time) -> None:
        """`cpu_seconds` is what the loop has worked so far."""
        self.is_on = False  # whether anybody is refused
        self._cpu_seconds = cpu_seconds
        self._late = self._later = 0.0
        self._looked_at = self._worked = 0.0
        self._told_at = -TOLD_SECONDS

    def watch(self, now: float, late_seconds: float) -> None:
        """The loop came so late to this look, at its time `now`."""
        worked = self._cpu_seconds()
        is_busy = (worked - self._worked) * 2 > now - self._looked_at
        self._looked_at, self._worked = now, worked
        self._later, self._late = self._late, late_seconds if is_busy else 0.0
        self.is_on = self.late_seconds > LATE_SECONDS
        if self.is_on and now - self._told_at >= TOLD_SECONDS:
            self._told_at = now
            logger.warning("requests of pages get 503: the loop is %.1f s late", self.late_seconds)

    @property
    def late_seconds(self) -> float:
        """How late it was at the last two looks, at the least."""
        return min(self._late, self._later)

    def refuses(self, *, secret: bool, proving: bool) -> bool:
        """Whether a request is refused: one with a secret key, or a page's that sends the proof of a user or none."""
        return self.is_on and not secret and (not proving or self.late_seconds > VERY_LATE_SECONDS)
