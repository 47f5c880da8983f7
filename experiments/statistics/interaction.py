"""Interaction of two experiments that overlap: does the effect of one depend on the arm of the other."""

import math
from dataclasses import dataclass

from experiments.statistics.arms import Pair
from experiments.statistics.effect import Effect, difference_interval
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.statistics.fixed import welch_critical, welch_p


@dataclass(frozen=True, slots=True)
class Interaction:
    """Effect beside the other's treatment minus effect beside the other's control, in the metric's unit."""

    difference: float
    ci: Interval
    p: float


def interaction(beside_control: Pair, beside_treatment: Pair, alpha: float = 0.05) -> Interaction | NoEstimate:
    """Contrast of four cells, with Welch-Satterthwaite degrees of freedom.

    `beside_control` holds control and treatment of one experiment among the units that have the other's control.
    """
    cells = (beside_control.control, beside_control.treatment, beside_treatment.control, beside_treatment.treatment)
    if not all(cell.is_settled for cell in cells):
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    error = math.fsum(cell.error for cell in cells)
    if error <= 0.0:
        return NoEstimate(Caveat.NO_VARIANCE)
    freedom = 1.0 / math.fsum((cell.error / error) ** 2 / (cell.count - 1) for cell in cells)
    first, second = (beside.treatment.value - beside.control.value for beside in (beside_control, beside_treatment))
    units = sum(cell.count for cell in cells)
    contrast = Effect(first, second - first, error / 2.0, error / 2.0, math.sqrt(error), freedom, units)
    ci = difference_interval(contrast, welch_critical(alpha, freedom))
    return Interaction(contrast.difference, ci, welch_p(contrast))
