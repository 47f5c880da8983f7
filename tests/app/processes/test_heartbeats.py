"""Who gives no sign of life is named after three seconds and ended after eight; who slept with its machine is not."""

import signal
import threading
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import OneWorker
from servers.patience import stall, until

from app.processes.heartbeats import (
    CALM_SECONDS,
    COMPUTED_SECONDS,
    IMPORT_SECONDS,
    LONGEST_TRAINING_SECONDS,
    LOOP_ENDINGS,
    LOOP_SECONDS,
    PATIENT,
    STALLED_SECONDS,
    Computing,
    Watch,
)
from app.processes.supervised import LONGEST_DELAY_SECONDS
from app.runtime.board import BEAT_SECONDS, Board, Desk

HUNG_SECONDS = 8.0
TICK_SECONDS = 0.25


class Child:
    """A process as the watch sees it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.pid: int | None = 100
        self.ready = True
        self.sent: list[signal.Signals] = []

    def send(self, signal_number: signal.Signals) -> None:
        self.sent.append(signal_number)


class World:
    """A service with one of each child, and a clock."""

    def __init__(self, hung_seconds: float = HUNG_SECONDS) -> None:
        self.now = 1000.0
        self.board = Board.make(2)
        self.workers = [Child(desk) for desk in self.board.desks("worker")]
        self.writer, self.analysis = Child(self.board.desk("writer")), Child(self.board.desk("analysis"))
        self.trainer = Child(self.board.desk("trainer"))
        self.children = [*self.workers, self.writer, self.analysis, self.trainer]
        self.watch = Watch(self.children, self.board.desk("supervisor"), hung_seconds, lambda: self.now)

    def live(self, seconds: float, *silent: Child) -> None:
        """So much time passes, in which all beat but these."""
        for turn in range(round(seconds / TICK_SECONDS)):
            self.now += TICK_SECONDS
            for child in self.children:
                if child not in silent and turn % 4 == 0:
                    child.desk.beat()
            self.watch.look()

    @property
    def causes(self) -> list[str]:
        return [each.text for each in self.board.causes()]


def test_who_beats_is_named_by_nobody() -> None:
    world = World()
    world.live(60.0)
    assert world.causes == []
    assert not any(child.sent for child in world.children)


def test_who_is_silent_is_named_then_ended_once_and_named_no_longer_when_it_beats_again() -> None:
    world = World()
    world.live(STALLED_SECONDS + TICK_SECONDS, world.writer)
    assert world.causes == ["writer_stalled: 100"]
    world.live(HUNG_SECONDS - STALLED_SECONDS - 1, world.writer)
    assert world.writer.sent == []
    world.live(3.0, world.writer)
    assert world.writer.sent == [signal.SIGKILL]
    assert world.writer.desk.silent_seconds >= HUNG_SECONDS
    world.live(1.0)
    assert world.causes == []
    assert world.writer.desk.silent_seconds < 1.0


def test_every_silent_worker_is_named_by_its_process() -> None:
    world = World()
    world.workers[1].pid = 101
    world.live(STALLED_SECONDS + TICK_SECONDS, *world.workers)
    assert world.causes == ["worker_stalled: 100, 101"]


def test_who_is_in_its_imports_has_a_minute_and_is_called_stalled_by_nobody() -> None:
    world = World()
    world.analysis.ready = False
    world.live(IMPORT_SECONDS - 1, world.analysis)
    assert (world.causes, world.analysis.sent) == ([], [])
    world.analysis.ready = True  # at last: that is a sign of life
    world.live(STALLED_SECONDS - 1, world.analysis)
    assert world.analysis.sent == []
    world.analysis.ready = False
    world.live(IMPORT_SECONDS + 1, world.analysis)
    assert world.analysis.sent == [signal.SIGKILL]


def test_who_follows_a_silent_one_begins_anew() -> None:
    world = World()
    world.live(HUNG_SECONDS - 1, world.writer)
    world.writer.pid = 200
    world.live(STALLED_SECONDS - 1, world.writer)
    assert (world.causes, world.writer.sent) == ([], [])


def test_one_that_is_not_there_is_not_silent() -> None:
    world = World()
    world.analysis.pid = None
    world.live(60.0, world.analysis)
    assert (world.causes, world.analysis.sent) == ([], [])


@pytest.mark.parametrize("hours", [0.1, 10.0, 1000.0])
def test_a_machine_that_slept_kills_nobody(hours: float) -> None:
    world = World()
    world.live(2.0)
    world.now += hours * 3600
    world.watch.look()
    assert world.causes == []
    world.live(10.0)
    assert not any(child.sent for child in world.children)


@given(st.lists(st.floats(0.01, 1e6), max_size=40))
def test_however_late_the_supervisor_looks_who_beats_between_two_looks_lives(pauses: list[float]) -> None:
    world = World()
    for pause in pauses:
        world.now += pause
        for child in world.children:
            child.desk.beat()
        world.watch.look()
    assert not any(child.sent for child in world.children)


def test_a_training_that_computes_nothing_is_named_after_a_minute_and_ended_after_ten() -> None:
    world = World()
    named, ended = PATIENT["trainer"]
    world.live(named - 1, world.trainer)
    assert (world.causes, world.trainer.sent) == ([], [])
    world.live(2, world.trainer)
    assert (world.causes, world.trainer.sent) == (["trainer_stalled: 100"], [])
    world.live(ended - named, world.trainer)
    assert world.trainer.sent == [signal.SIGKILL]
    world.live(2)
    assert world.causes == []


@given(st.lists(st.sampled_from([0.0, COMPUTED_SECONDS / 4, COMPUTED_SECONDS * 2, 1.0]), max_size=30))
def test_a_training_beats_for_each_second_in_which_it_computed(seconds: list[float]) -> None:
    spent, beats = 0.0, 0

    def beat() -> None:
        nonlocal beats
        beats += 1

    computing = Computing(beat, lambda: 0.0, lambda: spent)
    for each in seconds:
        spent += each
        computing.look()
    assert beats == sum(each >= COMPUTED_SECONDS for each in seconds)


def test_one_that_goes_round_in_circles_says_nothing_any_more_in_the_end() -> None:
    now, beats = 0.0, list[float]()
    computing = Computing(lambda: beats.append(now), lambda: now, lambda: now)
    for now in (  # noqa: B007 - the clock of what is looked at
        60.0,
        LONGEST_TRAINING_SECONDS - 1,
        LONGEST_TRAINING_SECONDS,
        LONGEST_TRAINING_SECONDS + 60,
    ):
        computing.look()
    assert beats == [60.0, LONGEST_TRAINING_SECONDS - 1]


def test_hung_seconds_of_zero_end_nobody() -> None:
    world = World(hung_seconds=0.0)
    world.analysis.ready = False
    world.live(2 * IMPORT_SECONDS, *world.children)
    assert not any(child.sent for child in world.children)
    assert "writer_stalled: 100" in world.causes


def test_five_endings_in_a_minute_are_a_loop_until_it_is_quiet() -> None:
    """From the last ending on, not from when what had ended is started again, which is up to five seconds later."""
    world = World()
    world.live(1.0)
    for ending in range(LOOP_ENDINGS):
        assert world.causes == []
        worker = world.workers[ending % 2]
        worker.pid = None
        world.live(LONGEST_DELAY_SECONDS)
        worker.pid = 300 + ending
        worker.desk.started(worker.pid, again=True)
        world.live(TICK_SECONDS)
    assert world.causes == ["crash_loop: worker"]
    world.live(CALM_SECONDS - LONGEST_DELAY_SECONDS - 2 * TICK_SECONDS)
    assert world.causes == ["crash_loop: worker"]
    world.live(2 * TICK_SECONDS)
    assert world.causes == []
    world.live(LOOP_SECONDS)
    assert world.causes == []


Stopped = Literal["the loop", "nothing"]


@pytest.mark.parametrize(("stopped", "beats"), [("the loop", False), ("nothing", True)])
def test_a_worker_beats_by_the_loop_that_answers(worker: OneWorker, stopped: Stopped, beats: bool) -> None:
    """A thread of its own would go on saying that all is well."""
    go_on, stands = threading.Event(), threading.Event()
    desk = worker.board.desk("worker")
    until(lambda: desk.beat_at, "it has said once that it works")
    if stopped == "the loop":
        worker.loop.call_soon_threadsafe(lambda: (stands.set(), go_on.wait(60)))
        assert stands.wait(60)
    before = desk.beat_at
    try:
        if beats:
            until(lambda: desk.beat_at > before, "it says so again")
        else:
            stall(2.5 * BEAT_SECONDS, "a thread of its own would have beaten twice by then")
            assert desk.beat_at == before
    finally:
        go_on.set()
    until(lambda: desk.beat_at > before, "it works again")
