"""JavaScript's values, against what a browser prints."""

import math
from typing import Any

import pytest
from growthbook.core import _js_number_to_string, _strict_deep_equal, paddedVersionString
from hypothesis import given
from hypothesis import strategies as st

from experiments.targeting.javascript import (
    member_order,
    number_of,
    number_text,
    ordering,
    same_json,
    text,
    version_text,
)
from experiments.targeting.predicates import strictly_equals

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@given(st.integers() | st.floats())
def test_numbers_are_written_as_the_sdk_writes_them(value: float) -> None:
    assert number_text(value) == _js_number_to_string(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (-0.0, "0"),
        (1e-7, "1e-7"),
        (1.5e300, "1.5e+300"),
        (123456789012345680000, "123456789012345680000"),
        (math.inf, "Infinity"),
        ([1, None, ["a", True]], "1,,a,true"),
        ({"a": 1}, "[object Object]"),
    ],
)
def test_any_value_is_written_as_a_browser_writes_it(value: Any, expected: str) -> None:
    assert text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, 0),
        (True, 1),
        ("", 0),
        (" \n12.5\u00a0", 12.5),
        ("0x1F", 31),
        ("-Infinity", -math.inf),
        (".5e1", 5),
        ([], 0),
        (["8"], 8),
        (10**400, math.inf),
    ],
)
def test_any_value_is_read_as_a_number_as_a_browser_reads_it(value: Any, expected: float) -> None:
    assert number_of(value) == expected


@pytest.mark.parametrize("value", ["1_000", "nan", "inf", "1e", "-0x1F", "twelve", {"a": 1}, [1, 2], "٣"])
def test_what_a_browser_reads_as_no_number_is_none(value: Any) -> None:
    assert math.isnan(number_of(value))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [("10", "9", -1), ("10", 9, 1), (None, 0, 0), ("a", 1, None), (True, 0.5, 1), ("\uff5e", "😀", 1), ([2], 1, 1)],
)
def test_values_are_ordered_as_a_browser_orders_them(left: Any, right: Any, expected: int | None) -> None:
    assert ordering(left, right) == expected


@given(JSON_VALUES, JSON_VALUES)
def test_documents_are_equal_where_the_sdk_says_so(left: Any, right: Any) -> None:
    assert same_json([left], [right]) == _strict_deep_equal([left], [right])


@given(JSON_VALUES)
def test_a_document_equals_itself(value: Any) -> None:
    assert same_json(value, value)


@pytest.mark.parametrize(("left", "right"), [(1, True), ("1", 1), ([], []), ({}, {}), (None, 0), (math.nan, math.nan)])
def test_different_things_are_not_strictly_equal(left: Any, right: Any) -> None:
    assert not strictly_equals(right)(left)


@given(st.text("v0123456789.-+abcXYZ~", max_size=20) | st.integers(-10, 10**9) | st.floats(0, 1e9))
def test_versions_arepadded_as_the_sdk_pads_them(value: Any) -> None:
    assert version_text(value) == paddedVersionString(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1" + "0" * 63, 1e63), ("1" + "0" * 64, None), ("0b" + "1" * 63, None), (" " * 100 + "7" + " " * 100, 7.0)],
)
def test_a_text_of_more_than_64_characters_writes_no_number(value: str, expected: float | None) -> None:
    found = number_of(value)
    assert math.isnan(found) if expected is None else found == expected


def test_a_text_of_more_than_256_characters_is_no_version() -> None:
    assert version_text("1." + "0" * 254) == paddedVersionString("1." + "0" * 254)
    assert version_text("1." + "0" * 255) == version_text("0")


def test_members_are_ordered_as_a_browser_orders_them_and_long_numbers_are_names() -> None:
    names = ["b", "4294967295", "10", "9" * 5000, "2", "01", "4294967294"]
    assert member_order(dict.fromkeys(names)) == ["2", "10", "4294967294", "b", "4294967295", "9" * 5000, "01"]
