"""One treatment against control, judged by every method side by side; the plan's method decides."""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

from experiments.statistics.arms import Gate, Pair, gate_of, variance_floor
from experiments.statistics.bayesian import LiftPrior, Posterior, posterior
from experiments.statistics.effect import Effect, difference_interval, effect, floored, lift, lift_interval
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, Scale, Want, missing
from experiments.statistics.fixed import (
    PooledZ,
    RelativeDelta,
    few,
    fisher_p,
    newcombe_interval,
    newcombe_lift_interval,
    pooled_z,
    relative_delta,
    welch_critical,
    welch_p,
)
from experiments.statistics.sequential import (
    Look,
    anytime_critical,
    anytime_p,
    boundary,
    planned_critical,
    planned_p,
    tuning,
)

Method = Literal["anytime", "planned", "fixed", "bayesian"]


@dataclass(frozen=True, slots=True)
class Question:
    """How a comparison is to be judged; it is the same for every comparison of an experiment but for `want`.

    `alpha` is two-sided. `planned_units` is n*, both arms together, frozen with the phase. `look` is the last look of
    a planned test that has closed (None before the first, and for the other methods), of `looks` in all. `family` is m,
    the number of goals × variants among which alpha is shared. `want` is the good direction of the metric. On the
    `scale` of points there is no lift: every answer is about the difference, and the prior, one of lifts, is not used.
    """

    alpha: float = 0.05
    planned_units: int = 20_000
    look: Look | None = None
    looks: int = 4
    family: int = 1
    prior: LiftPrior | None = None
    want: Want = "up"
    scale: Scale = "relative"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method says: p, the interval of the lift and that of the difference; p and intervals never disagree."""

    p: float | NoEstimate
    ci: Interval | NoEstimate
    difference_ci: Interval | NoEstimate
    statistic: float | NoEstimate
    """The test statistic: the difference in standard errors."""
    degrees_of_freedom: float | NoEstimate
    """Degrees of freedom of the test."""

    def on(self, scale: Scale) -> Self:
        """The same without the interval of the lift where effects are shown in points."""
        if scale == "relative" or isinstance(self.difference_ci, NoEstimate):
            return self
        return replace(self, ci=NoEstimate(Caveat.SHOWN_IN_POINTS))


@dataclass(frozen=True, slots=True)
class PlannedAnswer(Answer):
    """The last look of a planned test (None before the first): boundary in standard normal units at alpha / family.

    `p` is the repeated p of this look, for the family of one: times `family` it is the adjusted one.
    """

    look: int | None
    """The number of the last look that was read, null before the first."""
    looks: int
    boundary: float | NoEstimate
    """What the statistic must reach at this look, in standard errors."""
    crossed: bool
    """Whether the boundary was reached."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything the results object shows of one variant against control.

    `fixed`, `unadjusted` (without CUPED, None where it was not used), `pooled` and `delta` are the published tests,
    whatever the gate says. All that decides carries the variance floor and is absent where the gate is closed:
    `deciding` (the fixed answer), `anytime`, `planned`, `bayesian`. `exact` says that Fisher's p and Newcombe's
    intervals stand in `fixed`; they decide as they are. `reasons` are those that a reader of this comparison must see.
    """

    difference: float | NoEstimate
    lift: float | NoEstimate
    cuped: bool
    exact: bool
    fixed: Answer
    pooled: PooledZ | NoEstimate
    anytime: Answer
    planned: PlannedAnswer | NoEstimate
    bayesian: Posterior | NoEstimate
    unadjusted: Answer | None
    reasons: tuple[Caveat, ...]
    gate: Gate
    variance_floor: float
    deciding: Answer
    delta: RelativeDelta | NoEstimate


def compare(pair: Pair | NoEstimate, question: Question, adjusted: Pair | NoEstimate | None = None) -> Comparison:
    """Judge treatment against control by every method; `adjusted` is the pair after CUPED, where there is one.

    Few conversions are judged exactly and unadjusted.
    """
    gate = gate_of(pair)
    if isinstance(pair, NoEstimate):
        none, said = _absent(pair), (pair.reason,)
        return Comparison(pair, pair, False, False, none, pair, none, pair, pair, None, said, gate, 1.0, none, pair)
    exact = few(pair)
    judged = judged_pair(pair, adjusted)
    cuped = judged is not pair
    published, floor, closed = effect(judged), variance_floor(judged), _closed(gate)
    fixed = _welch(published, question.alpha) if exact is None else fixed_answer(judged, question.alpha)
    fixed, scale, relative = fixed.on(question.scale), question.scale, lift(judged, question.scale)
    measured = closed or _floored(published, floor)
    anytime = _anytime(measured, question, question.alpha)
    reasons = missing(adjusted, fixed.p, fixed.ci, relative, closed, anytime.p, anytime.ci)
    return Comparison(
        difference=judged.treatment.value - judged.control.value,
        lift=relative,
        cuped=cuped,
        exact=exact is not None,
        fixed=fixed,
        pooled=pooled_z(pair),
        anytime=anytime,
        planned=_planned(measured, question),
        bayesian=closed or posterior(judged, question.prior, 1.0 - question.alpha, question.want, measured, scale),
        unadjusted=fixed_answer(pair, question.alpha).on(scale) if cuped else None,
        reasons=reasons if exact is None else (exact, *reasons),
        gate=gate,
        variance_floor=floor,
        deciding=_deciding(measured, fixed, question.alpha, closed, floor).on(scale),
        delta=_delta(published, relative, question.alpha),
    )


def answer_of(comparison: Comparison, method: Method) -> Answer:
    """What decides: p and intervals of the plan's method, floored, absent where the gate is closed.

    `bayesian` has a credible interval, of the lift or in points of the difference, and no p.
    """
    if method == "fixed":
        return comparison.deciding
    if method == "anytime":
        return comparison.anytime
    if method == "planned":
        return _answered(comparison.planned)
    return _credible(comparison.bayesian)


def answer_at(
    pair: Pair | NoEstimate,
    question: Question,
    method: Method,
    alpha: float,
    adjusted: Pair | NoEstimate | None = None,
) -> Answer:
    """The method's deciding answer with intervals at another two-sided level than the plan's."""
    if isinstance(pair, NoEstimate):
        return _absent(pair)
    closed = _closed(gate_of(pair))
    if closed is not None:
        return _absent(closed)
    judged = judged_pair(pair, adjusted)
    floor = variance_floor(judged)
    measured = _floored(effect(judged), floor)
    if method == "fixed":
        return _deciding(measured, fixed_answer(judged, alpha), alpha, None, floor).on(question.scale)
    if method == "anytime":
        return _anytime(measured, question, alpha)
    if method == "planned":
        return _answered(_planned(measured, replace(question, alpha=alpha)))
    return _credible(posterior(judged, question.prior, 1.0 - alpha, question.want, measured, question.scale))


def simultaneous_interval(
    pair: Pair | NoEstimate, question: Question, method: Method, adjusted: Pair | NoEstimate | None = None
) -> Interval | NoEstimate:
    """The method's interval at alpha / family (Bonferroni), of the lift, or in points of the difference.

    It may hold 0 where Holm rejects.
    """
    answer = answer_at(pair, question, method, question.alpha / question.family, adjusted)
    return answer.ci if question.scale == "relative" else answer.difference_ci


def fixed_answer(pair: Pair, alpha: float) -> Answer:
    """The published test: Welch with Fieller; Fisher with Newcombe where conversions are few."""
    reason = few(pair)
    if reason is not None:
        p, none = fisher_p(pair), NoEstimate(reason)
        absolute, relative = newcombe_interval(pair, alpha), newcombe_lift_interval(pair, alpha)
        if not isinstance(relative, NoEstimate):
            relative = _reconciled(relative, p < alpha)
        return Answer(p, relative, _reconciled(absolute, p < alpha), none, none)
    return _welch(effect(pair), alpha)


def _welch(measured: Effect | NoEstimate, alpha: float) -> Answer:
    if isinstance(measured, NoEstimate):
        return _absent(measured)
    return _answer(measured, welch_p(measured), welch_critical(alpha, measured.degrees_of_freedom))


def judged_pair(pair: Pair, adjusted: Pair | NoEstimate | None) -> Pair:
    """What is judged: the adjusted pair, unless there is none, or conversions or the denominators of a ratio are few.

    Nor where it moves what is never negative below 0.
    """
    settled = pair.control.is_settled and pair.treatment.is_settled and few(pair) is None
    if not isinstance(adjusted, Pair) or not settled:
        return pair
    if not pair.control.never_negative:
        return adjusted
    if min(adjusted.control.value, adjusted.treatment.value) < 0.0:
        return pair
    control, treatment = (replace(arm, never_negative=True) for arm in (adjusted.control, adjusted.treatment))
    return replace(adjusted, control=control, treatment=treatment)


def _closed(gate: Gate) -> NoEstimate | None:
    """Why nothing is decided; None where the gate is open."""
    return None if gate.reason is None else NoEstimate(gate.reason)


def _floored(published: Effect | NoEstimate, floor: float) -> Effect | NoEstimate:
    """The effect that decides."""
    return published if isinstance(published, NoEstimate) else floored(published, floor)


def _deciding(
    measured: Effect | NoEstimate, fixed: Answer, alpha: float, closed: NoEstimate | None, floor: float
) -> Answer:
    """The fixed answer that decides: Welch's with the floor; of few conversions the exact one, which needs none."""
    if closed is not None:
        return _absent(closed)
    return fixed if floor == 1.0 or isinstance(fixed.statistic, NoEstimate) else _welch(measured, alpha)


