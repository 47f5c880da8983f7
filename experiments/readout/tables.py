"""A readout as flat rows, its units as a table, and the SQL behind it, for analysts who go on elsewhere."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from events.engines.sql import with_tables
from events.engines.tables import Table, table_of
from experiments.cube.cube import Cube, levels_table
from experiments.cube.measures import MetricRule
from experiments.cube.observations import Observer
from experiments.cube.statements import statement
from experiments.readout.encoding import ArmReadout, ComparisonReadout, MetricReadout, Range, Readout, iso
from experiments.readout.study import moment_of

NAMES: Final = (
    "experiment", "phase", "as_of", "metric", "role", "type", "variant", "against", "dimension", "level", "method",
    "decides", "units", "units_immature", "value", "variance", "numerator", "denominator", "control_value", "lift",
    "ci_low", "ci_high", "difference", "difference_ci_low", "difference_ci_high", "p", "p_adjusted", "p_min",
    "statistic", "df", "look", "looks", "boundary", "crossed", "chance_to_win", "expected_loss", "cuped", "verdict",
    "post_hoc", "fingerprint", "reasons",
)  # fmt: skip


def flat_rows(readout: Readout) -> Table:
    """Every number of a readout, with the names of the JSON."""
    rows: list[dict[str, Any]] = []
    for metric in readout.metrics:
        rows += _metric_rows(readout, metric)
    return table_of(rows, NAMES)


def comparison_rows(readout: Readout) -> list[dict[str, Any]]:
    """One row per comparison, by the deciding method: the list over all running experiments."""
    return [
        {
            "experiment": readout.experiment,
            "phase": readout.phase,
            "as_of": iso(readout.as_of),
            "action": readout.decision.action,
            "metric": metric.metric,
            "role": metric.role,
            "type": metric.type,
            "variant": comparison.variant,
            "against": comparison.against,
            "units": _arm(metric, comparison.variant).units,
            "value": _arm(metric, comparison.variant).value,
            "control_value": metric.arms[0].value,
            "lift": comparison.lift,
            **_interval("ci", comparison.ci),
            "difference": comparison.difference,
            **_interval("difference_ci", comparison.difference_ci),
            "p": comparison.p,
            "p_adjusted": comparison.p_adjusted,
            "method": comparison.method,
            "cuped": comparison.cuped,
            "verdict": comparison.verdict,
            "srm_alarm": readout.health.srm.alarm,
            "pending": readout.pending,
        }
        for metric in readout.metrics
        for comparison in metric.comparisons
    ]


def _metric_rows(readout: Readout, metric: MetricReadout) -> Iterator[dict[str, Any]]:
    shared = {
        "experiment": readout.experiment,
        "phase": readout.phase,
        "as_of": iso(readout.as_of),
        "fingerprint": readout.fingerprint,
        "metric": metric.metric,
        "role": metric.role,
        "type": metric.type,
        "post_hoc": metric.post_hoc,
    }
    places = [(None, None, metric.arms, metric.comparisons)]
    places += [(level.dimension, level.level, level.arms, level.comparisons) for level in metric.dimensions]
    for dimension, name, arms, comparisons in places:
        found = {comparison.variant: comparison for comparison in comparisons}
        for arm in arms:
            here = shared | {"dimension": dimension, "level": name, "control_value": arms[0].value}
            here |= {name: getattr(arm, name) for name in _ARM}
            comparison = found.get(arm.variant)
            if comparison is None:
                yield here
                continue
            for method, answer in _methods(comparison):
                plain = _plain(arm, arms[0]) if method in ("z_pooled", "unadjusted") else {}
                yield here | _comparison(comparison) | plain | {"method": method} | answer


_ARM: Final = ("variant", "units", "units_immature", "value", "variance", "numerator", "denominator")


def _comparison(comparison: ComparisonReadout) -> dict[str, Any]:
    return {
        "against": comparison.against,
        "lift": comparison.lift,
        "difference": comparison.difference,
        "cuped": comparison.cuped,
        "verdict": comparison.verdict,
        "reasons": " ".join(comparison.reasons),
    }


def _plain(arm: ArmReadout, control: ArmReadout) -> dict[str, Any]:
    """The effect as it stands in the arms, without CUPED."""
    if arm.value is None or control.value is None:
        return {"lift": None, "difference": None}
    difference = arm.value - control.value
    return {"lift": difference / control.value if control.value else None, "difference": difference, "cuped": False}


def _methods(comparison: ComparisonReadout) -> Iterator[tuple[str, dict[str, Any]]]:
    methods = comparison.methods
    for name in ("fixed", "z_pooled", "anytime", "planned", "bayesian", "unadjusted"):
        answer = getattr(methods, name)
        if answer is None:
            continue
        decides = name == comparison.method
        row: dict[str, Any] = {"decides": decides}
        for member in answer.__dataclass_fields__:
            value = getattr(answer, member)
            row |= _interval(member, value) if member.endswith("ci") else {member: value}
        if decides:
            row["p_adjusted"] = comparison.p_adjusted
        yield name, row


def _interval(name: str, ends: Range) -> dict[str, float | None]:
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _arm(metric: MetricReadout, variant: str) -> Any:
    return next(arm for arm in metric.arms if arm.variant == variant)


BEFORE: Final = "_before"
DENOMINATOR: Final = "_denominator"


def unit_table(cube: Cube, observer: Observer) -> Table:
    """`unit`, `variant`, `exposed_at`, `has_history`, the dimensions, then per metric its value, its denominator where
    it is a ratio, and the same from before the exposure where there is a covariate. A unit that is not mature yet has
    no value of a metric that needs a closed window."""
    units = cube.engine.columns(statement("unit_rows"))
    numbers: npt.NDArray[np.int64] = units["unit"].astype(np.int64)
    columns: dict[str, Any] = {
        "unit": [str(name) for name in units["unit_name"]],
        "variant": [str(name) for name in units["variant"]],
        "exposed_at": [iso(moment_of(int(time))) for time in units["exposed_at"]],
        "has_history": [bool(seen) for seen in units["has_history"]],
    }
    for dimension in cube.plan.dimensions:
        columns[dimension] = _levels(cube, dimension, numbers)
    exposed: npt.NDArray[np.int64] = units["exposed_at"].astype(np.int64)
    for rule in cube.plan.rules:
        observer.tabulate(rule)
        found = cube.engine.columns(statement("unit_metric"))
        mature = exposed <= observer.mature(rule)
        for name, column in _metric_columns(rule, cube.plan.lookback_us > 0).items():
            columns[name] = _spread(found, column, numbers, mature)
    return Table(columns)


def _metric_columns(rule: MetricRule, covariate: bool) -> dict[str, str]:
    columns = {rule.name: "y"}
    if rule.is_ratio:
        columns[rule.name + DENOMINATOR] = "d"
    if covariate:
        columns[rule.name + BEFORE] = "x"
        if rule.is_ratio:
            columns[rule.name + DENOMINATOR + BEFORE] = "e"
    return columns


def _spread(
    found: Columns, column: str, numbers: npt.NDArray[np.int64], mature: npt.NDArray[np.bool_]
) -> list[float | None]:
    """The values in the order of the units; 0 for those who did nothing."""
    known = dict(zip(found["unit"].tolist(), found[column].tolist(), strict=True))
    pairs = zip(numbers.tolist(), mature.tolist(), strict=True)
    return [float(known.get(unit, 0.0)) if counted else None for unit, counted in pairs]


def _levels(cube: Cube, dimension: str, numbers: npt.NDArray[np.int64]) -> list[str | None]:
    found = cube.engine.rows(statement("unit_levels").tables(levels=levels_table(cube.plan, dimension)))
    known = {int(unit): str(level) for unit, level in found}
    return [known.get(unit) or None for unit in numbers.tolist()]


def analyst_sql(cube: Cube, observer: Observer, rule: MetricRule) -> str:
    """Self-contained, readable; to be run in the data directory. The metric must be the one observed last."""
    tables = {**cube.engine.sources(), **cube.tables}
    if rule.metric.type == "quantile":
        tables["sampled"] = statement("sampled_events" if rule.over_events else "sampled_units")
        answer = statement("answer_quantile").bind(q=rule.metric.q)
    else:
        answer = statement("answer").bind(mature=observer.mature(rule))
    return with_tables(answer, tables).render("duckdb", pretty=True)
