"""Guardrails: is a metric harmed, is harm beyond the margin ruled out, or is it unclear."""

from dataclasses import dataclass
from enum import StrEnum

from experiments.statistics.arms import Pair
from experiments.statistics.comparison import Method, Question
from experiments.statistics.estimate import NoEstimate, Reason


class GuardrailVerdict(StrEnum):
    VIOLATED = "violated"  # harm is significant
    SAFE = "safe"  # the one-sided interval lies inside the margin
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Margin:
    """Largest harm borne: relative (0.02 is two percent of control) or absolute in the metric's unit; positive."""

    max_harm: float
    relative: bool = True


@dataclass(frozen=True, slots=True)
class GuardrailAnswer:
    """`worst_case` is the one-sided bound of the harm on the margin's scale; positive is harm."""

    verdict: GuardrailVerdict
    worst_case: float | NoEstimate
    reasons: tuple[Reason, ...]


def guardrail(
    pair: Pair | NoEstimate,
    question: Question,
    margin: Margin,
    method: Method,
    adjusted: Pair | NoEstimate | None = None,
) -> GuardrailAnswer:
    """The verdict by the plan's method; harm is down where `question.want` is up."""
    ...
