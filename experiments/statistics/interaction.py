"""Interaction of two experiments that overlap: does the effect of one depend on the arm of the other."""

from dataclasses import dataclass

from experiments.statistics.arms import Arm
from experiments.statistics.estimate import Interval, NoEstimate


@dataclass(frozen=True, slots=True)
class Interaction:
    """Effect among the other's treatment minus effect among the other's control, in the metric's unit."""

    difference: float
    ci: Interval
    p: float


def interaction(
    control_control: Arm, treatment_control: Arm, control_treatment: Arm, treatment_treatment: Arm, alpha: float = 0.05
) -> Interaction | NoEstimate:
    """Contrast of four cells with Welch-Satterthwaite degrees of freedom; the second word is the other's arm."""
    ...
