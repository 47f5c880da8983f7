"""The GrowthBook condition language, compiled once to closures that answer for one visitor's attributes."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import re2

from experiments.targeting.javascript import number_of, ordering, same_json, text, text_order, type_name, version_text
from kit.conditions import (
    OPPOSITES,
    ORDERS,
    PLAIN,
    PLAIN_ANY_CASE,
    VERSIONS,
    Field,
    Joined,
    Members,
    Nested,
    Never,
    Operation,
    Opposite,
    Parsed,
    Path,
    Where,
    parse,
)

Test: TypeAlias = Callable[[Any], bool]
Attributes: TypeAlias = Mapping[str, Any]
Condition: TypeAlias = Callable[[Attributes], bool]

LONGEST_PATTERN: Final = 256  # characters
LONGEST_TEXT_BYTES: Final = 2048  # of an attribute, or of a text inside one; a longer one meets no condition
MOST_VALUES: Final = 1000  # of an array or object with all that lies inside; a larger one meets no condition
MOST_CHARACTERS: Final = 16_384  # of all the texts in such a value; with more it meets no condition either
DEEPEST_VALUE: Final = 32
NESTED: Final = (list, dict)
# Written in RE2 (or Python) but read otherwise by a browser, or not at all: (?i) (?P<x>) \A \z \Q \pL \C [[:alpha:]]
_NOT_JAVASCRIPT: Final = re.compile(r"\(\?(?!:|<[A-Za-z_$])|\\[AzZQEpPCaX]|\\x\{|\[\[:")


class ConditionError(ValueError):
    """A condition that says nothing sensible; `path` leads to the place inside the condition."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def compile_condition(
    condition: Mapping[str, Any], saved_groups: Mapping[str, Any] | None = None, *, lenient: bool = False
) -> Condition:
    """A function of attributes that says whether they meet the condition, and that never raises.

    It decides as the browser's SDK does: a missing attribute is null, and null is 0 to `$lt` and its kin. What takes
    long to look at, a text of more than 2 kB or a value with more than 1,000 values or 16,384 characters inside, meets
    nothing that names it.
    Raises ConditionError for unknown operators, operands of the wrong kind and patterns RE2 or a browser cannot read;
    `lenient` takes these for "never met" and unknown `$names` for attributes, as the SDKs do.
    """
    parsed = read_condition(condition, saved_groups)
    if parsed.mistakes and not lenient:
        raise ConditionError(parsed.mistakes[0].path, parsed.mistakes[0].message)
    return compiled(parsed.where)


def read_condition(condition: Any, saved_groups: Mapping[str, Any] | None = None) -> Parsed:
    """A condition as a tree with all its mistakes, patterns that cannot be read among them."""
    return parse(condition, unreadable_pattern, saved_groups, "segments are named in audience.segments")


def compiled(where: Where) -> Condition:
    """What a tree says of one visitor's attributes."""
    return _all([_entry(entry) for entry in where.entries])


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
    compare = ORDERS[name]

    def test(value: Any) -> bool:
        outcome = ordering(value, expected)
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


def matches_pattern(pattern: str, any_case: bool = False) -> Test:
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
        detail = error.args[0] if error.args else "unknown reason"
        reason = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise ValueError(f"the pattern cannot be read: {reason}") from error

    def test(value: Any) -> bool:
        subject = text(value).encode("utf-8", "replace")
        return len(subject) <= LONGEST_TEXT_BYTES and found(subject) is not None

    return test


def unreadable_pattern(pattern: str) -> str | None:
    """What is wrong with a pattern; None where RE2 and a browser read it alike."""
    try:
        matches_pattern(pattern)
    except ValueError as error:
        return str(error)
    return None


def is_bounded(value: Any) -> bool:
    """Whether a value is small enough to be compared, whatever it is compared with."""
    level, left, characters = [value], MOST_VALUES, MOST_CHARACTERS
    for _ in range(DEEPEST_VALUE):
        inside: list[Any] = []
        for each in level:
            if isinstance(each, list):
                inside += each
            elif isinstance(each, dict):
                inside += (*each, *each.values())
            elif isinstance(each, str):
                characters -= len(each)
                if characters < 0 or not is_short(each):
                    return False
        left -= len(inside)
        if not inside or left < 0:
            return left >= 0
        level = inside
    return False


def is_short(text: str) -> bool:
    """Whether a text has at most 2 kB; a letter has at most 4."""
    return len(text) * 4 <= LONGEST_TEXT_BYTES or len(text.encode("utf-8", "replace")) <= LONGEST_TEXT_BYTES


def _truthy(value: Any) -> bool:
    """JavaScript's `!!value`: empty arrays and objects are true."""
    return bool(value) or isinstance(value, list | dict)


_TESTS: Final[Mapping[str, Callable[[Any], Test]]] = {
    PLAIN: equals,
    PLAIN_ANY_CASE: equals_any_case,
    "$eq": strictly_equals,
    **{name: partial(compares, name) for name in ORDERS},
    **{name: partial(compares_version, name) for name in VERSIONS},
    "$in": is_in,
    "$ini": partial(is_in, any_case=True),
    "$exists": exists,
    "$type": is_type,
    "$regex": matches_pattern,
    "$regexi": partial(matches_pattern, any_case=True),
}


def _entry(entry: Field | Joined | Opposite | Never) -> Condition:
    match entry:
        case Field():
            return _attribute(entry.name, _all([_test(test) for test in entry.tests]))
        case Joined("$and"):
            return _all([compiled(part) for part in entry.parts])
        case Joined():  # an empty `$or` is met, as every SDK has it
            parts = [compiled(part) for part in entry.parts]
            nor = entry.operator == "$nor"
            return lambda attributes: (not parts or any(part(attributes) for part in parts)) is not nor
        case Opposite():
            return negated(compiled(entry.part))
        case Never():
            return never


def _test(test: Operation | Nested | Members) -> Test:
    match test:
        case Operation(sound=False):
            return never
        case Operation():
            opposite = OPPOSITES.get(test.operator)
            built = _TESTS[opposite or test.operator](test.operand)
            return negated(built) if opposite else built
        case Members():
            inner = compiled(test.where)
            return has_some(lambda item: inner(item if isinstance(item, dict) else {}))
        case Nested():
            parts = [_all([_test(inner) for inner in part]) for part in test.parts]
            several = {"$not": negated, "$size": has_size, "$elemMatch": has_some}.get(test.operator)
            return several(parts[0]) if several else has_all(parts)


def _attribute(path: str, test: Test) -> Condition:
    """The test on the value at a dotted path; what is missing on the way is null."""
    first, *rest = path.split(".")

    def plain(attributes: Attributes) -> bool:
        value = attributes.get(first)
        if isinstance(value, str):
            return is_short(value) and test(value)
        return (value.__class__ not in NESTED or is_bounded(value)) and test(value)  # what JSON gives has no subclass

    def nested(attributes: Attributes) -> bool:
        value = attributes.get(first)
        for name in rest:
            value = _member(value, name)
        return is_bounded(value) and test(value)

    return nested if rest else plain


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)
    if not isinstance(value, list):
        return None
    if name == "length":
        return len(value)
    index = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else -1
    return value[index] if 0 <= index < len(value) and str(index) == name else None


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda value: first(value) and second(value)
    return lambda value: all(test(value) for test in tests)
