"""What one operator of the condition language asks of one value, each compiled to a test that never raises."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import re2

from experiments.javascript import number as number_of
from experiments.javascript import order, same_json, text, text_order, type_name, version_text

Test = Callable[[Any], bool]

LONGEST_PATTERN: Final = 256  # characters
LONGEST_SUBJECT_BYTES: Final = 2048  # a longer text matches no pattern
COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}
VERSIONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "$veq": operator.eq,
    "$vne": operator.ne,
    "$vlt": operator.lt,
    "$vlte": operator.le,
    "$vgt": operator.gt,
    "$vgte": operator.ge,
}
# Written in RE2 (or Python) but read otherwise by a browser, or not at all: (?i) (?P<x>) \A \z \Q \pL \C [[:alpha:]]
_NOT_JAVASCRIPT: Final = re.compile(r"\(\?(?!:|<[A-Za-z_$])|\\[AzZQEpPCaX]|\\x\{|\[\[:")


def never(_: Any) -> bool:
    """The test that no value meets."""
    return False


def equals(expected: Any) -> Test:
    """A plain value in a condition: as JavaScript compares, so `8` meets `"8"`; arrays and objects by their JSON."""
    if isinstance(expected, str):
        return lambda value: (value if isinstance(value, str) else text(value)) == expected
    if isinstance(expected, bool):
        return lambda value: value is not None and _truthy(value) is expected
    if isinstance(expected, int | float):
        return lambda value: number_of(value) == expected
    if expected is None:
        return lambda value: value is None
    return lambda value: same_json(value, expected)


def equals_any_case(expected: str) -> Test:
    """Text equality that ignores case."""
    folded = expected.lower()
    return lambda value: text(value).lower() == folded


def strictly_equals(expected: Any) -> Test:
    """`$eq`: the same type and the same value; arrays and objects are never the same one."""
    kind = type_name(expected)
    if kind in ("array", "object"):
        return never
    if kind == "number":
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value == expected
    if kind == "string":
        return lambda value: value == expected
    return lambda value: value is expected  # null, true and false are single objects


def compares(name: str, expected: Any) -> Test:
    """`$lt`, `$lte`, `$gt`, `$gte` as JavaScript's `<`: text by code units, anything else by number, null as 0."""
    compare = COMPARISONS[name]

    def test(value: Any) -> bool:
        outcome = order(value, expected)
        return outcome is not None and compare(outcome, 0)

    if type_name(expected) != "number":
        return test
    return lambda value: compare(value, expected) if value.__class__ in (int, float) else test(value)


def compares_version(name: str, expected: Any) -> Test:
    """`$veq`, `$vlt`, …: semantic versions; what is no version counts as version 0."""
    compare, padded = VERSIONS[name], version_text(expected)
    return lambda value: compare(text_order(version_text(value), padded), 0)


def is_in(expected: Sequence[Any], any_case: bool = False) -> Test:
    """`$in`: the value, or any item of it where it is an array, is in the list; types must agree."""
    texts = frozenset(item.lower() if any_case else item for item in expected if isinstance(item, str))
    singles = frozenset(item for item in expected if item is None or isinstance(item, bool))
    numbers = frozenset(item for item in expected if type_name(item) == "number")

    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return (value.lower() if any_case else value) in texts
        if value is None or isinstance(value, bool):
            return value in singles
        return isinstance(value, int | float) and value in numbers

    return lambda value: any(map(holds, value)) if isinstance(value, list) else holds(value)


def has_all(tests: Sequence[Test]) -> Test:
    """`$all`: an array in which every test is met by some item."""
    return lambda value: isinstance(value, list) and all(any(map(test, value)) for test in tests)


def has_some(test: Test) -> Test:
    """`$elemMatch`: an array in which some item that is not null meets the test."""
    return lambda value: isinstance(value, list) and any(item is not None and test(item) for item in value)


def has_size(test: Test) -> Test:
    """`$size`: an array whose length meets the test."""
    return lambda value: isinstance(value, list) and test(len(value))


def exists(expected: Any) -> Test:
    """`$exists`: a value that is not null, or with a false operand one that is missing or null."""
    return (lambda value: value is not None) if _truthy(expected) else (lambda value: value is None)


def is_type(expected: str) -> Test:
    """`$type`: null, boolean, number, string, array or object."""
    return lambda value: type_name(value) == expected


def negated(test: Test) -> Test:
    """The opposite."""
    return lambda value: not test(value)


def matches(pattern: str, any_case: bool = False) -> Test:
    """`$regex`, `$regexi`: found anywhere in the text, in time linear in it (RE2). Raises ValueError with a reason."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"the pattern has {len(pattern)} characters, at most {LONGEST_PATTERN} are allowed")
    foreign = _NOT_JAVASCRIPT.search(pattern)
    if foreign:
        raise ValueError(f"a browser does not know {foreign.group()!r}; for any case use $regexi, and no look-around")
    options = re2.Options()
    options.case_sensitive = not any_case
    options.log_errors = False
    try:
        found = re2.compile(pattern.encode("utf-8", "replace"), options).search
    except re2.error as error:
        raise ValueError(f"the pattern cannot be read: {_reason(error)}") from error

    def test(value: Any) -> bool:
        subject = text(value).encode("utf-8", "replace")
        return len(subject) <= LONGEST_SUBJECT_BYTES and found(subject) is not None

    return test


def _truthy(value: Any) -> bool:
    """JavaScript's `!!value`: empty arrays and objects are true."""
    return bool(value) or isinstance(value, list | dict)


def _reason(error: Exception) -> str:
    detail = error.args[0] if error.args else "unknown reason"
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
