"""How a number is said: in its unit, of at most four digits, and never as something that is no number."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.said import digits_said, numbers_said

from experiments.definitions.model import Quantity
from experiments.wording import figures

QUANTITIES: tuple[Quantity, ...] = ("rate", "money", "points", "seconds", "number")
numbers = st.floats(-1e300, 1e300) | st.floats(-1e4, 1e4) | st.floats(-1.0, 1.0) | st.integers(-(10**9), 10**9)
SAID = [
    (figures.rate_text, 0.0931, "9.3 %"),
    (figures.rate_text, 0.0996, "10 %"),
    (figures.rate_text, 0.46, "46 %"),
    (figures.rate_text, 0.0, "0 %"),
    (figures.rate_text, 0.00044, "0.044 %"),
    (figures.lift_text, 0.046, "4.6 %"),
    (figures.lift_text, -0.113, "11.3 %"),
    (figures.lift_text, 83.3, "8,330 %"),
    (figures.points_text, 25.6, "25.6 points"),
    (figures.points_text, 1.0, "1 point"),
    (figures.points_text, -6.0, "−6 points"),
    (figures.duration_text, 130.0, "2 min 10 s"),
    (figures.duration_text, 3_599.9, "1 h"),
    (figures.duration_text, 0.35, "350 ms"),
    (figures.duration_text, 187_000.0, "2 days 4 h"),
    (figures.figure_text, 12_345.678, "12,350"),
    (figures.figure_text, 1.2e18, "1.2 × 10¹⁸"),
    (figures.count_text, 1_204_553.0, "1,204,553"),
    (figures.p_text, 0.031, "p = 0.031"),
    (figures.p_text, 1e-12, "p < 0.0001"),
    (figures.p_text, 1.0, "p = 1"),
]


@pytest.mark.parametrize(("say", "value", "text"), SAID, ids=[f"{say.__name__} {value}" for say, value, _ in SAID])
def test_a_number_is_said_as_people_say_it(say: Callable[[float], str], value: float, text: str) -> None:
    assert say(value) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(41.2, "EUR", "€41.20"), (-900, "EUR", "−€900"), (1204, "CHF", "CHF 1,204"), (90.4, "JPY", "¥90"), (3, "", "3")],
)
def test_money_has_the_currency_of_the_shop(amount: float, currency: str, text: str) -> None:
    assert figures.money_text(amount, currency) == text


def test_what_has_no_number_is_a_dash() -> None:
    says = (
        figures.rate_text,
        figures.lift_text,
        figures.points_text,
        figures.duration_text,
        figures.figure_text,
        figures.count_text,
    )
    for nothing in (None, float("nan"), float("inf")):
        assert {say(nothing) for say in (*says, figures.p_text, figures.difference_text)} == {figures.NOTHING}
        assert figures.money_text(nothing, "EUR") == figures.NOTHING


def test_a_sign_stands_where_it_is_asked_for() -> None:
    assert figures.lift_text(0.046, signed=True) == "+4.6 %"
    assert figures.difference_text(-0.004, "rate", signed=True) == "−0.4 percentage points"
    assert figures.difference_text(-6.0, "points") == "6 points"
    assert figures.money_text(4_200, "EUR", signed=True) == "+€4,200"


def test_values_beside_each_other_have_the_digits_that_tell_them_apart() -> None:
    assert figures.told_apart((0.093, 0.089), "rate") == ("9.3 %", "8.9 %")
    assert figures.told_apart((0.462, 0.464), "rate") == ("46.2 %", "46.4 %")
    assert figures.told_apart((41.204, 41.201), "money", "EUR") == ("€41.20", "€41.20")  # four digits do not


def test_days_and_moments_are_said_without_a_code() -> None:
    assert figures.day_text(date(2026, 12, 20)) == "20 December 2026"
    assert figures.moment_text(datetime(2026, 12, 20, 14, 5, tzinfo=UTC)) == "20 December 2026, 14:05 UTC"
    assert figures.counted(0, "order") == "no orders"
    assert figures.counted(1, "order") == "1 order"
    assert figures.in_words(["a", "b", "c"]) == "a, b and c"


@given(value=numbers, quantity=st.sampled_from(QUANTITIES), other=numbers)
def test_no_number_is_said_with_more_than_four_digits(value: float, quantity: Quantity, other: float) -> None:
    texts = [
        *figures.told_apart((value, other), quantity, "EUR"),
        figures.difference_text(value, quantity, signed=True),
    ]
    for text in (*texts, figures.lift_text(value), figures.figure_text(value), figures.counted(value, "order")):
        assert not re.search(r"nan|None|inf|e[+-]?\d|_", text)
        assert max(map(digits_said, re.findall(r"[\d.,]*\d", text)), default=0) <= figures.MOST_DIGITS, text


@given(value=st.floats(1e-6, 1e14) | st.floats(-1e14, -1e-6))
def test_what_is_said_is_the_number_to_the_digits_that_it_has(value: float) -> None:
    assert numbers_said(figures.figure_text(value)) == [pytest.approx(value, rel=5e-4)]
    assert numbers_said(figures.lift_text(value, signed=True)) == [pytest.approx(100.0 * value, rel=0.06, abs=0.051)]
    assert numbers_said(figures.rate_text(value)) == [pytest.approx(100.0 * value, rel=0.06, abs=0.51)]


@given(seconds=st.floats(0.001, 1e9))
def test_a_time_adds_up_to_its_two_largest_units(seconds: float) -> None:
    units = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0, "day": 86_400.0, "days": 86_400.0}
    parts = figures.duration_text(seconds).split(" ")
    total = sum(float(n.replace(",", "")) * units[unit] for n, unit in zip(parts[::2], parts[1::2], strict=True))
    assert len(parts) <= 4
    assert total == pytest.approx(seconds, rel=0.051)
