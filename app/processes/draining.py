"""How a service ends: all is served as before for a while and probes send nobody more, then one after another ends."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from app.processes.supervised import ChildProcess
from app.runtime.settings import Settings
from events.store.embedded import STOP_SECONDS as STORE_SECONDS

WORKER_GRACE_SECONDS: Final = 0.5  # beyond the drain, for closing what a worker holds
WRITER_SECONDS: Final = 1.5  # from SIGTERM to the end of writer and analysis


def longest_stop_seconds(settings: Settings) -> float:
    """From the first signal to the end of the last process, at the most."""
    workers = settings.lame_duck_seconds + settings.drain_seconds + WORKER_GRACE_SECONDS
    return workers + WRITER_SECONDS + STORE_SECONDS


def end_all(children: Sequence[ChildProcess], seconds: float) -> None:
    """Ask processes to end, and kill those that have not within so many seconds."""
    deadline = time.monotonic() + seconds
    for child in children:
        child.send(signal.SIGTERM)
    for child in children:
        child.wait(deadline)


class LameDuck:
    """When a service ends. It is told to all workers at once by the end of a pipe, which the supervisor alone holds.

    Its other end is theirs, so that one which only starts, or is started again meanwhile, sees the same. Nothing is
    ever written: the pipe ends, and that stays so.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """It lasts so many `seconds` from the first signal on."""
        self.told_by, self._open_end = os.pipe()
        self._seconds = seconds
        self._clock = clock
        self._over_at: float | None = None

    def signal(self, *, serving: bool) -> None:
        """A signal asks for the end: the first begins it, a second ends it at once, and a third changes nothing.

        A service that does not serve yet (`serving`) has nobody to wait for.
        """
        first = self._over_at is None
        self.tell()
        self._over_at = self._clock() + (self._seconds if first and serving else 0.0)

    @property
    def begun(self) -> bool:
        """Whether a signal came."""
        return self._over_at is not None

    @property
    def over(self) -> bool:
        """Whether the end itself is due."""
        return self._over_at is not None and self._clock() >= self._over_at

    def patience(self, seconds: float) -> float:
        """So many seconds, or fewer where the end is due sooner."""
        return seconds if self._over_at is None else min(seconds, max(0.0, self._over_at - self._clock()))

    def tell(self) -> None:
        """All workers know from now on that the service ends."""
        end, self._open_end = self._open_end, -1
        if end >= 0:
            os.close(end)

    def close(self) -> None:
        """Gives both ends back."""
        self.tell()
        os.close(self.told_by)
