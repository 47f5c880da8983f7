"""What the engine says of each metric of a table: moments by variant, whole and by level, and values of quantiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np

from events.engines.sql import Expression
from experiments.cube.measures import NONE, MetricRule, MetricWindow
from experiments.cube.observations import MetricObservation, QuantileSample
from experiments.cube.sources import Caps
from experiments.cube.statements import statement
from experiments.cube.sums import COLUMNS, PAIRS
from experiments.definitions.model import Metric, RatioPart
from experiments.importing.profile import Profile
from experiments.importing.request import ImportRequest, TableMetric
from experiments.importing.sheet import Sheet
from experiments.importing.units import Units, cell_of
from experiments.statistics.moments import JointMoments, Moments
from experiments.statistics.quantiles import Histogram

_WHOLE: Final = Expression.of("''")  # the level of everyone
Arms = tuple[JointMoments, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Every metric as observed, in order; and the units of each variant, whole and by dimension and level."""

    metrics: tuple[MetricObservation, ...]
    units: tuple[int, ...]
    levels: Mapping[str, Mapping[str, tuple[int, ...]]]

    @property
    def adds_up(self) -> bool:
        """Whether every mean is a number."""
        return all(isfinite(mean) for metric in self.metrics for arm in metric.arms for mean in arm.means)


def measured(sheet: Sheet, request: ImportRequest, profile: Profile, units: Units, variants: Sequence[str]) -> Measured:
    """Moments by the engine's own stable functions, in one pass over the whole and one for each dimension."""
    reading = _Reading(sheet, request, profile.lows, units.table, tuple(variants))
    whole = reading.arms(_WHOLE)[""]
    levels = {name: Expression.of(f"u.g{index}") for index, name in enumerate(request.dimensions)}
    by_level = {name: reading.arms(level) for name, level in levels.items()}
    metrics: list[MetricObservation] = []
    for index, metric in enumerate(request.metrics):
        quantile = metric.type == "quantile"
        metrics.append(
            MetricObservation(
                rule=rule_of(metric, counts=request.counts),
                cap=Caps(),
                arms=whole[index],
                immature=(0,) * len(variants),
                levels={
                    name: {level: arms[index] for level, arms in found.items()} for name, found in by_level.items()
                },
                samples=reading.samples(index, _WHOLE)[""] if quantile else (),
                level_samples={name: reading.samples(index, level) for name, level in levels.items() if quantile},
            )
        )
    return Measured(
        metrics=tuple(metrics),
        units=tuple(arm.count for arm in whole[0]),
        levels={
            name: {level: tuple(arm.count for arm in arms[0]) for level, arms in sorted(found.items())}
            for name, found in by_level.items()
        },
    )


