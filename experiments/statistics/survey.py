"""Survey metrics: when a difference in who answers could be the whole effect."""

from dataclasses import dataclass

from experiments.statistics.estimate import NoEstimate, Reason


@dataclass(frozen=True, slots=True)
class Responses:
    """One arm of a survey: units asked (exposed), units that answered, mean score of the answers."""

    units: int
    responders: int
    value: float


@dataclass(frozen=True, slots=True)
class ResponseGuard:
    """`reasons` is empty where the response rates do not stand in the way of a ship decision."""

    control_rate: float | NoEstimate
    treatment_rate: float | NoEstimate
    p: float | NoEstimate
    explainable: float | NoEstimate
    reasons: tuple[Reason, ...]


def response_guard(
    control: Responses, treatment: Responses, lowest: float, highest: float, alpha: float = 0.05
) -> ResponseGuard:
    """Whether response rates differ (p < alpha), or a 1-point difference in them could make the observed difference.

    `lowest` and `highest` bound one answer on the metric's scale (NPS −100 and 100, CSAT 0 and 1, CES 1 and 5 or 7).
    """
    ...
