"""Before the test: how many units, how small a lift, how many days; for any allocation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import gammainccinv, gammaincinv, ndtr, ndtri

from experiments.statistics.arms import NEEDED
from experiments.statistics.fixed import welch_critical
from experiments.statistics.roots import root
from experiments.statistics.sequential import anytime_critical, bounds, equal_looks, tuning

Array = npt.NDArray[np.float64]
MOST_UNITS = 1e12
LARGE = 1e9  # degrees of freedom from which the normal is the t to the last digit that matters
BEYOND = 1e-18  # probability outside the integrated range
_POSITIONS, _WEIGHTS = np.polynomial.legendre.leggauss(128)


@dataclass(frozen=True, slots=True)
class Design:
    """`ratio` is treatment units per control unit, alpha is two-sided.

    `inflation` is the method's price: units needed over the fixed test, as `inflation()` gives it.
    """

    alpha: float = 0.05
    power: float = 0.8
    ratio: float = 1.0
    inflation: float = 1.0


def required_units(mean: float, variance: float, relative_effect: float, design: Design) -> float | None:
    """Units of control (not rounded) that detect this lift with the design's power; None where no number can."""
    difference = abs(mean * relative_effect)
    if difference == 0.0:
        return None
    if variance <= 0.0:
        return 2.0 * design.inflation
    effect_size = difference / math.sqrt(variance)  # Cohen's d
    quantiles = _z(design.alpha / 2.0) + _z(1.0 - design.power)
    start = (1.0 + 1.0 / design.ratio) * (quantiles / effect_size) ** 2  # where the t is normal
    low, high = _fewest(design), max(2.0 * start + 100.0, 4.0 * _fewest(design))
    if start > MOST_UNITS:
        return None
    if power(effect_size, low, design) >= design.power:
        return low * design.inflation
    low = max(low, start / 2.0 if start > 100.0 else low)
    units = root(lambda units: power(effect_size, units, design) - design.power, low, high)
    return units * design.inflation


def detectable_lift(mean: float, variance: float, control_units: float, design: Design) -> float | None:
    """The smallest relative lift that these units detect with the design's power; None where there is no answer."""
    units = control_units / design.inflation
    if mean == 0.0 or units < _fewest(design):
        return None
    if variance <= 0.0:
        return 0.0
    guess = (_z(design.alpha / 2.0) + _z(1.0 - design.power)) * math.sqrt((1.0 + 1.0 / design.ratio) / units)
    high = 2.0 * guess
    while power(high, units, design) < design.power:  # a handful of units: t has far heavier tails than the normal
        high *= 2.0
    size = root(lambda size: power(size, units, design) - design.power, guess / 4.0, high)
    return size * math.sqrt(variance) / abs(mean)


def whole_units(control_units: float, weights: Sequence[float]) -> tuple[int, ...]:
    """Whole units of each arm, rounded up, where control has so many and the arms these weights, control's first."""
    return tuple(_whole(control_units * (weight / weights[0])) for weight in weights)


def duration_days(units: int, units_a_day: float) -> int | None:
    """Whole days of enrolment until so many units of all arms are there; None where they never are."""
    return max(1, _whole(units / units_a_day)) if units_a_day > 0.0 else None


def gate_opens_day(units_a_day: float, weights: Sequence[float], events: float, *, rate: bool = True) -> int | None:
    """The first day of enrolment at whose close the smallest arm expects the events that a test needs.

    `events` is the share of units with one, the baseline of a rate, which needs as many units without one. Arms of
    weight 0 are none. None where that day never comes.
    """
    smallest = min((weight for weight in weights if weight > 0.0), default=0.0)
    a_day = units_a_day * smallest * (min(events, 1.0 - events) if rate else events)
    return max(1, _whole(NEEDED / a_day)) if a_day > 0.0 else None


def inflation(
    method: Literal["anytime", "planned", "fixed", "bayesian"], alpha: float, power: float, looks: int = 4
) -> float:
    """Units over the fixed test's for the same power at the last look alone: ((q + z_power) / (z_α + z_power))².

    An upper bound: earlier looks only add power. The anytime boundary is taken at n = n*.
    """
    if method == "planned":
        critical = bounds(alpha, equal_looks(looks))[-1]
    elif method == "anytime":
        critical = anytime_critical(alpha, tuning(alpha, 1))
    else:
        return 1.0
    return ((critical + _z(1.0 - power)) / (_z(alpha / 2.0) + _z(1.0 - power))) ** 2


def power(effect_size: float, control_units: float, design: Design) -> float:
    """P(|T| > c) for non-central t: E[Φ(δ − c·s) + Φ(−δ − c·s)] over s = √(χ²/df), by quadrature.

    The non-central t of scipy, which statsmodels uses, is NaN for one in six designs with δ below 12.
    """
    freedom = control_units * (1.0 + design.ratio) - 2.0
    shift = effect_size * math.sqrt(control_units * design.ratio / (1.0 + design.ratio))
    critical = welch_critical(design.alpha, freedom)
    s, weights = _scale_nodes(freedom) if freedom < LARGE else (np.ones(1), np.ones(1))
    return float(weights @ (ndtr(shift - critical * s) + ndtr(-shift - critical * s)))


@lru_cache(maxsize=256)
def _scale_nodes(freedom: float) -> tuple[Array, Array]:
    """Points and weights that integrate against the density of √(χ²/df), ∝ s^(df−1)·exp(−df·s²/2).

    The points stand in √s: at two or three degrees of freedom the density bends sharply at 0.
    """
    low = math.sqrt(2.0 * float(gammaincinv(freedom / 2.0, BEYOND)) / freedom)
    high = math.sqrt(2.0 * float(gammainccinv(freedom / 2.0, BEYOND)) / freedom)
    root_s = (_POSITIONS + 1.0) / 2.0
    s = low + (high - low) * root_s**2
    logarithm = freedom * (np.log(s) - (s - 1.0) * (s + 1.0) / 2.0) - np.log(s)
    weights = _WEIGHTS * root_s * np.exp(logarithm - logarithm.max())
    return s, weights / weights.sum()


def _fewest(design: Design) -> float:
    """Control units below which an arm has fewer than two."""
    return max(2.0, 2.0 / design.ratio)


def _whole(number: float) -> int:
    """Rounded up, but for what is only the rounding of a product."""
    return math.ceil(number * (1.0 - 1e-12))


def _z(tail: float) -> float:
    return -float(ndtri(tail))
