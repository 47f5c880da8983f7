"""Planned looks: the bounds, what they spend, and the repeated p and interval that belong to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import even_look, existing, shares
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from experiments.statistics.comparison import PlannedAnswer, Question, compare
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.sequential import Look, boundary, bounds, equal_looks, planned_p, spent

FOUR = equal_looks(4)


def test_the_bounds_of_four_looks_are_the_published_ones() -> None:
    assert bounds(0.05, FOUR) == pytest.approx((2.9552, 2.5593, 2.3008, 2.0919), abs=1e-4)


def test_one_look_is_the_fixed_test() -> None:
    assert bounds(0.05, (1.0,)) == pytest.approx((1.959963984540054,), abs=1e-12)


@pytest.mark.parametrize(("alpha", "fractions"), [(0.05, (0.3, 1.0)), (0.01, (0.5, 0.6, 1.0)), (0.2, (0.1, 0.9, 1.0))])
def test_the_walk_crosses_first_at_each_look_as_often_as_alpha_is_spent(
    alpha: float, fractions: tuple[float, ...]
) -> None:
    """Against scipy's multivariate normal: P(no crossing so far) is one minus what was spent."""
    walls = np.array(bounds(alpha, fractions))
    times = np.array(fractions)
    for look in range(2, len(fractions) + 1):
        covariance = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))[:look, :look]
        inside = multivariate_normal(np.zeros(look), covariance).cdf(walls[:look], lower_limit=-walls[:look])
        assert 1.0 - float(inside) == pytest.approx(spent(alpha, fractions[look - 1]), abs=2e-5)


def test_the_first_bound_spends_its_share_exactly() -> None:
    assert 2.0 * float(ndtr(-bounds(0.05, FOUR)[0])) == pytest.approx(0.05 / 16.0, rel=1e-12)


@given(alpha=st.floats(1e-4, 0.5), number=st.integers(1, 4))
def test_the_repeated_p_at_a_bound_is_its_alpha(alpha: float, number: int) -> None:
    look = even_look(number)
    nominal = 2.0 * float(ndtr(-boundary(alpha, look)))
    assert planned_p(nominal, look) == pytest.approx(alpha, rel=1e-7)


@given(p=st.floats(1e-13, 1.0), number=st.integers(1, 4))
def test_the_repeated_p_is_never_smaller_than_the_fixed_one(p: float, number: int) -> None:
    assert planned_p(p, even_look(number)) >= p * (1.0 - 1e-9)


@given(p=st.floats(1e-20, 0.99), step=st.floats(1.001, 2.0), number=st.integers(1, 4))
def test_the_repeated_p_grows_with_the_fixed_one(p: float, step: float, number: int) -> None:
    look = even_look(number)
    assert planned_p(min(1.0, p * step), look) >= planned_p(p, look) * 0.97


def test_an_extreme_p_stays_above_zero() -> None:
    assert 0.0 < planned_p(1e-300, even_look(3)) < 1e-299
    assert planned_p(5e-324, even_look(1)) > 0.0


def planned(look: Look | None, family: int = 1) -> PlannedAnswer | NoEstimate:
    return compare(shares(200, 2000, 250, 2000), Question(look=look, family=family)).planned


def test_crossing_the_bound_is_p_below_alpha_and_an_interval_without_zero() -> None:
    crossed, not_crossed = existing(planned(even_look(3))), existing(planned(even_look(1)))
    assert crossed.crossed
    assert not not_crossed.crossed
    assert existing(crossed.p) < 0.05 < existing(not_crossed.p)
    assert not existing(crossed.ci).contains(0.0)
    assert existing(not_crossed.ci).contains(0.0)
    assert (crossed.look, crossed.looks) == (3, 4)


def test_a_family_shares_alpha_before_the_first_look() -> None:
    alone, shared = existing(planned(even_look(3))), existing(planned(even_look(3), family=4))
    assert shared.boundary == pytest.approx(boundary(0.05 / 4, even_look(3)))
    assert shared.crossed == (4 * existing(alone.p) <= 0.05)
    assert (shared.p, shared.ci, shared.difference_ci) == (alone.p, alone.ci, alone.difference_ci)


def test_before_its_first_look_a_planned_test_says_nothing() -> None:
    assert planned(None) == NoEstimate(Caveat.BEFORE_FIRST_LOOK)
