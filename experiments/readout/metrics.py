"""Judged comparisons become the rows of a readout: arms, comparisons with every method, levels, days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from experiments.cube.observations import MetricObservation
from experiments.cube.shop_days import calendar_date
from experiments.definitions.model import Guardrail
from experiments.readout.encoding import (
    AnytimeAnswer,
    ArmReadout,
    BayesianReadout,
    ComparisonReadout,
    FixedAnswer,
    LevelReadout,
    LookReadout,
    Methods,
    MetricReadout,
    Number,
    PlannedReadout,
    PooledAnswer,
    Readout,
    UnadjustedReadout,
    Verdict,
    ends,
    number,
    plain,
)
from experiments.readout.inference import (
    DayAnswer,
    Judge,
    JudgedComparison,
    anytime_answers,
    arms_of,
    judge_guardrail,
    judge_level,
    judge_metric,
)
from experiments.readout.study import StudiedMetric
from experiments.statistics.arms import Arm, Pair
from experiments.statistics.bayesian import Posterior
from experiments.statistics.comparison import Answer, PlannedAnswer
from experiments.statistics.effect import lift
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.fixed import PooledZ
from experiments.statistics.moments import JointMoments
from experiments.statistics.multiplicity import adjusted, bonferroni
from experiments.statistics.quantiles import quantile_estimate


def series(judge: Judge, observed: MetricObservation, arms: Sequence[str], *, cuped: bool) -> tuple[LookReadout, ...]:
    """Every day of a metric, cumulative (adjusted as the readout is) and alone."""
    looks = observed.looks
    if looks is None:
        return ()
    rows: list[LookReadout] = []
    for treatment in range(1, len(arms)):
        so_far = anytime_answers(judge, observed.rule, looks.cumulative, treatment, cuped=cuped)
        alone = anytime_answers(judge, observed.rule, looks.daily, treatment, cuped=False)
        lowest: Number = None
        for row, day in enumerate(looks.days):
            closed = judge.calendar.closed(day)
            p = number(so_far[row].answer.p)
            if closed and p is not None:
                lowest = p if lowest is None else min(lowest, p)
            units = looks.cumulative[row][treatment].count
            shown = LookReadout(calendar_date(day), "cumulative", arms[treatment], units, p_min=lowest, closed=closed)
            rows.append(_filled(shown, so_far[row]))
            rows.append(_filled(replace(shown, kind="daily", p_min=None), alone[row]))
    return tuple(rows)


def timeseries_json(readout: Readout) -> dict[str, Any]:
    """The series of a readout as served, one list of days per metric; `reasons` say why there is none."""
    metrics = [
        {
            "metric": metric.metric,
            "role": metric.role,
            "type": metric.type,
            "days": plain(metric.series),
            "reasons": _reasons(metric),
        }
        for metric in readout.metrics
    ]
    head = {"experiment": readout.experiment, "phase": readout.phase, "fingerprint": readout.fingerprint}
    times = {"as_of": readout.as_of, "watermark": readout.watermark, "pending": readout.pending}
    return {**head, **plain(times), "metrics": metrics}


def _reasons(metric: MetricReadout) -> list[str]:
    if metric.series:
        return []
    return ["quantiles_have_no_days" if metric.type == "quantile" else "not_enough_units"]


def _filled(row: LookReadout, found: DayAnswer) -> LookReadout:
    pair = found.pair if isinstance(found.pair, Pair) else None
    return replace(
        row,
        value=number(pair.treatment.value) if pair else None,
        control_value=number(pair.control.value) if pair else None,
        lift=number(lift(pair)) if pair else None,
        ci=ends(found.answer.ci),
        difference=number(pair.treatment.value - pair.control.value) if pair else None,
        difference_ci=ends(found.answer.difference_ci),
        p=number(found.answer.p),
    )


CHANCE_TO_SHIP: Final = 0.95
LOSS_TO_SHIP: Final = 0.0025
ESTIMATED_FROM: Final = "page_views"
_ROUNDING: Final = 1e-14


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """A metric of the study with its comparisons; `guardrail` is its limit where it is one."""

    studied: StudiedMetric
    observed: MetricObservation
    comparisons: tuple[JudgedComparison, ...]
    guardrail: Guardrail | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """p-values of the goals × variants of one experiment, corrected together: the current and the deciding ones."""

    current: Mapping[tuple[str, int], float | None]
    deciding: Mapping[tuple[str, int], float | None]


def judged_metric(
    judge: Judge, studied: StudiedMetric, observed: MetricObservation, limit: Guardrail | None, *, cuped: bool
) -> JudgedMetric:
    """Judge every comparison of a metric."""
    return JudgedMetric(studied, observed, judge_metric(judge, observed, cuped=cuped), limit)


def family_of(judge: Judge, metrics: Sequence[JudgedMetric]) -> Family:
    """Correct the goals for each other; other metrics stand outside the family."""
    members = [(metric, each) for metric in metrics if metric.studied.role == "goal" for each in metric.comparisons]
    names = [(metric.studied.metric.name, each.treatment) for metric, each in members]
    current = _corrected(judge, [each.answer.p for _, each in members])
    deciding = _corrected(judge, [each.deciding_p for _, each in members])
    return Family(dict(zip(names, current, strict=True)), dict(zip(names, deciding, strict=True)))


def verdict_of(judge: Judge, metric: JudgedMetric, judged: JudgedComparison, family: Family) -> Verdict:
    """wins, loses or unclear; of a guardrail violated, safe or unclear."""
    if metric.guardrail is not None:
        found: Verdict = judge_guardrail(judged, metric.guardrail).verdict.value
        return found
    if judged.ruling is None:
        return "unclear"
    if judged.method == "bayesian":
        return _bayesian_verdict(judged.ruling.comparison.bayesian)
    key = (metric.studied.metric.name, judged.treatment)
    p = family.deciding[key] if metric.studied.role == "goal" else number(judged.deciding_p)
    difference = judged.leaning
    if p is None or isinstance(difference, NoEstimate) or p > judge.plan.alpha or difference == 0.0:
        return "unclear"
    return "wins" if (difference > 0.0) == (judged.question.want == "up") else "loses"


def metric_readout(
    judge: Judge, metric: JudgedMetric, family: Family, arms: Sequence[str], unit: str, sql: str | None = None
) -> MetricReadout:
    """The whole of one metric."""
    studied, observed = metric.studied, metric.observed
    return MetricReadout(
        metric=studied.metric.name,
        role=studied.role,
        type=studied.metric.type,
        unit=unit,
        want=studied.metric.want,
        window_seconds=studied.metric.window_seconds,
        post_hoc=studied.post_hoc,
        arms=arm_readouts(observed, arms),
        comparisons=tuple(
            comparison_readout(judge, metric, judged, family, arms, verdict_of(judge, metric, judged, family))
            for judged in metric.comparisons
        ),
        cap=observed.cap,
        estimated=ESTIMATED_FROM if observed.rule.estimated else None,
        dimensions=_levels(judge, metric, arms),
        sql=sql,
        series=series(judge, observed, arms, cuped=judge.plan.cuped_seconds > 0),
    )


def arm_readouts(observed: MetricObservation, variants: Sequence[str]) -> tuple[ArmReadout, ...]:
    """Every variant's own numbers."""
    arms = arms_of(observed)
    return tuple(_arm(observed, index, variant, arms[index]) for index, variant in enumerate(variants))