def _delta(published: Effect | NoEstimate, relative: float | NoEstimate, alpha: float) -> RelativeDelta | NoEstimate:
    """The delta method's test of the lift, where there is one."""
    if isinstance(published, NoEstimate) or isinstance(relative, NoEstimate):
        return NoEstimate(missing(published, relative)[0])
    return relative_delta(published, alpha)


def _anytime(measured: Effect | NoEstimate, question: Question, alpha: float) -> Answer:
    if isinstance(measured, NoEstimate):
        return _absent(measured)
    precision = measured.units * tuning(question.alpha, question.planned_units)
    return _answer(measured, anytime_p(measured, precision), anytime_critical(alpha, precision)).on(question.scale)


def _planned(measured: Effect | NoEstimate, question: Question) -> PlannedAnswer | NoEstimate:
    look = question.look
    if isinstance(measured, NoEstimate):
        return measured
    if look is None:
        return NoEstimate(Caveat.BEFORE_FIRST_LOOK)
    freedom, shared = measured.degrees_of_freedom, question.alpha / question.family
    critical = planned_critical(question.alpha, look, freedom)
    answer = _answer(measured, planned_p(welch_p(measured), look), critical).on(question.scale)
    return PlannedAnswer(
        answer.p, answer.ci, answer.difference_ci, answer.statistic, answer.degrees_of_freedom,
        look=look.number,
        looks=question.looks,
        boundary=boundary(shared, look),
        crossed=abs(measured.statistic) >= planned_critical(shared, look, freedom),
    )  # fmt: skip


