"""The SQL of the analysis: files in one dialect that an analyst can read, and the `where` of a metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from events.engines.sql import Expression, Statement, all_of, any_of
from experiments.targeting.countable import COLUMNS, JOINED, ORDERED, uncountable

FOLDER: Final = Path(__file__).parent / "sql"


@cache
def statement(name: str) -> Statement:
    """The statement of `sql/<name>.sql`."""
    return Statement.of_file(FOLDER / f"{name}.sql")


class UncountableCondition(ValueError):
    """A `where` that cannot be counted over the log; says what could be."""


@dataclass(frozen=True, slots=True)
class Properties:
    """Where a property is found: `names[i]` is the columns `text_i` and `number_i`."""

    names: tuple[str, ...]

    def text(self, name: str) -> str:
        """The column with the text of a field."""
        if name == "value":
            return "CAST(e.value AS VARCHAR)"
        return f"e.{name}" if name in COLUMNS else f"e.text_{self.names.index(name)}"

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns that hold a field."""
        if name in COLUMNS or name == "value":
            return (name,)
        return f"text_{self.names.index(name)}", f"number_{self.names.index(name)}"

    def attribute(self, name: str) -> str:
        """The column with the text of an attribute of an exposure, whatever the log's own columns are called."""
        return f"e.text_{self.names.index(name)}"

    def number(self, name: str) -> str:
        """The column with the number of a property."""
        return "e.value" if name == "value" else f"e.number_{self.names.index(name)}"


def properties_of(where: Mapping[str, Any]) -> list[str]:
    """The properties that a condition reads beyond the log's own columns."""
    return [name for name in fields_of(where) if name not in COLUMNS]


def fields_of(where: Mapping[str, Any]) -> list[str]:
    """All that a condition reads."""
    found: list[str] = []
    for name, test in where.items():
        if name in JOINED:
            found += [inner for part in test for inner in fields_of(part)]
        elif name == "$not":
            found += fields_of(test)
        else:
            found.append(name)
    return list(dict.fromkeys(found))


def condition(where: Mapping[str, Any], properties: Properties) -> Expression:
    """The condition on a row `e` of the events view; a missing property behaves as it does in the browser."""
    for path, message in uncountable(where):
        raise UncountableCondition(f"where: {'.'.join(map(str, path))}: {message}")
    return _condition(where, properties)


def _condition(where: Mapping[str, Any], properties: Properties) -> Expression:
    return all_of(_clause(name, test, properties) for name, test in where.items())


def _clause(name: str, test: Any, properties: Properties) -> Expression:
    match name:
        case "$and":
            return all_of(_condition(part, properties) for part in test)
        case "$or":
            return any_of(_condition(part, properties) for part in test)
        case "$nor":
            return _negated(any_of(_condition(part, properties) for part in test))
        case "$not":
            return _negated(_condition(test, properties))
        case _:
            return _field(name, test, properties)


def _field(name: str, test: Any, properties: Properties) -> Expression:
    if isinstance(test, Mapping):
        return all_of(_operator(name, operator, value, properties) for operator, value in test.items())
    return _equal(name, test, properties)


def _operator(name: str, operator: str, value: Any, properties: Properties) -> Expression:
    match operator:
        case "$eq":
            return _equal(name, value, properties)
        case "$ne":
            return _negated(_equal(name, value, properties))
        case "$in" | "$nin":
            among = any_of(_equal(name, item, properties) for item in value)
            return among if operator == "$in" else _negated(among)
        case "$exists":
            present = Expression.of(f"{properties.text(name)} IS NOT NULL")
            return present if value else _negated(present)
        case "$not":
            return _negated(_field(name, value, properties))
        case "$regex":
            return _held(Expression.of(f"regexp_matches({properties.text(name)}, $pattern)", pattern=str(value)))
        case _:
            return _compared(name, ORDERED[operator], value, properties)


def _equal(name: str, value: Any, properties: Properties) -> Expression:
    match value:
        case None:
            return Expression.of(f"{properties.text(name)} IS NULL")
        case bool():
            return _held(Expression.of(f"{properties.text(name)} = $value", value="true" if value else "false"))
        case int() | float() if name not in COLUMNS:
            return _held(Expression.of(f"{properties.number(name)} = $value", value=float(value)))
        case _:
            return _held(Expression.of(f"{properties.text(name)} = $value", value=str(value)))


def _compared(name: str, sign: str, value: Any, properties: Properties) -> Expression:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _held(Expression.of(f"{properties.number(name)} {sign} $value", value=float(value)))
    return _held(Expression.of(f"{properties.text(name)} {sign} $value", value=str(value)))


def _held(test: Expression) -> Expression:
    """False, not unknown, where the property is missing."""
    return Expression.of("coalesce($test, FALSE)", test=test)


def _negated(test: Expression) -> Expression:
    return Expression.of("NOT $test", test=test)
