"""Judged comparisons become the rows of a readout: arms, levels and days of a metric, verdicts within the family."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from experiments.cube.observations import MetricObservation
from experiments.cube.shop_days import calendar_date
from experiments.definitions.model import Guardrail
from experiments.readout.encoding import ArmReadout, LevelReadout, LookReadout, MetricReadout, Number
from experiments.readout.inference import (
    ESTIMATED_FROM,
    ComparisonReadout,
    DayAnswer,
    Judge,
    Verdict,
    anytime_answers,
    arms_of,
    judge_guardrail,
    judge_level,
    judge_metric,
)
from experiments.readout.study import StudiedMetric
from experiments.statistics.bayesian import Posterior
from experiments.statistics.effect import lift
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.multiplicity import adjusted, bonferroni
from experiments.statistics.quantiles import quantile_estimate

CHANCE_TO_SHIP: Final = 0.95
LOSS_TO_SHIP: Final = 0.0025
_ROUNDING: Final = 1e-14


def metric_readout(
    judge: Judge, studied: StudiedMetric, observed: MetricObservation, guardrail: Guardrail | None, unit: str
) -> MetricReadout:
    """The whole of one metric but for its verdicts, which `settled` gives: they depend on the family."""
    levels: list[LevelReadout] = []
    for dimension, found in observed.levels.items():
        for level, moments in found.items():
            samples = observed.level_samples.get(dimension, {}).get(level, ())
            there = MetricObservation(observed.rule, observed.cap, moments, (0,) * len(judge.arms), samples=samples)
            levels.append(LevelReadout(dimension, level, True, _arms(judge, there), judge_level(judge, there)))
    return MetricReadout(
        metric=studied.metric.name,
        role=studied.role,
        type=studied.metric.type,
        unit=unit,
        want=studied.metric.want,
        window_seconds=studied.metric.window_seconds,
        post_hoc=studied.post_hoc,
        arms=_arms(judge, observed),
        comparisons=judge_metric(judge, observed),
        cap=observed.cap.high,
        cap_low=observed.cap.low,
        denominator_cap=observed.cap.base_high,
        denominator_cap_low=observed.cap.base_low,
        estimated=ESTIMATED_FROM if observed.rule.estimated else None,
        dimensions=tuple(levels),
        series=_series(judge, observed),
        guardrail=guardrail,
    )


def settled(judge: Judge, metrics: Sequence[MetricReadout]) -> tuple[MetricReadout, ...]:
    """With every verdict, and the p-values of the goals × variants corrected together; others are not of the family."""
    members = [(metric.metric, each) for metric in metrics if metric.role == "goal" for each in metric.comparisons]
    correct = bonferroni if judge.plan.method == "planned" else lambda found: adjusted(found, judge.plan.correction)
    corrected = zip(
        correct([each.p for _, each in members]), correct([each.deciding_p for _, each in members]), strict=True
    )
    family = {(name, each.variant): found for (name, each), found in zip(members, corrected, strict=True)}

    def judged(metric: MetricReadout, each: ComparisonReadout) -> ComparisonReadout:
        current, deciding = family.get((metric.metric, each.variant), (None, None))
        anytime = replace(each.methods.anytime, p_min_adjusted=deciding if each.method == "anytime" else None)
        verdict = _verdict(judge, metric, each, deciding if metric.role == "goal" else each.deciding_p)
        return replace(each, p_adjusted=current, verdict=verdict, methods=replace(each.methods, anytime=anytime))

    return tuple(
        replace(metric, comparisons=tuple(judged(metric, each) for each in metric.comparisons)) for metric in metrics
    )


def _verdict(judge: Judge, metric: MetricReadout, judged: ComparisonReadout, p: Number) -> Verdict:
    """wins, loses or unclear; of a guardrail violated, safe or unclear."""
    if metric.guardrail is not None:
        found: Verdict = judge_guardrail(judged, metric.guardrail).verdict.value
        return found
    if judged.ruling is None:
        return "unclear"
    if judged.method == "bayesian":
        return _bayesian_verdict(judged.ruling.comparison.bayesian)
    difference = judged.leaning
    if p is None or isinstance(p, NoEstimate) or isinstance(difference, NoEstimate):
        return "unclear"
    if p > judge.plan.alpha or difference == 0.0:
        return "unclear"
    return "wins" if (difference > 0.0) == (metric.want == "up") else "loses"


def _bayesian_verdict(found: Posterior | NoEstimate) -> Verdict:
    if isinstance(found, NoEstimate):
        return "unclear"
    if found.chance_to_win >= CHANCE_TO_SHIP and found.expected_loss <= LOSS_TO_SHIP:
        return "wins"
    if found.chance_to_win <= 1.0 - CHANCE_TO_SHIP and found.expected_loss_control <= LOSS_TO_SHIP:
        return "loses"
    return "unclear"


def _arms(judge: Judge, observed: MetricObservation) -> tuple[ArmReadout, ...]:
    """Every variant's own numbers."""
    rows: list[ArmReadout] = []
    rule = observed.rule
    quantile = rule.metric.type == "quantile"
    for index, (variant, arm) in enumerate(zip(judge.arms, arms_of(observed), strict=True)):
        moments = observed.arms[index]
        total, base = moments.moments("y").total, moments.moments("d").total
        above = round(total) if rule.is_share else _tidy(total)
        below = (_tidy(base) if rule.base_field == "amount" else round(base)) if rule.is_ratio else moments.count
        row = ArmReadout(
            variant=variant,
            units=moments.count,
            units_immature=observed.immature[index],
            value=arm if isinstance(arm, NoEstimate) else arm.value,
            variance=arm if isinstance(arm, NoEstimate) else arm.variance,
            numerator=None if quantile else above,
            denominator=None if quantile else below,
            response_rate=_rate(observed.responders[index], moments.count) if observed.responders else None,
            final_beat_share=_rate(*observed.final_beats[index]) if observed.final_beats else None,
            steps=tuple(step[index] for step in observed.steps) or None,
        )
        if quantile:
            sample = observed.samples[index]
            found = quantile_estimate(sample.histogram, rule.metric.q or 0.5, sample.clusters)
            row = replace(row, value_ci=found if isinstance(found, NoEstimate) else found.ci)
        rows.append(row)
    return tuple(rows)


