"""CUPED: taking out of an outcome what was known of the units before their exposure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Final, NamedTuple

from experiments.statistics.arms import CANCELLED, Arm, Pair, effective_denominators
from experiments.statistics.effect import COARSEST
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import ROUNDING, JointMoments, is_finite

Values = tuple[float, float, float]  # of y, x and h
HISTORY: Final = "has_history"
COLLINEAR = 1e-10  # share of a column's variance below which the other column already says everything


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Both arms after regression on the covariate, moved to the covariates' common mean.

    `coefficients` are those of (x, has_history); a column that is constant, collinear or absent is dropped and has 0.
    `variance_ratio` is the adjusted squared standard error of the difference over the unadjusted one.
    """

    pair: Pair
    coefficients: tuple[float, float]
    variance_ratio: float


def adjust_means(control: JointMoments, treatment: JointMoments) -> Adjustment | NoEstimate:
    """From columns (y, x, has_history): OLS pooled over the pair (Deng, Xu, Kohavi & Walker 2013).

    x is the same metric over the look-back before exposure, 0 without history; `has_history` (0 or 1) tells a zero
    from an unknown, and may be left out where everybody has history. `covariate_constant` where nothing is left.
    """
    arms = _columns_of_mean(control), _columns_of_mean(treatment)
    together = _columns_of_mean(control + treatment)
    if together is None or arms[0] is None or arms[1] is None:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    return _adjust((arms[0], arms[1]), together.covariance, together.means)


def adjust_ratios(control: JointMoments, treatment: JointMoments) -> Adjustment | NoEstimate:
    """From columns (num, den, xnum, xden, has_history): the same on the linearised ratios (delta method).

    Coefficients come from the sum of both arms' covariances of the linearised ratios before and after exposure.
    """
    arms = _columns_of_ratio(control), _columns_of_ratio(treatment)
    share = treatment.count / max(1, control.count + treatment.count)  # of the means of both arms together
    means = (ours + (theirs - ours) * share for ours, theirs in zip(control.means, treatment.means, strict=True))
    centre = _ratios(tuple(means), control.columns)
    if centre is None or arms[0] is None or arms[1] is None:
        return NoEstimate(Caveat.COVARIATE_CONSTANT)
    joint = Covariance(*(ours + theirs for ours, theirs in zip(arms[0].covariance, arms[1].covariance, strict=True)))
    return _adjust((arms[0], arms[1]), joint, centre)


class Covariance(NamedTuple):
    """Of outcome y, covariate x and history flag h, per unit."""

    yy: float
    yx: float
    yh: float
    xx: float
    xh: float
    hh: float


@dataclass(frozen=True, slots=True)
class _Columns:
    """Outcome, covariate and history flag of one arm: values and covariances, in this order."""

    count: int
    means: Values
    covariance: Covariance
    denominators: float | None = None


def _columns_of_mean(moments: JointMoments) -> _Columns | None:
    if moments.count < 2:
        return None
    means = _mean_of(moments, "y"), _mean_of(moments, "x"), _mean_of(moments, HISTORY)
    of = _covariances(moments)
    pairs = (("y", "y"), ("y", "x"), ("y", HISTORY), ("x", "x"), ("x", HISTORY), (HISTORY, HISTORY))
    return _Columns(moments.count, means, Covariance(*(of(left, right) for left, right in pairs)))


def _columns_of_ratio(moments: JointMoments) -> _Columns | None:
    """The gradient of each ratio by its sums turns the columns into linearised ones: (num − ratio·den) / mean den."""
    means = _ratios(moments.means, moments.columns) if moments.count >= 2 else None
    if means is None:
        return None
    of, (ratio, before, _) = _covariances(moments), means
    below, below_before = moments.mean("den"), moments.mean("xden")

    def with_outcome(name: str) -> float:
        return (of("num", name) - ratio * of("den", name)) / below

    def with_covariate(name: str) -> float:
        return (of("xnum", name) - before * of("xden", name)) / below_before

    covariance = Covariance(
        yy=(with_outcome("num") - ratio * with_outcome("den")) / below,
        yx=(with_outcome("xnum") - before * with_outcome("xden")) / below_before,
        yh=with_outcome(HISTORY),
        xx=(with_covariate("xnum") - before * with_covariate("xden")) / below_before,
        xh=with_covariate(HISTORY),
        hh=of(HISTORY, HISTORY),
    )
    return _Columns(moments.count, means, covariance, effective_denominators(moments))


