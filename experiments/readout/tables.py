"""A readout as flat rows, its units as a table, and the SQL behind it, for analysts who go on elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from events.engines.sql import with_tables
from events.engines.tables import Table, table_of
from experiments.answers.encoding import readout_json
from experiments.answers.readout import Readout
from experiments.catalog.calendar import Calendar
from experiments.cube.cube import Cube, levels_table
from experiments.cube.measures import MetricRule
from experiments.cube.observations import Observer
from experiments.cube.statements import statement
from experiments.definitions.model import Experiment
from kit.time import iso, moment_of

# of the first goal
TRUST: Final = ("conversions_backend", "conversions_proven", "conversions_page", "networks", "units_issued")
NAMES: Final = (
    "experiment", "phase", "as_of", "as_of_day", "metric", "role", "type", "effect_scale", "variant", "against",
    "dimension", "level", "method", "decides", "units", "units_immature", "value", "variance", "numerator",
    "denominator", "control_value", "lift", "ci_low", "ci_high", "difference", "difference_ci_low",
    "difference_ci_high", "p", "p_adjusted", "p_min", "statistic", "df", "look", "looks", "boundary", "crossed",
    "chance_to_win", "expected_loss", "cuped", "gate_open", "variance_floor", "verdict", "decided_on", "post_hoc",
    "fingerprint", "reasons", *TRUST,
)  # fmt: skip


_METRIC: Final = ("metric", "role", "type", "effect_scale", "post_hoc")
_ARM: Final = ("variant", "units", "units_immature", "value", "variance", "numerator", "denominator")
_COMPARISON: Final = ("against", "as_of_day", "lift", "difference", "cuped", "variance_floor", "verdict")
SUMMARY: Final = (
    "experiment", "name", "owner", "phase", "start", "end", "as_of", "as_of_day", "state", "action", "outcome",
    "metric", "role", "type", "effect_scale",
    "variant", "against", "units", "value", "control_value", "lift", "ci_low", "ci_high", "difference",
    "difference_ci_low", "difference_ci_high", "p", "p_adjusted", "method", "cuped", "gate_open", "verdict",
    "decided_on", "srm_alarm", "pending", "sentence",
)  # fmt: skip


def flat_rows(readout: Readout) -> Table:
    """Every number of a readout, with the names of the JSON. A row of a comparison is of its moment, arms too."""
    said = readout_json(readout)
    trust = said["health"]["authority"]
    told = {arm: _trust(found) for arm, found in trust["by_variant"].items()} if trust else {}
    rows: list[dict[str, Any]] = []
    for metric in said["metrics"]:
        head = {name: said[name] for name in ("experiment", "phase", "as_of", "fingerprint")}
        head |= {name: metric[name] for name in _METRIC}
        for place in (metric, *metric.get("dimensions", ())):
            here = head | {"dimension": place.get("dimension"), "level": place.get("level")}
            found = {comparison["variant"]: comparison for comparison in place["comparisons"]}
            for arm in place["arms"]:
                shown = here | {name: arm[name] for name in _ARM} | {"control_value": place["arms"][0]["value"]}
                shown |= told.get(arm["variant"], {})
                comparison = found.get(arm["variant"])
                answers = [{}] if comparison is None else _answers(comparison, metric["effect_scale"])
                rows += [flat_row(NAMES, shown | answer) for answer in answers]
    return table_of(rows, NAMES)


def _trust(told: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: told[name] for name in ("networks", "units_issued")}
    return {**own, **{f"conversions_{word}": n for word, n in told["conversions"].items()}}


def comparison_rows(readout: Readout, defined: Experiment, calendar: Calendar) -> list[dict[str, Any]]:
    """One row per comparison, by the deciding method: the list over all experiments. `defined` is what the file says
    now, `calendar` when its phase was and will be."""
    said: dict[str, Any] = readout_json(readout)
    said |= {"name": defined.name, "owner": defined.owner, "outcome": defined.decision.outcome}
    said |= {"start": calendar.start and iso(calendar.start), "end": calendar.stop and iso(calendar.stop)}
    rows: list[dict[str, Any]] = []
    for metric in said["metrics"]:
        for comparison in metric["comparisons"]:
            found = said | metric | comparison | _moment(comparison)
            found |= {"action": readout.decision.action, "srm_alarm": readout.health.srm.alarm}
            rows.append(flat_row(SUMMARY, found))
    return rows


def _moment(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of the moment of a comparison: both arms then, and the day on which the verdict first stood."""
    control, arm = comparison["arms"]
    counted = {name: arm[name] for name in ("units", "value", "variance", "numerator", "denominator")}
    stands = comparison["verdict"] != "unclear"
    gate = {"gate_open": comparison["gate"]["open"], "decided_on": comparison["decided_on"] if stands else None}
    return counted | {"control_value": control["value"]} | gate


