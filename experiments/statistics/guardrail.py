"""Guardrails: is a metric harmed, is harm beyond the margin ruled out, or is it unclear."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from experiments.statistics.arms import Pair
from experiments.statistics.comparison import Answer, Method, Question, answer_at
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, Want, missing

MOST_ALPHA = 0.999  # a level that one-sided intervals of any plan stay below


class GuardrailVerdict(StrEnum):
    VIOLATED = "violated"  # harm is significant
    SAFE = "safe"  # the one-sided interval lies inside the margin
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Margin:
    """Largest harm borne: relative (0.02 is two percent of control) or absolute in the metric's unit; positive.

    Of a metric that is shown in points a relative one is that share of control.
    """

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
    lifts, control = question.scale == "relative", abs(pair.control.value)
    harm = _harm_of(judged, question, lifts and method == "bayesian")
    bound = _harm_of(one_sided, question, lifts and (margin.relative or method == "bayesian"))
    worst_case = bound if isinstance(bound, NoEstimate) else bound.high
    if lifts and method == "bayesian" and not margin.relative and not isinstance(worst_case, NoEstimate):
        worst_case *= control
    if not lifts and margin.relative and not isinstance(worst_case, NoEstimate):
        worst_case = worst_case / control if control else NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    verdict = GuardrailVerdict.SAFE
    if isinstance(harm, Interval) and harm.low > 0.0:
        verdict = GuardrailVerdict.VIOLATED
    elif isinstance(worst_case, NoEstimate) or worst_case >= margin.max_harm:
        verdict = GuardrailVerdict.UNCLEAR
    return GuardrailAnswer(verdict, worst_case, missing(harm, worst_case))


def margin_verdict(interval: Interval | NoEstimate, margin: float, want: Want) -> Literal["wins", "loses", "unclear"]:
    """Of a goal that must only be no worse than by a margin (non-inferiority): it wins where the deciding interval lies
    wholly on the good side of the margin, and loses where it lies wholly beyond it.

    Interval and margin are on one scale. Among several goals the interval is that at alpha / family.
    """
    if isinstance(interval, NoEstimate):
        return "unclear"
    worst, best = (interval.low, interval.high) if want == "up" else (-interval.high, -interval.low)
    if worst > -margin:
        return "wins"
    return "loses" if best < -margin else "unclear"


def _harm_of(answer: Answer, question: Question, relative: bool) -> Interval | NoEstimate:
    """The interval turned so that positive is harm."""
    interval = answer.ci if relative else answer.difference_ci
    if isinstance(interval, NoEstimate) or question.want == "down":
        return interval
    return Interval(-interval.high, -interval.low)
