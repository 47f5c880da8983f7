"""Analyses a table of units that comes from elsewhere with the same engine and gives the same readout."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from events.engines.sql import Expression, column
from events.engines.tables import TableReader
from experiments.cube.measures import NONE, MetricRule, MetricWindow
from experiments.cube.observations import MetricObservation
from experiments.cube.sources import Caps
from experiments.cube.statements import statement
from experiments.cube.sums import COLUMNS, PAIRS
from experiments.definitions.model import Metric, Plan, RatioPart
from experiments.readout.decision import Schedule, decide, evidence_of
from experiments.readout.encoding import Excluded, Health, MetricReadout, MultiExposure, Readout
from experiments.readout.inference import Calendar, Judge
from experiments.readout.metrics import metric_readout, settled
from experiments.readout.study import StudiedMetric
from experiments.statistics.moments import JointMoments
from experiments.statistics.sample_ratio import balance
from kit.suggestions import did_you_mean
from kit.time import DAY_US

TableMetricType = Literal["proportion", "mean", "count", "ratio"]
TableMethod = Literal["anytime", "fixed", "bayesian"]


class ImportFailed(ValueError):
    """The table, or what was asked of it, cannot be analysed; says which and what would be right."""


class TableMetric(BaseModel):
    """One metric of a table: a column, or (ratio) two; covariates are the same, from before exposure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: TableMetricType
    column: str
    denominator: str | None = None
    covariate: str | None = None
    denominator_covariate: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns by role: y value, d denominator, x and e their covariates."""
        roles = {"y": self.column, "d": self.denominator, "x": self.covariate, "e": self.denominator_covariate}
        return {role: name for role, name in roles.items() if name is not None}


class ImportRequest(BaseModel):
    """One row per unit. `planned_units` is n* of the anytime method, all variants together; None: as the table has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str
    unit: str
    variant: str
    metrics: tuple[TableMetric, ...]
    control: str | None = None
    weights: dict[str, float] = {}
    method: TableMethod = "fixed"
    planned_units: int | None = None
    alpha: float = 0.05


def import_request(  # noqa: PLR0913 - one for each option of the command
    *,
    experiment: str,
    unit: str,
    variant: str,
    metrics: Sequence[str],
    control: str | None = None,
    weights: str | None = None,
    covariates: Sequence[str] = (),
    method: str = "fixed",
    planned_units: int | None = None,
) -> ImportRequest:
    """From the texts of the command line; raises `ImportFailed`."""
    if not metrics:
        raise ImportFailed("no metric is named; write --metric NAME=TYPE:COLUMN")
    if method not in get_args(TableMethod):
        raise ImportFailed(f"method {method!r} is not one of {', '.join(get_args(TableMethod))}: a table has no looks")
    if planned_units is not None and planned_units < 1:
        raise ImportFailed(f"units {planned_units}: the planned number of units is at least 1")
    parsed = [parse_metric(text) for text in metrics]
    names = [metric.name for metric in parsed]
    for name in names:
        if names.count(name) > 1:
            raise ImportFailed(f"metric {name} is named twice; every metric needs a name of its own")
    return ImportRequest(
        experiment=experiment,
        unit=unit,
        variant=variant,
        metrics=tuple(_with_covariates(parsed, covariates)),
        control=control,
        weights=parse_weights(weights) if weights else {},
        method=method,  # pyright: ignore[reportArgumentType] - one of TableMethod, as was just checked
        planned_units=planned_units,
    )


def parse_metric(text: str) -> TableMetric:
    """`retention=proportion:column`, or `order_value=ratio:revenue/orders`."""
    name, equals, rest = text.partition("=")
    kind, colon, column = rest.partition(":")
    if not (name and equals and colon and column):
        raise ImportFailed(f"metric {text!r}: write NAME=TYPE:COLUMN, for example retention_7=proportion:retention_7")
    types = get_args(TableMetricType)
    if kind not in types:
        hint = did_you_mean(kind, types, f"one of {', '.join(types)}", lead="")
        raise ImportFailed(f"metric {name}: type {kind!r} cannot be read from a table; {hint}")
    if kind != "ratio":
        return TableMetric(name=name, type=kind, column=column)  # pyright: ignore[reportArgumentType]
    above, slash, below = column.partition("/")
    if not (above and slash and below):
        raise ImportFailed(f"metric {name}: a ratio names two columns, {name}=ratio:NUMERATOR/DENOMINATOR")
    return TableMetric(name=name, type="ratio", column=above, denominator=below)


