"""Sample ratio mismatch: χ², and the alarm that may be looked at every day."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import existing
from scipy.stats import chi2_contingency, chisquare, dirichlet_multinomial, multinomial

from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.sample_ratio import balance, chi_square, homogeneity, log_bayes_factor, sequential_p

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


@given(st.integers(2, 4).flatmap(lambda kinds: st.lists(st.lists(st.integers(0, 500), min_size=kinds, max_size=kinds),
                                                         min_size=2, max_size=4)))  # fmt: skip
def test_homogeneity_meets_scipy_where_enough_is_expected_in_each_cell(counts: list[list[int]]) -> None:
    table = np.array([row for row in counts if sum(row)], dtype=float).reshape(-1, len(counts[0]))
    table = table[:, table.sum(axis=0) > 0]
    ours = homogeneity(counts)
    if min(table.shape) < 2:
        assert ours == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
        return
    expected = chi2_contingency(table, correction=False)
    if expected.expected_freq.min() < 5:
        assert ours == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
        return
    assert existing(ours) == pytest.approx(max(5e-324, float(expected.pvalue)), rel=1e-7, abs=1e-300)


def test_arms_alike_are_called_different_as_rarely_as_alpha_says() -> None:
    chance = np.random.default_rng(7)
    first, second = chance.binomial(4_000, 0.6, 20_000), chance.binomial(4_000, 0.6, 20_000)
    found = [
        homogeneity([(4_000 - a, a), (4_000 - b, b)]) for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    alarms = sum(isinstance(p, float) and p < 0.001 for p in found)
    assert alarms <= 20 + 3 * 20**0.5
    assert homogeneity([(1_600, 2_400), (1_400, 2_600)]) < 0.001  # five points more are found
