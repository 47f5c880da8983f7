"""The condition language beyond its published cases: mistakes are named, and evaluation never raises."""

from contextlib import suppress
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from experiments.targeting import javascript
from experiments.targeting.predicates import ConditionError, compile_condition

DIGITS = "7" * 5000  # more than Python reads as a number
LONG_TEXTS = st.sampled_from([DIGITS, f"0x{DIGITS}", f"-{DIGITS}e{DIGITS}", f"1.{DIGITS}", f"v{DIGITS}.{DIGITS}"])
TEXTS = st.text(st.characters(), max_size=6) | LONG_TEXTS
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc") | LONG_TEXTS, inner, max_size=3),
    max_leaves=6,
)
OPERATORS = [
    *("$eq", "$ne", "$lt", "$lte", "$gt", "$gte", "$veq", "$vne", "$vlt", "$vlte", "$vgt", "$vgte", "$in", "$nin"),
    *("$ini", "$nini", "$inGroup", "$notInGroup", "$all", "$alli", "$elemMatch", "$size", "$exists", "$type"),
    *("$regex", "$regexi", "$not", "$or", "$and", "$nor", "$bogus"),
]


def conditions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    operator = st.dictionaries(st.sampled_from(OPERATORS), inner, min_size=1, max_size=2)
    return operator | st.dictionaries(st.sampled_from(["a", "b", "a.b", "c.0"]), operator | inner, max_size=2)


ANY_CONDITION = st.recursive(JSON_VALUES, conditions, max_leaves=6)


