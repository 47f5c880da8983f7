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
    names = sorted(name for name in groups if name.strip().lower() not in _NAMELESS)
    lacking = len(names) < len(groups)
    faults = [_lacking(sheet, request)] if lacking and request.missing != "drop" else []
    if len(names) > MOST_VARIANTS:
        told = f"column {request.variant!r} holds more than {MOST_VARIANTS} different values"
        told += f" ({', '.join(names[:3])}, …)"
        faults.append(Fault(f"{told}; name the column of the variant with --variant"))
        return Variants((), lacking, tuple(faults))
    if len(names) < 2:
        held = "1 variant" if names else "no variant"
        listed = f" ({names[0]})" if names else ""
        faults.append(Fault(f"{sheet.name} has {held}{listed} in column {request.variant!r}; a test needs two"))
    control = request.control
    if control is None:
        control = CONTROL if CONTROL in names else min(names, default="")
    faults += [*_alike({name: groups[name] for name in names}), *_unknown(request, control, names)]
    return Variants((control, *(name for name in names if name != control)), lacking, tuple(faults))


def dimension_faults(sheet: Sheet, request: ImportRequest) -> list[Fault]:
    """Columns that are no dimension because nearly every row has a level of its own."""
    faults: list[Fault] = []
    for name in request.dimensions:
        if name in sheet.keys and len(groups := _groups(sheet, name, MOST_LEVELS)) > MOST_LEVELS:
            told = ", ".join([*groups][:3])
            right = "put them into few classes first"
            faults.append(Fault(f"dimension {name!r} has more than {MOST_LEVELS} levels ({told}, …); {right}"))
    return faults


def _groups(sheet: Sheet, column: str, most: int) -> dict[str, int]:
    """The values of a column, the most frequent first, with their rows; one more than `most` where there are more."""
    asked = statement("table_groups").bind(group=sheet.text(column), most=most + 1)
    return {str(name or ""): int(rows) for name, rows in sheet.reader.rows(asked)}


def _lacking(sheet: Sheet, request: ImportRequest) -> Fault:
    """Rows without a variant; the sums below a table are one."""
    wrong = nameless(sheet.text(request.variant))
    asked = statement("table_gaps").bind(wrong=wrong)
    rows, first, name = sheet.reader.rows(asked.bind(cell=sheet.text(request.variant)))[0]
    told = repr(name) if name and name.strip() else "an empty cell"
    right = "fill it in, or leave such rows out with --missing drop"
    if request.unit is not None and request.unit in sheet.keys:
        _, _, unit = sheet.reader.rows(asked.bind(cell=sheet.text(request.unit)))[0]
        if str(unit or "").strip(" :").lower() in _TOTALS:
            right = f"{unit!r} is a row of sums: remove it"
    return Fault(f"{told} in column {request.variant} is no variant ({such(rows)}); {right}", first)


def _alike(groups: Mapping[str, int]) -> list[Fault]:
    """Variants that a person would take for one."""
    by_letters: dict[str, list[str]] = {}
    for name in groups:
        by_letters.setdefault("".join(name.split()).casefold(), []).append(name)
    faults: list[Fault] = []
    for first, *others in (names for names in by_letters.values() if len(names) > 1):
        told = f"variants {first!r} ({groups[first]} row{'s' if groups[first] != 1 else ''})"
        told += "".join(f" and {name!r} ({groups[name]})" for name in others)
        faults.append(Fault(f"{told} differ only in capitals or spaces; write them alike"))
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