def _answer(measured: Effect, p: float, critical: float) -> Answer:
    relative, absolute = lift_interval(measured, critical), difference_interval(measured, critical)
    return Answer(p, relative, absolute, measured.statistic, measured.degrees_of_freedom)


def _reconciled(interval: Interval, significant: bool) -> Interval:
    """Newcombe's interval with its nearer end moved to the other side of 0 where Fisher's test disagrees.

    It happens for 3 % of the tables with few conversions, always near alpha; nearly always the interval grows.
    """
    if interval.contains(0.0) != significant:
        return interval
    if not significant:
        return Interval(min(interval.low, 0.0), max(interval.high, 0.0))
    if interval.high > -interval.low:
        return Interval(math.nextafter(0.0, 1.0), interval.high)
    return Interval(interval.low, math.nextafter(0.0, -1.0))


def _credible(chances: Posterior | NoEstimate) -> Answer:
    none = NoEstimate(Caveat.NOT_A_TEST)
    if isinstance(chances, NoEstimate):
        return Answer(none, chances, none, none, none)
    if chances.scale == "points":
        return Answer(none, NoEstimate(Caveat.SHOWN_IN_POINTS), chances.ci, none, none)
    return Answer(none, chances.ci, none, none, none)


def _answered(planned: PlannedAnswer | NoEstimate) -> Answer:
    return _absent(planned) if isinstance(planned, NoEstimate) else planned


def _absent(cause: NoEstimate) -> Answer:
    return Answer(cause, cause, cause, cause, cause)
