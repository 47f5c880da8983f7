"""The condition language of GrowthBook (that of MongoDB's queries): from JSON to a frozen tree, each mistake located.

The tree says what is written. What it means for one value, for rows or for masks is said by those who walk it.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from kit.suggestions import did_you_mean

Path: TypeAlias = tuple[str | int, ...]

PLAIN: Final = "="  # the operator of a plain value, `{"age": 8}`, which is laxer than `$eq`
PLAIN_ANY_CASE: Final = "=i"  # and of a text in the list of `$alli`
ORDERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}
VERSIONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "$veq": operator.eq,
    "$vne": operator.ne,
    "$vlt": operator.lt,
    "$vlte": operator.le,
    "$vgt": operator.gt,
    "$vgte": operator.ge,
}
OPPOSITES: Final[Mapping[str, str]] = {"$ne": "$eq", "$nin": "$in", "$nini": "$ini", "$nor": "$or"}
TYPES: Final = ("null", "boolean", "number", "string", "array", "object")
OPERATORS: Final = (
    *("$eq", "$ne", *ORDERS, *VERSIONS, "$in", "$nin", "$ini", "$nini", "$inGroup", "$notInGroup"),
    *("$all", "$alli", "$elemMatch", "$size", "$exists", "$type", "$regex", "$regexi", "$not"),
)
DEEPEST: Final = 100  # steps of a path
_LOGIC: Final = ("$and", "$or", "$nor", "$not", "$savedGroup")
_BARE: Final = frozenset(("lt", "lte", "gt", "gte", "eq", "ne", "in", "nin", "regex"))
_LISTS: Final = frozenset(("$in", "$nin", "$ini", "$nini", "$all", "$alli"))
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


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that says nothing sensible; `path` leads to its place inside the condition."""

    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator with its operand: JSON, or a tuple of JSON for `$in` and its kin. One not `sound` is never met."""

    operator: str
    operand: Any
    path: Path
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Nested:
    """An operator on other tests: `$not` and `$size` on one part, `$elemMatch` on one for each item of an array,
    `$all` and `$alli` on one for each item of the operand. The tests of a part are met together.
    """

    operator: Literal["$not", "$size", "$elemMatch", "$all", "$alli"]
    parts: "tuple[Tests, ...]"
    path: Path


@dataclass(frozen=True, slots=True)
class Members:
    """`$elemMatch` with a condition on the fields of an array's items."""

    where: "Where"
    path: Path
    operator: Literal["$elemMatch"] = "$elemMatch"


