"""The difference of two arms with its standard error: what every method of judging it starts from."""

import math
from dataclasses import dataclass

from experiments.statistics.arms import Pair
from experiments.statistics.estimate import Interval, NoEstimate, Reason

COARSEST = 2.0  # last places of the means that a standard error spans; rounding then adds at most 4 % of variance


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment minus control.

    `control_error` and `treatment_error` are squared standard errors of the arms' values (a and b of the formulas),
    `degrees_of_freedom` is Welch's (1947).
    """

    control: float
    difference: float
    control_error: float
    treatment_error: float
    standard_error: float
    degrees_of_freedom: float
    units: int

    @property
    def statistic(self) -> float:
        return self.difference / self.standard_error


def effect(pair: Pair) -> Effect | NoEstimate:
    """The effect, or `not_enough_units` where an arm is not settled, or `no_variance` where nothing varies.

    `out_of_range` where the means are known no better than their difference is sought: 1e15 has a last place of 1/8.
    """
    control, treatment = pair.control, pair.treatment
    if not (control.is_settled and treatment.is_settled):
        return NoEstimate(Reason.NOT_ENOUGH_UNITS)
    a, b = control.error, treatment.error
    if not math.isfinite(a + b) or not math.isfinite(treatment.value - control.value):
        return NoEstimate(Reason.OUT_OF_RANGE)
    if a + b <= 0.0:
        return NoEstimate(Reason.NO_VARIANCE)
    if math.sqrt(a + b) < COARSEST * max(math.ulp(control.value), math.ulp(treatment.value)):
        return NoEstimate(Reason.OUT_OF_RANGE)
    share = a / (a + b)  # shares, not squares of a and b: those underflow for tiny scales
    freedom = 1.0 / (share * share / (control.count - 1) + (1.0 - share) * (1.0 - share) / (treatment.count - 1))
    difference = treatment.value - control.value
    return Effect(control.value, difference, a, b, math.sqrt(a + b), freedom, control.count + treatment.count)


def difference_interval(effect: Effect, critical: float) -> Interval:
    """Difference ± critical · standard error."""
    half_width = critical * effect.standard_error
    return Interval(effect.difference - half_width, effect.difference + half_width)