def comparison_readout(
    judge: Judge,
    metric: JudgedMetric,
    judged: JudgedComparison,
    family: Family,
    arms: Sequence[str],
    verdict: Verdict,
) -> ComparisonReadout:
    """One row: the deciding method's numbers in front, every method's beside them."""
    shown = judged.ruling.comparison if judged.ruling else judged.comparison
    key = (metric.studied.metric.name, judged.treatment)
    return ComparisonReadout(
        variant=arms[judged.treatment],
        against=arms[0],
        lift=number(shown.lift),
        ci=ends(judged.answer.ci),
        difference=number(shown.difference),
        difference_ci=ends(judged.answer.difference_ci),
        p=number(judged.answer.p),
        p_adjusted=family.current.get(key),
        ci_simultaneous=ends(judged.simultaneous),
        method=judged.method,
        cuped=shown.cuped,
        verdict=verdict,
        reasons=(*judged.reasons, *_estimated(metric)),
        methods=_methods(judge, judged, family.deciding.get(key)),
    )


def _estimated(metric: JudgedMetric) -> tuple[str, ...]:
    """Where values are estimated, every table that shows them says so."""
    return (f"estimated_from_{ESTIMATED_FROM}",) if metric.observed.rule.estimated else ()


def _corrected(judge: Judge, p_values: Sequence[float | NoEstimate]) -> list[float | None]:
    planned = judge.plan.method == "planned"
    corrected = bonferroni(p_values) if planned else adjusted(p_values, judge.plan.correction)
    return [number(p) for p in corrected]


def _bayesian_verdict(found: Posterior | NoEstimate) -> Verdict:
    if isinstance(found, NoEstimate):
        return "unclear"
    if found.chance_to_win >= CHANCE_TO_SHIP and found.expected_loss <= LOSS_TO_SHIP:
        return "wins"
    if found.chance_to_win <= 1.0 - CHANCE_TO_SHIP and found.expected_loss_control <= LOSS_TO_SHIP:
        return "loses"
    return "unclear"


