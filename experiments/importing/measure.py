"""What the engine says of each metric of a table: moments by variant, whole and by level, and values of quantiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from events.engines.sql import Expression, Statement
from experiments.cube.measures import NONE, MetricRule, MetricWindow
from experiments.cube.observations import MetricObservation, QuantileSample
from experiments.cube.sources import Caps
from experiments.cube.statements import statement
from experiments.cube.sums import COLUMNS, PAIRS
from experiments.definitions.shop import Metric, RatioPart
from experiments.importing.profile import Profile
from experiments.importing.request import ImportRequest, TableMetric
from experiments.importing.sheet import Sheet
from experiments.importing.units import Units, cell_of
from experiments.statistics.moments import JointMoments, Moments
from experiments.statistics.quantiles import Histogram

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
    whole = reading.arms()[""]
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
                samples=reading.samples(metric)[""] if quantile else (),
                level_samples={name: reading.samples(metric, level) for name, level in levels.items() if quantile},
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

    def arms(self, level: Expression | None = None) -> dict[str, tuple[Arms, ...]]:
        """By level (of everyone: ""), for each metric the moments of each variant."""
        asked = self._asked_by(level, "table_counts" if self.request.counts else "table_arms").bind(**self._visitors())
        for index, metric in enumerate(self.request.metrics):
            asked = asked.also(**self._asked(index, metric))
        rows = {(str(row.get("level", "")), str(row["variant"])): row for row in self.sheet.reader.records(asked)}
        moments = self._counted if self.request.counts else self._moments
        return {
            level: tuple(
                tuple(moments(index, metric, rows.get((level, variant))) for variant in self.variants)
                for index, metric in enumerate(self.request.metrics)
            )
            for level in sorted({level for level, _ in rows}) or [""]
        }

    def samples(self, metric: TableMetric, level: Expression | None = None) -> dict[str, tuple[QuantileSample, ...]]:
        """By level the values of a metric in each variant."""
        asked = self._asked_by(level, "table_histogram").bind(measured=self._cell(metric, "y"))
        found = [self.sheet.reader.columns(asked.bind(variant=variant)) for variant in self.variants]
        if level is None:
            return {"": tuple(_sample(columns) for columns in found)}
        names = [columns["level"].astype(str) for columns in found]
        return {
            str(name): tuple(_sample(columns, there == name) for columns, there in zip(found, names, strict=True))
            for name in np.unique(np.concatenate(names))
        }

    def _asked_by(self, level: Expression | None, name: str) -> Statement:
        asked = statement(name).tables(units=self.table)
        return asked if level is None else asked.also(level=level)

    def _cell(self, metric: TableMetric, role: str) -> Expression:
        return Expression.of(f"u.{cell_of(self.request, metric, role)}")

    def _visitors(self) -> dict[str, Expression]:
        return {"visitors": self._cell(self.request.metrics[0], "d")} if self.request.counts else {}

    def _asked(self, index: int, metric: TableMetric) -> dict[str, Expression]:
        """Means, variances and covariances of a metric's cells."""
        cells = {role: self._cell(metric, role) for role in metric.columns}
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
        if metric.type != "proportion":  # of which the ones are the total
            found["nonzero"] = Expression.of("count_if($c <> 0.0)", c=cells["y"])
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
        nonzero = round(means[0] * n) if metric.type == "proportion" else int(row[f"m{index}_nonzero"])
        return JointMoments(COLUMNS, n, means, spreads, nonzero)

    def _counted(self, index: int, metric: TableMetric, row: Mapping[str, Any] | None) -> JointMoments:
        """Of aggregated rows: so many conversions of so many visitors."""
        count, conversions = (0, 0) if row is None else (int(row["n"]), int(row[f"m{index}"]))
        y = Moments.of_conversions(count, conversions)
        means = tuple(y.mean if role == "y" else 0.0 for role in COLUMNS)
        return JointMoments(
            COLUMNS, count, means, tuple(y.m2 if pair == ("y", "y") else 0.0 for pair in PAIRS), conversions
        )


def _sample(columns: Columns, chosen: npt.NDArray[np.bool_] | slice = slice(None)) -> QuantileSample:
    counts = columns["n"][chosen]
    return QuantileSample(Histogram.from_columns(columns["measured"][chosen], counts), None, int(counts.sum()))
