"""From what was observed to what a method says: all numbers of a comparison are of one moment, and it says which."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Final

from experiments.answers.comparison import AnytimeAnswer, ComparisonReadout, Methods, Ruling, Sample
from experiments.cube.measures import SURVEYS, MetricRule
from experiments.cube.observations import MetricObservation
from experiments.cube.shop_days import calendar_date
from experiments.readout.days import ClosedDays, LookDay
from experiments.readout.samples import Judge, arm_of, pooled, quantile_sample, sample_now, sample_of
from experiments.statistics.arms import Arm, Pair, gate_of
from experiments.statistics.comparison import (
    Answer,
    PlannedAnswer,
    answer_of,
    compare,
    simultaneous_interval,
)
from experiments.statistics.effect import effect
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, missing
from experiments.statistics.sequential import looks_so_far
from experiments.statistics.survey import Responses, response_guard

ESTIMATED_FROM: Final = "page_views"
NO_LONGER_SUPPORTED: Final = "no_longer_supported"


def judge_metric(judge: Judge, observed: MetricObservation) -> tuple[ComparisonReadout, ...]:
    """Every treatment of a metric against control."""
    return tuple(_compared(judge, observed, treatment) for treatment in range(1, len(observed.arms)))


def judge_level(judge: Judge, there: MetricObservation) -> tuple[ComparisonReadout, ...]:
    """The same within one level of a dimension: by the current numbers alone, unadjusted, by a method without looks."""
    method = judge.plan.method if judge.plan.method in ("anytime", "bayesian") else "fixed"
    exploring = replace(judge, plan=judge.plan.model_copy(update={"method": method}), days=None, family=1)
    return judge_metric(exploring, replace(there, rule=replace(there.rule, cuped=False)))


def _compared(judge: Judge, observed: MetricObservation, treatment: int) -> ComparisonReadout:
    rule, method = observed.rule, judge.plan.method
    daily = _daily(judge, observed, treatment)
    rulings = _rulings(judge, observed, treatment, daily)
    shown = rulings[-1].sample if rulings else sample_now(judge, observed, treatment)
    said = compare(shown.pair, shown.question, shown.adjusted)
    answer, next_look = answer_of(said, method), _next_look(judge, rule)
    simultaneous = simultaneous_interval(shown.pair, shown.question, method, shown.adjusted)
    p_min = said.anytime.p
    waits: list[Caveat] = []
    if judge.days is not None:
        p_min = _lowest([day for day in daily if shown.day is None or (day.sample.day or 0) <= shown.day], judge.days)
    if not rulings:
        waited = next_look is not None and judge.days is not None and judge.days.closed(next_look.exposed_until)
        waits.append(Caveat.WAITING_FOR_WINDOWS if waited else Caveat.BEFORE_FIRST_LOOK)
        if judge.waits_for_looks:
            answer, simultaneous = Answer(*[NoEstimate(waits[0])] * 5), NoEstimate(waits[0])
    planned, blocked = said.planned, _survey_reasons(observed, treatment)
    if isinstance(planned, NoEstimate) and method == "planned":
        planned = PlannedAnswer(*[planned] * 5, look=None, looks=judge.plan.looks, boundary=planned, crossed=False)
    reasons = [*waits, *said.reasons, *missing(answer.p, answer.ci, simultaneous, p_min), *blocked]
    if rule.estimated:  # where values are estimated, every table that shows them says so
        reasons.append(f"estimated_from_{ESTIMATED_FROM}")
    day = said.anytime
    return ComparisonReadout(
        variant=judge.arms[treatment],
        against=judge.arms[0],
        as_of_day=None if shown.day is None else calendar_date(shown.day),
        arms=shown.arms,
        lift=said.lift,
        ci=answer.ci,
        difference=said.difference,
        difference_ci=answer.difference_ci,
        p=answer.p,
        p_adjusted=None,
        ci_simultaneous=simultaneous,
        method=method,
        cuped=said.cuped,
        gate=said.gate,
        variance_floor=said.variance_floor,
        verdict="unclear",
        decided_on=None,
        decided=None,
        next_look=None if next_look is None else calendar_date(next_look.read_on),
        worst_case=None,
        smallest_effect=detectable_effect(answer, shown, judge.plan.power),
        reasons=tuple(dict.fromkeys(str(reason) for reason in reasons)),
        methods=Methods(
            said.fixed,
            said.pooled,
            said.delta,
            AnytimeAnswer(day.p, day.ci, day.difference_ci, day.statistic, day.degrees_of_freedom, p_min),
            planned,
            said.bayesian,
            said.unadjusted,
        ),
        shown=shown,
        rulings=rulings,
        daily=daily,
        blocked=blocked,
    )


def detectable_effect(answer: Answer, shown: Sample, power: float) -> float | NoEstimate:
    """The smallest effect, on the metric's scale, that a test of these units finds with this power: half the interval
    that decides and z_power standard errors, which a method without an interval of the difference has at its alpha."""
    points = shown.question.scale == "points" or isinstance(answer.ci, NoEstimate)
    interval = answer.difference_ci if points else answer.ci
    found = effect(shown.judged) if isinstance(shown.judged, Pair) else shown.judged
    if isinstance(interval, NoEstimate) or isinstance(found, NoEstimate):
        return interval if isinstance(interval, NoEstimate) else NoEstimate(missing(found)[0])
    errors = 2.0 * NormalDist().inv_cdf(1.0 - shown.question.alpha / 2.0)  # standard errors in the interval's width
    if isinstance(answer.difference_ci, Interval):
        errors = answer.difference_ci.width / found.standard_error
    size = interval.width * (0.5 + NormalDist().inv_cdf(power) / errors) if errors > 0.0 else math.inf
    return size if math.isfinite(size) else NoEstimate(Caveat.OUT_OF_RANGE)


def _daily(judge: Judge, observed: MetricObservation, treatment: int) -> tuple[Ruling, ...]:
    """The anytime answer of every day; a quantile has no days."""
    looks = observed.looks
    if looks is None:
        return ()
    samples = [
        sample_of(judge, observed.rule, arms, treatment, day)
        for day, arms in zip(looks.days, looks.cumulative, strict=True)
    ]
    return tuple(sample.says("anytime") for sample in samples)


def _rulings(judge: Judge, observed: MetricObservation, treatment: int, daily: Sequence[Ruling]) -> tuple[Ruling, ...]:
    """What the method said of each moment at which it may decide: now, of a table; at the close of each day; or at the
    looks of the plan that have been read."""
    days, method = judge.days, judge.plan.method
    if days is None:
        return (sample_now(judge, observed, treatment).says(method),)
    if judge.waits_for_looks:
        return _at_looks(judge, days, observed, treatment)
    if days.newest is None:
        return ()
    if observed.looks is None:
        samples = observed.until[days.newest]
        return (quantile_sample(judge, observed.rule, samples, treatment, days.newest).says(method),)
    closed = [day for day in daily if day.sample.day is not None and days.closed(day.sample.day)]
    if method != "anytime":
        closed = [day.sample.says(method) for day in closed]
    if not closed:
        return ()
    newest = closed[-1]  # nothing happened between its day and the newest one
    return (*closed[:-1], replace(newest, sample=replace(newest.sample, day=days.newest)))


def _at_looks(judge: Judge, days: ClosedDays, observed: MetricObservation, treatment: int) -> tuple[Ruling, ...]:
    """Each look holds the units exposed until its day, with their whole windows; one whose gate is closed spends no
    alpha."""
    rule, found, reached = observed.rule, list[Ruling](), list[tuple[int, int]]()
    for look in days.read(judge.looks(rule)):
        if rule.metric.type == "quantile":
            sample = quantile_sample(judge, rule, observed.until[look.exposed_until], treatment, look.read_on)
        else:
            until = [arms for day, arms in observed.cohorts.items() if day <= look.exposed_until]
            if not until:
                continue
            sample = sample_of(judge, rule, pooled(until), treatment, look.read_on)
        if judge.plan.method == "planned" and gate_of(sample.pair).open:
            reached.append((look.number, sample.arms[0].units + sample.arms[1].units))
            asked = looks_so_far(reached, judge.pair_units(treatment), judge.plan.looks)
            sample = replace(sample, question=judge.question(treatment, rule, asked))
        found.append(sample.says(judge.plan.method))
    return tuple(found)


def _next_look(judge: Judge, rule: MetricRule) -> LookDay | None:
    return next((look for look in judge.looks(rule) if judge.days and not judge.days.closed(look.read_on)), None)


def _lowest(daily: Sequence[Ruling], days: ClosedDays) -> float | NoEstimate:
    """The smallest p over closed days."""
    closed = [day.answer.p for day in daily if day.sample.day is not None and days.closed(day.sample.day)]
    known = [p for p in closed if not isinstance(p, NoEstimate)]
    if known:
        return min(known)
    return closed[-1] if closed else NoEstimate(Caveat.BEFORE_FIRST_LOOK)


def _survey_reasons(observed: MetricObservation, treatment: int) -> tuple[str, ...]:
    bounds = SURVEYS.get(observed.rule.metric.type)
    if bounds is None or observed.responders is None:
        return ()
    asked = [
        Responses(observed.arms[index].count, observed.responders[index], arm.value)
        for index in (0, treatment)
        if isinstance(arm := arm_of(observed.rule, observed.arms[index]), Arm)
    ]
    guarded = response_guard(asked[0], asked[1], *bounds).reasons if len(asked) == 2 else ()
    return tuple(reason.value for reason in guarded)