def _ratios(means: tuple[float, ...], columns: tuple[str, ...]) -> Values | None:
    """Both ratios and the share with a history; None where a denominator is zero."""
    mean = dict(zip(columns, means, strict=True))
    if mean["den"] == 0.0 or mean["xden"] == 0.0:
        return None
    return mean["num"] / mean["den"], mean["xnum"] / mean["xden"], mean.get(HISTORY, 0.0)


def _mean_of(moments: JointMoments, name: str) -> float:
    return moments.mean(name) if name in moments.columns else 0.0


def _covariances(moments: JointMoments) -> Callable[[str, str], float]:
    """Sample covariances of one arm by column, 0 for one that is absent or varies by rounding only."""
    pairs = zip(combinations_with_replacement(moments.columns, 2), moments.comoments, strict=True)
    found = {pair: comoment / (moments.count - 1) for pair, comoment in pairs}
    for name, mean in zip(moments.columns, moments.means, strict=True):
        if not found[name, name] > (ROUNDING * mean) ** 2:
            found = {pair: 0.0 if name in pair else spread for pair, spread in found.items()}
    return lambda left, right: found.get((left, right), found.get((right, left), 0.0))


def _adjust(arms: tuple[_Columns, _Columns], joint: Covariance, centre: Values) -> Adjustment | NoEstimate:
    if not is_finite(*joint, *centre):
        return NoEstimate(Caveat.OUT_OF_RANGE)
    coefficients = _coefficients(joint)
    if coefficients is None:
        return NoEstimate(Caveat.COVARIATE_CONSTANT)
    control, treatment = (_moved(arm, coefficients, centre) for arm in arms)
    coarseness = max(abs(slope) * math.ulp(mean) for slope, mean in zip(coefficients, centre[1:], strict=True))
    if 0.0 < math.sqrt(control.error + treatment.error) < COARSEST * coarseness:
        return NoEstimate(Caveat.OUT_OF_RANGE)  # covariates like 1e15 have no such digits
    before = sum(max(0.0, arm.covariance.yy) / arm.count for arm in arms)
    if before == 0.0:
        return NoEstimate(Caveat.COVARIATE_UNRELATED)
    ratio = (control.error + treatment.error) / before
    return Adjustment(Pair(control, treatment), coefficients, ratio)


def _coefficients(joint: Covariance) -> tuple[float, float] | None:
    """Least squares on one or both covariates from their joint covariance; None where both are constant."""
    _, xy, hy, xx, xh, hh = joint
    if xx <= 0.0 and hh <= 0.0:
        return None
    if xx <= 0.0:
        return 0.0, hy / hh
    correlated = xh / math.sqrt(xx) / math.sqrt(hh) if hh > 0.0 else 1.0
    if 1.0 - correlated * correlated < COLLINEAR:
        return xy / xx, 0.0
    slope = (xy - xh * (hy / hh)) / (xx - xh * (xh / hh))
    return slope, (hy - slope * xh) / hh


def _moved(arm: _Columns, coefficients: tuple[float, float], centre: Values) -> Arm:
    slope, step = coefficients
    value, x, history = arm.means
    yy, yx, yh, xx, xh, hh = arm.covariance
    adjusted = value - slope * (x - centre[1]) - step * (history - centre[2])
    variance = yy + slope * (slope * xx - 2.0 * yx) + step * (step * hh - 2.0 * yh) + 2.0 * slope * step * xh
    kept = variance if variance > CANCELLED * yy else 0.0
    return Arm(arm.count, adjusted, kept, denominators=arm.denominators)
