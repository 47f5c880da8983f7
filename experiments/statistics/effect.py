"""The difference of two arms with its standard error, and the relative lift with Fieller's interval."""

import math
from dataclasses import dataclass, replace

from experiments.statistics.arms import Pair
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, Scale

COARSEST = 2.0  # last places of the means that a standard error spans; rounding then adds at most 4 % of variance

NEARLY_MINUS_ONE = -1.0 + 2.0**-50  # a few last places above the lift of something that is gone


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment minus control.

    `control_error`, `treatment_error` and `covariance` are squared standard errors of the arms' values and their
    covariance (a, b and c of the formulas), that of the difference is a + b − 2c; c is 0 but after CUPED.
    `degrees_of_freedom` is Welch's (1947). `never_negative` is that of the arms.
    """

    control: float
    difference: float
    control_error: float
    treatment_error: float
    standard_error: float
    degrees_of_freedom: float
    units: int
    never_negative: bool = False
    covariance: float = 0.0

    @property
    def statistic(self) -> float:
        return self.difference / self.standard_error


def effect(pair: Pair) -> Effect | NoEstimate:
    """The effect, or `not_enough_units` where an arm is not settled, or `no_variance` where nothing varies.

    `out_of_range` where the means are known no better than their difference is sought: 1e15 has a last place of 1/8.
    """
    control, treatment = pair.control, pair.treatment
    if not (control.is_settled and treatment.is_settled):
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    a, b = control.error, treatment.error
    if not math.isfinite(a + b) or not math.isfinite(treatment.value - control.value):
        return NoEstimate(Caveat.OUT_OF_RANGE)
    if a + b <= 0.0:
        return NoEstimate(Caveat.NO_VARIANCE)
    if math.sqrt(a + b) < COARSEST * max(math.ulp(control.value), math.ulp(treatment.value)):
        return NoEstimate(Caveat.OUT_OF_RANGE)
    share = a / (a + b)  # shares, not squares of a and b: those underflow for tiny scales
    freedom = 1.0 / (share * share / (control.count - 1) + (1.0 - share) * (1.0 - share) / (treatment.count - 1))
    difference, units, error = treatment.value - control.value, control.count + treatment.count, math.sqrt(a + b)
    if b == 0.0 and treatment.value == 0.0:
        # Nothing happened in treatment, which is no proof that nothing can: the error is parted as if pooled, so that
        # the lift interval around −1 has a width; their sum, and with it p and difference, stays.
        a, b = a * treatment.count / units, a * control.count / units
    joint, covariance = pair.joint, 0.0
    if joint is not None:
        a, b, covariance = joint.control, joint.treatment, joint.covariance
    return Effect(control.value, difference, a, b, error, freedom, units, control.never_negative, covariance)


def floored(effect: Effect, floor: float) -> Effect:
    """The effect that decides: squared standard errors times the variance floor (`arms.variance_floor`)."""
    if floor == 1.0:
        return effect
    return replace(
        effect,
        control_error=effect.control_error * floor,
        treatment_error=effect.treatment_error * floor,
        covariance=effect.covariance * floor,
        standard_error=effect.standard_error * math.sqrt(floor),
    )


def difference_interval(effect: Effect, critical: float) -> Interval:
    """Difference ± critical · standard error."""
    half_width = critical * effect.standard_error
    return Interval.around(effect.difference - half_width, effect.difference + half_width)


def lift(pair: Pair, scale: Scale = "relative") -> float | NoEstimate:
    """(treatment − control) / |control|: from −10 to −5 is +50 %. The difference keeps large means from cancelling."""
    if scale == "points":
        return NoEstimate(Caveat.SHOWN_IN_POINTS)
    if pair.control.value == 0.0:
        return NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    relative = (pair.treatment.value - pair.control.value) / abs(pair.control.value)
    return relative if math.isfinite(relative) else NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)


def lift_interval(effect: Effect, critical: float) -> Interval | NoEstimate:
    """Fieller's set (1954) {ℓ: (d − ℓ·m)² ≤ q²(b − 2(1 + ℓ)·c + (1 + ℓ)²·a)} where it is bounded (g = q²a/m² < 1).

    Solved as a quadratic in the lift itself: A·ℓ² − 2B·ℓ + C ≤ 0 with A = 1 − g, B = d/m + g(1 − c/a),
    C = (d² − q²(a + b − 2c))/m². The smaller root is C over the larger one, so its sign is that of |d| − q·SE: the
    interval holds zero exactly when the interval of the difference does. Where no value is negative, it is cut off at
    −1. B² − AC is g(1 − c/a + d/m)² + (1 − g)h with h = q²(b − c²/a)/m²: nothing cancels where c is 0. Of a negative
    control this is −ℓ: the lift is relative to |m|.
    """
    if effect.control == 0.0:
        return NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    ratio = critical / effect.control
    g = ratio * effect.control_error * ratio
    if not g < 1.0:
        return NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    relative = effect.difference / effect.control
    half_width = critical * effect.standard_error
    distance = abs(effect.difference) - half_width
    c = (distance / effect.control) * ((abs(effect.difference) + half_width) / effect.control)
    shared = effect.covariance / effect.control_error if effect.covariance else 0.0
    h = ratio * (effect.treatment_error - effect.covariance * shared) * ratio
    own = 1.0 - shared
    root = math.sqrt(max(0.0, g * (own + relative) * (own + relative) + h - g * h))
    found = _roots(1.0 - g, relative + g * own, c, root)
    if isinstance(found, NoEstimate):
        return found
    if effect.control < 0.0:
        return Interval(-found.high, -found.low)
    return above_minus_one(found) if effect.never_negative else found


def above_minus_one(lift: Interval) -> Interval:
    """A lift interval of values that are never negative: it ends at −1 itself, not below, and not by rounding above."""
    return Interval(-1.0, max(lift.high, NEARLY_MINUS_ONE)) if lift.low < NEARLY_MINUS_ONE else lift


def _roots(a: float, b: float, c: float, root: float) -> Interval | NoEstimate:
    """Both solutions of a·x² − 2b·x + c = 0 without cancellation; `root` is √(b² − a·c)."""
    larger = b + math.copysign(root, b)
    if larger == 0.0:
        return Interval.around(0.0, 0.0)
    low, high = sorted((larger / a, c / larger))
    if not (math.isfinite(low) and math.isfinite(high)):
        return NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    return Interval.around(low, high)


def relative_standard_error(effect: Effect) -> float | NoEstimate:
    """First-order delta standard error of the lift: √(b − 2rc + r²a)/|m| with r = m_t/m; the scale of the posterior."""
    if effect.control == 0.0:
        return NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    ratio = 1.0 + effect.difference / effect.control
    spread = effect.treatment_error + ratio * (ratio * effect.control_error - 2.0 * effect.covariance)
    error = math.sqrt(max(0.0, spread)) / abs(effect.control)
    return error if math.isfinite(error) and error > 0.0 else NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
