"""The SQL of the analysis: files in one dialect that an analyst can read, and the `where` of a metric."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from events.authority import Authority
from events.engines.sql import Expression, Statement, all_of, any_of
from events.records import SURVEY_ANSWERED
from experiments.definitions.metrics import COLUMNS, uncountable
from kit.conditions import (
    OPPOSITES,
    ORDERS,
    Field,
    Joined,
    Nested,
    Never,
    Operation,
    Opposite,
    Tests,
    Where,
    fields,
    parse,
)
from kit.values import small_letters

_SAID: Final = {  # columns that conditions name by a word
    "authority": f"(CASE {' '.join(f'WHEN e.authority = {each:d} THEN {each.word!r}' for each in Authority)} END)",
    "issued": "(CASE WHEN e.issued THEN 'true' ELSE 'false' END)",
}
SURVEY_NAMES: Final = frozenset({"survey"})
FOLDER: Final = Path(__file__).parent / "sql"


@cache
def statement(name: str) -> Statement:
    """The statement of `sql/<name>.sql`."""
    return Statement.of_file(FOLDER / f"{name}.sql")


class UncountableCondition(ValueError):
    """A `where` that cannot be counted over the log; says what could be."""


@dataclass(frozen=True, slots=True)
class Properties:
    """Where a property is found: `names[i]` is the columns `text_i` and `number_i`. In those that are `folded`
    the case of a text says nothing.
    """

    names: tuple[str, ...]
    folded: frozenset[str] = frozenset()

    def of(self, event: str, *, scored: bool) -> "Properties":
        """The same for events of this name, or for any that have a score: surveys are called as people write them."""
        return replace(self, folded=SURVEY_NAMES) if scored or event == SURVEY_ANSWERED else self

    def text(self, name: str) -> str:
        """The column with the text of a field, folded where that is."""
        return f"lower({self._text(name)})" if name in self.folded else self._text(name)

    def said(self, name: str, value: Any) -> str:
        """A value as it is compared with the text of a field."""
        return small_letters(str(value)) if name in self.folded else str(value)

    def _text(self, name: str) -> str:
        if name == "value":
            return "CAST(e.value AS VARCHAR)"
        if name in _SAID:
            return _SAID[name]
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
    return list(dict.fromkeys(field.name for field in fields(parse(where).where)))


def condition(where: Mapping[str, Any], properties: Properties) -> Expression:
    """The condition on a row `e` of the events view; a missing property is null there.

    Null equals null alone and takes part in no order: where a browser takes it for 0, an event does not count.
    """
    parsed = parse(where)
    for mistake in (*parsed.mistakes, *uncountable(parsed.where)):
        raise UncountableCondition(f"where: {'.'.join(map(str, mistake.path))}: {mistake.message}")
    return _where(parsed.where, properties)


def _where(where: Where, properties: Properties) -> Expression:
    return all_of(_entry(entry, properties) for entry in where.entries)


def _entry(entry: Field | Joined | Opposite | Never, properties: Properties) -> Expression:
    match entry:
        case Field():
            return _tests(entry.name, entry.tests, properties)
        case Joined("$and"):
            return all_of(_where(part, properties) for part in entry.parts)
        case Joined():
            either = any_of(_where(part, properties) for part in entry.parts) if entry.parts else all_of(())
            return _negated(either) if entry.operator == "$nor" else either
        case Opposite():
            return _negated(_where(entry.part, properties))
        case Never():
            return any_of(())


def _tests(name: str, tests: Tests, properties: Properties) -> Expression:
    expressions: list[Expression] = []
    for test in tests:
        if isinstance(test, Nested):
            expressions.append(_negated(_tests(name, test.parts[0], properties)))
        elif isinstance(test, Operation):
            opposite = OPPOSITES.get(test.operator)
            built = _operation(name, opposite or test.operator, test.operand, properties)
            expressions.append(_negated(built) if opposite else built)
    return all_of(expressions)


def _operation(name: str, operator: str, operand: Any, properties: Properties) -> Expression:
    match operator:
        case "$in":
            return any_of(_equal(name, item, properties) for item in operand)
        case "$exists":
            present = Expression.of(f"{properties.text(name)} IS NOT NULL")
            return present if operand else _negated(present)
        case "$regex":
            pattern = f"(?i){operand}" if name in properties.folded else str(operand)
            return _held(Expression.of(f"regexp_matches({properties.text(name)}, $pattern)", pattern=pattern))
        case _ if operator in ORDERS:
            by_number = isinstance(operand, int | float) and not isinstance(operand, bool)
            value, read = (float(operand), properties.number) if by_number else (None, properties.text)
            value = properties.said(name, operand) if value is None else value
            return _held(Expression.of(f"{read(name)} {_SIGNS[operator]} $value", value=value))
        case _:
            return _equal(name, operand, properties)


_SIGNS: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def _equal(name: str, value: Any, properties: Properties) -> Expression:
    match value:
        case None:
            return Expression.of(f"{properties.text(name)} IS NULL")
        case bool():
            return _held(Expression.of(f"{properties.text(name)} = $value", value="true" if value else "false"))
        case int() | float() if name not in COLUMNS:
            return _held(Expression.of(f"{properties.number(name)} = $value", value=float(value)))
        case _:
            return _held(Expression.of(f"{properties.text(name)} = $value", value=properties.said(name, value)))


def _held(test: Expression) -> Expression:
    """False, not unknown, where the property is missing."""
    return Expression.of("coalesce($test, FALSE)", test=test)


def _negated(test: Expression) -> Expression:
    return Expression.of("NOT $test", test=test)
