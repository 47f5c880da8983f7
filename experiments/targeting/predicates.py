"""The GrowthBook condition language, compiled once to closures that answer for one visitor's attributes."""

import difflib
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import re2

from experiments.targeting.javascript import number as number_of
from experiments.targeting.javascript import order, same_json, text, text_order, type_name, version_text

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


def unreadable_pattern(pattern: str) -> str | None:
    """What is wrong with a pattern; None where RE2 and a browser read it alike."""
    try:
        matches(pattern)
    except ValueError as error:
        return str(error)
    return None


def _truthy(value: Any) -> bool:
    """JavaScript's `!!value`: empty arrays and objects are true."""
    return bool(value) or isinstance(value, list | dict)


def _reason(error: Exception) -> str:
    detail = error.args[0] if error.args else "unknown reason"
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)


Attributes = Mapping[str, Any]
Condition = Callable[[Attributes], bool]
Path = tuple[str | int, ...]

_TYPES: Final = ("null", "boolean", "number", "string", "array", "object")
_BARE: Final = frozenset(("lt", "lte", "gt", "gte", "eq", "ne", "in", "nin", "regex"))
_LOGIC: Final = ("$and", "$or", "$nor", "$not", "$savedGroup")
_MEANT: Final = {  # words that are not near the operator they mean
    **dict.fromkeys(("$above", "$over", "$more", "$greater", "$after", "$>"), "$gt"),
    **dict.fromkeys(("$below", "$under", "$less", "$before", "$<"), "$lt"),
    **dict.fromkeys(("$min", "$atLeast", "$>="), "$gte"),
    **dict.fromkeys(("$max", "$atMost", "$<="), "$lte"),
    **dict.fromkeys(("$is", "$equals", "$=", "$=="), "$eq"),
    **dict.fromkeys(("$isNot", "$!="), "$ne"),
    **dict.fromkeys(("$oneOf", "$one_of", "$any"), "$in"),
    **dict.fromkeys(("$notIn", "$not_in", "$noneOf"), "$nin"),
    **dict.fromkeys(("$contains", "$like", "$matches", "$startsWith", "$endsWith"), "$regex"),
}


