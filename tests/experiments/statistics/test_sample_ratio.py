"""Sample ratio mismatch: χ², and the alarm that may be looked at every day."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import existing
from scipy.stats import chisquare, dirichlet_multinomial, multinomial

from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.sample_ratio import balance, chi_square, log_bayes_factor, sequential_p

counted = st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.05, 10.0)), min_size=2, max_size=5)


@given(arms=counted.filter(lambda arms: sum(count for count, _ in arms) > 0))
def test_chi_square_meets_scipy(arms: list[tuple[int, float]]) -> None:
    counts, weights = [count for count, _ in arms], np.array([weight for _, weight in arms])
    expected = chisquare(counts, weights / weights.sum() * sum(counts))
    ours = existing(chi_square(counts, weights.tolist()))
    assert ours.statistic == pytest.approx(float(expected.statistic), rel=1e-9, abs=1e-9)
    assert ours.p == pytest.approx(max(5e-324, float(expected.pvalue)), rel=1e-7, abs=1e-300)


@given(arms=counted)
def test_the_bayes_factor_is_the_ratio_of_two_published_distributions(arms: list[tuple[int, float]]) -> None:
    counts, weights = [count for count, _ in arms], np.array([weight for _, weight in arms])
    shares = weights / weights.sum()
    prior = 100.0 * len(arms) * shares
    expected = dirichlet_multinomial.logpmf(counts, prior, sum(counts)) - multinomial.logpmf(
        counts, sum(counts), shares
    )
    assert log_bayes_factor(counts, weights.tolist()) == pytest.approx(float(expected), rel=1e-6, abs=1e-6)


def test_an_arm_of_weight_zero_leaves_the_test_and_its_degrees_of_freedom() -> None:
    with_it, without = chi_square([5000, 5200, 3], [1, 1, 0]), chi_square([5000, 5200], [1, 1])
    assert with_it == without
    assert log_bayes_factor([5000, 5200, 3], [1, 1, 0]) == log_bayes_factor([5000, 5200], [1, 1])


def test_nobody_yet_or_a_single_arm_is_nothing_to_test() -> None:
    nothing = NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    assert chi_square([0, 0], [1, 1]) == chi_square([7, 0], [1, 0]) == nothing
    health = balance([(0, 0)], [1, 1])
    assert (health.p, health.sequential_p, health.alarm) == (nothing, 1.0, False)
    assert balance([(9, 0)], [1, 0]).sequential_p == 1.0


def test_a_day_that_rang_keeps_ringing() -> None:
    days = [(600, 400), (5000, 4900), (50_000, 50_000)]
    health = balance(days, [50, 50])
    assert health.alarm
    assert health.sequential_p == pytest.approx(np.exp(-log_bayes_factor((600, 400), [1, 1])))
    assert not balance(days[2:], [50, 50]).alarm
    assert health.expected == (0.5, 0.5)
    assert health.observed == (50_000, 50_000)


def test_a_hopeless_mismatch_has_a_p_above_zero() -> None:
    health = balance([(10**6, 10)], [1, 1])
    assert existing(health.p) > 0.0
    assert health.sequential_p > 0.0
    assert sequential_p([]) == 1.0


def test_the_alarm_finds_a_four_percent_loss() -> None:
    rng, found = np.random.default_rng(1), 0
    for _ in range(200):
        arrivals = rng.binomial([[2500], [2400]], 0.98, (2, 28)).cumsum(axis=1).T
        found += balance([tuple(int(n) for n in day) for day in arrivals], [1, 1]).alarm
    assert found > 180
