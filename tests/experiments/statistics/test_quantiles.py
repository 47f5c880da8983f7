"""Quantiles and caps from histograms: exact, additive, with an interval that holds what it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import existing, histogram_of

from experiments.statistics.arms import Pair
from experiments.statistics.comparison import Question, compare
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import Histogram, QuantileEstimate, cap_value, quantile_estimate

cents = st.lists(st.integers(0, 5000).map(lambda value: value / 100), min_size=1, max_size=60)


@given(sample=cents, q=st.floats(0.01, 0.99))
def test_a_quantile_is_numpys_inverted_distribution(sample: list[float], q: float) -> None:
    assert histogram_of(sample).quantile(q) == float(np.quantile(sample, q, method="inverted_cdf"))


@given(left=cents, right=cents, q=st.floats(0.01, 0.99))
def test_histograms_of_parts_add_up(left: list[float], right: list[float], q: float) -> None:
    parts, whole = (histogram_of(left), histogram_of(right)), histogram_of(left + right)
    values, counts = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "counts"))
    together = Histogram.from_columns(values, counts)
    assert together.values.tolist() == whole.values.tolist()
    assert together.counts.tolist() == whole.counts.tolist()
    assert together.quantile(q) == whole.quantile(q)


def test_rows_in_any_order_make_the_same_histogram() -> None:
    histogram = Histogram.from_columns([3.0, 1.0, 3.0], [2, 5, 1])
    assert histogram.values.tolist() == [1.0, 3.0]
    assert histogram.counts.tolist() == [5, 3]
    assert histogram.count == 8


def test_nothing_has_no_quantile_and_no_cap() -> None:
    empty = histogram_of([])
    assert empty.quantile(0.5) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    assert cap_value(histogram_of([0.0, 0.0]), 0.999) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    assert quantile_estimate(empty, 0.5) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)


def test_too_few_values_have_no_interval() -> None:
    assert quantile_estimate(histogram_of(np.arange(20.0)), 0.9) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)


@pytest.mark.parametrize("zeros", [0.5, 0.06])
def test_more_than_five_percent_ties_at_the_quantile_say_nothing(zeros: float) -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(10_000) < zeros, 1.0, rng.gamma(2.0, 1.0, 10_000))
    at = float((values <= 1.0).mean()) - zeros / 2
    assert quantile_estimate(histogram_of(values), at) == NoEstimate(Caveat.TIES)


def test_ties_speak_up_even_where_the_interval_reaches_beyond_them() -> None:
    values = np.concatenate([np.arange(190.0), np.full(28, 190.5), np.arange(191.0, 373.0)])
    histogram, wide = histogram_of(values), 1e-6
    assert quantile_estimate(histogram, 0.5, alpha=wide) == NoEstimate(Caveat.TIES)
    fewer = histogram_of(np.concatenate([np.arange(190.0), np.full(18, 190.5), np.arange(191.0, 373.0)]))
    assert isinstance(quantile_estimate(fewer, 0.5, alpha=wide), QuantileEstimate)


def test_an_interval_inside_one_value_says_nothing() -> None:
    histogram = Histogram.from_columns(np.arange(100.0), [10**8] * 100)
    assert quantile_estimate(histogram, 0.505) == NoEstimate(Caveat.TIES)


def estimate(values: np.ndarray, q: float) -> QuantileEstimate:
    return existing(quantile_estimate(histogram_of(values), q))


@pytest.mark.parametrize("q", [0.5, 0.75, 0.9])
def test_the_order_statistic_interval_covers_the_true_quantile(q: float) -> None:
    rng, truth = np.random.default_rng(2), float(-np.log1p(-q))
    covered = [estimate(rng.exponential(1.0, 400), q).ci.contains(truth) for _ in range(1000)]
    assert np.mean(covered) == pytest.approx(0.955, abs=0.02)


def test_an_a_a_test_of_a_quantile_rejects_at_its_level() -> None:
    rng, rejections = np.random.default_rng(3), 0
    for _ in range(1000):
        arms = (estimate(rng.exponential(1.0, 1000), 0.75).arm for _ in range(2))
        rejections += existing(compare(Pair(*arms), Question()).fixed.p) < 0.05
    assert rejections / 1000 == pytest.approx(0.05, abs=0.015)


def clustered(rng: np.random.Generator, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten events per unit that share most of their size: events of one unit are alike."""
    own = np.repeat(rng.exponential(1.0, units), 10)
    return own + 0.1 * rng.exponential(1.0, units * 10), np.repeat(np.arange(units), 10)


def test_events_of_one_unit_are_not_independent() -> None:
    """Taken as independent, an A/A of clustered events rejects far too often; clustered by unit it does not."""
    rng, naive, by_unit, runs = np.random.default_rng(4), 0, 0, 300
    for _ in range(runs):
        arms: dict[bool, list[QuantileEstimate]] = {True: [], False: []}
        for _ in range(2):
            values, unit = clustered(rng, 400)
            histogram = histogram_of(values)
            below = np.bincount(unit, weights=values <= existing(histogram.quantile(0.75)))
            clusters = JointMoments.of({"num": below, "den": np.bincount(unit)})
            arms[True].append(existing(quantile_estimate(histogram, 0.75, clusters)))
            arms[False].append(existing(quantile_estimate(histogram, 0.75)))
        naive += existing(compare(Pair(*(arm.arm for arm in arms[False])), Question()).fixed.p) < 0.05
        by_unit += existing(compare(Pair(*(arm.arm for arm in arms[True])), Question()).fixed.p) < 0.05
    assert naive / runs > 0.3
    assert by_unit / runs == pytest.approx(0.05, abs=0.03)


def test_clusters_without_events_have_no_quantile() -> None:
    nobody = JointMoments.of({"num": [0.0], "den": [0.0]})
    assert quantile_estimate(histogram_of(np.arange(100.0)), 0.5, nobody) == NoEstimate(Caveat.NO_DENOMINATOR)


@given(amounts=st.lists(st.integers(1, 10**9), min_size=2, max_size=40), seed=st.integers(0, 99))
def test_a_total_is_one_value_in_whatever_order_it_was_added_up(amounts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    totals = [float(sum(rng.permutation(np.array(amounts) / 1000).tolist())) for _ in range(8)]
    histogram = histogram_of(totals)
    assert (histogram.values.tolist(), histogram.counts.tolist()) == ([max(totals)], [8])


@given(value=st.floats(1e-300, 1e300), sign=st.sampled_from([1.0, -1.0]))
def test_values_that_differ_in_the_thirteenth_digit_stay_two(value: float, sign: float) -> None:
    both = sorted([sign * value, sign * value * (1.0 + 1e-13)])
    assert histogram_of([*both, 0.0, *both]).values.tolist() == sorted([0.0, *both])
