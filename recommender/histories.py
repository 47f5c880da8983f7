"""What a customer has bought as of now: the model's memory of them and the purchases that came after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.arrays import Doubles, Ints
from recommender.frequency import SHORT, Habit
from recommender.model import Model

_DAY_US: Final = 86_400_000_000
EMPTY: Final = Habit(
    np.empty(0, np.int32), *(np.empty(0, np.float32) for _ in range(5))  # nothing bought
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bought:
    """One product that a customer bought, and when (days since 1970)."""

    product_id: str
    day: float


def habit_now(model: Model, remembered: Habit | None, bought: Sequence[Bought], day: float) -> Habit | None:
    """The habit at `day`; purchases that the model remembers already do not count twice. None for a stranger.

    Without a memory every purchase counts, however old: the customer is new to the model, or became known by log-in.
    """
    if remembered is not None:
        bought = [each for each in bought if each.day > model.at_day]
    codes = model.index.find([each.product_id for each in bought])
    days = np.array([each.day for each in bought], np.float64)[codes >= 0]
    codes = codes[codes >= 0]
    if remembered is None and not len(codes):
        return None
    faded = _faded(model, remembered or EMPTY, day)
    return _joined(model, faded, codes, days, day) if len(codes) else faded


def _faded(model: Model, habit: Habit, day: float) -> Habit:
    """The same purchases, as much as is left of them at `day`."""
    life = model.weights.habit_half_life
    age = max(0.0, day - model.at_day)
    left, left_short = np.float32(0.5 ** (age / life)), np.float32(0.5 ** (age * SHORT / life))
    return Habit(habit.items, habit.counts, habit.decayed * left, habit.recent * left_short, habit.last, habit.first)


def _joined(model: Model, habit: Habit, codes: Ints, days: Doubles, day: float) -> Habit:
    """Adds purchases to a habit, strongest first."""
    life = model.weights.habit_half_life
    age = np.maximum(day - days, 0.0)
    items, places = np.unique(np.concatenate([habit.items, codes]), return_inverse=True)
    size, own = len(items), len(habit)
    before, after = places[:own], places[own:]
    counts, decayed, recent = (np.zeros(size, np.float32) for _ in range(3))
    last, first = np.full(size, -np.inf, np.float32), np.full(size, np.inf, np.float32)
    counts[before], decayed[before], recent[before] = habit.counts, habit.decayed, habit.recent
    last[before], first[before] = habit.last, habit.first
    np.add.at(counts, after, 1)
    np.add.at(decayed, after, 0.5 ** (age / life))
    np.add.at(recent, after, 0.5 ** (age * SHORT / life))
    np.maximum.at(last, after, days)
    np.minimum.at(first, after, days)
    order = np.argsort(-decayed, kind="stable")
    columns = (counts, decayed, recent, last, first)
    return Habit(items[order].astype(np.int32), *(column[order] for column in columns))


def day_of(microseconds: int) -> float:
    """Microseconds UTC as days since 1970."""
    return microseconds / _DAY_US
