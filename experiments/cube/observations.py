"""Reads moments and quantile values off the cube: per metric and arm, whole, by level of a dimension, and by day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from events.engines.sql import Expression, Statement, inline_table
from experiments.cube.cube import FOREVER_US, Cube, levels_table, reached_table
from experiments.cube.measures import SURVEYS, Field, MetricRule
from experiments.cube.sources import Caps, event_amount
from experiments.cube.statements import statement
from experiments.cube.sums import COLUMNS, PRODUCTS, TOTALS, Looks, Shifts, joint_moments, looks_of
from experiments.definitions.model import Bound, Cap
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import Histogram, cap_value

Place = tuple[int, str]  # arm and level


@dataclass(frozen=True, slots=True)
class QuantileSample:
    """One arm's values, and how many units it has; where events are sampled, `clusters` has per unit num: at or below
    the quantile, den: all."""

    histogram: Histogram
    clusters: JointMoments | None
    units: int


def prepare_samples(cube: Cube, rule: MetricRule, through_day: int | None = None) -> None:
    """Materialise the events that a quantile over events samples: all, or those until a shop day."""
    day = cube.scope.days.sql("e.time")
    so_far = "TRUE" if through_day is None else "$day <= $through"
    values = {} if through_day is None else {"day": day, "through": through_day}
    key = cube.plan.sources[rule.source]
    bound = cube.attributed(
        "samples",
        amount=event_amount(key, cube.plan.properties, cube.rate()),
        named=cube.events_of(key),
        until=rule.window.end_us,
        so_far=Expression.of(so_far, **values),
    )
    cube.put("samples", bound.tables(events="purchases" if key.kind == "orders" else "events"))


def samples_by_level(
    cube: Cube, rule: MetricRule, levels: str, units: Mapping[Place, tuple[int, int]]
) -> dict[Place, QuantileSample]:
    """The sample of each arm on each level; `levels` is the table of levels, `units` how many units stand there."""
    found = cube.engine.columns(
        statement("sample_histogram" if rule.over_events else "histogram").tables(levels=levels)
    )
    names, number = np.unique(found["level"].astype(np.str_), return_inverse=True)
    numbers = {str(name): index for index, name in enumerate(names)}
    histograms: dict[Place, Histogram] = {}
    for (arm, level), (total, _) in units.items():
        here = (found["arm"] == arm) & (number == numbers.get(level, -1))
        values, counts = found["value"][here], found["n"][here].astype(np.int64)
        silent = 0 if rule.over_events else total - int(counts.sum())  # units without any value are zero
        histograms[arm, level] = Histogram.from_columns(np.append(values, 0.0), np.append(counts, silent))
    clusters = _clusters(cube, rule, levels, histograms, units) if rule.over_events else {}
    return {
        place: QuantileSample(histogram, clusters.get(place), units[place][0])
        for place, histogram in histograms.items()
    }


def _clusters(
    cube: Cube,
    rule: MetricRule,
    levels: str,
    histograms: Mapping[Place, Histogram],
    units: Mapping[Place, tuple[int, int]],
) -> dict[Place, JointMoments]:
    quantiles = {place: histogram.quantile(rule.metric.q or 0.5) for place, histogram in histograms.items()}
    known = {place: value for place, value in quantiles.items() if not isinstance(value, NoEstimate)}
    if not known:
        return {}
    columns = {"arm": [arm for arm, _ in known], "level": [level for _, level in known], "value": [*known.values()]}
    cube.put("thresholds", inline_table(columns))
    return {
        (int(arm), str(level)): JointMoments.from_sums(
            units[int(arm), str(level)][0],
            {"num": float(below), "den": float(events)},
            {("num", "num"): float(b_b), ("num", "den"): float(b_e), ("den", "den"): float(e_e)},
        )
        for arm, level, _, below, events, b_b, b_e, e_e in cube.engine.rows(
            statement("sample_clusters").tables(levels=levels)
        )
    }


WHOLE: Final = "levels_whole"
_NOTHING: Final = QuantileSample(Histogram.from_columns([], []), None, 0)


@dataclass(frozen=True, slots=True)
class MetricObservation:
    """What the log says about one metric, per arm in the order of the variants.

    `arms` are joint moments over units of y (value), d (denominator), x and e (the same before exposure) and h (has a
    history). `levels` holds the same by dimension and level, `cohorts` by the shop day of the exposure (ascending, with
    the windows that are still open), `samples` the values of a quantile (also by level, and `until` a day: of the units
    exposed by its close).
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
        """All that a readout shows of one metric. A quantile, which has no days, is sampled `sample_days` by day, with
        `whole_windows` also by what came after it."""
        engine, quantile = self.cube.engine, rule.metric.type == "quantile"
        until = {day: self._samples_until(rule, day, whole_windows) for day in sample_days if quantile}
        by_day = by_day and not quantile
        caps = self.tabulate(rule)
        counts = self._counts(rule, None)
        shifts = self._shifts(sum(n for n, _ in counts.values()))
        if rule.over_events:
            prepare_samples(self.cube, rule)
        tables = {name: levels_table(self.cube.plan, name) for name in dimensions}
        open_windows = statement("immature").bind(mature=self.as_of_us - rule.window.end_us)
        return MetricObservation(
            rule=rule,
            cap=Caps() if rule.is_share else caps,
            arms=self._moments(statement("moments"), [""], counts, shifts)[""],
            immature=self._per_arm(self.cube.once(open_windows)),
            levels={name: self.levels_of(rule, table) for name, table in tables.items()},
            samples=self._whole(rule) if quantile else (),
            level_samples={name: self._samples(rule, table) for name, table in tables.items() if quantile},
            cohorts=self._cohorts(rule) if by_day else {},
            until=until,
            looks=self._looks(rule, caps, shifts) if by_day else None,
            responders=self._per_arm(engine.columns(statement("responders"))) if rule.metric.type in SURVEYS else None,
            final_beats=self._final_beats(rule),
            steps=self._steps(rule),
        )

    def tabulate(self, rule: MetricRule, until: "_Until | None" = None) -> Caps:
        """Materialise `totals` and `unit_values` of a metric, now or as of an earlier day; answers the applied caps."""
        plan, put = self.cube.plan, self.cube.put
        bound = self._sources(statement("totals"), rule)
        day = None if until is None or until.whole_windows else until.day
        so_far = Expression.of("TRUE") if day is None else Expression.of("c.day <= $day", day=day)
        put("totals", bound.bind(before=plan.segment(0), so_far=so_far))
        caps = Caps(*self._ends(rule.cap, "t.gross"), *self._ends(rule.base_cap, "t.base"))
        mature = self.mature(rule) if until is None else until.last_exposed_us
        cut = {
            "gross": caps.of_value("t.gross"),
            "earlier_gross": caps.of_value("t.earlier_gross"),
            "base": caps.of_base("t.base"),
            "earlier_base": caps.of_base("t.earlier_base"),
        }
        put("unit_values", statement("unit_values").bind(**cut, entered=self._entered(rule), mature=mature))
        return caps

    def _samples_until(self, rule: MetricRule, day: int, whole_windows: bool) -> tuple[QuantileSample, ...]:
        """The values of a quantile of the units exposed by the close of a shop day."""
        last = self.cube.engine.rows(statement("last_exposed").bind(day=day))[0][0]
        if last is None:
            return tuple(_NOTHING for _ in self.cube.scope.arms)
        until = _Until(day, int(last), whole_windows)
        self.tabulate(rule, until)
        if rule.over_events:
            prepare_samples(self.cube, rule, None if whole_windows else day)
        return self._whole(rule, until.last_exposed_us)

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

    def _ends(self, cap: Cap, column: str) -> tuple[float | None, float | None]:
        """The upper and the lower end at which a column of `totals` is cut; None where it is not."""
        bounds = cap, cap.low or Bound()
        if all(bound.percentile is None for bound in bounds):
            return cap.fixed, bounds[1].fixed
        found = self.cube.engine.columns(statement("cap_histogram").bind(value=Expression.of(column)))
        histogram = Histogram.from_columns(found["value"], found["n"])
        high, low = (bound.fixed if bound.percentile is None else _at(histogram, bound.percentile) for bound in bounds)
        return high, low

    def _counts(
        self, rule: MetricRule, table: str | None, mature: int | None = None
    ) -> dict[tuple[int, str], tuple[int, int]]:
        """(arm, level) → units, and those with a history."""
        found = statement("whole_counts") if table is None else statement("level_counts").tables(levels=table)
        rows = self.cube.once(found.bind(mature=self.mature(rule) if mature is None else mature))
        places = zip(rows["arm"], rows["level"], rows["n"], rows["h"], strict=True)
        return {(int(arm), str(level)): (int(n), int(h)) for arm, level, n, h in places}

    def _shifts(self, units: int) -> Shifts:
        sums = self.cube.engine.rows(statement("shifts"))[0]
        y, d, x, e = (float(value) / max(1, units) for value in sums)
        return Shifts(y, d, x, e)

    def _moments(
        self, sums: Statement, levels: Iterable[str], counts: Mapping[Place, tuple[int, int]], shifts: Shifts
    ) -> dict[str, tuple[JointMoments, ...]]:
        found, arms = self.cube.engine.columns(sums.bind(**shifts.values())), range(len(self.cube.scope.arms))
        names = ("n", *TOTALS, *COLUMNS, *PRODUCTS)
        level_of = found.get("level", np.full(len(found["arm"]), ""))
        rows = {
            (int(arm), str(level)): {name: float(found[name][row]) for name in names}
            for row, (arm, level) in enumerate(zip(found["arm"], level_of, strict=True))
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
        return self._moments(statement("level_moments").tables(levels=table), levels, counts, shifts)

    def _cohorts(self, rule: MetricRule) -> dict[int, tuple[JointMoments, ...]]:
        """Moments of the metric tabulated last, by the shop day of the exposure."""
        if "levels_exposed_days" not in self.cube.tables:
            self.cube.put("levels_exposed_days", statement("exposed_days"))
        found = self.levels_of(rule, "levels_exposed_days")
        return {day: found[str(day)] for day in sorted(map(int, found))}

    def _looks(self, rule: MetricRule, caps: Caps, shifts: Shifts) -> Looks:
        self._put_days(rule)
        own = {"own_gross": caps.of_value("w.gross"), "own_base": caps.of_base("w.base")}
        engine = self.cube.engine
        entered = self._entered(rule)
        return looks_of(
            units=self.cube.once(statement("unit_counts").bind(entered=entered, mature=self.mature(rule))),
            entries=engine.columns(statement("entries").bind(x=shifts.x, e=shifts.e)),
            looks=engine.columns(statement("looks").bind(**_cut_days(rule, caps), **own, **shifts.values())),
            shifts=shifts,
            arms=len(self.cube.scope.arms),
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
        return tuple(found.get(arm, (0, 0)) for arm in range(len(self.cube.scope.arms)))

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
        nobody = tuple(_NOTHING for _ in self.cube.scope.arms)
        return self._samples(rule, WHOLE, mature).get("", nobody)

    def _samples(
        self, rule: MetricRule, table: str, mature: int | None = None
    ) -> dict[str, tuple[QuantileSample, ...]]:
        counts = self._counts(rule, table, mature)
        found = samples_by_level(self.cube, rule, table, counts)
        arms = range(len(self.cube.scope.arms))
        levels = {level for _, level in counts}
        return {level: tuple(found.get((arm, level), _NOTHING) for arm in arms) for level in levels}

    def _per_arm(self, found: Columns) -> tuple[int, ...]:
        counts = {int(arm): int(n) for arm, n in zip(found["arm"], found["n"], strict=True)}
        return tuple(counts.get(arm, 0) for arm in range(len(self.cube.scope.arms)))


def _at(histogram: Histogram, percentile: float) -> float | None:
    value = cap_value(histogram, percentile)
    return None if isinstance(value, NoEstimate) else value


def _cut_days(rule: MetricRule, caps: Caps) -> dict[str, Expression]:
    """What a unit brought until the close of a day and of the day before, after the caps.

    What a metric with a closed window brings on its one day is cut already.
    """
    caps = Caps() if rule.closed_window else caps
    return {
        "gross": caps.of_value("w.all_gross"),
        "gross_before": caps.of_value("w.all_gross - w.gross"),
        "base": caps.of_base("w.all_base"),
        "base_before": caps.of_base("w.all_base - w.base"),
    }


def _field(name: Field) -> Expression:
    return Expression.of("c.amount" if name == "amount" else f"CAST(c.{name} AS DOUBLE)")
