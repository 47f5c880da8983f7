"""The groups of a table: its variants, control first, and the levels of what it is split by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from events.engines.sql import Expression
from experiments.cube.statements import statement
from experiments.importing.request import ImportRequest
from experiments.importing.sheet import Sheet
from experiments.importing.spelling import Fault, any_of_these, such
from kit.suggestions import did_you_mean

CONTROL: Final = "control"
MOST_VARIANTS: Final = 50
MOST_LEVELS: Final = 100  # of a dimension
_NAMELESS: Final = ("", "na", "n/a", "nan", "null", "#n/a", "undefined")
_TOTALS: Final = (
    "total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt", "suma", "somme",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """One value of a column: how many rows have it, and the first of them."""

    name: str
    rows: int
    first: int


@dataclass(frozen=True, slots=True)
class Variants:
    """The variants as the table spells them, control first; whether rows lack one; and what is wrong with them."""

    names: tuple[str, ...]
    lacking: bool
    faults: tuple[Fault, ...]


def nameless(name: Expression) -> Expression:
    """Whether a row has no variant or no unit."""
    return Expression.of(f"$name IS NULL OR {any_of_these('lower(trim($name))', _NAMELESS)}", name=name)


def variants_of(sheet: Sheet, request: ImportRequest) -> Variants:
    """The variants of a table, control first: the one that is named, else `control`, else the first by name."""
    if request.variant not in sheet.keys:
        return Variants((), lacking=False, faults=())
    groups = _groups(sheet, request.variant, MOST_VARIANTS)
    lacking = [group for group in groups if group.name.strip().lower() in _NAMELESS]
    names = sorted(group.name for group in groups if group not in lacking)
    faults: list[Fault] = []
    if lacking and request.missing != "drop":
        faults.append(_lacking(sheet, request, lacking))
    if len(names) > MOST_VARIANTS:
        told = (
            f"column {request.variant!r} holds more than {MOST_VARIANTS} different values ({', '.join(names[:3])}, …)"
        )
        faults.append(Fault(f"{told}; name the column of the variant with --variant"))
        return Variants((), bool(lacking), tuple(faults))
    if len(names) < 2:
        held = f" ({names[0]})" if names else ""
        told = (
            f"{sheet.name} has {len(names)} variant{'' if len(names) == 1 else 's'}{held} in column {request.variant!r}"
        )
        faults.append(Fault(f"{told}; a test needs two"))
    faults += _alike([group for group in groups if group not in lacking])
    control = (
        request.control if request.control is not None else CONTROL if CONTROL in names else min(names, default="")
    )
    faults += _unknown(request, control, names)
    return Variants((control, *(name for name in names if name != control)), bool(lacking), tuple(faults))


def dimension_faults(sheet: Sheet, request: ImportRequest) -> list[Fault]:
    """Columns that are no dimension because nearly every row has a level of its own."""
    faults: list[Fault] = []
    for name in request.dimensions:
        if name in sheet.keys and len(groups := _groups(sheet, name, MOST_LEVELS)) > MOST_LEVELS:
            told = ", ".join(group.name for group in groups[:3])
            right = "put them into few classes first"
            faults.append(Fault(f"dimension {name!r} has more than {MOST_LEVELS} levels ({told}, …); {right}"))
    return faults


def _groups(sheet: Sheet, column: str, most: int) -> list[Group]:
    """The values of a column, the most frequent first; one more than `most` where there are more."""
    asked = statement("table_groups").bind(group=sheet.text(column), most=most + 1)
    return [Group(str(name or ""), int(rows), int(first)) for name, rows, first in sheet.reader.rows(asked)]


def _lacking(sheet: Sheet, request: ImportRequest, lacking: Sequence[Group]) -> Fault:
    """Rows without a variant; the sums below a table are one."""
    first = min(lacking, key=lambda group: group.first)
    told = repr(first.name) if first.name.strip() else "an empty cell"
    right = "fill it in, or leave such rows out with --missing drop"
    if request.unit is not None and request.unit in sheet.keys:
        wrong = nameless(sheet.text(request.variant))
        _, _, unit = sheet.reader.rows(statement("table_gaps").bind(cell=sheet.text(request.unit), wrong=wrong))[0]
        if str(unit or "").strip(" :").lower() in _TOTALS:
            right = f"{unit!r} is a row of sums: remove it"
    rows = sum(group.rows for group in lacking)
    return Fault(f"{told} in column {request.variant} is no variant ({such(rows)}); {right}", first.first)


def _alike(groups: Sequence[Group]) -> list[Fault]:
    """Variants that a person would take for one."""
    by_letters: dict[str, list[Group]] = {}
    for group in sorted(groups, key=lambda group: group.first):
        by_letters.setdefault("".join(group.name.split()).casefold(), []).append(group)
    faults: list[Fault] = []
    for found in (found for found in by_letters.values() if len(found) > 1):
        first, *others = (f"{group.name!r} ({group.rows}" for group in found)
        first += " rows)" if found[0].rows != 1 else " row)"
        others = [f"{other})" for other in others]
        told = f"variants {first} and {' and '.join(others)} differ only in capitals or spaces"
        faults.append(Fault(f"{told}; write them alike"))
    return faults


def _unknown(request: ImportRequest, control: str, names: Sequence[str]) -> list[Fault]:
    """A control and weights that name no variant of the table."""
    faults: list[Fault] = []
    listed = ", ".join(names)
    if control not in names:
        near = did_you_mean(control, names, quote="'")
        faults.append(Fault(f"control {control!r} is no value of column {request.variant!r}{near}; it has {listed}"))
    weights: Mapping[str, float] = request.weights
    for name in (name for name in weights if name not in names):
        near = did_you_mean(name, names, quote="'")
        faults.append(Fault(f"weights name {name!r}, which is no variant{near}; there are {listed}"))
    for name in (name for name in names if weights and name not in weights):
        faults.append(Fault(f"weights leave out {name!r}; name every variant: {listed}"))
    return faults
