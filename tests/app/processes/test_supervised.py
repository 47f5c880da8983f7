"""A child that dies is started again: at once the first time, ever later while it cannot stay."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from servers.patience import until

from app.processes import supervised
from app.processes.supervised import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, STEADY_SECONDS, ChildProcess, Role
from app.runtime.board import Board


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


MODULE = "child_of_a_test"
LIVES = """
import os, signal, sys
name, ready, *_ = sys.argv[1:]
if name == "endless":
    signal.pause()
if name == "broken":
    sys.exit(3)
os.write(int(ready), b"1")
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{MODULE}.py").write_text(LIVES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def made(role: Role) -> ChildProcess:
    return ChildProcess(role, Board.make(1).desk("trainer"))


def live(child: ChildProcess, clock: Clock, seconds: float) -> float:
    """One life of this many seconds by the clock; the delay until its next start."""
    child.start()
    assert child.ready_descriptor is not None
    os.set_blocking(child.ready_descriptor, True)
    ready = child.hear()  # its end closes the pipe
    clock.now += seconds
    [code] = until(lambda: [code for code in [child.reap()] if code is not None], "it has ended")
    assert code == (0 if ready else 3)
    assert child.start_at is not None
    return child.start_at - clock.now


def test_one_that_cannot_start_is_tried_at_growing_intervals_up_to_the_longest(clock: Clock) -> None:
    child = made(Role("broken", module=MODULE))
    delays = [live(child, clock, 0.0) for _ in range(9)]
    assert delays[:3] == pytest.approx([FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS])
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_SECONDS


def test_one_that_was_ready_for_a_while_is_started_again_without_delay(clock: Clock) -> None:
    child = made(Role("brief", module=MODULE))
    delays = [live(child, clock, seconds) for seconds in (0.0, 0.0, 0.0, STEADY_SECONDS)]
    assert delays[2] == pytest.approx(4 * FIRST_DELAY_SECONDS)
    assert delays[3] == pytest.approx(FIRST_DELAY_SECONDS)


def test_one_that_dies_as_soon_as_it_is_ready_is_not_healthy(clock: Clock) -> None:
    child = made(Role("brief", module=MODULE))
    delays = [live(child, clock, STEADY_SECONDS / 2) for _ in range(3)]
    assert delays == pytest.approx([FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS])


def test_one_that_lives_is_not_reaped_and_one_that_does_not_go_is_killed() -> None:
    child = made(Role("endless", module=MODULE))
    child.start()
    assert child.reap() is None
    assert child.alive
    assert child.wait(0.0) < 0
    assert not child.alive
    assert child.reap() is None
    assert not child.hear()
