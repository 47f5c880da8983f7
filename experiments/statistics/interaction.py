"""Effects that differ: beside the arms of another experiment, or between earlier and later units."""

import math
from dataclasses import dataclass

from experiments.statistics.arms import Pair, gate_of, variance_floor
from experiments.statistics.effect import Effect, difference_interval, effect, floored
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, Scale
from experiments.statistics.fixed import normal_p, welch_critical, welch_p


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


def changed_lift(earlier: Pair | NoEstimate, later: Pair | NoEstimate, scale: Scale = "relative") -> float | NoEstimate:
    """Two-sided p that the lift among other units differs: of the logarithm of treatment over control, whose standard
    error is that of the lift over the ratio (delta method), or of the difference in points, and where an arm is not
    positive.

    Both pairs must pass the gate; their errors carry the variance floor.
    """
    if isinstance(earlier, NoEstimate) or isinstance(later, NoEstimate):
        return earlier if isinstance(earlier, NoEstimate) else NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    values = [arm.value for each in (earlier, later) for arm in (each.control, each.treatment)]
    changes: list[tuple[float, float]] = []
    for each in (earlier, later):
        gate, measured = gate_of(each), effect(each)
        if not gate.open:
            return NoEstimate(gate.reason or Caveat.NOT_ENOUGH_UNITS)
        if isinstance(measured, NoEstimate):
            return measured
        measured = floored(measured, variance_floor(each))
        control, treatment = each.control.value, each.treatment.value
        if scale == "relative" and min(values) > 0.0:
            error = measured.treatment_error / treatment / treatment + measured.control_error / control / control
            changes.append((math.log(treatment / control), error))
        else:
            changes.append((measured.difference, measured.standard_error * measured.standard_error))
    (before, error), (after, other) = changes
    return normal_p((after - before) / math.sqrt(error + other))