def _arm(observed: MetricObservation, index: int, variant: str, arm: Arm | NoEstimate) -> ArmReadout:
    moments, rule = observed.arms[index], observed.rule
    known = isinstance(arm, Arm)
    quantile = rule.metric.type == "quantile"
    total = moments.moments("y").total
    return ArmReadout(
        variant=variant,
        units=moments.count,
        units_immature=observed.immature[index],
        value=number(arm.value) if known else None,
        variance=number(arm.variance) if known else None,
        numerator=None if quantile else round(total) if rule.is_share else _tidy(total),
        denominator=None if quantile else _denominator(observed, moments),
        response_rate=_rate(observed.responders[index], moments.count) if observed.responders else None,
        final_beat_share=_rate(*observed.final_beats[index]) if observed.final_beats else None,
        value_ci=_value_interval(observed, index) if quantile else None,
        steps=tuple(step[index] for step in observed.steps) or None,
    )


def _denominator(observed: MetricObservation, moments: JointMoments) -> float | None:
    if not observed.rule.is_ratio:
        return moments.count
    total = moments.moments("d").total
    return round(total) if observed.rule.base_field == "events" else _tidy(total)


def _tidy(total: float) -> float | None:
    """A total without the last bits that a mean times a count adds: 57849, not 57848.99999999999."""
    near = round(total, 6)
    return number(near if abs(total - near) <= _ROUNDING * abs(total) else total)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _value_interval(observed: MetricObservation, index: int) -> tuple[float, float] | None:
    sample = observed.samples[index]
    found = quantile_estimate(sample.histogram, observed.rule.metric.q or 0.5, sample.clusters)
    return None if isinstance(found, NoEstimate) else ends(found.ci)


def _methods(judge: Judge, judged: JudgedComparison, deciding: float | None) -> Methods:
    now = judged.comparison
    fixed, anytime = now.fixed, now.anytime
    planned = judged.ruling.comparison.planned if judged.ruling else now.planned
    return Methods(
        fixed=FixedAnswer(
            p=number(fixed.p),
            ci=ends(fixed.ci),
            difference_ci=ends(fixed.difference_ci),
            statistic=number(fixed.statistic),
            df=number(fixed.degrees_of_freedom),
        ),
        z_pooled=PooledAnswer(number(now.pooled.p), number(now.pooled.statistic))
        if isinstance(now.pooled, PooledZ)
        else None,
        anytime=AnytimeAnswer(
            p=number(anytime.p),
            p_min=number(judged.p_min),
            ci=ends(anytime.ci),
            difference_ci=ends(anytime.difference_ci),
            p_min_adjusted=deciding if judged.method == "anytime" else None,
        ),
        planned=_planned(judge, planned),
        bayesian=_bayesian(now.bayesian),
        unadjusted=None if now.unadjusted is None else _unadjusted(now.unadjusted),
    )


def _planned(judge: Judge, planned: PlannedAnswer | NoEstimate) -> PlannedReadout | None:
    if isinstance(planned, PlannedAnswer):
        answer = planned.answer
        return PlannedReadout(
            planned.look, planned.looks, planned.boundary, planned.crossed, number(answer.p), ends(answer.ci)
        )
    return PlannedReadout(None, judge.plan.looks, None, False) if judge.plan.method == "planned" else None


def _bayesian(found: Posterior | NoEstimate) -> BayesianReadout | None:
    if isinstance(found, NoEstimate):
        return None
    return BayesianReadout(number(found.chance_to_win), number(found.expected_loss), ends(found.ci))


def _unadjusted(answer: Answer) -> UnadjustedReadout:
    return UnadjustedReadout(number(answer.p), ends(answer.ci))


def _levels(judge: Judge, metric: JudgedMetric, arms: Sequence[str]) -> tuple[LevelReadout, ...]:
    observed = metric.observed
    rows: list[LevelReadout] = []
    for dimension, levels in observed.levels.items():
        samples = observed.level_samples.get(dimension, {})
        for level, moments in levels.items():
            there = MetricObservation(
                observed.rule, observed.cap, moments, (0,) * len(arms), samples=tuple(samples.get(level, ()))
            )
            rows.append(_level(judge, metric.studied, there, dimension, level, arms))
    return tuple(rows)


def _level(
    judge: Judge, studied: StudiedMetric, there: MetricObservation, dimension: str, level: str, arms: Sequence[str]
) -> LevelReadout:
    exploring, comparisons = judge_level(judge, there)
    metric = JudgedMetric(studied, there, comparisons)
    nobody = Family({}, {})
    return LevelReadout(
        dimension=dimension,
        level=level,
        exploratory=True,
        arms=arm_readouts(there, arms),
        comparisons=tuple(comparison_readout(exploring, metric, each, nobody, arms, "unclear") for each in comparisons),
    )
