"""How often the check of an effect that changes rings, looked at every day: without a change, and when it wears off."""

from typing import Final

import numpy as np

from experiments.readout.health import CHANGED_ALPHA
from experiments.statistics.arms import Pair, pair, proportion_arm
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.interaction import changed_lift

DAYS: Final = 28
WORN_OFF: Final = ((0.30, 0.55, 7), (0.30, 0.22, 21))
"""Rates of control and treatment, and for how many days: a week of novelty, then three weeks of harm."""
UNCHANGED: Final = ((0.05, 0.055, DAYS),)


def changed_alarms(
    runs: int, rng: np.random.Generator, units_per_day: int, stretches: tuple[tuple[float, float, int], ...]
) -> float:
    """Share of runs in which the alarm rings at any close of a day, of one goal and one variant.

    `units_per_day` are those of one arm, all of them mature.
    """
    rates = np.array([[control, treatment] for control, treatment, days in stretches for _ in range(days)]).T
    alarms = 0
    for _ in range(runs):
        conversions = np.pad(rng.binomial(units_per_day, rates).cumsum(axis=1), ((0, 0), (1, 0)))
        alarms += any(_rings(conversions, day, units_per_day) for day in range(2, DAYS + 1))
    return alarms / runs


def _rings(conversions: np.ndarray[tuple[int, ...], np.dtype[np.int64]], day: int, units_per_day: int) -> bool:
    halves: list[Pair | NoEstimate] = []
    for first, last in ((0, day // 2), (day // 2, day)):
        found = (conversions[:, last] - conversions[:, first]).tolist()
        units = units_per_day * (last - first)
        halves.append(pair(proportion_arm(units, found[0]), proportion_arm(units, found[1])))
    p = changed_lift(halves[0], halves[1])
    return isinstance(p, float) and p < CHANGED_ALPHA
