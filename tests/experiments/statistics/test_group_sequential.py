"""Planned looks: the bounds, what they spend, and the repeated p and interval that belong to them."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles.estimates import even_look, existing, shares
from oracles.proving import examples
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from experiments.statistics.comparison import PlannedAnswer, Question, compare
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.sequential import Look, boundary, bounds, equal_looks, looks_so_far, planned_p, spent

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


newcomers = st.one_of(st.integers(1, 3), st.integers(1, 1000), st.integers(1, 1_000_000))


def looks(fewest: int, most: int) -> st.SearchStrategy[Look]:
    return st.lists(st.tuples(newcomers, st.integers(1, 100)), min_size=fewest, max_size=most).map(
        lambda steps: Look(
            len(steps),
            tuple(np.cumsum([units for units, _ in steps]).tolist()),
            tuple((np.cumsum([share for _, share in steps]) / sum(share for _, share in steps)).tolist()),
        )
    )


@settings(max_examples=examples(30))
@given(look=looks(2, 4))
def test_bounds_follow_the_units_that_came_and_spend_what_they_are_told(look: Look) -> None:
    """Against scipy's multivariate normal of the units' correlations; close to 1 it is itself off by 1e-4."""
    walls, units = np.array(bounds(0.2, look.units, look.spent)), np.array(look.units)
    covariance = np.sqrt(np.minimum.outer(units, units) / np.maximum.outer(units, units))
    walk = multivariate_normal(np.zeros(len(units)), covariance, allow_singular=True)
    assert 1.0 - float(walk.cdf(walls, lower_limit=-walls, rng=1)) == pytest.approx(0.2, abs=1e-3)


@settings(max_examples=examples(30))
@given(look=looks(3, 3))
@example(look=Look(3, (1_000_000, 1_000_001, 2_000_000), (0.5, 0.500001, 1.0)))
@example(look=Look(3, (500_000, 999_999, 1_000_000), (0.25, 0.5, 1.0)))
def test_three_looks_spend_alpha_to_a_ten_thousandth_of_it(look: Look) -> None:
    """Given where the walk is at the second look, the others are independent of each other: one integral over that."""
    early, middle, late = look.units
    walls = np.sqrt(look.units) * bounds(0.05, look.units, look.spent)
    walk = np.linspace(0.0, walls[1], 400_001)
    before, bridge = walk * early / middle, math.sqrt(early * (middle - early) / middle)
    inside = ndtr((walls[0] - before) / bridge) - ndtr((-walls[0] - before) / bridge)
    inside *= ndtr((walls[2] - walk) / math.sqrt(late - middle)) - ndtr((-walls[2] - walk) / math.sqrt(late - middle))
    density = np.exp(-0.5 * walk * walk / middle) / math.sqrt(math.tau * middle)
    assert 1.0 - 2.0 * np.trapezoid(inside * density, walk) == pytest.approx(0.05, abs=5e-6)


@pytest.mark.parametrize("already", [1000, 10_000, 1_000_000])
def test_sixty_looks_with_a_single_newcomer_each_spend_what_they_are_told(already: int) -> None:
    """Against 200,000 walks that are drawn: four standard errors are 0.0036. One panel had .44, .84, .006."""
    units, draw = already + np.arange(60), np.random.default_rng(1)
    walls = np.sqrt(units) * bounds(0.2, tuple(units.tolist()), equal_looks(60))
    walk, crossed = np.zeros(200_000), np.zeros(200_000, dtype=bool)
    for came, wall in zip(np.diff(units, prepend=0), walls, strict=True):
        walk += math.sqrt(came) * draw.standard_normal(walk.size)
        crossed |= np.abs(walk) > wall
    assert float(crossed.mean()) == pytest.approx(0.2, abs=0.0036)


def test_a_look_one_unit_after_another_may_be_the_same_look() -> None:
    """Where it spends much more than the walk can move, only who is beyond its bound counts: that of both in one."""
    apart, together = bounds(0.05, (10**6, 10**6 + 1), (0.5, 1.0)), bounds(0.05, (10**6, 10**6), (0.5, 1.0))
    assert apart == pytest.approx(together, abs=1e-9)
    assert bounds(0.05, (10**12, 10**12 + 1), (0.5, 1.0)) == together


def test_a_look_to_which_nobody_came_sees_the_same_walk_and_spends_what_is_new() -> None:
    units, spent = (100, 300, 300, 300), (0.25, 0.5, 0.75, 1.0)
    solved = bounds(0.05, units, spent)
    assert solved[:2] == bounds(0.05, units[:2], spent[:2])
    assert solved[3] == bounds(0.05, (100, 300), (0.25, 1.0))[1] < solved[2] < solved[1]
    look = Look(4, units, spent)
    assert planned_p(2.0 * float(ndtr(-solved[3])), look) == pytest.approx(0.05, rel=1e-7)
    everybody = Look(2, (300, 300), (0.5, 1.0))
    assert planned_p(0.04, everybody) == pytest.approx(0.04)


def test_a_look_with_nothing_left_to_spend_finds_nothing_that_happens_by_chance() -> None:
    look = Look(3, (100, 200, 300), (0.5, 1.0, 1.0))
    assert boundary(0.05, look) > 6.5  # one in 10^11
    assert planned_p(1e-12, look) == 1.0


def test_looks_spend_by_their_units_at_most_by_the_calendar_and_the_last_one_all_that_is_left() -> None:
    late = looks_so_far([(1, 200), (2, 500), (3, 2000), (4, 9000)], planned_units=10_000, looks=4)
    assert late == Look(4, (200, 500, 2000, 9000), (0.02, 0.05, 0.2, 1.0))
    doubled = looks_so_far([(1, 5000), (2, 10_000), (3, 15_000)], planned_units=10_000, looks=4)
    assert doubled.spent == (0.25, 0.5, 0.75)
    skipped = looks_so_far([(2, 5000), (3, 7500)], planned_units=10_000, looks=4)
    assert (skipped.number, skipped.spent) == (3, (0.5, 0.75))


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
