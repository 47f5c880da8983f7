"""The series over shop days: what a reader would have seen on each of them, always with its anytime interval."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from experiments.judge import Judge
from experiments.judgement import DayAnswer, anytime_answers
from experiments.observations import MetricObservation
from experiments.readout_types import LookReadout, MetricReadout, Number, Readout, ends, number, plain
from experiments.shop_days import calendar_date
from experiments.statistics.arms import Pair
from experiments.statistics.lift import lift


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
