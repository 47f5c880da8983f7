"""The units of a table: one row each, and what becomes of those that stand in several rows or in several groups."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from events.engines.sql import Expression, all_of
from experiments.answers.health import Check, Excluded
from experiments.cube.statements import statement
from experiments.importing.groups import Variants, nameless
from experiments.importing.profile import Profile
from experiments.importing.request import ImportRequest, TableMetric
from experiments.importing.sheet import Sheet
from experiments.importing.spelling import Fault, any_of_these, such

EXAMPLES: Final = 3
_PLACEHOLDERS: Final = ("null", "(null)", "none", "na", "n/a", "nan", "undefined", "unknown", "(not set)", "-")


@dataclass(frozen=True, slots=True)
class Units:
    """The rows that count, in a table of the engine; what was left out, and what the reader must know of it."""

    table: str
    excluded: Excluded
    notices: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Repetition:
    """Units that stand in several rows: how many, in how many rows, how many in several groups.

    `placeholder` is one that stands for no unit at all, such as null.
    """

    units: int = 0
    rows: int = 0
    both_groups: int = 0
    placeholder: str | None = None


def cell_of(request: ImportRequest, metric: TableMetric, role: str) -> str:
    """The name of a metric's cell in the table of units; metrics that take a column alike share it."""
    any_of_rows = metric.type == "proportion" and role == "y"
    taken = "before" if role in ("x", "e") else "any" if any_of_rows else "sum"
    return f"{taken}_{request.columns.index(metric.columns[role])}"


def show_units(sheet: Sheet, request: ImportRequest, profile: Profile, variants: Variants) -> list[Fault]:
    """Defines `units`: a row for each row that has a unit and a variant; answers what is wrong with the units' ids."""
    if request.variant not in sheet.keys:
        return []
    variant = sheet.text(request.variant)
    empty, faults = _without_unit(sheet, request, profile)
    conditions = [Expression.of("NOT $empty", empty=condition) for condition in empty]
    if variants.lacking:
        conditions.append(Expression.of("NOT $lacking", lacking=nameless(variant)))
    rows = statement("table_units").bind(variant=variant, chosen=all_of(conditions))
    sheet.reader.define("units", rows.also(**_cells(sheet, request, profile)))
    return faults


def _cells(sheet: Sheet, request: ImportRequest, profile: Profile) -> dict[str, Expression]:
    """What is shown of a row: its unit, a cell for each role of a metric, the level of each dimension."""
    shown: dict[str, Expression] = {}
    if request.unit in sheet.keys:
        shown["unit"] = sheet.raw(str(request.unit))
    for metric in request.metrics:
        for role, name in metric.columns.items():
            if name in profile.numbers:
                filled = name in profile.gaps and role in ("y", "d") and request.missing == "0"
                text = "coalesce($n, 0.0)" if filled else "$n"
                shown[cell_of(request, metric, role)] = Expression.of(text, n=profile.numbers[name])
    for index, name in enumerate(request.dimensions):
        if name in sheet.keys:
            shown[f"g{index}"] = Expression.of("coalesce(trim($level), '')", level=sheet.text(name))
    return shown


def _without_unit(sheet: Sheet, request: ImportRequest, profile: Profile) -> tuple[list[Expression], list[Fault]]:
    """What tells rows whose unit is empty, where there are any, and that there are."""
    if request.unit is None or request.unit not in sheet.keys or profile.units == profile.rows:
        return [], []
    empty = Expression.of("$unit IS NULL", unit=sheet.raw(request.unit))
    n, first, _ = sheet.reader.rows(statement("table_gaps").bind(cell=None, wrong=empty))[0]
    told = f"an empty cell in column {request.unit} is no unit ({such(n)})"
    fault = Fault(f"{told}; fill it in, or leave such rows out with --missing drop", int(first))
    return [empty], [] if request.missing == "drop" else [fault]


def repetition(sheet: Sheet, request: ImportRequest) -> Repetition:
    """Units that repeat; whole numbers are sorted for that, a third of the work of counting different ones."""
    if request.unit is None or request.unit not in sheet.keys or request.variant not in sheet.keys:
        return Repetition()
    whole = sheet.kinds[request.unit] == "whole"
    id_of = Expression.of("u.unit" if whole else "TRY_CAST(u.unit AS BIGINT)")
    numbers = np.sort(sheet.reader.columns(statement("table_ids").bind(id=id_of))["unit"])
    if (numbers[1:] > numbers[:-1]).all():
        return Repetition()
    rows, different = sheet.reader.rows(statement("table_different"))[0]
    if rows == different:
        return Repetition()
    sheet.reader.materialise("repeated", statement("table_repeated"))
    known = Expression.of(any_of_these("lower(trim(CAST(r.unit AS VARCHAR)))", _PLACEHOLDERS))
    units, rows, both_groups, placeholder = sheet.reader.rows(statement("table_repetition").bind(placeholder=known))[0]
    return Repetition(int(units), int(rows), int(both_groups), placeholder)


