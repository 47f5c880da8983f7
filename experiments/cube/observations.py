"""Reads moments and quantile values off the cube: per metric and arm, whole, by level of a dimension, and by day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from events.engines.sql import Expression, Statement, with_tables
from experiments.cube.cube import Cube, levels_table, reached_table
from experiments.cube.measures import SURVEYS, Field, MetricRule
from experiments.cube.samples import NO_SAMPLE, Place, QuantileSample, prepare_samples, samples_by_level
from experiments.cube.scope import FOREVER_US
from experiments.cube.sources import Caps, StudyCaps
from experiments.cube.statements import statement
from experiments.cube.sums import COLUMNS, PRODUCTS, TOTALS, Looks, Shifts, joint_moments, looks_of
from experiments.definitions.shop import Bound, Cap
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import Histogram, cap_value

WHOLE: Final = "levels_whole"
OVERLAP: Final = "overlap"  # units that are in another experiment as well, by its arm


@dataclass(frozen=True, slots=True)
class MetricObservation:
    """What the log says about one metric, per arm in the order of the variants.

    `arms` are joint moments over units of y (value), d (denominator), x and e (the same before exposure) and h (has a
    history). `levels` holds the same by dimension and level, `cohorts` by the shop day of the exposure (ascending, with
    the windows that are still open), `samples` the values of a quantile (also by level, and `until` a day: of the units
    exposed by its close), `overlaps` moments by the arm of another experiment that the units are in.
    """

    rule: MetricRule
    cap: Caps
    arms: tuple[JointMoments, ...]
    immature: tuple[int, ...]
    levels: Mapping[str, Mapping[str, tuple[JointMoments, ...]]] = field(default_factory=dict[str, Any])
    samples: tuple[QuantileSample, ...] = ()
    level_samples: Mapping[str, Mapping[str, tuple[QuantileSample, ...]]] = field(default_factory=dict[str, Any])
    looks: Looks | None = None
    cohorts: Mapping[int, tuple[JointMoments, ...]] = field(default_factory=dict[int, Any])
    until: Mapping[int, tuple[QuantileSample, ...]] = field(default_factory=dict[int, Any])
    responders: tuple[int, ...] | None = None
    final_beats: tuple[tuple[int, int], ...] | None = None  # (arrived, page views)
    steps: tuple[tuple[int, ...], ...] = ()  # units that reached each step of a funnel
    overlaps: Mapping[str, tuple[JointMoments, ...]] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class UnitDays:
    """One metric by unit and day, for A/A tests. Units are numbered from 0; `steps` are what a row adds to the sums of
    y, d, y², y·d and d², where y and d are the unit's values so far."""

    units: int
    calendar: tuple[int, ...]
    entered: npt.NDArray[np.int64]  # per unit, index into the calendar
    unit: npt.NDArray[np.int64]  # per row, ascending by day
    day: npt.NDArray[np.int64]
    steps: npt.NDArray[np.float64]

    def of(self, day: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """(units that enter, units that bring something, what they bring) on a day of the calendar."""
        start, end = np.searchsorted(self.day, [day, day + 1])
        return np.flatnonzero(self.entered == day), self.unit[start:end], self.steps[start:end]


@dataclass(frozen=True, slots=True)
class _Until:
    """Units exposed by the close of a shop day, the last of them at a moment; with what they had brought by then, or
    with all of their windows."""

    day: int
    last_exposed_us: int
    whole_windows: bool


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads a built cube as of a moment (µs UTC)."""

    cube: Cube
    as_of_us: int

    def observe(
        self,
        rule: MetricRule,
        dimensions: Sequence[str] = (),
        sample_days: Sequence[int] = (),
        *,
        whole_windows: bool = False,
        by_day: bool = True,
    ) -> MetricObservation:
        """`observe_each` of the only study of a cube."""
        days = {0: sample_days}
        return self.observe_each(rule, dimensions, days, whole_windows=whole_windows, by_day=by_day)[0]

    def observe_each(
        self,
        rule: MetricRule,
        dimensions: Sequence[str],
        sample_days: Mapping[int, Sequence[int]],
        *,
        whole_windows: bool = False,
        by_day: bool = True,
        overlaps: bool = False,
    ) -> dict[int, MetricObservation]:
        """All that a readout shows of one metric, of each study that `sample_days` has. A quantile, which has no days,
        is sampled by the days given there, with `whole_windows` also by what came after them."""
        engine, quantile = self.cube.engine, rule.metric.type == "quantile"
        wanted = sorted({day for days in sample_days.values() for day in days}) if quantile else []
        until = {day: self._samples_until(rule, day, whole_windows) for day in wanted}
        by_day = by_day and not quantile
        caps = self.tabulate(rule)
        counts = self._counts(rule, None)
        shifts = self._shifts(sum(n for n, _ in counts.values()))
        if rule.over_events:
            prepare_samples(self.cube, rule)
        tables = {name: levels_table(self.cube.plan, name) for name in dimensions}
        open_windows = statement("immature").bind(mature=self.as_of_us - rule.window.end_us)
        whole = MetricObservation(
            rule=rule,
            cap=Caps(),
            arms=self._moments(None, [""], counts, shifts)[""],
            immature=self._per_arm(self.cube.once(open_windows)),
            levels={name: self.levels_of(rule, table) for name, table in tables.items()},
            samples=self._whole(rule) if quantile else (),
            level_samples={name: self._samples(rule, table) for name, table in tables.items() if quantile},
            cohorts=self._cohorts(rule) if by_day else {},
            until=until,
            responders=self._per_arm(engine.columns(statement("responders"))) if rule.metric.type in SURVEYS else None,
            final_beats=self._final_beats(rule),
            steps=self._steps(rule),
            overlaps=self.levels_of(rule, OVERLAP) if overlaps and by_day and OVERLAP in self.cube.tables else {},
        )
        days = self._days(rule, caps, shifts) if by_day else None
        found: dict[int, MetricObservation] = {}
        for study, own_days in sample_days.items():
            arms = self.cube.scope.arms_of(study)
            own = _of_arms(whole, slice(arms.start, arms.stop))
            found[study] = replace(
                own,
                cap=Caps() if rule.is_share else caps.studies[study],
                until={day: samples for day, samples in own.until.items() if day in own_days},
                looks=None if days is None else looks_of(*days, shifts, arms),
            )
        return found

    def tabulate(self, rule: MetricRule, until: "_Until | None" = None) -> StudyCaps:
        """Materialise `totals` and `unit_values` of a metric, now or as of an earlier day; answers the applied caps."""
        plan, put = self.cube.plan, self.cube.put
        bound = self._sources(statement("totals"), rule)
        day = None if until is None or until.whole_windows else until.day
        so_far = Expression.of("TRUE") if day is None else Expression.of("c.day <= $day", day=day)
        put("totals", bound.bind(before=plan.segment(0), so_far=so_far))
        ends = zip(self._ends(rule.cap, "t.gross"), self._ends(rule.base_cap, "t.base"), strict=True)
        caps = StudyCaps(tuple(Caps(*above, *below) for above, below in ends), self.cube.scope)
        mature = self.mature(rule) if until is None else until.last_exposed_us
        cut = {
            "gross": caps.of_value("t.gross", "u.arm"),
            "earlier_gross": caps.of_value("t.earlier_gross", "u.arm"),
            "base": caps.of_base("t.base", "u.arm"),
            "earlier_base": caps.of_base("t.earlier_base", "u.arm"),
        }
        values = statement("unit_values").bind(**cut, entered=self._entered(rule), mature=mature)
        put("unit_values", self._believed(values, rule))
        return caps

    def _samples_until(self, rule: MetricRule, day: int, whole_windows: bool) -> tuple[QuantileSample, ...]:
        """The values of a quantile of the units exposed by the close of a shop day."""
        last = self.cube.engine.rows(statement("last_exposed").bind(day=day))[0][0]
        if last is None:
            return (NO_SAMPLE,) * self.cube.scope.arms
        until = _Until(day, int(last), whole_windows)
        self.tabulate(rule, until)
        if rule.over_events:
            prepare_samples(self.cube, rule, None if whole_windows else day)
        return self._whole(rule, until.last_exposed_us)

    def _believed(self, statement: Statement, rule: MetricRule) -> Statement:
        """Of the tables that know nothing of what the metric does not believe."""
        return statement.tables(**self.cube.among(self.cube.plan.sources[rule.source].authority))

    def _sources(self, unbound: Statement, rule: MetricRule) -> Statement:
        plan = self.cube.plan
        return unbound.bind(
            source=rule.source,
            taken=rule.taken,
            base=rule.base,
            amount=_field(rule.field),
            base_amount=_field(rule.base_field),
            first=plan.segment(rule.window.start_us),
            last=plan.segment(rule.window.end_us),
        )

    def mature(self, rule: MetricRule) -> int:
        """Units exposed after this moment do not count yet."""
        return self.as_of_us - rule.window.end_us if rule.closed_window else FOREVER_US

    def _entered(self, rule: MetricRule) -> Expression:
        if not rule.closed_window:
            return Expression.of("u.exposed_on")
        return self.cube.scope.days.sql(f"(u.exposed_at + {rule.window.end_us})")

    def _ends(self, cap: Cap, column: str) -> list[tuple[float | None, float | None]]:
        """By study, the upper and the lower end at which a column of `totals` is cut; None where it is not."""
        bounds, scope = (cap, cap.low or Bound()), self.cube.scope
        if all(bound.percentile is None for bound in bounds):
            return [(cap.fixed, bounds[1].fixed) for _ in scope.enrolments]
        found = self.cube.engine.columns(statement("cap_histogram").bind(value=Expression.of(column)))
        ends: list[tuple[float | None, float | None]] = []
        for study in range(len(scope.enrolments)):
            own = np.isin(found["arm"], scope.arms_of(study))
            values, place = np.unique(found["value"][own], return_inverse=True)
            counts = np.bincount(place, weights=found["n"][own].astype(np.float64), minlength=len(values))
            histogram = Histogram.from_columns(values, counts.astype(np.int64))
            high, low = (each.fixed if each.percentile is None else _at(histogram, each.percentile) for each in bounds)
            ends.append((high, low))
        return ends

    def _counts(
        self, rule: MetricRule, table: str | None, mature: int | None = None
    ) -> dict[tuple[int, str], tuple[int, int]]:
        """(arm, level) → units, and those with a history."""
        found = statement("whole_counts") if table is None else statement("level_counts").tables(levels=table)
        found = self._believed(found, rule).bind(mature=self.mature(rule) if mature is None else mature)
        rows = self.cube.once(found)
        places = zip(rows["arm"], rows["level"], rows["n"], rows["h"], strict=True)
        return {(int(arm), str(level)): (int(n), int(h)) for arm, level, n, h in places}

    def _shifts(self, units: int) -> Shifts:
        sums = self.cube.engine.rows(statement("shifts"))[0]
        y, d, x, e = (float(value) / max(1, units) for value in sums)
        return Shifts(y, d, x, e)

    def _moments(
        self, table: str | None, levels: Iterable[str], counts: Mapping[Place, tuple[int, int]], shifts: Shifts
    ) -> dict[str, tuple[JointMoments, ...]]:
        """By the levels of a table, or of the whole (level "")."""
        levelled = statement("levelled_whole") if table is None else statement("levelled").tables(levels=table)
        sums = with_tables(statement("moments").bind(**shifts.values()), {"levelled": levelled})
        found, arms = self.cube.engine.columns(sums), range(self.cube.scope.arms)
        names = ("n", *TOTALS, *COLUMNS, *PRODUCTS)
        rows = {
            (int(arm), str(level)): {name: float(found[name][row]) for name in names}
            for row, (arm, level) in enumerate(zip(found["arm"], found["level"], strict=True))
        }
        return {
            level: tuple(
                joint_moments(rows.get((arm, level)), counts.get((arm, level), (0, 0)), shifts) for arm in arms
            )
            for level in levels
        }

    def unit_days(self, rule: MetricRule) -> UnitDays:
        """The metric by unit and day."""
        cut = _cut_days(rule, self.tabulate(rule))
        self._put_days(rule)
        engine = self.cube.engine
        entries = statement("unit_entries").bind(entered=self._entered(rule), mature=self.mature(rule))
        entered, rows = engine.columns(entries), engine.columns(statement("unit_days").bind(**cut))
        units: npt.NDArray[np.int64] = np.unique(entered["unit"].astype(np.int64))
        calendar = np.unique(np.concatenate([entered["entered"], rows["day"]]).astype(np.int64))
        first = np.zeros(len(units), dtype=np.int64)
        first[np.searchsorted(units, entered["unit"].astype(np.int64))] = np.searchsorted(calendar, entered["entered"])
        day = np.searchsorted(calendar, rows["day"].astype(np.int64))
        order = np.argsort(day, kind="stable")
        y, y0, d, d0 = (rows[name].astype(np.float64)[order] for name in ("y", "y0", "d", "d0"))
        steps = np.column_stack([y - y0, d - d0, y * y - y0 * y0, y * d - y0 * d0, d * d - d0 * d0])
        unit = np.searchsorted(units, rows["unit"].astype(np.int64)[order])
        return UnitDays(len(units), tuple(calendar.tolist()), first, unit, day[order], steps)

    def levels_of(self, rule: MetricRule, table: str) -> dict[str, tuple[JointMoments, ...]]:
        """Moments of the metric tabulated last, by the levels of a table (unit, level)."""
        counts = self._counts(rule, table)
        shifts = self._shifts(sum(n for n, _ in counts.values()))
        levels = sorted({level for _, level in counts})
        return self._moments(table, levels, counts, shifts)

    def _cohorts(self, rule: MetricRule) -> dict[int, tuple[JointMoments, ...]]:
        """Moments of the metric tabulated last, by the shop day of the exposure."""
        if "levels_exposed_days" not in self.cube.tables:
            self.cube.put("levels_exposed_days", statement("exposed_days"))
        found = self.levels_of(rule, "levels_exposed_days")
        return {day: found[str(day)] for day in sorted(map(int, found))}

    def _days(self, rule: MetricRule, caps: StudyCaps, shifts: Shifts) -> tuple[Columns, Columns, Columns]:
        """What entered and what was added on each day, for `looks_of`."""
        self._put_days(rule)
        own = {"own_gross": caps.of_value("w.gross", "v.arm"), "own_base": caps.of_base("w.base", "v.arm")}
        engine, entered = self.cube.engine, self._entered(rule)
        return (
            self.cube.once(
                self._believed(statement("unit_counts"), rule).bind(entered=entered, mature=self.mature(rule))
            ),
            engine.columns(statement("entries").bind(x=shifts.x, e=shifts.e)),
            engine.columns(statement("looks").bind(**_cut_days(rule, caps), **own, **shifts.values())),
        )

    def _put_days(self, rule: MetricRule) -> None:
        days = statement("entry_days") if rule.closed_window else self._sources(statement("metric_days"), rule)
        self.cube.put("metric_days", days)

    def _final_beats(self, rule: MetricRule) -> tuple[tuple[int, int], ...] | None:
        if self.cube.plan.sources[rule.source].kind != "engagement":
            return None
        bound = statement("final_beats").bind(
            source=rule.source,
            first=self.cube.plan.segment(rule.window.start_us),
            last=self.cube.plan.segment(rule.window.end_us),
        )
        found = {int(arm): (int(finals), int(views)) for arm, finals, views in self.cube.engine.rows(bound)}
        return tuple(found.get(arm, (0, 0)) for arm in range(self.cube.scope.arms))

    def _steps(self, rule: MetricRule) -> tuple[tuple[int, ...], ...]:
        key = self.cube.plan.sources[rule.source]
        reached = [
            statement("step_counts").tables(reached=reached_table(rule.source, step)).bind(mature=self.mature(rule))
            for step in range(len(key.steps))
        ]
        return tuple(self._per_arm(self.cube.engine.columns(step)) for step in reached)

    def _whole(self, rule: MetricRule, mature: int | None = None) -> tuple[QuantileSample, ...]:
        if WHOLE not in self.cube.tables:
            self.cube.put(WHOLE, statement("no_levels"))
        return self._samples(rule, WHOLE, mature).get("", (NO_SAMPLE,) * self.cube.scope.arms)

    def _samples(
        self, rule: MetricRule, table: str, mature: int | None = None
    ) -> dict[str, tuple[QuantileSample, ...]]:
        counts = self._counts(rule, table, mature)
        found = samples_by_level(self.cube, rule, table, counts)
        arms, levels = range(self.cube.scope.arms), {level for _, level in counts}
        return {level: tuple(found.get((arm, level), NO_SAMPLE) for arm in arms) for level in levels}

    def _per_arm(self, found: Columns) -> tuple[int, ...]:
        counts = {int(arm): int(n) for arm, n in zip(found["arm"], found["n"], strict=True)}
        return tuple(counts.get(arm, 0) for arm in range(self.cube.scope.arms))


def _at(histogram: Histogram, percentile: float) -> float | None:
    value = cap_value(histogram, percentile)
    return None if isinstance(value, NoEstimate) else value


def _of_arms(whole: MetricObservation, own: slice) -> MetricObservation:
    """What an observation of several studies says of the arms of one: with the levels and days that its units have."""

    def levels(found: Mapping[str, tuple[JointMoments, ...]]) -> dict[str, tuple[JointMoments, ...]]:
        return {level: arms[own] for level, arms in found.items() if any(arm.count for arm in arms[own])}

    return replace(
        whole,
        arms=whole.arms[own],
        immature=whole.immature[own],
        levels={name: levels(found) for name, found in whole.levels.items()},
        samples=whole.samples[own],
        level_samples={
            name: {level: arms[own] for level, arms in found.items() if any(arm.units for arm in arms[own])}
            for name, found in whole.level_samples.items()
        },
        cohorts={day: arms[own] for day, arms in whole.cohorts.items() if any(arm.count for arm in arms[own])},
        until={day: arms[own] for day, arms in whole.until.items()},
        responders=whole.responders and whole.responders[own],
        final_beats=whole.final_beats and whole.final_beats[own],
        steps=tuple(arms[own] for arms in whole.steps),
        overlaps=levels(whole.overlaps),
    )


def _cut_days(rule: MetricRule, caps: StudyCaps) -> dict[str, Expression]:
    """What a unit brought until the close of a day and of the day before, after the caps.

    What a metric with a closed window brings on its one day is cut already.
    """
    caps = caps.none() if rule.closed_window else caps
    return {
        "gross": caps.of_value("w.all_gross", "v.arm"),
        "gross_before": caps.of_value("w.all_gross - w.gross", "v.arm"),
        "base": caps.of_base("w.all_base", "v.arm"),
        "base_before": caps.of_base("w.all_base - w.base", "v.arm"),
    }


def _field(name: Field) -> Expression:
    return Expression.of("c.amount" if name == "amount" else f"CAST(c.{name} AS DOUBLE)")
