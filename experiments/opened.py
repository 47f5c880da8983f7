"""A study whose cube is built: what every answer about an experiment is read from."""

from dataclasses import dataclass

from experiments.cube import Cube
from experiments.judge import Calendar
from experiments.observations import Observer
from experiments.study import Study


@dataclass(frozen=True, slots=True)
class Opened:
    """A study with its cube built, ready to be observed."""

    study: Study
    cube: Cube
    calendar: Calendar
    observer: Observer
    closed: bool