def repetition_faults(sheet: Sheet, request: ImportRequest, found: Repetition, variants: Sequence[str]) -> list[Fault]:
    """Units that repeat where nothing was said of them, and covariates that are not one value per unit."""
    groups = "both" if len(variants) == 2 else "several"
    if not found.units:
        return []
    if request.duplicates == "error":
        examples = [str(unit) for (unit,) in sheet.reader.rows(statement("table_examples").bind(most=EXAMPLES))]
        listed = ", ".join(examples) + (", …" if found.units > EXAMPLES else "")
        both = f", {found.both_groups} of them in {groups} groups" if found.both_groups else ""
        right = "say --duplicates first, last, sum or drop, or --events if each row is an event"
        if found.placeholder is not None:
            right = f"{found.placeholder!r} is no unit: leave its rows out"
        if any(re.fullmatch(r"\d([.,]\d+)?E\+\d+", unit) for unit in examples):
            right = f"{examples[0]} was cut short by a spreadsheet: export the ids as text"
        told = f"{_several(found.units)} in more than one row ({found.rows} rows; {listed}){both}"
        return [Fault(f"{told}; {right}")]
    return _unsteady(sheet, request) if request.duplicates == "sum" else []


def _unsteady(sheet: Sheet, request: ImportRequest) -> list[Fault]:
    """Covariates that differ between the rows of a unit."""
    faults: list[Fault] = []
    covariates = [
        (cell_of(request, metric, role), name)
        for metric in request.metrics
        for role, name in metric.columns.items()
        if role in ("x", "e")
    ]
    for cell, name in covariates:
        for unit, first in sheet.reader.rows(statement("table_unsteady").bind(shared=Expression.of(f"u.{cell}"))):
            told = f"unit {unit} has several values in column {name}"
            right = "a covariate is what a unit brought before: the same in all of its rows"
            faults.append(Fault(f"{told}; {right}", int(first)))
    return faults


def single_units(sheet: Sheet, request: ImportRequest, profile: Profile, found: Repetition) -> Units:
    """A row for each unit, as was asked for; units in several groups are left out."""
    table, dropped = "units", None
    if request.missing == "drop":
        table, lacking = "whole", _lacking_cells(request, profile)
        sheet.reader.define(table, statement("table_whole").bind(whole=all_of(lacking)))
        dropped = profile.rows - int(sheet.reader.rows(statement("table_count").tables(units=table))[0][0])
    if request.unit is None:
        return Units(table, Excluded(missing=dropped))
    if not found.units:
        return Units(table, Excluded(missing=dropped, both_groups=0))
    out = "TRUE" if request.duplicates == "drop" else "r.both_groups = 1"
    single = statement("table_single").tables(units=table).bind(left_out=Expression.of(out))
    sheet.reader.materialise("single", single.also(**_single_cells(request)))
    repeated = found.units - found.both_groups
    left = repeated if request.duplicates == "drop" else None
    excluded = Excluded(missing=dropped, both_groups=found.both_groups, duplicates=left)
    told = f"{_several(repeated)} in more than one row: {_TAKEN[request.duplicates]}"
    return Units("single", excluded, () if request.events or not repeated else (Check("units_repeat", told),))


def _lacking_cells(request: ImportRequest, profile: Profile) -> list[Expression]:
    """That a row has every number that it needs."""
    return [
        Expression.of(f"u.{cell_of(request, metric, role)} IS NOT NULL")
        for metric in request.metrics
        for role, name in metric.columns.items()
        if name in profile.gaps and role in ("y", "d")
    ]


_TAKEN: Final = {
    "first": "the first of them counts",
    "last": "the last of them counts",
    "sum": "they were summed",
    "drop": "they were left out",
}


def _several(units: int) -> str:
    return "1 unit stands" if units == 1 else f"{units} units stand"


def _single_cells(request: ImportRequest) -> dict[str, Expression]:
    """What is measured of a unit, over its rows. Covariates and levels are those of a row, not sums."""
    one_row = "arg_max($c, u.row)" if request.duplicates == "last" else "arg_min($c, u.row)"
    cells = {f"g{index}": one_row for index in range(len(request.dimensions))}
    summed = {"any": "max($c)", "sum": "sum($c)"} if request.duplicates == "sum" else {}
    for metric in request.metrics:
        for role in metric.columns:
            cell = cell_of(request, metric, role)
            cells[cell] = summed.get(cell.partition("_")[0], one_row)
    return {name: Expression.of(text, c=Expression.of(f"u.{name}")) for name, text in cells.items()}
