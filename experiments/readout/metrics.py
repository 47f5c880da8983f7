"""Judged comparisons become the rows of a readout: arms, levels and days of a metric, and verdicts in their family."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from experiments.answers.comparison import ComparisonReadout, Decided, Ruling, Verdict
from experiments.answers.readout import ArmReadout, LevelReadout, LookReadout, MetricReadout, Number
from experiments.cube.observations import MetricObservation
from experiments.cube.shop_days import calendar_date
from experiments.definitions.model import Guardrail
from experiments.readout.inference import ESTIMATED_FROM, NO_LONGER_SUPPORTED, judge_level, judge_metric
from experiments.readout.samples import Judge, arms_of, sample_of, totals_of
from experiments.readout.study import StudiedMetric
from experiments.statistics.bayesian import Posterior
from experiments.statistics.effect import lift
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.statistics.guardrail import GuardrailAnswer, Margin, guardrail, margin_verdict
from experiments.statistics.multiplicity import adjusted, benjamini_hochberg, bonferroni
from experiments.statistics.quantiles import quantile_estimate
from experiments.wording.naming import noun_of, quantity_of, title_of

CHANCE_TO_SHIP: Final = 0.95
LOSS_TO_SHIP: Final = 0.0025
FALSE_DISCOVERY_RATE: Final = 0.05
NO_TEST: Final = NoEstimate(Caveat.JUDGED_BY_MARGIN)


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
    comparisons = judge_metric(judge, observed)
    return MetricReadout(
        metric=studied.metric.name,
        title=title_of(studied.metric),
        quantity=quantity_of(studied.metric),
        noun=noun_of(studied.metric),
        role=studied.role,
        type=studied.metric.type,
        unit=unit,
        effect_scale=studied.metric.effect_scale,
        want=studied.metric.want,
        window_seconds=studied.metric.window_seconds,
        post_hoc=studied.post_hoc,
        arms=_arms(judge, observed),
        comparisons=comparisons,
        cap=observed.cap.high,
        cap_low=observed.cap.low,
        denominator_cap=observed.cap.base_high,
        denominator_cap_low=observed.cap.base_low,
        estimated=ESTIMATED_FROM if observed.rule.estimated else None,
        dimensions=tuple(levels),
        series=_series(judge, observed, comparisons),
        guardrail=guardrail,
        margin=studied.margin,
    )


def settled(judge: Judge, metrics: Sequence[MetricReadout]) -> tuple[MetricReadout, ...]:
    """With every verdict, and the p-values of the goals × variants corrected together; others are not of the family.

    A verdict is of the moment of its comparison. `decided` is the first moment at which it stood, with the newest
    numbers that every member of the family had then. A goal with a margin counts in the family and has no p there: its
    interval at alpha / family decides.
    """
    members = {
        (metric.metric, each.variant): each
        for metric in metrics
        if metric.role == "goal"
        for each in metric.comparisons
    }
    margins = {metric.metric for metric in metrics if metric.margin is not None}
    days = sorted({_day(ruling) for each in members.values() for ruling in each.rulings})
    history = {  # by day and member: p within the family, of the newest ruling of each member
        day: _corrected(
            judge, {name: NO_TEST if name[0] in margins else _p_by(each, day) for name, each in members.items()}
        )
        for day in days
    }

    def judged(metric: MetricReadout, each: ComparisonReadout) -> ComparisonReadout:
        if metric.guardrail is not None:
            found = judge_guardrail(each, metric.guardrail)
            return replace(each, verdict=found.verdict.value, worst_case=found.worst_case)
        name = metric.metric, each.variant
        stood: list[tuple[int, Ruling, Verdict]] = []
        moments = days if name in members else [_day(ruling) for ruling in each.rulings]
        for day in moments:
            ruling = _newest(each, day)
            if ruling is not None:
                p = history[day][name] if name in members else ruling.answer.p
                verdict = verdict_of(judge, metric.want, ruling, p)
                if metric.margin is not None:
                    verdict = margin_verdict(
                        ruling.shared(judge.plan.method), metric.margin, ruling.sample.question.want
                    )
                stood.append((day, ruling, verdict))
        if metric.margin is not None:
            each = replace(each, reasons=(*each.reasons, NO_TEST.reason.value))
        if name in members:
            each = replace(each, p_adjusted=history[days[-1]][name] if days else NoEstimate(Caveat.BEFORE_FIRST_LOOK))
        return _decided(each, stood)

    return tuple(
        replace(metric, comparisons=tuple(judged(metric, each) for each in metric.comparisons)) for metric in metrics
    )


def _corrected(judge: Judge, p_values: Mapping[tuple[str, str], Number]) -> dict[tuple[str, str], Number]:
    found = [NoEstimate(Caveat.BEFORE_FIRST_LOOK) if p is None else p for p in p_values.values()]
    corrected = bonferroni(found) if judge.plan.method == "planned" else adjusted(found, judge.plan.correction)
    return dict(zip(p_values, corrected, strict=True))


def _day(ruling: Ruling) -> int:
    return ruling.sample.day or 0


def _newest(judged: ComparisonReadout, day: int) -> Ruling | None:
    """What was said last until a day."""
    place = bisect_right(judged.rulings, day, key=_day)
    return judged.rulings[place - 1] if place else None


def _p_by(judged: ComparisonReadout, day: int) -> Number:
    ruling = _newest(judged, day)
    return None if ruling is None else ruling.answer.p


def verdict_of(judge: Judge, want: str, ruling: Ruling, p: Number) -> Verdict:
    """wins or loses where the gate is open, p within the family is at most alpha (the Bayesian method: where chance and
    expected loss say so) and the interval beside it lies on that side of 0. `p` is the corrected one."""
    answer = ruling.answer
    interval = answer.difference_ci if isinstance(answer.ci, NoEstimate) else answer.ci
    if not isinstance(interval, Interval) or interval.low <= 0.0 <= interval.high:
        return "unclear"
    good = (interval.low > 0.0) == (want == "up")
    if ruling.chances is not None:
        return _bayesian_verdict(ruling.chances, good)
    if p is None or isinstance(p, NoEstimate) or p > judge.plan.alpha:
        return "unclear"
    return "wins" if good else "loses"


def _bayesian_verdict(found: Posterior | NoEstimate, good: bool) -> Verdict:
    if isinstance(found, NoEstimate):
        return "unclear"
    if good and found.chance_to_win >= CHANCE_TO_SHIP and found.expected_loss <= LOSS_TO_SHIP:
        return "wins"
    if not good and found.chance_to_win <= 1.0 - CHANCE_TO_SHIP and found.expected_loss_control <= LOSS_TO_SHIP:
        return "loses"
    return "unclear"


def _decided(judged: ComparisonReadout, stood: Sequence[tuple[int, Ruling, Verdict]]) -> ComparisonReadout:
    """With the newest of its verdicts, ascending by day, and the first day on which that stood; if none stands today,
    the first on which one did."""
    today: Verdict = stood[-1][2] if stood else "unclear"
    judged = replace(judged, verdict=today)
    wanted = ("wins", "loses") if today == "unclear" else (today,)
    first = next(((day, ruling) for day, ruling, verdict in stood if verdict in wanted), None)
    if first is None or first[1].sample.day is None:
        return judged
    day, ruling = first
    pair = ruling.sample.judged
    relative = pair if isinstance(pair, NoEstimate) else lift(pair, ruling.sample.question.scale)
    reasons = judged.reasons if today != "unclear" else (*judged.reasons, NO_LONGER_SUPPORTED)
    decided = Decided(ruling.answer.p, relative, ruling.answer.ci, ruling.sample.arms)
    return replace(judged, decided_on=calendar_date(day), decided=decided, reasons=reasons)


def judge_guardrail(judged: ComparisonReadout, limit: Guardrail) -> GuardrailAnswer:
    """The verdict of a guardrail by the plan's method; until that may decide, by the anytime one: harm cannot wait."""
    method, shown = judged.method if judged.rulings else "anytime", judged.shown
    return guardrail(shown.pair, shown.question, Margin(limit.max_harm, limit.relative), method, shown.adjusted)