def parse_weights(text: str) -> dict[str, float]:
    """`control=60,b=40`."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if not name or not 0.0 <= weight < float("inf"):
            raise ImportFailed(f"weights {text!r}: write VARIANT=WEIGHT,…, for example control=60,b=40")
        weights[name] = weight
    if sum(weights.values()) <= 0.0:
        raise ImportFailed(f"weights {text!r}: at least one weight is above 0")
    return weights


def _with_covariates(metrics: Sequence[TableMetric], texts: Sequence[str]) -> list[TableMetric]:
    named = {metric.name: metric for metric in metrics}
    for text in texts:
        name, equals, column = text.partition("=")
        if name not in named or not equals or not column:
            known = ", ".join(named)
            raise ImportFailed(f"covariate {text!r}: write METRIC=COLUMN with a metric of this import ({known})")
        above, slash, below = column.partition("/")
        if (named[name].type == "ratio") != bool(slash and below):
            raise ImportFailed(
                f"covariate {text!r}: a ratio takes NUMERATOR/DENOMINATOR, every other metric one column"
            )
        update = {"covariate": above, "denominator_covariate": below or None}
        named[name] = named[name].model_copy(update=update)
    return list(named.values())


CONTROL: Final = "control"
NUMBERS: Final = ("BOOLEAN", "INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL")
WHOLE_NUMBERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True, slots=True)
class _Arms:
    """The variants, control first, with the row that the table gave for each; its means are less `shifts`."""

    names: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    shifts: Mapping[str, float]

    @property
    def units(self) -> tuple[int, ...]:
        return tuple(int(row["n"]) for row in self.rows)


def import_table(path: Path, request: ImportRequest) -> Readout:
    """The readout of a CSV or Parquet file: watermark None, fingerprint the sha256 of the file. Writes nothing.

    Raises `ImportFailed`, naming the column, the unit or the cell that is wrong.
    """
    try:
        with path.open("rb") as file:
            fingerprint = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImportFailed(f"{path.name} cannot be read: {error.strerror}") from error
    with TableReader(path) as table:
        try:
            types = table.types()
        except ValueError as error:
            raise ImportFailed(f"{path.name} is neither CSV nor Parquet that can be read: {error}") from error
        _check_columns(path, request, types)
        arms = _measured(path, request, table, types)
        _check_units(request, table, types[request.unit], sum(arms.units))
    return _readout(request, fingerprint, arms)


def _check_columns(path: Path, request: ImportRequest, types: Mapping[str, str]) -> None:
    measured = [name for metric in request.metrics for name in metric.columns.values()]
    for name in (request.unit, request.variant, *measured):
        if name not in types:
            raise ImportFailed(f"{path.name} has no column {name!r}; it has {', '.join(list(types)[:20])}")
    for name in measured:
        if not any(kind in types[name] for kind in NUMBERS):
            raise ImportFailed(
                f"column {name!r} holds text ({types[name].lower()}); a metric needs numbers or true/false"
            )


def _check_units(request: ImportRequest, table: TableReader, kind: str, rows: int) -> None:
    """Each unit stands once. Whole numbers are sorted for that, a third of the work of counting different ones."""
    unit = column(request.unit)
    if kind in WHOLE_NUMBERS:
        numbers = np.sort(table.columns(statement("table_ids").bind(unit=unit))["unit"])
        if (numbers[1:] > numbers[:-1]).all():
            return
    if int(table.rows(statement("table_units").bind(unit=unit))[0][0]) == rows:
        return
    twice = table.rows(statement("table_twice").bind(unit=unit))
    if twice:
        raise ImportFailed(f"unit {twice[0][0]!r} stands in {twice[0][1]} rows; an import needs one row per unit")


def _measured(path: Path, request: ImportRequest, table: TableReader, types: Mapping[str, str]) -> _Arms:
    # A value of each column: at 1e15 ± 1 even the engine's stable variance is wrong by half without such a shift.
    columns = dict.fromkeys(name for metric in request.metrics for name in metric.columns.values())
    first = statement("table_first").also(**{f"c{i}": _as_number(name, types[name]) for i, name in enumerate(columns)})
    rows = table.rows(first)
    values = [float(value or 0.0) for value in rows[0][1:]] if rows else [0.0] * len(columns)
    shifts = {name: value if math.isfinite(value) else 0.0 for name, value in zip(columns, values, strict=True)}
    measured = statement("table_arms").bind(variant=column(request.variant), unit=column(request.unit))
    for index, metric in enumerate(request.metrics):
        measured = measured.also(**_moments_sql(index, metric, types, shifts))
    found = {row["variant"]: row for row in table.records(measured)}
    if None in found:
        raise ImportFailed(f"{found[None]['n']} rows have no variant in column {request.variant!r}")
    missing = sum(int(row["n"]) - int(row["units"]) for row in found.values())
    if missing:
        raise ImportFailed(f"{missing} rows have no unit in column {request.unit!r}")
    names = _ordered(path, request, sorted(found))
    arms = _Arms(names, tuple(found[name] for name in names), shifts)
    for index, metric in enumerate(request.metrics):
        _check_values(index, metric, arms)
    return arms


def _ordered(path: Path, request: ImportRequest, names: Sequence[str]) -> tuple[str, ...]:
    """Control first: the one named, else `control`, else the first by name."""
    if len(names) < 2:
        raise ImportFailed(f"{path.name} has {len(names)} variants in column {request.variant!r}; a test needs two")
    control = request.control if request.control is not None else CONTROL if CONTROL in names else names[0]
    if control not in names:
        raise ImportFailed(f"control {control!r} is no value of column {request.variant!r}; it has {', '.join(names)}")
    unknown = sorted(set(request.weights) - set(names))
    if unknown:
        raise ImportFailed(f"weights name {unknown[0]!r}, which is no variant; there are {', '.join(names)}")
    left_out = sorted(set(names) - set(request.weights)) if request.weights else []
    if left_out:
        raise ImportFailed(f"weights leave out {left_out[0]!r}; name every variant: {', '.join(names)}")
    return (control, *(name for name in names if name != control))


def _moments_sql(
    index: int, metric: TableMetric, types: Mapping[str, str], shifts: Mapping[str, float]
) -> dict[str, Expression]:
    """Means, variances and covariances of a metric's columns by the engine's own stable functions, in one pass."""
    near = {role: shifts[name] for role, name in metric.columns.items()}
    plain = {role: _as_number(name, types[name]) for role, name in metric.columns.items()}
    values = {
        role: Expression.of("coalesce($v - $shift, 0.0)", v=value, shift=near[role] if metric.type != "ratio" else 0.0)
        if role in ("x", "e")
        else Expression.of("$v - $shift", v=value, shift=near[role])
        for role, value in plain.items()
    }
    if metric.covariate:
        values["h"] = Expression.of("CASE WHEN $c IS NULL THEN 0.0 ELSE 1.0 END", c=column(metric.covariate))
    found = {f"mean_{role}": Expression.of("avg($v)", v=value) for role, value in values.items()}
    for left, right in PAIRS:
        if left in values and right in values:
            function = "var_samp($a)" if left == right else "covar_samp($a, $b)"
            bound = {"a": values[left]} if left == right else {"a": values[left], "b": values[right]}
            found[f"spread_{left}{right}"] = Expression.of(function, **bound)
    for role in (role for role in ("y", "d") if role in plain):  # what tells empty, infinite and impossible cells
        found[f"known_{role}"] = Expression.of("count($c)", c=plain[role])
        found[f"low_{role}"] = Expression.of("min($c)", c=plain[role])
        found[f"high_{role}"] = Expression.of("max($c)", c=plain[role])
    found["nonzero"] = Expression.of("sum(CASE WHEN $c <> 0.0 THEN 1 ELSE 0 END)", c=plain["y"])
    if metric.type == "proportion":
        found["other_y"] = Expression.of("sum(CASE WHEN $c IN (0.0, 1.0) THEN 0 ELSE 1 END)", c=plain["y"])
    return {f"m{index}_{name}": expression for name, expression in found.items()}


def _as_number(name: str, kind: str) -> Expression:
    """A column as a number. Truth values are spelled out: a cast of them would be pushed into the reading of a CSV."""
    text = "CASE WHEN $c THEN 1.0 WHEN NOT $c THEN 0.0 END" if kind == "BOOLEAN" else "CAST($c AS DOUBLE)"
    return Expression.of(text, c=column(name))


def _check_values(index: int, metric: TableMetric, arms: _Arms) -> None:
    for role, name in metric.columns.items():
        if role not in ("y", "d"):
            continue
        empty = sum(int(row["n"]) - int(row[f"m{index}_known_{role}"]) for row in arms.rows)
        if empty:
            raise ImportFailed(f"column {name!r} is empty in {empty} rows; write 0 where a unit brought nothing")
        ends = [float(row[f"m{index}_{end}_{role}"]) for row in arms.rows for end in ("low", "high")]
        if not all(math.isfinite(end) for end in ends):
            raise ImportFailed(f"column {name!r} holds NaN or infinity; a metric needs finite numbers")
    if metric.type == "proportion" and any(int(row[f"m{index}_other_y"]) for row in arms.rows):
        raise ImportFailed(f"column {metric.column!r} holds other values than 0 and 1; use mean:{metric.column}")


def _readout(request: ImportRequest, fingerprint: str, arms: _Arms) -> Readout:
    given = request.weights or dict.fromkeys(arms.names, 1.0)
    total = sum(given.values())
    weights = tuple(given[name] / total for name in arms.names)
    judge = Judge(
        plan=Plan(method=request.method, alpha=request.alpha),
        calendar=Calendar(None, 0, DAY_US),
        planned_units=request.planned_units or sum(arms.units),
        arms=arms.names,
        weights=weights,
        family=len(request.metrics) * (len(arms.names) - 1),
    )
    metrics = settled(judge, [_metric(judge, index, metric, arms) for index, metric in enumerate(request.metrics)])
    srm, days = balance([arms.units], weights), judge.plan.days
    return Readout(
        experiment=request.experiment,
        phase=0,
        fingerprint=fingerprint,
        as_of=datetime.now(UTC).replace(microsecond=0),
        watermark=None,
        pending=0,
        closed=True,
        health=Health(srm, MultiExposure(0.0, "one_row_per_unit"), Excluded()),
        decision=decide(evidence_of(metrics), Schedule(days, days, 0), alarm=srm.alarm, stopped=True),
        metrics=metrics,
    )


def _metric(judge: Judge, index: int, metric: TableMetric, arms: _Arms) -> MetricReadout:
    above, below = (RatioPart(event=metric.column, sum=name) for name in (metric.column, metric.denominator))
    ratio = metric.type == "ratio"
    parts: dict[str, Any] = {"numerator": above, "denominator": below} if ratio else {"event": metric.column}
    definition = Metric(name=metric.name, type=metric.type, window_seconds=0, **parts)
    rule = MetricRule(
        definition, MetricWindow(0, 0), 0, "amount",
        base=0 if ratio else NONE, base_field="amount", cuped=metric.covariate is not None,
    )  # fmt: skip
    back = {role: arms.shifts[name] for role, name in metric.columns.items() if role in ("y", "d")}
    moments: list[JointMoments] = []  # columns that the metric lacks are all zero; of covariates differences count
    for row in arms.rows:
        n = int(row["n"])
        means = tuple(float(row.get(f"m{index}_mean_{role}") or 0.0) + back.get(role, 0.0) for role in COLUMNS)
        spreads = tuple(float(row.get(f"m{index}_spread_{a}{b}") or 0.0) * (n - 1) for a, b in PAIRS)
        moments.append(JointMoments(COLUMNS, n, means, spreads, int(row[f"m{index}_nonzero"])))
    observed = MetricObservation(rule, Caps(), tuple(moments), (0,) * len(arms.names))
    return metric_readout(judge, StudiedMetric(definition, "goal", post_hoc=False), observed, None, "unit")
