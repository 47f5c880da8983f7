"""What the columns of the flat tables hold: the sentences of the glossary, and of columns that no JSON answer has.

Parquet answers hold them as the `description` of each field. CSV has no place for them: its answers lead to the
glossary by their header `Link`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from app.glossary.entries import Explained, entries

COLUMNS_ALONE: Final[Mapping[str, str]] = {  # that no JSON answer has under this name
    "decides": "Whether this row is of the method that the plan follows; the others are for comparison.",
    "conversions_backend": "Conversions of the first goal that the shop's own service told of, in this variant.",
    "conversions_proven": "Conversions of the first goal that a page told of with a proof, in this variant.",
    "conversions_page": "Conversions of the first goal that a page told of, as anybody could, in this variant.",
    "exposed_at": "When the unit was first exposed, in UTC.",
    "has_history": "Whether the unit was seen before its exposure.",
}
# What a name says in one table alone: a row of these is of a unit, or of one method's answer.
OF_UNITS: Final[Mapping[str, str]] = {
    "unit": "The id of the unit: a visitor or a user.",
    "variant": "The key of the variant that the unit got.",
}
OF_ANSWERS: Final[Mapping[str, str]] = {
    "method": "The method by which this row judges; `decides` says whether it is the plan's.",
}
ENDS: Final = {"_low": "lower", "_high": "upper"}


def column_notes(names: Iterable[str], kind: str) -> dict[str, str]:
    """The sentence of each column of a table whose rows are of a type of the answers. Raises KeyError without one."""
    known = {entry.name: _said(entry, kind) for entry in entries()} | COLUMNS_ALONE
    if kind == "ComparisonReadout":
        known |= OF_ANSWERS
    return {name: known[name] if name in known else _end(name, known) for name in names}


def unit_notes(names: Iterable[str]) -> dict[str, str]:
    """The sentence of each column of a table of units, most of which are of its metrics and dimensions."""
    return {name: {**COLUMNS_ALONE, **OF_UNITS}.get(name) or _measured(name) for name in names}


def _said(entry: Explained, kind: str) -> str:
    """What a name is in this type, else in general."""
    own = (text for where, text in entry.elsewhere.items() if kind in where.split(", "))
    return next(own, entry.description)


def _end(name: str, known: Mapping[str, str]) -> str:
    """Of `ci_low` where only `ci` is explained: the lower end of that. Raises KeyError."""
    stem, _, end = name.rpartition("_")
    return f"The {ENDS['_' + end]} end of an interval. {known[stem]}"


def _measured(name: str) -> str:
    """Of a column of a metric or a dimension: `revenue`, `revenue_before`, `rate_denominator`."""
    measured = name.removesuffix("_before").removesuffix("_denominator")
    part = "what it is divided by" if "_denominator" in name[len(measured) :] else "the value"
    when = " from before the exposure" if name.endswith("_before") else ""
    return f"Of the metric or dimension {measured}: {part} of this unit{when}; a metric's is in its own unit."
