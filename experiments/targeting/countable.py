"""Which conditions can be counted over the log: the part of the GrowthBook condition language that every engine has.

Pure: definitions are checked by it where no engine is loaded.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

OPERATORS: Final = (
    "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not", "$regex", "$and", "$or", "$nor",
)  # fmt: skip
ORDERED: Final[Mapping[str, str]] = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
COLUMNS: Final = frozenset({"device", "country", "url", "path", "currency", "order_id", "visitor_id", "user_id"})
"""Fields that are columns of the log: texts all of them."""
JOINED: Final = ("$and", "$or", "$nor")

Path = tuple[str | int, ...]


def uncountable(where: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Each place that cannot be counted, with what is wrong there and what would be right.

    `where` is a condition that `compile_condition` takes.
    """
    for name, test in where.items():
        here = (*path, name)
        if name in JOINED:
            for number, part in enumerate(test):
                yield from uncountable(part, (*here, number))
        elif name == "$not":
            yield from uncountable(test, here)
        elif name.startswith("$"):
            yield here, unknown(name)
        else:
            yield from _of_field(name, test, here)


def unknown(operator: str) -> str:
    """What is said of an operator that cannot be counted."""
    close = get_close_matches(operator, OPERATORS, 1)
    hint = f"did you mean {close[0]}?" if close else f"metrics can use {', '.join(OPERATORS)}"
    return f"{operator} cannot be counted over the log; {hint}"


def _of_field(name: str, test: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(test, Mapping):
        yield from _of_value(test, path)
        return
    for operator, value in test.items():
        yield from _of_operator(name, operator, value, (*path, operator))


def _of_operator(name: str, operator: str, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    match operator:
        case "$not":
            yield from _of_field(name, value, path)
        case "$in" | "$nin":
            for number, item in enumerate(value):
                yield from _of_value(item, (*path, number))
        case "$eq" | "$ne":
            yield from _of_value(value, path)
        case "$exists" | "$regex":
            pass
        case _ if operator in ORDERED:
            yield from _of_order(name, value, path)
        case _:
            yield path, unknown(operator)


def _of_order(name: str, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        yield path, "only numbers and texts have an order; write a number, or a text in quotes"
    elif name in COLUMNS and not isinstance(value, str):
        yield path, f"{name} is a text, it has no order with a number; write a text in quotes"


def _of_value(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping | list | tuple):
        yield path, "lists and objects cannot be compared over the log; name one value, or $in"
