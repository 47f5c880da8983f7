"""The table of units: one row each, with every metric's value, so that an analyst can run any test again."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.engine import Columns
from events.engine_tables import Table
from experiments.cube import Cube, levels_table
from experiments.metrics import MetricRule
from experiments.observations import Observer
from experiments.readout_query import moment_of
from experiments.readout_types import iso
from experiments.statements import statement

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
