"""What is written stands in the tree, what is wrong is named at its place, and nothing that is read raises."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kit.conditions import (
    DEEPEST,
    OPERATORS,
    Field,
    Joined,
    Members,
    Mistake,
    Nested,
    Never,
    Operation,
    Opposite,
    Path,
    Tests,
    Where,
    fields,
    parse,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "lt"]), inner, max_size=3),
    max_leaves=5,
)
ANYTHING = st.recursive(
    JSON_VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*OPERATORS, "$and", "$or", "$nor", "$bogus", "a", "b.c"]), inner, max_size=3)
    ),
    max_leaves=8,
)
plain_values = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
tests_of_a_field = st.recursive(
    plain_values,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("$eq", "$ne", "$gt", "$lte", "$veq", "$exists"), plain_values),
            **dict.fromkeys(("$in", "$nin", "$ini"), st.lists(plain_values, max_size=2)),
            **dict.fromkeys(("$not", "$size", "$elemMatch"), inner),
            **dict.fromkeys(("$all", "$alli"), st.lists(inner, max_size=2)),
            "$type": st.sampled_from(["null", "string"]),
            "$regex": st.text(max_size=3),
        },
    ),
    max_leaves=6,
)
names = st.sampled_from(["country", "cart.items.0.sku", "age"])
SENSIBLE = st.recursive(
    st.dictionaries(names, tests_of_a_field, max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, max_size=2), max_size=2)
        | inner.map(lambda part: {"$not": part})
    ),
    max_leaves=5,
)


def written(where: Where) -> dict[str, Any]:
    """The JSON of a tree."""
    found: dict[str, Any] = {}
    for entry in where.entries:
        match entry:
            case Field():
                found[entry.name] = value(entry.tests)
                assert entry.written == found[entry.name]
            case Joined():
                found[entry.operator] = [written(part) for part in entry.parts]
            case Opposite():
                found["$not"] = written(entry.part)
            case Never():
                raise AssertionError("a mistake in a condition without one")
    return found


def value(tests: Tests) -> Any:
    match tests:
        case [Operation(operator="=" | "=i", operand=operand)]:
            return operand
        case _:
            return {test.operator: operand_of(test) for test in tests}


def operand_of(test: Operation | Nested | Members) -> Any:
    match test:
        case Operation():
            assert test.sound
            return list(test.operand) if isinstance(test.operand, tuple) else test.operand
        case Nested(operator="$all" | "$alli"):
            return [value(part) for part in test.parts]
        case Nested():
            return value(test.parts[0])
        case Members():
            return written(test.where)


def read(condition: Any, path: Path) -> Any:
    for step in path:
        condition = condition[step]
    return condition


@given(condition=SENSIBLE)
def test_a_tree_without_mistakes_says_what_was_written(condition: dict[str, Any]) -> None:
    parsed = parse(condition)
    assume(not parsed.mistakes)  # an item of `$elemMatch` that is no object and no operator is one
    assert written(parsed.where) == condition


@given(condition=ANYTHING)
def test_every_mistake_and_every_test_stands_where_its_path_says(condition: Any) -> None:
    parsed = parse(condition)
    for mistake in parsed.mistakes:
        read(condition, mistake.path)
        assert mistake.message
    for test in operations(parsed.where):
        assert test.operator.startswith("=") or test.path[-1] == test.operator
        found = read(condition, test.path)
        assert repr(list(test.operand) if isinstance(test.operand, tuple) else test.operand) == repr(found)


def operations(where: Where) -> Iterator[Operation]:
    for field in fields(where):
        for test in field.tests:
            yield from within(test)


def within(test: Operation | Nested | Members) -> Iterator[Operation]:
    match test:
        case Operation():
            yield test
        case Nested():
            for part in test.parts:
                for inner in part:
                    yield from within(inner)
        case Members():
            yield from operations(test.where)


@given(condition=ANYTHING)
def test_what_is_never_met_has_its_mistake_and_a_condition_without_one_is_sound(condition: Any) -> None:
    parsed = parse(condition)
    named = {mistake.path for mistake in parsed.mistakes}
    for test in operations(parsed.where):
        assert test.sound or any(test.path[: len(path)] == path for path in named)
    assert all(entry.path in named for entry in parsed.where.entries if isinstance(entry, Never))


@given(parts=st.lists(SENSIBLE, max_size=3), logic=st.sampled_from(["$and", "$or", "$nor"]))
def test_fields_are_found_in_every_part(parts: list[dict[str, Any]], logic: str) -> None:
    expected = [field.name for part in parts for field in fields(parse(part).where)]
    assert [field.name for field in fields(parse({logic: parts}).where)] == expected
    assert [field.name for field in fields(parse({"$not": {logic: parts}}).where)] == expected


def test_all_mistakes_are_named_in_the_order_of_the_text() -> None:
    condition = {"a": {"$gtt": 1, "$in": 2}, "$or": [{"b": {"lt": 1, "gt": 2}}, 5], "$ro": [{"c": {"$nope": 1}}]}
    assert [mistake.path for mistake in parse(condition).mistakes] == [
        ("a", "$gtt"),
        ("a", "$in"),
        ("$or", 0, "b", "lt"),
        ("$or", 0, "b", "gt"),
        ("$or", 1),
        ("$ro",),
    ]


@pytest.mark.parametrize(
    ("condition", "path", "message"),
    [
        ({"age": {"$above": 3}}, ("age", "$above"), "unknown operator $above, did you mean $gt?"),
        ({"age": {"$notIn": [3]}}, ("age", "$notIn"), "unknown operator $notIn, did you mean $nin?"),
        ({"$ro": []}, ("$ro",), "unknown operator $ro, did you mean $or?"),
        (
            {"$oneOf": []},
            ("$oneOf",),
            "unknown operator $oneOf; known are $and, $or, $nor, $not, $savedGroup",
        ),
        ({"a": {"lt": 50}}, ("a", "lt"), "operators begin with a dollar sign, did you mean $lt?"),
        ({"a": {"$in": "x"}}, ("a", "$in"), "$in needs a list, found 'x'"),
        ({"a": {"$gt": 1, "b": 2}}, ("a",), "operators and the plain key b cannot stand side by side"),
        (
            {"a": {"$type": "text"}},
            ("a", "$type"),
            "no type 'text', expected one of null, boolean, number, string, array, object",
        ),
        ({"a": {"$regex": 5}}, ("a", "$regex"), "$regex needs a text, found 5"),
        ({"a": {"$regexi": "("}}, ("a", "$regexi"), "( is not closed"),
        ({"$or": {"a": 1}}, ("$or",), "$or needs a list of conditions, found {'a': 1}"),
        ({"$and": [{"a": 1}, 5]}, ("$and", 1), "expected conditions by attribute, found 5"),
        ({"a": {"$not": {"$all": 1}}}, ("a", "$not", "$all"), "$all needs a list, found 1"),
        ({"a": {"$inGroup": "vip"}}, ("a", "$inGroup"), "no saved group 'vip'; groups are named elsewhere"),
        ({"a": {"$inGroup": "few"}}, ("a", "$inGroup"), "$inGroup needs the name of a saved list, found 'few'"),
        ({"$savedGroup": {"id": "x"}}, ("$savedGroup",), "no saved group 'x', or one that refers to itself"),
        ({"$savedGroup": {"id": "few"}}, ("$savedGroup",), "the saved group few holds neither a list nor a condition"),
        ({"$savedGroup": {"id": "me"}}, ("$savedGroup", "$savedGroup"), "no saved group 'me', or one that refers to"),
        (7, (), "expected conditions by attribute, found 7"),
        ({"a": {"$elemMatch": ["x" * 90]}}, ("a", "$elemMatch"), f"found ['{'x' * 35}..."),
    ],
)
def test_a_mistake_is_named_where_it_stands(condition: Any, path: Path, message: str) -> None:
    groups = {"few": {"type": "count"}, "me": {"type": "condition", "condition": {"$savedGroup": {"id": "me"}}}}
    [mistake] = parse(
        condition, lambda pattern: f"{pattern} is not closed", groups, "groups are named elsewhere"
    ).mistakes
    assert mistake.path == path
    assert message in mistake.message


def test_saved_groups_become_lists_and_conditions_of_the_tree() -> None:
    groups: dict[str, Any] = {
        "eu": {"type": "list", "attributeKey": "country", "values": ["SK"]},
        "vip": {"type": "condition", "condition": {"age": {"$gt": 17}}},
        "bare": ["a"],
    }
    parsed = parse(
        {"$savedGroup": {"id": "eu"}, "$and": [{"$savedGroup": {"id": "vip"}}], "x": {"$notInGroup": "bare"}},
        groups=groups,
    )
    assert parsed.mistakes == ()
    assert [(field.name, field.tests[0].operator) for field in fields(parsed.where)] == [
        ("country", "$in"),
        ("age", "$gt"),
        ("x", "$nin"),
    ]


def test_where_mistakes_are_forgiven_the_tree_is_that_of_the_sdks() -> None:
    """An unknown `$name` is an attribute, operators beside plain keys an object, a group that is not there is empty."""
    where = parse({"$id": 1, "a": {"$gt": 1, "b": 2}, "c": {"$notInGroup": "gone"}, "$or": 5}).where
    assert where.entries == (
        Field("$id", (Operation("=", 1, ("$id",)),), 1, ("$id",)),
        Field("a", (Operation("=", {"$gt": 1, "b": 2}, ("a",)),), {"$gt": 1, "b": 2}, ("a",)),
        Field("c", (Operation("$nin", (), ("c", "$notInGroup")),), {"$notInGroup": "gone"}, ("c",)),
        Never(("$or",)),
    )


@pytest.mark.parametrize("step", ["$not", "$and", "$elemMatch", "$all"])
def test_a_condition_that_is_nested_without_end_is_a_mistake(step: str) -> None:
    condition: Any = {}
    for _ in range(400):
        condition = {step: [condition] if step in ("$and", "$all") else condition}
    found = parse({"a": condition} if step not in ("$not", "$and") else condition)
    assert [mistake.message for mistake in found.mistakes] == [f"conditions may be nested {DEEPEST} steps deep"]


def test_a_value_of_many_levels_can_be_shown() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    [mistake] = parse({"$or": {"a": value}}).mistakes
    assert mistake == Mistake(("$or",), "$or needs a list of conditions, found a dict of many levels")
    while value:  # freed level by level
        value = value.pop()


def test_the_tree_of_a_filter_on_products_is_flat() -> None:
    filter_: Mapping[str, Any] = {
        "category": {"$in": ["Tea", "Coffee"]},
        "price": {"$gte": 12, "$lt": 20},
        "in_stock": True,
    }
    assert [
        (field.name, [(test.operator, operand_of(test)) for test in field.tests])
        for field in fields(parse(filter_).where)
    ] == [
        ("category", [("$in", ["Tea", "Coffee"])]),
        ("price", [("$gte", 12), ("$lt", 20)]),
        ("in_stock", [("=", True)]),
    ]