class ConditionError(ValueError):
    """A condition that says nothing sensible; `path` leads to the place inside the condition."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def compile_condition(
    condition: Mapping[str, Any], saved_groups: Mapping[str, Any] | None = None, *, lenient: bool = False
) -> Condition:
    """A function of attributes that says whether they meet the condition, and that never raises.

    It decides as the browser's SDK does: a missing attribute is null, and null is 0 to `$lt` and its kin.
    Raises ConditionError for unknown operators, operands of the wrong kind and patterns RE2 or a browser cannot read;
    `lenient` takes these for "never met" and unknown `$names` for attributes, as the SDKs do.
    """
    return _Compiler(saved_groups or {}, lenient).condition(condition, ())


@dataclass(frozen=True, slots=True)
class _Compiler:
    saved_groups: Mapping[str, Any]
    lenient: bool
    visited: frozenset[str] = field(default_factory=frozenset)

    def condition(self, condition: Any, path: Path) -> Condition:
        if not isinstance(condition, Mapping):
            return self.refused(path, f"expected conditions by attribute, found {_shown(condition)}")
        return _all([self.entry(key, value, (*path, key)) for key, value in condition.items()])

    def entry(self, key: str, value: Any, path: Path) -> Condition:
        if key in ("$and", "$or", "$nor"):
            return self.several(key, value, path)
        if key == "$not":
            return negated(self.condition(value, path))
        if key == "$savedGroup":
            return self.saved_group(value, path)
        if key.startswith("$") and not self.lenient:
            return self.refused(path, f"unknown operator {key}{_did_you_mean(key, _LOGIC)}")
        return _attribute(key, self.value(value, path))

    def several(self, key: str, value: Any, path: Path) -> Condition:
        if not isinstance(value, list):
            return self.refused(path, f"{key} needs a list of conditions, found {_shown(value)}")
        parts = [self.condition(item, (*path, index)) for index, item in enumerate(value)]
        if key == "$and":
            return _all(parts)
        either = _any(parts)
        return negated(either) if key == "$nor" else either

    def saved_group(self, value: Any, path: Path) -> Condition:
        name = value.get("id") if isinstance(value, Mapping) else None
        group = self.saved_groups.get(name) if isinstance(name, str) and name not in self.visited else None
        if not isinstance(group, Mapping):
            return self.refused(path, f"no saved group {_shown(name)}, or one that refers to itself")
        attribute = value.get("attributeKey", group.get("attributeKey"))
        values = group.get("values")
        if group.get("type") == "list" and isinstance(attribute, str) and isinstance(values, list):
            return _attribute(attribute, is_in(values))
        if group.get("type") != "condition":
            return self.refused(path, f"the saved group {name} holds neither a list nor a condition")
        inner = _Compiler(self.saved_groups, self.lenient, self.visited | {str(name)})
        return inner.condition(group.get("condition"), path)

    def value(self, value: Any, path: Path, any_case: bool = False) -> Test:
        if not isinstance(value, Mapping) or not any(key.startswith("$") for key in value):
            self.refuse_bare_operators(value, path)
            return equals_any_case(value) if any_case and isinstance(value, str) else equals(value)
        plain = [key for key in value if not key.startswith("$")]
        if plain and not self.lenient:
            return self.refused(path, f"operators and the plain key {plain[0]} cannot stand side by side")
        if plain:
            return equals(value)
        return _all([self.operator(name, operand, (*path, name)) for name, operand in value.items()])

    def refuse_bare_operators(self, value: Any, path: Path) -> None:
        """An object is legal (it is compared whole), but one like `{lt: 50}` is a forgotten dollar sign."""
        bare = _BARE.intersection(value) if isinstance(value, Mapping) else ()
        for name in bare:
            self.refused((*path, name), f"operators begin with a dollar sign, did you mean ${name}?")

    def operator(self, name: str, operand: Any, path: Path) -> Test:
        build = _OPERATORS.get(name)
        if build is None:
            return self.refused(path, f"unknown operator {name}{_did_you_mean(name, _OPERATORS)}")
        return build(self, operand, path)

    def list_of(self, operand: Any, path: Path) -> Sequence[Any] | None:
        if isinstance(operand, list):
            return operand
        self.refused(path, f"{path[-1]} needs a list, found {_shown(operand)}")
        return None

    def membership(self, operand: Any, path: Path) -> Test:
        values = self.list_of(operand, path)
        if values is None:
            return never
        found = is_in(values, any_case=path[-1] in ("$ini", "$nini"))
        return negated(found) if path[-1] in ("$nin", "$nini") else found

    def group_membership(self, operand: Any, path: Path) -> Test:
        name = operand if isinstance(operand, str) else None
        if name not in self.saved_groups and not self.lenient:
            return self.refused(path, f"no saved group {_shown(operand)}; segments are named in audience.segments")
        group = [] if name is None else self.saved_groups.get(name, [])
        values = group.get("values") if isinstance(group, Mapping) and group.get("type") == "list" else group
        if name is None or not isinstance(values, list):
            return self.refused(path, f"{path[-1]} needs the name of a saved list, found {_shown(operand)}")
        found = is_in(values)
        return negated(found) if path[-1] == "$notInGroup" else found

    def all_of(self, operand: Any, path: Path) -> Test:
        items = self.list_of(operand, path)
        if items is None:
            return never
        any_case = path[-1] == "$alli"
        return has_all([self.value(item, (*path, index), any_case) for index, item in enumerate(items)])

    def some_of(self, operand: Any, path: Path) -> Test:
        if isinstance(operand, Mapping) and operand and all(key.startswith("$") for key in operand):
            return has_some(self.value(operand, path))
        inner = self.condition(operand, path)
        return has_some(lambda item: inner(item if isinstance(item, dict) else {}))

    def size(self, operand: Any, path: Path) -> Test:
        return has_size(self.value(operand, path))

    def opposite(self, operand: Any, path: Path) -> Test:
        return negated(self.value(operand, path))

    def comparison(self, operand: Any, path: Path) -> Test:
        return compares(str(path[-1]), operand)

    def version(self, operand: Any, path: Path) -> Test:
        return compares_version(str(path[-1]), operand)

    def equality(self, operand: Any, path: Path) -> Test:
        same = strictly_equals(operand)
        return negated(same) if path[-1] == "$ne" else same

    def presence(self, operand: Any, path: Path) -> Test:
        return exists(operand)

    def type(self, operand: Any, path: Path) -> Test:
        if operand not in _TYPES:
            return self.refused(path, f"no type {_shown(operand)}, expected one of {', '.join(_TYPES)}")
        return is_type(operand)

    def pattern(self, operand: Any, path: Path) -> Test:
        if not isinstance(operand, str):
            return self.refused(path, f"{path[-1]} needs a text, found {_shown(operand)}")
        try:
            return matches(operand, any_case=path[-1] == "$regexi")
        except ValueError as error:
            return self.refused(path, str(error))

    def refused(self, path: Path, message: str) -> Test:
        if self.lenient:
            return never
        raise ConditionError(path, message)


_OPERATORS: Final[dict[str, Callable[[_Compiler, Any, Path], Test]]] = {
    "$eq": _Compiler.equality,
    "$ne": _Compiler.equality,
    **dict.fromkeys(COMPARISONS, _Compiler.comparison),
    **dict.fromkeys(VERSIONS, _Compiler.version),
    "$in": _Compiler.membership,
    "$nin": _Compiler.membership,
    "$ini": _Compiler.membership,
    "$nini": _Compiler.membership,
    "$inGroup": _Compiler.group_membership,
    "$notInGroup": _Compiler.group_membership,
    "$all": _Compiler.all_of,
    "$alli": _Compiler.all_of,
    "$elemMatch": _Compiler.some_of,
    "$size": _Compiler.size,
    "$exists": _Compiler.presence,
    "$type": _Compiler.type,
    "$regex": _Compiler.pattern,
    "$regexi": _Compiler.pattern,
    "$not": _Compiler.opposite,
}


def _attribute(path: str, test: Test) -> Condition:
    """The test on the value at a dotted path; what is missing on the way is null."""
    first, *rest = path.split(".")
    if not rest:
        return lambda attributes: test(attributes.get(first))

    def nested(attributes: Attributes) -> bool:
        value = attributes.get(first)
        for name in rest:
            value = _member(value, name)
        return test(value)

    return nested


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


def _any(tests: Sequence[Test]) -> Test:
    """One of them; an empty list is met, as every SDK has it."""
    return lambda value: not tests or any(test(value) for test in tests)


def _did_you_mean(name: str, known: Collection[str]) -> str:
    meant = _MEANT.get(name)
    close = [meant] if meant in known else difflib.get_close_matches(name, list(known), n=1, cutoff=0.65)
    return f", did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