def rule_of(metric: TableMetric, *, counts: bool) -> MetricRule:
    """A table's metric as the readout knows it: a window of no time, since everything is over."""
    ratio = metric.type == "ratio" and not counts
    above, below = (RatioPart(event=metric.column, sum=name) for name in (metric.column, metric.denominator))
    parts: dict[str, Any] = {"numerator": above, "denominator": below} if ratio else {"event": metric.column}
    definition = Metric(name=metric.name, type=metric.type, window_seconds=0, q=metric.q, **parts)
    return MetricRule(
        definition, MetricWindow(0, 0), 0, "events" if metric.type == "proportion" else "amount",
        base=0 if ratio else NONE, base_field="amount", cuped=metric.covariate is not None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Reading:
    """The table of units, and the values that are taken off before anything is squared: at 1e15 ± 1 even the engine's
    stable variance is wrong by half without."""

    sheet: Sheet
    request: ImportRequest
    lows: Mapping[str, float]
    table: str
    variants: tuple[str, ...]

    def arms(self, level: Expression) -> dict[str, tuple[Arms, ...]]:
        """By level, for each metric the moments of each variant."""
        asked = statement("table_counts" if self.request.counts else "table_arms").tables(units=self.table)
        asked = asked.bind(level=level, **self._visitors())
        for index, metric in enumerate(self.request.metrics):
            asked = asked.also(**self._asked(index, metric))
        rows = {(str(row["level"]), str(row["variant"])): row for row in self.sheet.reader.records(asked)}
        moments = self._counted if self.request.counts else self._moments
        return {
            level: tuple(
                tuple(moments(index, metric, rows.get((level, variant))) for variant in self.variants)
                for index, metric in enumerate(self.request.metrics)
            )
            for level in sorted({level for level, _ in rows}) or [""]
        }

    def samples(self, index: int, level: Expression) -> dict[str, tuple[QuantileSample, ...]]:
        """By level the values of a metric in each variant."""
        value = Expression.of(f"u.{cell_of(index, 'y')}")
        asked = statement("table_histogram").tables(units=self.table).bind(level=level, measured=value)
        found = [self.sheet.reader.columns(asked.bind(variant=variant)) for variant in self.variants]
        levels = sorted({str(name) for columns in found for name in np.unique(columns["level"].astype(str))}) or [""]
        by_level: dict[str, tuple[QuantileSample, ...]] = {}
        for name in levels:
            chosen = [(columns, columns["level"].astype(str) == name) for columns in found]
            by_level[name] = tuple(
                QuantileSample(
                    Histogram.from_columns(columns["measured"][there], columns["n"][there]),
                    None,
                    int(columns["n"][there].sum()),
                )
                for columns, there in chosen
            )
        return by_level

    def _visitors(self) -> dict[str, Expression]:
        return {"visitors": Expression.of(f"u.{cell_of(0, 'd')}")} if self.request.counts else {}

    def _asked(self, index: int, metric: TableMetric) -> dict[str, Expression]:
        """Means, variances and covariances of a metric's cells."""
        cells = {role: Expression.of(f"u.{cell_of(index, role)}") for role in metric.columns}
        if self.request.counts:
            return {f"m{index}": Expression.of("sum($c)", c=cells["y"])}
        values: dict[str, Expression] = {}
        for role, cell in cells.items():  # who has no history counts as the common value, in a ratio as none
            shift = 0.0 if role in ("x", "e") and metric.type == "ratio" else self._shift(metric, role)
            text = "coalesce($v - $shift, 0.0)" if role in ("x", "e") else "$v - $shift"
            values[role] = Expression.of(text, v=cell, shift=shift)
        if metric.covariate:
            values["h"] = Expression.of("CASE WHEN $c IS NULL THEN 0.0 ELSE 1.0 END", c=cells["x"])
        found = {f"mean_{role}": Expression.of("avg($v)", v=value) for role, value in values.items()}
        for left, right in PAIRS:
            if left in values and right in values:
                function = "var_samp($a)" if left == right else "covar_samp($a, $b)"
                bound = {"a": values[left]} if left == right else {"a": values[left], "b": values[right]}
                found[f"spread_{left}{right}"] = Expression.of(function, **bound)
        found["nonzero"] = Expression.of("sum(CASE WHEN $c <> 0.0 THEN 1 ELSE 0 END)", c=cells["y"])
        return {f"m{index}_{name}": expression for name, expression in found.items()}

    def _shift(self, metric: TableMetric, role: str) -> float:
        return self.lows[metric.columns[role]]

    def _moments(self, index: int, metric: TableMetric, row: Mapping[str, Any] | None) -> JointMoments:
        """Columns that the metric lacks are all zero; of covariates only differences count."""
        if row is None:
            return JointMoments(COLUMNS, 0, (0.0,) * len(COLUMNS), (0.0,) * len(PAIRS), 0)
        n = int(row["n"])
        back = {role: self._shift(metric, role) for role in metric.columns if role in ("y", "d")}
        means = tuple(float(row.get(f"m{index}_mean_{role}") or 0.0) + back.get(role, 0.0) for role in COLUMNS)
        spreads = tuple(float(row.get(f"m{index}_spread_{a}{b}") or 0.0) * (n - 1) for a, b in PAIRS)
        return JointMoments(COLUMNS, n, means, spreads, int(row[f"m{index}_nonzero"]))

    def _counted(self, index: int, metric: TableMetric, row: Mapping[str, Any] | None) -> JointMoments:
        """Of aggregated rows: so many conversions of so many visitors."""
        count, conversions = (0, 0) if row is None else (int(row["n"]), int(row[f"m{index}"]))
        y = Moments.of_conversions(count, conversions)
        means = tuple(y.mean if role == "y" else 0.0 for role in COLUMNS)
        return JointMoments(
            COLUMNS, count, means, tuple(y.m2 if pair == ("y", "y") else 0.0 for pair in PAIRS), conversions
        )
