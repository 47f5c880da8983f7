"""The profile of what is measured, taken once: how each column is written, which cells it lacks, what is no number."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from math import isfinite
from typing import Final

from events.engines.sql import Expression, Statement
from experiments.answers.health import Check
from experiments.cube.statements import statement
from experiments.importing.request import DecimalSign, ImportRequest, TableMetric
from experiments.importing.sheet import Sheet
from experiments.importing.spelling import Fault, Form, forms_statement, spelled, such, summed, sure_signs


@dataclass(frozen=True, slots=True)
class Profile:
    """The measured columns by name: their numbers (NULL where missing), and a value near which their sums are exact.

    `gaps` are those that need numbers and lack some. A column with a fault has no numbers. `units` are the rows whose
    unit is not empty.
    """

    rows: int
    units: int
    numbers: Mapping[str, Expression]
    lows: Mapping[str, float]
    gaps: Set[str]
    faults: tuple[Fault, ...]
    notices: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """A column at a glance: cells that are not empty, numbers among them, their range, and those neither 0 nor 1."""

    filled: int
    numbers: int
    low: float
    high: float
    others: int

    @property
    def is_finite(self) -> bool:
        return isfinite(self.low) and isfinite(self.high)

    @property
    def is_plain(self) -> bool:
        """Whether every cell that holds anything is a number that can be added up."""
        return self.numbers == self.filled and self.is_finite


@dataclass(frozen=True, slots=True)
class _Read:
    """A column that is not plain, once it was understood: its numbers, the cells that are missing, what is wrong."""

    number: Expression
    gap: Form | None
    faults: tuple[Fault, ...]
    example: tuple[str, str] | None = None  # a cell that was read otherwise than a machine would, and what it is


_VALUE: Final = Statement.of("SELECT $value AS value")


def profiled(sheet: Sheet, request: ImportRequest, *, thorough: bool = False) -> Profile:
    """The profile of the measured columns that are there; `thorough`: no number of a Parquet file is taken for finite.

    Raises `ImportFailed` where there are no rows.
    """
    named = [column for metric in request.metrics for column in metric.columns.items() if column[1] in sheet.keys]
    required = {name for role, name in named if role in ("y", "d")}
    shares = {metric.column for metric in request.metrics if metric.type == "proportion" and not request.counts}
    numbers = {name: sheet.number(name) for _, name in named}
    unsure = {name for name in numbers if thorough and sheet.kinds[name] == "number"}
    rows, units, looks = _looked(sheet, numbers, shares, request.unit)
    if not rows:
        sheet.refuse([*sheet.faults, Fault(f"{sheet.name} has no rows below its header")])
    lacking = {name for name, look in looks.items() if name in required and look.filled < rows}
    odd = [name for name, look in looks.items() if not look.is_plain or name in unsure | lacking]
    read = _read(sheet, request, odd, list(numbers))
    faults: list[Fault] = []
    for name, column in read.items():
        numbers[name] = column.number
        found = list(column.faults)
        if column.gap is not None and name in required and request.missing == "error":
            found.insert(0, _missing(name, column.gap))
        if found:
            del numbers[name]
        faults += found
    mended = {name: numbers[name] for name in read if name in numbers}
    looks |= _looked(sheet, mended, shares)[2] if mended else {}
    for name, number in list(numbers.items()):
        found = _impossible(sheet, name, number, looks[name], is_share=name in shares)
        if found:
            del numbers[name]
        faults += found
    if request.counts:
        faults += [fault for metric in request.metrics for fault in _uncountable(sheet, metric, numbers)]
    return Profile(
        rows=rows,
        units=units,
        numbers=numbers,
        lows={name: looks[name].low for name in numbers},
        gaps={name for name, column in read.items() if column.gap is not None and name in required},
        faults=tuple(faults),
        notices=tuple(
            Check("numbers_read", f"column {name}: {column.example[0]!r} was read as {column.example[1]}")
            for name, column in read.items()
            if column.example is not None
        ),
    )


def _looked(
    sheet: Sheet, numbers: Mapping[str, Expression], shares: Set[str], unit: str | None = None
) -> tuple[int, int, dict[str, _Look]]:
    """How many rows there are, how many of them with a unit, and each column at a glance; what a Parquet file tells of
    itself is not read again."""
    asked: dict[str, Expression] = {}
    for name, number in numbers.items():
        key, plain = sheet.keys[name], sheet.kinds[name] in ("whole", "number") and number == sheet.number(name)
        value = Expression.of(f"c.{key}") if plain else number
        asked[f"filled_{key}"] = Expression.of(f"count(c.{key})")
        asked[f"numbers_{key}"] = Expression.of("count($v)", v=value)
        asked[f"low_{key}"] = Expression.of("min($v)", v=value)
        asked[f"high_{key}"] = Expression.of("max($v)", v=value)
        if name in shares and sheet.kinds[name] not in ("whole", "truth"):
            asked[f"others_{key}"] = Expression.of("sum(CASE WHEN $v NOT IN (0, 1) THEN 1 ELSE 0 END)", v=value)
    asked["units"] = (
        Expression.of("count($unit)", unit=sheet.raw(str(unit))) if unit in sheet.keys else Expression.of("0")
    )
    found = sheet.reader.records(statement("table_profile").also(**asked))[0]
    looks: dict[str, _Look] = {}
    for name, key in ((name, sheet.keys[name]) for name in numbers):
        low, high = (float(found[f"{end}_{key}"] or 0.0) for end in ("low", "high"))
        others = int(found.get(f"others_{key}") or 0) or int(name in shares and (low < 0.0 or high > 1.0))
        looks[name] = _Look(int(found[f"filled_{key}"]), int(found[f"numbers_{key}"]), low, high, others)
    return int(found["n"]), int(found["units"]), looks


def _read(sheet: Sheet, request: ImportRequest, odd: Iterable[str], columns: Iterable[str]) -> dict[str, _Read]:
    """Columns that are not plain; texts by the forms of their cells."""
    texts = [name for name in columns if sheet.kinds[name] == "text"]
    looked_at = set(texts) if request.counts or request.decimal == "," else set(odd)
    forms = {name: _forms(sheet, name) for name in texts if name in looked_at}
    if "," in _signs(forms.values()):  # then a point may part thousands everywhere
        forms |= {name: _forms(sheet, name) for name in texts if name not in forms}
    read: dict[str, _Read] = {}
    for name in columns:
        if name in forms:
            elsewhere = _whole(forms[name]) if request.counts else _signs(forms.values())
            spelling, faults = spelled(name, forms[name], request.decimal, elsewhere)
            gap = summed([form for form in forms[name] if form.name == "missing"])
            number = spelling.number(sheet.text(name))
            example = None
            if spelling.example is not None and not faults:
                value = spelling.number(Expression.of("$cell", cell=spelling.example))
                example = spelling.example, f"{sheet.reader.rows(_VALUE.bind(value=value))[0][0]:.15g}"
            read[name] = _Read(number, gap, tuple(faults), example)
        elif name in odd:
            number = sheet.number(name)
            gap = _cells(sheet, name, Expression.of("$n IS NULL OR isnan($n)", n=number))
            read[name] = _Read(Expression.of("nullif($n, CAST('nan' AS DOUBLE))", n=number), gap, ())
    return read


def _forms(sheet: Sheet, name: str) -> list[Form]:
    rows = sheet.reader.records(forms_statement(name, sheet.text(name)))
    return [
        Form(
            name=str(row["form"]),
            rows=int(row["n"]),
            first=int(row["first_row"]),
            cell=row["cell"],
            currency=row["currency"],
            percent=bool(row["percent"]),
            spellings=tuple(row["spellings"] or ()),
        )
        for row in rows
    ]


def _signs(forms: Iterable[Iterable[Form]]) -> Set[DecimalSign]:
    """The decimal signs that the columns are sure of."""
    return {sign for column in forms for sign in sure_signs(column)}


def _whole(forms: Iterable[Form]) -> Set[DecimalSign]:
    """The decimal sign of counts: what parts their thousands is not it."""
    return {"."} if any(form.name == "comma_or_group" for form in forms) else {","}


def _missing(name: str, gap: Form) -> Fault:
    told = "an empty cell" if gap.cell is None or not gap.cell.strip() else repr(gap.cell)
    right = "drop them with --missing drop, or count them as --missing 0"
    return Fault(f"{told} in column {name} is no number ({such(gap.rows)}); {right}", gap.first)


def _cells(sheet: Sheet, name: str, wrong: Expression) -> Form | None:
    """The cells of a column for which a condition holds; None where there are none."""
    n, first, cell = sheet.reader.rows(statement("table_gaps").bind(cell=sheet.text(name), wrong=wrong))[0]
    return Form("", int(n), int(first), cell) if n else None


def _impossible(sheet: Sheet, name: str, number: Expression, look: _Look, *, is_share: bool) -> list[Fault]:
    """Numbers without end, and what is neither 0 nor 1 in a proportion."""
    faults: list[Fault] = []
    if not look.is_finite and (found := _cells(sheet, name, Expression.of("isinf($n)", n=number))) is not None:
        right = "correct it, or leave the cell empty and say --missing drop"
        told = f"{found.cell!r} in column {name} is no finite number ({such(found.rows)}); {right}"
        faults.append(Fault(told, found.first))
    if is_share and look.others:
        found = _cells(sheet, name, Expression.of("$n NOT IN (0, 1)", n=number))
        if found is not None:
            told = f"{found.cell!r} in column {name} is neither 0 nor 1, neither yes nor no ({such(found.rows)})"
            faults.append(Fault(f"{told}; for the mean of such a column write mean:{name}", found.first))
    return faults


def _uncountable(sheet: Sheet, metric: TableMetric, numbers: Mapping[str, Expression]) -> list[Fault]:
    """Aggregated rows that are no counts: parts of units, or more conversions than visitors."""
    faults: list[Fault] = []
    columns = [name for name in metric.columns.values() if name in numbers]
    for name in columns:
        found = _cells(sheet, name, Expression.of("$n < 0 OR $n <> floor($n)", n=numbers[name]))
        if found is not None:
            told = f"{found.cell!r} in column {name} is no count ({such(found.rows)})"
            faults.append(Fault(f"{told}; write whole numbers from 0", found.first))
    if len(columns) == 2:
        more = Expression.of("$y > $d", y=numbers[columns[0]], d=numbers[columns[1]])
        found = _cells(sheet, columns[0], more)
        if found is not None:
            told = f"{found.cell!r} {columns[0]} are more than there are {columns[1]} ({such(found.rows)})"
            right = f"is {metric.name}={metric.type}:{columns[1]}/{columns[0]} meant?"
            faults.append(Fault(f"{told}; {right}", found.first))
    return faults