@pytest.mark.parametrize(
    ("condition", "path", "message"),
    [
        ({"age": {"$gtt": 3}}, ("age", "$gtt"), "unknown operator $gtt, did you mean $gt?"),
        ({"$ro": []}, ("$ro",), "unknown operator $ro, did you mean $or?"),
        ({"a": {"$zzz": 1}}, ("a", "$zzz"), "known are $eq"),
        ({"age": {"$above": 3}}, ("age", "$above"), "unknown operator $above, did you mean $gt?"),
        ({"age": {"$notIn": [3]}}, ("age", "$notIn"), "unknown operator $notIn, did you mean $nin?"),
        ({"$oneOf": []}, ("$oneOf",), "unknown operator $oneOf; known are $and, $or"),
        ({"a": {"lt": 50}}, ("a", "lt"), "did you mean $lt?"),
        ({"a": {"$in": "x"}}, ("a", "$in"), "$in needs a list, found 'x'"),
        ({"a": {"$gt": 1, "b": 2}}, ("a",), "operators and the plain key b cannot stand side by side"),
        ({"a": {"$type": "text"}}, ("a", "$type"), "no type 'text', expected one of null, boolean"),
        ({"a": {"$regex": "("}}, ("a", "$regex"), "the pattern cannot be read: missing )"),
        ({"a": {"$regex": "(?=x)"}}, ("a", "$regex"), "a browser does not know"),
        ({"a": {"$regex": "(?i)x"}}, ("a", "$regex"), "use $regexi"),
        ({"a": {"$regex": "x" * 257}}, ("a", "$regex"), "257 characters, at most 256"),
        ({"a": {"$regex": 5}}, ("a", "$regex"), "needs a text"),
        ({"$or": {"a": 1}}, ("$or",), "$or needs a list of conditions"),
        ({"$and": [{"a": 1}, 5]}, ("$and", 1), "expected conditions by attribute, found 5"),
        ({"a": {"$not": {"$all": 1}}}, ("a", "$not", "$all"), "$all needs a list"),
        (
            {"a": {"$inGroup": "vip"}},
            ("a", "$inGroup"),
            "no saved group 'vip'; segments are named in audience.segments",
        ),
        ({"$savedGroup": {"id": "nobody"}}, ("$savedGroup",), "no saved group 'nobody'"),
    ],
)
def test_a_mistake_is_named_where_it_stands(condition: dict[str, Any], path: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(condition)
    assert caught.value.path == path
    assert message in str(caught.value)


@settings(max_examples=examples(300))
@given(condition=ANY_CONDITION, attributes=st.dictionaries(st.sampled_from("abc"), JSON_VALUES, max_size=3))
def test_no_condition_and_no_attributes_raise_at_evaluation(condition: Any, attributes: dict[str, Any]) -> None:
    assert compile_condition(condition, {"x": [1]}, lenient=True)(attributes) in (True, False)


@settings(max_examples=examples(300))
@given(condition=ANY_CONDITION)
def test_any_condition_is_compiled_or_refused(condition: Any) -> None:
    with suppress(ConditionError):
        assert compile_condition(condition)({}) in (True, False)


def test_a_pattern_that_takes_others_forever_is_answered_at_once() -> None:
    meets = compile_condition({"a": {"$regex": "^(a+)+$"}})
    assert not meets({"a": "a" * 1000 + "!"})


TOO_LARGE = {
    "a long text": "a" * 2049,
    "a long text of few characters": "ž" * 1025,
    "an array of a long text": ["a" * 2049],
    "an object with a long name": {"a" * 2049: 1},
    "a long array": ["a"] * 1001,
    "much text": ["a" * 1024] * 16 + ["a"],
    "an array of many arrays": [["a"] * 100] * 10,
    "a deep array": reduce(lambda inner, _: [inner], range(5000), ["a"]),
}
OPERATIONS = [
    *("a", {"$eq": "a"}, {"$ne": "b"}, {"$lt": "b"}, {"$gte": "a"}, {"$vne": "1.0"}, {"$vlt": "1.0"}, {"$in": ["a"]}),
    *({"$nin": ["b"]}, {"$ini": ["A"]}, {"$all": ["a"]}, {"$alli": ["A"]}, {"$elemMatch": {"$eq": "a"}}),
    *({"$size": {"$gt": 0}}, {"$exists": True}, {"$not": {"$exists": False}}, {"$type": "string"}, {"$regexi": "A"}),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
@pytest.mark.parametrize("value", TOO_LARGE.values(), ids=list(TOO_LARGE))
def test_a_value_that_takes_long_to_look_at_meets_nothing_that_names_it(value: Any, operation: Any) -> None:
    for path, attributes in (("a", {"a": value}), ("a.b", {"a": {"b": value}})):
        assert not compile_condition({path: operation})(attributes)


@pytest.mark.parametrize(
    "operation", [{"$gte": "a"}, {"$regex": "a"}, {"$ne": "b"}, {"$in": ["a", "a" * 2048]}], ids=str
)
def test_a_text_of_two_kilobytes_and_an_array_of_a_thousand_are_looked_at(operation: Any) -> None:
    meets = compile_condition({"a": operation})
    assert meets({"a": "a" * 2048})
    assert meets({"a": ["a"] * 1000})


def test_texts_in_an_array_are_looked_at_up_to_a_bound_of_all_together() -> None:
    meets = compile_condition({"a": {"$elemMatch": {"$regex": "^a+$"}}})
    texts = ["b" * 1024] * 15 + ["a" * 1024]
    assert meets({"a": texts})
    assert not meets({"a": [*texts, "b"]})


@pytest.mark.parametrize("operator", ["$vgt", "$gt"])
def test_an_attribute_is_read_once_however_many_conditions_ask(operator: str) -> None:
    conditions = [
        compile_condition({"a": {operator: bound if operator == "$gt" else f"{bound}.0"}}) for bound in range(200)
    ]
    reader = javascript.padded if operator == "$vgt" else javascript.number_written
    reader.cache_clear()
    assert sum(meets({"a": "150.5"}) for meets in conditions) == 151
    assert reader.cache_info().misses == 1


@pytest.mark.parametrize(
    ("group", "attributes", "expected"),
    [
        ({"type": "list", "attributeKey": "country", "values": ["SK"]}, {"country": "SK"}, True),
        ({"type": "list", "attributeKey": "country", "values": ["SK"]}, {"country": "CZ"}, False),
        ({"type": "condition", "condition": {"age": {"$gt": 17}}}, {"age": 18}, True),
        ({"type": "condition", "condition": {"age": {"$gt": 17}}}, {"age": 17}, False),
    ],
)
def test_a_saved_group_is_a_list_or_a_condition(group: dict[str, Any], attributes: Any, expected: bool) -> None:
    assert compile_condition({"$savedGroup": {"id": "g"}}, {"g": group})(attributes) is expected


def test_a_saved_group_that_contains_itself_is_refused() -> None:
    circle = {"g": {"type": "condition", "condition": {"$savedGroup": {"id": "g"}}}}
    with pytest.raises(ConditionError, match="refers to itself"):
        compile_condition({"$savedGroup": {"id": "g"}}, circle)


@pytest.mark.parametrize(
    ("path", "expected"), [("cart.items.0.sku", "a"), ("cart.items.length", 2), ("cart.none.x", None)]
)
def test_a_dotted_path_reaches_into_objects_and_arrays(path: str, expected: Any) -> None:
    attributes = {"cart": {"items": [{"sku": "a"}, {"sku": "b"}]}}
    assert compile_condition({path: {"$eq": expected}})(attributes)
