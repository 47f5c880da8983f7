"""Recommendations are trained soon after the start, each minute while there is no model, then by the hours set."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.processes import upkeep
from app.processes.upkeep import FIRST_TRAINING_SECONDS, TRAINING_LOOK_SECONDS, TrainingSchedule

HOURS = 24.0
WALL = 1_790_000_000.0


class Clock:
    """Both clocks of the schedule."""

    def __init__(self) -> None:
        self.passed = self.jumped = 0.0

    def after(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    counting = SimpleNamespace(monotonic=lambda: made.passed)
    monkeypatch.setattr(upkeep, "time", counting)
    monkeypatch.setattr("kit.time.time", counting)
    monkeypatch.setattr("kit.time.now_seconds", lambda: WALL + made.passed + made.jumped)
    return made


def report(data: Path, outcome: str, *, at: float, live: bool = True) -> None:
    (data / "models").mkdir(exist_ok=True)
    file = data / "models" / "last-training.json"
    file.write_text(json.dumps({"outcome": outcome}))
    os.utime(file, (WALL + at, WALL + at))
    if live:
        (data / "models" / "current").write_text("1")


def test_nothing_is_trained_while_the_service_starts(clock: Clock, tmp_path: Path) -> None:
    schedule = TrainingSchedule(tmp_path, HOURS)
    clock.after(FIRST_TRAINING_SECONDS - 1)
    assert not schedule.due()
    clock.after(1)
    assert schedule.due()


@pytest.mark.parametrize("outcome", [None, "refused", "too_little_data", "failed"])
def test_without_a_model_it_is_tried_every_minute(clock: Clock, tmp_path: Path, outcome: str | None) -> None:
    schedule = TrainingSchedule(tmp_path, HOURS)
    if outcome:
        report(tmp_path, outcome, at=0, live=False)
    clock.after(FIRST_TRAINING_SECONDS)
    assert schedule.due()
    assert not schedule.due()
    clock.after(TRAINING_LOOK_SECONDS)
    assert schedule.due()


@pytest.mark.parametrize("outcome", ["published", "refused", "failed"])
def test_a_live_model_is_trained_anew_after_the_hours_whatever_came_of_the_last_training(
    clock: Clock, tmp_path: Path, outcome: str
) -> None:
    report(tmp_path, outcome, at=0)
    schedule = TrainingSchedule(tmp_path, HOURS)
    clock.after(HOURS * 3600 - 1)
    assert not schedule.due()
    clock.after(TRAINING_LOOK_SECONDS)
    assert schedule.due()


@pytest.mark.parametrize("jump", [3 * 86_400.0, -3_600.0])
def test_a_jump_of_the_wall_clock_moves_no_training(clock: Clock, tmp_path: Path, jump: float) -> None:
    report(tmp_path, "published", at=0)
    schedule = TrainingSchedule(tmp_path, HOURS)
    clock.after(FIRST_TRAINING_SECONDS)
    assert not schedule.due()
    clock.jumped = jump
    clock.after(HOURS * 3600 - FIRST_TRAINING_SECONDS - 1)
    assert not schedule.due()
    clock.after(TRAINING_LOOK_SECONDS)
    assert schedule.due()


def test_a_training_that_ended_by_a_clock_that_was_ahead_is_not_waited_for_until_then(
    clock: Clock, tmp_path: Path
) -> None:
    report(tmp_path, "published", at=3 * 86_400.0)
    schedule = TrainingSchedule(tmp_path, HOURS)
    clock.after(FIRST_TRAINING_SECONDS)
    assert not schedule.due()
    clock.after(HOURS * 3600)
    assert schedule.due()


def test_a_model_of_which_no_training_is_reported_is_trained_anew(clock: Clock, tmp_path: Path) -> None:
    report(tmp_path, "published", at=0)
    (tmp_path / "models" / "last-training.json").unlink()
    schedule = TrainingSchedule(tmp_path, HOURS)
    clock.after(FIRST_TRAINING_SECONDS)
    assert schedule.due()


def test_zero_hours_are_never(clock: Clock, tmp_path: Path) -> None:
    schedule = TrainingSchedule(tmp_path, 0)
    clock.after(1e9)
    assert not schedule.due()