Tests: TypeAlias = tuple[Operation | Nested | Members, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """The tests, all to be met, of the field at a dotted path; `written` is their JSON."""

    name: str
    tests: Tests
    written: Any
    path: Path


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which all, some or none are to be met. (No SDK refuses a visitor by an empty `$or`.)"""

    operator: Literal["$and", "$or", "$nor"]
    parts: "tuple[Where, ...]"
    path: Path


@dataclass(frozen=True, slots=True)
class Opposite:
    """`$not` around a condition."""

    part: "Where"
    path: Path


@dataclass(frozen=True, slots=True)
class Never:
    """What nobody meets: it stands where a mistake stood."""

    path: Path


@dataclass(frozen=True, slots=True)
class Where:
    """A condition: entries that are all to be met."""

    entries: tuple[Field | Joined | Opposite | Never, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A condition as a tree, which is that of the SDKs also where they forgive mistakes; and the mistakes, in order."""

    where: Where
    mistakes: tuple[Mistake, ...]


def parse(
    condition: Any,
    unreadable: Callable[[str], str | None] = lambda _: None,
    groups: Mapping[str, Any] | None = None,
    group_hint: str = "none is known here",
) -> Parsed:
    """Read a condition; it never raises.

    `unreadable` says what is wrong with a pattern. `groups` are GrowthBook's saved groups, which become lists and
    conditions of the tree; `group_hint` is what to do where there is none of that name.
    """
    parser = _Parser(unreadable, groups or {}, group_hint)
    return Parsed(parser.condition(condition, ()), tuple(parser.mistakes))


def fields(where: Where) -> Iterator[Field]:
    """Every field that a condition asks for, in order; not those of an array's items."""
    for entry in where.entries:
        match entry:
            case Field():
                yield entry
            case Joined():
                for part in entry.parts:
                    yield from fields(part)
            case Opposite():
                yield from fields(entry.part)
            case Never():
                pass


@dataclass(frozen=True, slots=True)
class _Parser:
    unreadable: Callable[[str], str | None]
    groups: Mapping[str, Any]
    group_hint: str
    visited: frozenset[str] = frozenset()
    mistakes: list[Mistake] = field(default_factory=list[Mistake])

    def condition(self, condition: Any, path: Path) -> Where:
        if not isinstance(condition, Mapping):
            return self.never(path, f"expected conditions by attribute, found {_shown(condition)}")
        if len(path) > DEEPEST:
            return self.never(path, f"conditions may be nested {DEEPEST} steps deep")
        return Where(tuple([self.entry(key, value, (*path, key)) for key, value in condition.items()]))

    def entry(self, key: str, value: Any, path: Path) -> Field | Joined | Opposite | Never:
        match key:
            case "$and" | "$or" | "$nor":
                if isinstance(value, list):
                    parts = [self.condition(item, (*path, index)) for index, item in enumerate(value)]
                    return Joined(key, tuple(parts), path)
                return self.refused(path, f"{key} needs a list of conditions, found {_shown(value)}")
            case "$not":
                return Opposite(self.condition(value, path), path)
            case "$savedGroup":
                return self.saved_group(value, path)
            case _ if key.startswith("$"):
                self.refused(path, _unknown(key, _LOGIC))
                unheard = replace(self, mistakes=[])  # below a mistake only that one is named
                return Field(key, unheard.value(value, path), value, path)
            case _:
                return Field(key, self.value(value, path), value, path)

    def saved_group(self, value: Any, path: Path) -> Field | Joined | Never:
        name = value.get("id") if isinstance(value, Mapping) else None
        group = self.groups.get(name) if isinstance(name, str) and name not in self.visited else None
        if not isinstance(group, Mapping):
            return self.refused(path, f"no saved group {_shown(name)}, or one that refers to itself")
        attribute, values = value.get("attributeKey", group.get("attributeKey")), group.get("values")
        if group.get("type") == "list" and isinstance(attribute, str) and isinstance(values, list):
            return Field(attribute, (Operation("$in", tuple(values), path),), {"$in": values}, path)
        if group.get("type") != "condition":
            return self.refused(path, f"the saved group {name} holds neither a list nor a condition")
        inner = replace(self, visited=self.visited | {str(name)})
        return Joined("$and", (inner.condition(group.get("condition"), path),), path)

    def value(self, value: Any, path: Path, plain: str = PLAIN) -> Tests:
        if not isinstance(value, Mapping) or not any(key.startswith("$") for key in value):
            # An object is legal (it is compared whole), but one like `{lt: 50}` is a forgotten dollar sign.
            for name in [key for key in value if key in _BARE] if isinstance(value, Mapping) else ():
                self.refused((*path, name), f"operators begin with a dollar sign, did you mean ${name}?")
            return (Operation(plain, value, path),)
        beside = [key for key in value if not key.startswith("$")]
        if beside:
            self.refused(path, f"operators and the plain key {beside[0]} cannot stand side by side")
            return (Operation(PLAIN, value, path),)
        if len(path) > DEEPEST:
            self.refused(path, f"conditions may be nested {DEEPEST} steps deep")
            return (Operation(PLAIN, value, path, sound=False),)
        return tuple([self.operator(name, operand, (*path, name)) for name, operand in value.items()])

    def operator(self, name: str, operand: Any, path: Path) -> Operation | Nested | Members:
        wrong = self.wrong(name, operand)
        if wrong is not None:
            self.refused(path, wrong)
            return Operation(name, operand, path, sound=False)
        match name:
            case "$not" | "$size":
                return Nested(name, (self.value(operand, path),), path)
            case "$all" | "$alli":
                return Nested(name, tuple([self.item(name, *each, path) for each in enumerate(operand)]), path)
            case "$elemMatch" if isinstance(operand, Mapping) and operand and all(key[:1] == "$" for key in operand):
                return Nested(name, (self.value(operand, path),), path)
            case "$elemMatch":
                return Members(self.condition(operand, path), path)
            case "$inGroup" | "$notInGroup":
                return self.group(name, operand, path)
            case _:
                return Operation(name, tuple(operand) if name in _LISTS else operand, path)

    def item(self, name: str, index: int, item: Any, path: Path) -> Tests:
        any_case = name == "$alli" and isinstance(item, str)
        return self.value(item, (*path, index), PLAIN_ANY_CASE if any_case else PLAIN)

    def group(self, name: str, operand: Any, path: Path) -> Operation:
        """The list of a saved group; to the SDKs one that is not there is empty."""
        known = isinstance(operand, str) and operand in self.groups
        group = self.groups[operand] if known else [] if isinstance(operand, str) else None
        values = group.get("values") if isinstance(group, Mapping) and group.get("type") == "list" else group
        if not known:
            self.refused(path, f"no saved group {_shown(operand)}; {self.group_hint}")
        elif not isinstance(values, list):
            self.refused(path, f"{name} needs the name of a saved list, found {_shown(operand)}")
        if not isinstance(values, list):
            return Operation(name, operand, path, sound=False)
        return Operation("$in" if name == "$inGroup" else "$nin", tuple(values), path)

    def wrong(self, name: str, operand: Any) -> str | None:
        """What is wrong with an operator or the kind of its operand."""
        if name not in OPERATORS:
            return _unknown(name, OPERATORS)
        if name in _LISTS and not isinstance(operand, list):
            return f"{name} needs a list, found {_shown(operand)}"
        if name == "$type" and operand not in TYPES:
            return f"no type {_shown(operand)}, expected one of {', '.join(TYPES)}"
        if name in ("$regex", "$regexi"):
            return (
                self.unreadable(operand)
                if isinstance(operand, str)
                else f"{name} needs a text, found {_shown(operand)}"
            )
        return None

    def never(self, path: Path, message: str) -> Where:
        return Where((self.refused(path, message),))

    def refused(self, path: Path, message: str) -> Never:
        self.mistakes.append(Mistake(path, message))
        return Never(path)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    meant = _MEANT.get(name)
    near = did_you_mean(meant if meant in known else name, known, f"; known are {', '.join(known)}")
    return f"unknown operator {name}{near}"


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except RecursionError:
        return f"a {type(value).__name__} of many levels"
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
