"""Whether a readout can be trusted at all: allocation, several variants at once, what was left out."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from events.dropped import Loss
from experiments.cube import Cube, levels_table
from experiments.judge import Calendar
from experiments.observations import MetricObservation
from experiments.readout_types import Check, Excluded, Health, MultiExposure, Srm, SrmLevel, number
from experiments.shop_days import calendar_date
from experiments.statements import statement
from experiments.statistics.balance import balance, chi_square
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.multiplicity import adjusted
from experiments.study import Study

MULTI_EXPOSURE_WARNING = 0.01
ESTIMATE = "{type: mean, event: page, value: engaged_seconds, window: 1 day}"


def health_of(
    cube: Cube, study: Study, calendar: Calendar, dimensions: Sequence[str], checks: Sequence[Check] = ()
) -> Health:
    """The health of a study whose cube is built."""
    rate = _multi_exposure_rate(cube)
    found = [*_pauses(study), *checks]
    if rate > MULTI_EXPOSURE_WARNING:
        found.insert(
            0, Check("multi_exposure", f"{rate:.1%} of the units saw several variants; above 1 % look for the cause")
        )
    exposures, events = cube.excluded()
    return Health(
        srm=_srm(cube, study, calendar, dimensions),
        multi_exposure=MultiExposure(rate),
        excluded=Excluded(
            quarantined=int(exposures[0]) + int(events[0]),
            bots=int(exposures[1]),
            forced=int(exposures[2]),
            forged=int(exposures[3]),
            currency=int(events[1]),
        ),
        checks=tuple(found),
    )


def srm_of(
    closed_days: Sequence[Sequence[int]],
    weights: Sequence[float],
    drill_down: Sequence[SrmLevel] = (),
    now: Sequence[int] | None = None,
) -> Srm:
    """From cumulative counts per arm at each closed day, and now (None: the last of the days)."""
    found = balance(closed_days, weights, now)
    return Srm(
        p=number(found.p),
        sequential_p=number(found.sequential_p),
        alarm=found.alarm,
        expected=found.expected,
        observed=found.observed,
        drill_down=tuple(drill_down),
    )


def engaged_time_checks(observed: Mapping[str, MetricObservation]) -> list[Check]:
    """Engaged time that is an estimate, and engaged time of a site that sends none."""
    found: list[Check] = []
    for name, metric in observed.items():
        if metric.rule.estimated:
            told = "the time to the next page view within 30 minutes; the last page view of a visit has none"
            found.append(Check("engaged_time_estimated", f"{name}: estimated from page views: {told}"))
        elif (
            metric.final_beats
            and not any(views for _, views in metric.final_beats)
            and any(arm.count for arm in metric.arms)
        ):
            told = f"a site without the snippet can estimate it from page views: engaged_time_estimate, or {ESTIMATE}"
            found.append(Check("no_engaged_time", f"{name}: no page view sent engaged time; {told}"))
    return found


def lost_events(lost: Iterable[Loss]) -> list[Check]:
    """Damaged parts of the log that a person decided to go on without."""
    told = "was damaged and set aside on"
    return [
        Check("events_lost", f"part {loss.name} {told} {loss.set_aside_at[:10]}: its events are in no number")
        for loss in lost
    ]


def _srm(cube: Cube, study: Study, calendar: Calendar, dimensions: Sequence[str]) -> Srm:
    rows = cube.engine.rows(statement("days_of_units"))
    arms = len(study.arms)
    days = sorted({int(day) for _, day, _ in rows})
    counts = np.zeros((len(days), arms), dtype=np.int64)
    for arm, day, n in rows:
        counts[days.index(int(day)), int(arm)] = int(n)
    cumulative = counts.cumsum(axis=0) if days else np.zeros((1, arms), dtype=np.int64)
    closed = [row for row, day in enumerate(days) if calendar.closed(day)]
    looks = [tuple(int(n) for n in cumulative[row]) for row in closed]
    now = tuple(int(n) for n in cumulative[-1])
    levels = [
        ("day", calendar_date(day).isoformat(), tuple(int(n) for n in counts[row])) for row, day in enumerate(days)
    ]
    for dimension in dimensions:
        levels += [(dimension, level, observed) for level, observed in _level_counts(cube, dimension, arms)]
    return srm_of(looks, study.weights, _drill_down(levels, study.weights), now)


def _level_counts(cube: Cube, dimension: str, arms: int) -> list[tuple[str, tuple[int, ...]]]:
    rows = cube.engine.rows(statement("units_by_level").tables(levels=levels_table(cube.plan, dimension)))
    levels: dict[str, list[int]] = {}
    for arm, level, n in rows:
        levels.setdefault(str(level), [0] * arms)[int(arm)] = int(n)
    return [(level, tuple(counts)) for level, counts in sorted(levels.items())]


def _drill_down(levels: Sequence[tuple[str, str, tuple[int, ...]]], weights: Sequence[float]) -> list[SrmLevel]:
    tests = [chi_square(observed, weights) for _, _, observed in levels]
    p_values = [test if isinstance(test, NoEstimate) else test.p for test in tests]
    corrected = adjusted(p_values, "holm") if p_values else ()
    return [
        SrmLevel(dimension, level, observed, number(p), number(q))
        for (dimension, level, observed), p, q in zip(levels, p_values, corrected, strict=True)
    ]


def _multi_exposure_rate(cube: Cube) -> float:
    several = int(cube.engine.rows(statement("several_variants"))[0][0])
    units = int(cube.engine.rows(statement("count_units"))[0][0])
    return several / units if units else 0.0


def _pauses(study: Study) -> list[Check]:
    spans = [(pause.since, pause.until) for pause in study.pauses]
    return [
        Check(
            "paused", f"paused from {since:%Y-%m-%d %H:%M} UTC" + (f" to {until:%Y-%m-%d %H:%M} UTC" if until else "")
        )
        for since, until in spans
    ]