def explored(metrics: Sequence[MetricReadout]) -> tuple[MetricReadout, ...]:
    """With the p-values of all levels × metrics × variants corrected together; they flag, and never decide."""
    known = [each.p for metric in metrics for level in metric.dimensions for each in level.comparisons]
    found = iter(benjamini_hochberg([p for p in known if not isinstance(p, NoEstimate)]))

    def flagged(each: ComparisonReadout) -> ComparisonReadout:
        p_bh = each.p if isinstance(each.p, NoEstimate) else next(found)
        return replace(each, p_bh=p_bh, flagged=not isinstance(p_bh, NoEstimate) and p_bh <= FALSE_DISCOVERY_RATE)

    return tuple(
        replace(
            metric,
            dimensions=tuple(
                replace(level, comparisons=tuple(flagged(each) for each in level.comparisons))
                for level in metric.dimensions
            ),
        )
        for metric in metrics
    )


def _arms(judge: Judge, observed: MetricObservation) -> tuple[ArmReadout, ...]:
    """Every variant's own numbers, as they are now."""
    rows: list[ArmReadout] = []
    rule = observed.rule
    for index, (variant, arm) in enumerate(zip(judge.arms, arms_of(observed), strict=True)):
        moments = observed.arms[index]
        numerator, denominator = totals_of(rule, moments)
        row = ArmReadout(
            variant=variant,
            units=moments.count,
            units_immature=observed.immature[index],
            value=arm if isinstance(arm, NoEstimate) else arm.value,
            variance=arm if isinstance(arm, NoEstimate) else arm.variance,
            numerator=numerator,
            denominator=denominator,
            response_rate=_rate(observed.responders[index], moments.count) if observed.responders else None,
            final_beat_share=_rate(*observed.final_beats[index]) if observed.final_beats else None,
            steps=tuple(step[index] for step in observed.steps) or None,
        )
        if rule.metric.type == "quantile":
            sample = observed.samples[index]
            found = quantile_estimate(sample.histogram, rule.metric.q or 0.5, sample.clusters)
            row = replace(row, value_ci=found if isinstance(found, NoEstimate) else found.ci)
        rows.append(row)
    return tuple(rows)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _series(
    judge: Judge, observed: MetricObservation, comparisons: Sequence[ComparisonReadout]
) -> tuple[LookReadout, ...]:
    """Every day of a metric: cumulative (adjusted as the readout is), alone, and the units that were exposed on it."""
    looks, days, rule = observed.looks, judge.days, observed.rule
    if looks is None or days is None:
        return ()
    rows: list[LookReadout] = []
    plain = replace(rule, cuped=False)
    for treatment, judged in enumerate(comparisons, 1):
        lowest: float | None = None
        for so_far, arms, alone in zip(judged.daily, looks.cumulative, looks.daily, strict=True):
            day, p = so_far.sample.day or 0, so_far.answer.p
            if days.closed(day) and not isinstance(p, NoEstimate):
                lowest = p if lowest is None else min(lowest, p)
            shown = LookReadout(
                day=calendar_date(day),
                kind="cumulative",
                variant=judge.arms[treatment],
                units=arms[treatment].count,
                p_min=lowest,
                closed=days.closed(day),
            )
            of_day = sample_of(judge, plain, alone, treatment, day).says("anytime")
            rows += [_filled(shown, so_far), _filled(replace(shown, kind="daily", p_min=None), of_day)]
        for day, cohort in observed.cohorts.items():
            mature = days.closed(days.matures(day, rule.window.end_us))
            shown = LookReadout(calendar_date(day), "cohort", judge.arms[treatment], cohort[treatment].count)
            if mature:
                found = sample_of(judge, plain, cohort, treatment, day).says("anytime")
                shown = _filled(replace(shown, closed=True), found)
            rows.append(shown)
    return tuple(rows)


def _filled(row: LookReadout, found: Ruling) -> LookReadout:
    pair, said = found.sample.judged, found.answer
    sides = (side.value if side.adjusted is None else side.adjusted for side in found.sample.arms)
    control, value = (None if isinstance(side, NoEstimate) else side for side in sides)
    row = replace(row, value=value, control_value=control, ci=said.ci, difference_ci=said.difference_ci, p=said.p)
    if isinstance(pair, NoEstimate):
        return row
    relative = lift(pair, found.sample.question.scale)
    return replace(row, lift=relative, difference=pair.treatment.value - pair.control.value)
