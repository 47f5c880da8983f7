"""Fieller's interval as a formula, and at the edges of double precision."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.estimates import ends, existing

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.effect import Effect, above_minus_one, effect, lift_interval, relative_standard_error
from experiments.statistics.estimate import Caveat, Interval, NoEstimate

NEAR_ZERO = NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)


def measured(control: float, treatment: float, a: float, b: float) -> Effect:
    return existing(effect(Pair(Arm(100, control, a * 100), Arm(100, treatment, b * 100))))


@given(
    control=st.floats(0.5, 10),
    treatment=st.floats(-10, 10),
    a=st.floats(1e-4, 0.1),
    b=st.floats(1e-4, 0.1),
    correlation=st.one_of(st.just(0.0), st.floats(-0.9, 0.9)),
    q=st.floats(0.5, 4),
)
def test_the_stable_roots_are_those_of_the_published_formula(
    control: float, treatment: float, a: float, b: float, correlation: float, q: float
) -> None:
    """Fieller (1954) for two estimates with variances a and b and covariance c."""
    g, r, c = q * q * a / control**2, treatment / control, correlation * math.sqrt(a * b)
    assume(g < 0.9)
    half = q / abs(control) * math.sqrt(b - 2 * r * c + r * r * a - g * (b - c * c / a))
    expected = [(r - g * c / a + sign * half) / (1 - g) - 1 for sign in (-1, 1)]
    error = math.sqrt(a + b - 2 * c)
    ours = lift_interval(Effect(control, treatment - control, a, b, error, 50.0, 100, covariance=c), q)
    assert ends(ours) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_scale_of_the_posterior_knows_what_the_arms_share() -> None:
    measured = Effect(2.0, 1.0, 0.04, 0.09, 0.3, 50.0, 100, covariance=0.02)
    gradient, errors = np.array([-1.5 / 2.0, 1.0 / 2.0]), np.array([[0.04, 0.02], [0.02, 0.09]])
    assert relative_standard_error(measured) == pytest.approx(math.sqrt(gradient @ errors @ gradient))


def test_a_lift_near_minus_one_by_rounding_ends_there() -> None:
    around = above_minus_one(Interval(math.nextafter(-1.0, -2.0), math.nextafter(-1.0, 0.0)))
    assert around.low == -1.0 < around.high
    assert above_minus_one(Interval(-0.5, 0.5)) == Interval(-0.5, 0.5)


def test_a_control_of_exactly_zero_has_no_relative_scale() -> None:
    nothing = measured(0.0, 1.0, 0.1, 0.1)
    assert lift_interval(nothing, 2.0) == relative_standard_error(nothing) == NEAR_ZERO


def test_the_interval_is_bounded_just_below_g_of_one_and_not_at_it() -> None:
    just = measured(1.0, 1.5, 0.25, 0.1)
    assert isinstance(lift_interval(just, 1.9999), Interval)
    assert lift_interval(just, 2.0) == NEAR_ZERO


def test_an_interval_beyond_double_precision_is_none() -> None:
    assert lift_interval(measured(1e-160, 1e160, 1e-322, 1e300), 1.0) == NEAR_ZERO


def test_errors_that_vanish_leave_the_narrowest_interval_there_is_and_no_point() -> None:
    vanishing = Effect(1e200, 0.0, 1e-200, 1e-200, 1e-100, 50.0, 100)
    assert lift_interval(vanishing, 2.0) == Interval(-5e-324, 5e-324)


@pytest.mark.parametrize("never_negative", [True, False])
def test_where_nothing_happened_in_treatment_the_lift_interval_reaches_up_from_minus_one(never_negative: bool) -> None:
    """38 of 1,893 against nothing used to be [−1, −1]: no proof of anything, and as narrow as can be."""
    control = Arm(1000, 5.0, 900.0, events=60, never_negative=never_negative)
    pair = Pair(control, Arm(1000, 0.0, 0.0, events=0, never_negative=never_negative))
    measured = existing(effect(pair))
    assert measured.control_error + measured.treatment_error == pytest.approx(0.9)
    low, high = ends(lift_interval(measured, 2.0))
    assert high == pytest.approx(-1.0 + (1.8 / 23.2) ** 0.5)
    assert low == (-1.0 if never_negative else pytest.approx(-1.0 - (1.8 / 23.2) ** 0.5))
