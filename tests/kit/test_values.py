"""Ids, numbers and times as clients write them: a value, nothing, or why it cannot be used."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.time import microseconds
from kit.values import SHARED_IDS, Unusable, first_identifier, identifier, moment, number, small_letters

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
DATES = st.datetimes(datetime(1973, 4, 1), datetime(2200, 1, 1), timezones=ZONES)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (12345, "12345"), (12345.0, "12345"), (0, "0"), (-7, "-7"), (9007199254740993, "9007199254740993"),
        (1e3, "1000"), (-0.0, "0"), (2**63 - 1, str(2**63 - 1)), ("007", "007"), (" v ", " v "), ("é", "é"),
        ("x" * 256, "x" * 256), (None, None), ("", None),
    ],
)  # fmt: skip
def test_an_id_is_its_own_text_or_the_digits_of_a_whole_number(value: Any, read: str | None) -> None:
    assert identifier(value) == read


@pytest.mark.parametrize(
    "value",
    [
        *sorted(SHARED_IDS - {""}), " ", "\t", "\u3000 ", "a\x00b", "a\x85", "\x7f", "\ud800", "x" * 257, "é" * 129,
        True, False, 1.5, 2**63, -(2**63), 1e300, float("inf"), [], ["v"], {}, {"id": "v"},
    ],
)  # fmt: skip
def test_what_thousands_share_or_nobody_can_write_is_no_id(value: Any) -> None:
    found = identifier(value)
    assert isinstance(found, Unusable)
    assert found.code == "invalid_id"


@given(st.text(max_size=80))
def test_a_text_that_is_an_id_is_never_changed(text: str) -> None:
    assert identifier(text) in (text, None) or isinstance(identifier(text), Unusable)
    assert (identifier(text) is None) == (text == "")


@given(ANYTHING)
def test_no_value_raises_and_no_reason_repeats_it(value: Any) -> None:
    for reader, kinds in ((identifier, str), (number, float), (moment, int)):
        found = reader(value)
        assert found is None or type(found) is kinds or isinstance(found, Unusable)
    marked = identifier(f"{value}\x00secret-value")
    assert isinstance(marked, Unusable)
    assert "secret-value" not in marked.reason


def test_of_several_the_first_that_can_be_used_is_the_id() -> None:
    assert first_identifier((None, [], 7, "v")) == "7"
    assert first_identifier((None, "")) is None
    assert first_identifier(("null", [])) == identifier("null")


@pytest.mark.parametrize(
    ("value", "read"), [(3, 3.0), (1.5, 1.5), ("12.50", 12.5), (" -3 ", -3.0), (".5", 0.5), ("5.", 5.0), ("", None)]
)
def test_decimal_text_with_a_point_is_a_number(value: Any, read: float | None) -> None:
    assert number(value) == read


@pytest.mark.parametrize(
    "value",
    ["$12.50", "12,50", "1.299,00", "1,299.00", "1_000", "1e5", "٣", "nan", "inf", "0x10", " ", True, [], 2**63],
)
def test_no_notation_of_money_is_guessed_at(value: Any) -> None:
    assert isinstance(number(value), Unusable)


@given(DATES)
def test_a_moment_is_the_same_however_it_is_written(date: datetime) -> None:
    exact, whole = microseconds(date), date.replace(microsecond=0)
    assert moment(date.isoformat()) == exact
    assert moment(date.isoformat(" ")) == exact
    assert moment(format_datetime(whole.astimezone(UTC), usegmt=True)) == microseconds(whole)
    for seconds in (microseconds(whole) // 1_000_000, str(microseconds(whole) // 1_000_000)):
        assert moment(seconds) == microseconds(whole)
    for milliseconds in (exact // 1_000, str(exact // 1_000)):
        assert moment(milliseconds) == exact // 1_000 * 1_000


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "32 Jan 2026", "9" * 40, 1e15, -1e16, True, [], {}])
def test_what_is_no_time_says_so(value: Any) -> None:
    found = moment(value)
    assert isinstance(found, Unusable)
    assert found.code == "invalid_time"


def test_small_letters_are_those_of_the_statements_for_every_letter_there_is() -> None:
    letters = [letter for letter in map(chr, range(1, 0x110000)) if not "\ud800" <= letter <= "\udfff"]
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT letter, lower(letter) FROM (SELECT unnest($1) AS letter)", [letters])
        assert [row for row in rows.fetchall() if small_letters(row[0]) != row[1]] == []
        for text in ("ΟΔΟΣ", "İstanbul", "Maßnahme", "ẞ", "ǅ"):
            assert connection.execute("SELECT lower($1)", [text]).fetchall() == [(small_letters(text),)]
