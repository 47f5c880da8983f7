"""A child that dies is started again: at once the first time, ever later while it cannot stay."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from app.processes import supervised
from app.processes.supervised import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, STEADY_SECONDS, ChildProcess, Role


class Clock:
    """The time that the back-off sees."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(supervised, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


class ShortLived(ChildProcess):
    """A child that says whether it is ready, and ends."""

    def __init__(self, *, gets_ready: bool) -> None:
        super().__init__(Role("short-lived", "no.module"))
        self._gets_ready = gets_ready

    def _command(self, ready_descriptor: int) -> list[str]:
        says = f"import os; os.write({ready_descriptor}, b'1')" if self._gets_ready else "raise SystemExit(3)"
        return [sys.executable, "-c", says]

    def live(self, clock: Clock, seconds: float) -> float:
        """One life of this many seconds by the clock; the delay until its next start."""
        self.start()
        assert self._process is not None
        assert self.ready_descriptor is not None
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        os.set_blocking(self.ready_descriptor, True)
        assert self.hear() is self._gets_ready
        clock.now += seconds
        assert self.reap() == (0 if self._gets_ready else 3)
        assert self.start_at is not None
        return self.start_at - clock.now


def test_one_that_cannot_start_is_tried_at_growing_intervals_up_to_the_longest(clock: Clock) -> None:
    child = ShortLived(gets_ready=False)
    delays = [child.live(clock, 0.0) for _ in range(9)]
    assert delays[:3] == pytest.approx([FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS])
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_SECONDS


def test_one_that_was_ready_for_a_while_is_started_again_without_delay(clock: Clock) -> None:
    child = ShortLived(gets_ready=True)
    delays = [child.live(clock, seconds) for seconds in (0.0, 0.0, 0.0, STEADY_SECONDS)]
    assert delays[2] == pytest.approx(4 * FIRST_DELAY_SECONDS)
    assert delays[3] == pytest.approx(FIRST_DELAY_SECONDS)


def test_one_that_dies_as_soon_as_it_is_ready_is_not_healthy(clock: Clock) -> None:
    child = ShortLived(gets_ready=True)
    delays = [child.live(clock, STEADY_SECONDS / 2) for _ in range(3)]
    assert delays == pytest.approx([FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS])


def test_one_that_lives_is_not_reaped_and_one_that_does_not_go_is_killed() -> None:
    child = Sleeper()
    child.start()
    assert child.reap() is None
    assert child.alive
    assert child.wait(0.0) < 0
    assert not child.alive
    assert child.reap() is None
    child.end_pipes()


class Sleeper(ChildProcess):
    """A child that never ends by itself."""

    def __init__(self) -> None:
        super().__init__(Role("sleeper", "no.module"))
        self.started: subprocess.Popen[bytes] | None = None

    def _command(self, ready_descriptor: int) -> list[str]:
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    def start(self) -> None:
        super().start()
        self.started = self._process

    def end_pipes(self) -> None:
        assert self.started is not None
        assert self.started.stdin is not None
        self.started.stdin.close()
        assert not self.hear()
