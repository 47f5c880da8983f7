"""CUPED: taking out of an outcome what was known of the units before their exposure."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from experiments.statistics.arms import CANCELLED, Arm, Pair, effective_denominators
from experiments.statistics.effect import COARSEST
from experiments.statistics.estimate import NoEstimate, Reason
from experiments.statistics.moments import ROUNDING, JointMoments

Array = npt.NDArray[np.float64]
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
    arms = tuple(_columns_of_mean(arm) for arm in (control, treatment))
    together = _columns_of_mean(control + treatment)
    if together is None or arms[0] is None or arms[1] is None:
        return NoEstimate(Reason.NOT_ENOUGH_UNITS)
    return _adjust((arms[0], arms[1]), together.covariance, together.means[1:])


def adjust_ratios(control: JointMoments, treatment: JointMoments) -> Adjustment | NoEstimate:
    """From columns (num, den, xnum, xden, has_history): the same on the linearised ratios (delta method).

    Coefficients come from the sum of both arms' covariances of the linearised ratios before and after exposure.
    """
    arms = tuple(_columns_of_ratio(arm) for arm in (control, treatment))
    together = _columns_of_ratio(control + treatment)
    if together is None or arms[0] is None or arms[1] is None:
        return NoEstimate(Reason.COVARIATE_CONSTANT)
    return _adjust((arms[0], arms[1]), arms[0].covariance + arms[1].covariance, together.means[1:])


@dataclass(frozen=True, slots=True)
class _Columns:
    """Outcome, covariate and history flag of one arm: values and covariances per unit, in this order."""

    count: int
    means: Array
    covariance: Array
    denominators: float | None = None


def _columns_of_mean(moments: JointMoments) -> _Columns | None:
    if moments.count < 2:
        return None
    names = ("y", "x", "has_history") if "has_history" in moments.columns else ("y", "x")
    means = np.array([moments.mean(name) for name in names])
    return _padded(moments.count, means, _covariance(moments, names))


def _columns_of_ratio(moments: JointMoments) -> _Columns | None:
    """The gradient of each ratio by its sums turns the columns into linearised ones."""
    if moments.count < 2 or moments.mean("den") == 0.0 or moments.mean("xden") == 0.0:
        return None
    flags = tuple(name for name in ("has_history",) if name in moments.columns)
    names = ("num", "den", "xnum", "xden", *flags)
    ratios = [moments.mean("num") / moments.mean("den"), moments.mean("xnum") / moments.mean("xden")]
    gradient = np.zeros((2 + len(flags), len(names)))
    gradient[0, :2] = np.array([1.0, -ratios[0]]) / moments.mean("den")
    gradient[1, 2:4] = np.array([1.0, -ratios[1]]) / moments.mean("xden")
    gradient[2:, 4:] = np.eye(len(flags))
    means = np.array(ratios + [moments.mean(name) for name in flags])
    columns = _padded(moments.count, means, gradient @ _covariance(moments, names) @ gradient.T)
    return replace(columns, denominators=effective_denominators(moments))


def _covariance(moments: JointMoments, names: tuple[str, ...]) -> Array:
    """Sample covariances of these columns, 0 for one that varies by rounding only."""
    chosen = [moments.columns.index(name) for name in names]
    layout = _layout(len(moments.columns))[np.ix_(chosen, chosen)]
    covariance = np.asarray(moments.comoments)[layout] / (moments.count - 1)
    constant = covariance.diagonal() <= np.square(ROUNDING * np.asarray(moments.means)[chosen])
    if constant.any():
        covariance[constant, :] = covariance[:, constant] = 0.0
    return covariance


@lru_cache(maxsize=8)
def _layout(size: int) -> npt.NDArray[np.intp]:
    """Where each pair of columns stands among the packed co-moments."""
    layout = np.zeros((size, size), dtype=np.intp)
    rows, columns = np.triu_indices(size)
    layout[rows, columns] = layout[columns, rows] = np.arange(rows.size)
    return layout


def _padded(count: int, means: Array, covariance: Array) -> _Columns:
    """A history flag that is absent is a constant one."""
    if means.size == 3:
        return _Columns(count, means, covariance)
    wider = np.zeros((3, 3))
    wider[:2, :2] = covariance
    return _Columns(count, np.append(means, 0.0), wider)


def _adjust(arms: tuple[_Columns, _Columns], joint: Array, centre: Array) -> Adjustment | NoEstimate:
    if not (np.isfinite(joint).all() and np.isfinite(centre).all()):
        return NoEstimate(Reason.OUT_OF_RANGE)
    coefficients = _coefficients(joint)
    if coefficients is None:
        return NoEstimate(Reason.COVARIATE_CONSTANT)
    control, treatment = (_arm(arm, coefficients, centre) for arm in arms)
    coarseness = max(abs(slope) * math.ulp(float(mean)) for slope, mean in zip(coefficients, centre, strict=True))
    if (
        0.0 < math.sqrt(control.error + treatment.error) < COARSEST * coarseness
    ):  # covariates like 1e15 have no such digits
        return NoEstimate(Reason.OUT_OF_RANGE)
    before = sum(max(0.0, float(arm.covariance[0, 0])) / arm.count for arm in arms)
    if before == 0.0:
        return NoEstimate(Reason.COVARIATE_UNRELATED)
    ratio = (control.error + treatment.error) / before
    return Adjustment(Pair(control, treatment), coefficients, ratio)


def _coefficients(joint: Array) -> tuple[float, float] | None:
    """Least squares on one or both covariates from their joint covariance; None where both are constant."""
    xx, xh, hh = float(joint[1, 1]), float(joint[1, 2]), float(joint[2, 2])
    xy, hy = float(joint[0, 1]), float(joint[0, 2])
    if xx <= 0.0 and hh <= 0.0:
        return None
    if xx <= 0.0:
        return 0.0, hy / hh
    correlated = xh / math.sqrt(xx) / math.sqrt(hh) if hh > 0.0 else 1.0
    if 1.0 - correlated * correlated < COLLINEAR:
        return xy / xx, 0.0
    slope = (xy - xh * (hy / hh)) / (xx - xh * (xh / hh))
    return slope, (hy - slope * xh) / hh


def _arm(arm: _Columns, coefficients: tuple[float, float], centre: Array) -> Arm:
    weights = np.array([1.0, -coefficients[0], -coefficients[1]])
    value = float(arm.means[0] + weights[1:] @ (arm.means[1:] - centre))
    variance = float(weights @ arm.covariance @ weights)
    scale = float(arm.covariance[0, 0])
    kept = variance if variance > CANCELLED * scale else 0.0
    return Arm(arm.count, value, kept, denominators=arm.denominators)
