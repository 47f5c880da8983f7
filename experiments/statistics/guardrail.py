"""Guardrails: is a metric harmed, is harm beyond the margin ruled out, or is it unclear."""

from dataclasses import dataclass
from enum import StrEnum

from experiments.statistics.arms import Pair
from experiments.statistics.comparison import Answer, Method, Question, answer_at
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, missing

MOST_ALPHA = 0.999  # a level that one-sided intervals of any plan stay below


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
    """`worst_case` is the one-sided bound of the harm on the margin's scale; positive is harm, negative a gain."""

    verdict: GuardrailVerdict
    worst_case: float | NoEstimate
    reasons: tuple[Caveat, ...]


def guardrail(
    pair: Pair | NoEstimate,
    question: Question,
    margin: Margin,
    method: Method,
    adjusted: Pair | NoEstimate | None = None,
) -> GuardrailAnswer:
    """The verdict by the plan's method; harm is down where `question.want` is up.

    Harm is significant where the two-sided interval at alpha lies wholly on its side. `safe` takes the one-sided
    interval at alpha, which is an end of the two-sided one at 2·alpha.
    """
    if isinstance(pair, NoEstimate):
        return GuardrailAnswer(GuardrailVerdict.UNCLEAR, pair, (pair.reason,))
    judged = answer_at(pair, question, method, question.alpha, adjusted)
    one_sided = answer_at(pair, question, method, min(MOST_ALPHA, 2.0 * question.alpha), adjusted)
    harm = _harm(judged, pair, question, method == "bayesian")
    bound = _harm(one_sided, pair, question, margin.relative or method == "bayesian")
    worst_case = bound if isinstance(bound, NoEstimate) else bound.high
    if method == "bayesian" and not margin.relative and not isinstance(worst_case, NoEstimate):
        worst_case *= abs(pair.control.value)
    return GuardrailAnswer(_verdict(harm, worst_case, margin), worst_case, missing(harm, worst_case))


def _harm(answer: Answer, pair: Pair, question: Question, relative: bool) -> Interval | NoEstimate:
    """The interval turned so that positive is harm; of a lift against a negative control the sign turns once more."""
    interval = answer.ci if relative else answer.difference_ci
    if isinstance(interval, NoEstimate):
        return interval
    turned = (question.want == "up") != (relative and pair.control.value < 0.0)
    return Interval(-interval.high, -interval.low) if turned else interval


def _verdict(harm: Interval | NoEstimate, worst_case: float | NoEstimate, margin: Margin) -> GuardrailVerdict:
    if isinstance(harm, Interval) and harm.low > 0.0:
        return GuardrailVerdict.VIOLATED
    if isinstance(worst_case, NoEstimate) or worst_case >= margin.max_harm:
        return GuardrailVerdict.UNCLEAR
    return GuardrailVerdict.SAFE