def _answers(comparison: Mapping[str, Any], scale: str) -> Iterator[dict[str, Any]]:
    """What each method says of a comparison."""
    shared = {name: comparison[name] for name in _COMPARISON} | {"reasons": " ".join(comparison["reasons"])}
    shared |= _moment(comparison)
    if comparison["as_of_day"] is not None:
        shared["units_immature"] = None  # those of today
    control, value = (arm["value"] for arm in comparison["arms"])
    unadjusted: dict[str, Any] = {"lift": None, "difference": None}
    if value is not None and control is not None:  # the effect as it stands in the arms, without CUPED
        difference = value - control
        relative = difference / abs(control) if control and scale == "relative" else None
        unadjusted = {"lift": relative, "difference": difference, "cuped": False}
    for method, answer in comparison["methods"].items():
        decides = method == comparison["method"]
        if answer is None and not decides:
            continue
        row = shared | (unadjusted if method in ("z_pooled", "unadjusted") else {}) | (answer or {})
        if decides:
            row |= {name: comparison[name] for name in ("p", "p_adjusted", "ci", "difference_ci")}
        yield row | {"method": method, "decides": decides}


def flat_row(names: Sequence[str], found: Mapping[str, Any]) -> dict[str, Any]:
    """The values of these names; `ci_low` and `ci_high` are the ends of `ci`."""
    row: dict[str, Any] = {}
    for name in names:
        stem, _, end = name.rpartition("_")
        if end in ("low", "high"):
            bounds = found.get(stem)
            row[name] = bounds and bounds[end == "high"]
        else:
            row[name] = found.get(name)
    return row


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
        found = cube.engine.rows(statement("unit_levels").tables(levels=levels_table(cube.plan, dimension)))
        known = {int(unit): str(level) for unit, level in found}
        columns[dimension] = [known.get(unit) or None for unit in numbers.tolist()]
    exposed: npt.NDArray[np.int64] = units["exposed_at"].astype(np.int64)
    for rule in cube.plan.rules:
        observer.tabulate(rule)
        values = cube.engine.columns(statement("unit_metric"))
        mature = exposed <= observer.mature(rule)
        for before, column, base in (("", "y", "d"), (BEFORE, "x", "e"))[: 2 if cube.plan.lookback_us > 0 else 1]:
            columns[rule.name + before] = _spread(values, column, numbers, mature)
            if rule.is_ratio:
                columns[rule.name + DENOMINATOR + before] = _spread(values, base, numbers, mature)
    return Table(columns)


def _spread(
    found: Columns, column: str, numbers: npt.NDArray[np.int64], mature: npt.NDArray[np.bool_]
) -> list[float | None]:
    """The values in the order of the units; 0 for those who did nothing."""
    known = dict(zip(found["unit"].tolist(), found[column].tolist(), strict=True))
    pairs = zip(numbers.tolist(), mature.tolist(), strict=True)
    return [float(known.get(unit, 0.0)) if counted else None for unit, counted in pairs]


def analyst_sql(cube: Cube, observer: Observer, rule: MetricRule) -> str:
    """Self-contained, readable; to be run in the data directory. The metric must be the one observed last."""
    tables = {**cube.engine.sources(), **cube.tables}
    if rule.metric.type == "quantile":
        tables["sampled"] = statement("sampled_events" if rule.over_events else "sampled_units")
        answer = statement("answer_quantile").bind(q=rule.metric.q)
    else:
        answer = statement("answer").bind(mature=observer.mature(rule))
    return with_tables(answer, tables).render("duckdb", pretty=True)