def _tidy(total: float) -> float:
    """A total without the last bits that a mean times a count adds: 57849, not 57848.99999999999."""
    near = round(total, 6)
    return near if abs(total - near) <= _ROUNDING * abs(total) else total


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _series(judge: Judge, observed: MetricObservation) -> tuple[LookReadout, ...]:
    """Every day of a metric, cumulative (adjusted as the readout is) and alone."""
    looks, rule = observed.looks, observed.rule
    if looks is None:
        return ()
    rows: list[LookReadout] = []
    for treatment in range(1, len(judge.arms)):
        so_far = anytime_answers(judge, rule, looks.cumulative, treatment)
        alone = anytime_answers(judge, replace(rule, cuped=False), looks.daily, treatment)
        lowest: float | None = None
        for row, day in enumerate(looks.days):
            closed, p = judge.calendar.closed(day), so_far[row].answer.p
            if closed and not isinstance(p, NoEstimate):
                lowest = p if lowest is None else min(lowest, p)
            shown = LookReadout(
                day=calendar_date(day),
                kind="cumulative",
                variant=judge.arms[treatment],
                units=looks.cumulative[row][treatment].count,
                p_min=lowest,
                closed=closed,
            )
            rows += [_filled(shown, so_far[row]), _filled(replace(shown, kind="daily", p_min=None), alone[row])]
    return tuple(rows)


def _filled(row: LookReadout, found: DayAnswer) -> LookReadout:
    pair, said = found.pair, found.answer
    row = replace(row, ci=said.ci, difference_ci=said.difference_ci, p=said.p)
    if isinstance(pair, NoEstimate):
        return row
    value, control = pair.treatment.value, pair.control.value
    return replace(row, value=value, control_value=control, lift=lift(pair), difference=value - control)
