"""Survey metrics: when a difference in who answers could be the whole effect."""

from dataclasses import dataclass

from experiments.statistics.arms import pair, proportion_arm
from experiments.statistics.comparison import Question, compare
from experiments.statistics.estimate import Caveat, NoEstimate

POINT = 0.01  # one percentage point of response rate


@dataclass(frozen=True, slots=True)
class Responses:
    """One arm of a survey: units that could answer, units that did, mean score of the answers."""

    units: int
    responders: int
    value: float

    @property
    def rate(self) -> float | NoEstimate:
        return self.responders / self.units if self.units else NoEstimate(Caveat.NOT_ENOUGH_UNITS)


@dataclass(frozen=True, slots=True)
class ResponseGuard:
    """`reasons` is empty where the response rates do not stand in the way of a ship decision.

    `explainable` is the difference in score that one more point of response rate could make, in the metric's unit.
    """

    control_rate: float | NoEstimate
    treatment_rate: float | NoEstimate
    p: float | NoEstimate
    explainable: float | NoEstimate
    reasons: tuple[Caveat, ...]


def response_guard(
    control: Responses, treatment: Responses, lowest: float, highest: float, alpha: float = 0.05
) -> ResponseGuard:
    """Whether response rates differ (p < alpha), or a 1-point difference in them could make the observed difference.

    `lowest` and `highest` bound one answer on the metric's scale (NPS −100 and 100, CSAT 0 and 1, CES 1 and 5 or 7).
    One point more responders, all at the extreme, moves the mean by 0.01/rate times their distance from it.
    """
    arms = pair(
        proportion_arm(control.units, control.responders), proportion_arm(treatment.units, treatment.responders)
    )
    p = compare(arms, Question(alpha=alpha)).fixed.p
    explainable = _explainable(control, treatment, lowest, highest)
    reasons: list[Caveat] = []
    if not isinstance(p, NoEstimate) and p < alpha:
        reasons.append(Caveat.RESPONSE_RATES_DIFFER)
    if not isinstance(explainable, NoEstimate) and abs(treatment.value - control.value) <= explainable:
        reasons.append(Caveat.RESPONSE_COULD_EXPLAIN)
    return ResponseGuard(control.rate, treatment.rate, p, explainable, tuple(reasons))


def _explainable(control: Responses, treatment: Responses, lowest: float, highest: float) -> float | NoEstimate:
    shifts: list[float] = []
    for arm in (control, treatment):
        if isinstance(arm.rate, NoEstimate) or arm.responders == 0:
            return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
        share = POINT / (arm.rate + POINT)
        shifts.append(share * max(highest - arm.value, arm.value - lowest))
    return max(shifts)
