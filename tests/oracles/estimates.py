"""Shorthand of the statistics tests: arms from counts, and values that must be there."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from experiments.statistics.arms import Pair, mean_arm, pair, proportion_arm
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.moments import JointMoments, Moments, Values
from experiments.statistics.power import Design, power
from experiments.statistics.quantiles import Histogram
from experiments.statistics.sequential import Look, looks_so_far

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "statistics"
Value = TypeVar("Value")


def existing(value: Value | NoEstimate) -> Value:
    """The value, which must not be a reason."""
    assert not isinstance(value, NoEstimate), value
    return value


def ends(interval: Interval | NoEstimate) -> list[float]:
    """Both ends of an interval that must be there."""
    present = existing(interval)
    return [present.low, present.high]


def shares(x_c: int, n_c: int, x_t: int, n_t: int) -> Pair:
    """Conversions of units, control and treatment."""
    return existing(pair(proportion_arm(n_c, x_c), proportion_arm(n_t, x_t)))


def means(control: Sequence[float], treatment: Sequence[float]) -> Pair:
    """Values of units, control and treatment."""
    return existing(pair(mean_arm(moments_of(control)), mean_arm(moments_of(treatment))))


def even_look(number: int, looks: int = 4) -> Look:
    """This look of a plan whose units arrive evenly."""
    reached = [(look, 1000 * look) for look in range(1, number + 1)]
    return looks_so_far(reached, 1000 * looks, looks)


def moments_of(values: Values) -> Moments:
    """The moments of raw values."""
    return JointMoments.of({"y": values}).moments("y")


def histogram_of(values: Values) -> Histogram:
    """The histogram of raw values."""
    return Histogram.from_columns(values, [1] * len(values))


def power_of(mean: float, variance: float, relative_effect: float, control_units: float, design: Design) -> float:
    """Power of the two-sided t-test, both arms with this variance."""
    return power(abs(mean * relative_effect) / math.sqrt(variance), control_units / design.inflation, design)


def vector_cases(name: str) -> list[Any]:
    """The published cases of one method as parameters; skipped, saying so, where they are absent."""
    path = VECTORS / f"{name}.json"
    if not path.is_file():
        reason = f"the published vectors {name}.json are not beside the checkout"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason), id=name)]
    return [pytest.param(case, id=str(case["id"])) for case in json.loads(path.read_text())["cases"]]
