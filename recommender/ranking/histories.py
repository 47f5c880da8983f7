"""What a person has bought as of now: the model's memory of them and the purchases that came after it."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

import numpy as np

from recommender.model.frequency import SHORT, Habit
from recommender.model.model import Model
from recommender.ranking.request import PastPurchase

EMPTY: Final = Habit(
    np.empty(0, np.int32), *(np.empty(0, np.float32) for _ in range(5))  # nothing bought
)  # fmt: skip


def habit_now(model: Model, remembered: Habit | None, bought: Sequence[PastPurchase], day: float) -> Habit | None:
    """The habit at `day`; purchases that the model remembers already do not count twice. None for a stranger.

    Without a memory every purchase counts, however old: the person is new to the model, or became known by log-in.
    """
    if remembered is not None:
        bought = [each for each in bought if each.day >= model.at_day]
    codes = model.index.places_of([each.product_id for each in bought])
    known = [(code, each.day) for code, each in zip(codes, bought, strict=True) if code >= 0]
    if remembered is None and not known:
        return None
    habit = EMPTY
    if remembered is not None:  # the same purchases, as much as is left of them at `day`
        age, life = max(0.0, day - model.at_day), model.weights.habit_half_life
        left, left_short = np.float32(0.5 ** (age / life)), np.float32(0.5 ** (age * SHORT / life))
        decayed, recent = remembered.decayed * left, remembered.recent * left_short
        habit = Habit(remembered.items, remembered.counts, decayed, recent, remembered.last, remembered.first)
    return _joined(habit, _gathered(model, known, day)) if known else habit


def _gathered(model: Model, known: Sequence[tuple[int, float]], day: float) -> Habit:
    """The purchases of each product, strongest first, equal ones in order of code; plain Python, as there are few."""
    life = model.weights.habit_half_life
    sums: dict[int, list[float]] = {}
    for code, bought in sorted(known):
        age = max(day - bought, 0.0)
        decayed, recent = 0.5 ** (age / life), 0.5 ** (age * SHORT / life)
        row = sums.setdefault(code, [code, 0.0, 0.0, 0.0, bought, bought])
        row[1] += 1
        row[2] += decayed
        row[3] += recent
        row[4] = bought  # in order of time
    columns = np.array(sorted(sums.values(), key=itemgetter(2), reverse=True)).T  # float64 holds every code
    return Habit(columns[0].astype(np.int32), *columns[1:].astype(np.float32))


def _joined(habit: Habit, fresh: Habit) -> Habit:
    """Both together, strongest first, equal ones in order of code."""
    if not len(habit):
        return fresh
    items, places = np.unique(np.concatenate([habit.items, fresh.items]), return_inverse=True)
    before, after = places[: len(habit)], places[len(habit) :]
    counts, decayed, recent = (np.zeros(len(items), np.float32) for _ in range(3))
    counts[before], decayed[before], recent[before] = habit.counts, habit.decayed, habit.recent
    counts[after] += fresh.counts
    decayed[after] += fresh.decayed
    recent[after] += fresh.recent
    last, first = np.full(len(items), -np.inf, np.float32), np.full(len(items), np.inf, np.float32)
    last[before], first[before] = habit.last, habit.first
    last[after], first[after] = np.maximum(last[after], fresh.last), np.minimum(first[after], fresh.first)
    order = (-decayed).argsort(kind="stable")
    return Habit(items.take(order), *(column.take(order) for column in (counts, decayed, recent, last, first)))
