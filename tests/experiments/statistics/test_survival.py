"""Times that are not over for everybody: the product-limit curve, its quantiles and intervals, against statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples, happened, speaks
from statsmodels.duration.survfunc import SurvfuncRight

from experiments.statistics.quantiles import SurvivalCurve

few = st.lists(st.tuples(st.integers(1, 40) | st.floats(0.01, 40.0), st.booleans()), min_size=2, max_size=60)
many = st.lists(st.tuples(st.floats(0.01, 40.0), st.sampled_from([True, True, False])), min_size=30, max_size=60)


@speaks(known=0.1)
@settings(max_examples=examples(200))
@given(waited=few | many, q=st.sampled_from([0.25, 0.5, 0.9]))
def test_quantiles_and_their_intervals_are_those_of_statsmodels(waited: list[tuple[float, bool]], q: float) -> None:
    times, over = np.array([float(time) for time, _ in waited]), np.array([ended for _, ended in waited])
    curve, theirs = SurvivalCurve.of(times, over), None
    if over.any():
        theirs = SurvfuncRight(times, over.astype(int))
        assert list(curve.times) == list(theirs.surv_times)
        assert curve.surviving == pytest.approx(theirs.surv_prob, abs=1e-12)
    below = [] if theirs is None else theirs.surv_times[theirs.surv_prob <= 1 - q + 1e-12]
    assert curve.quantile(q) == (below[0] if len(below) else None)
    low, high = curve.quantile_ends(q, 0.05)
    happened("known", math.isfinite(high))
    if theirs is not None and math.isfinite(high):
        with np.errstate(all="ignore"):
            expected = theirs.quantile_ci(q, 0.05, "cloglog")
        if not math.isnan(expected[0]):  # where one step jumps over all that is plausible, theirs says nothing
            assert (low, high) == pytest.approx(expected, abs=1e-12)
    assert low <= (curve.quantile(q) or low) <= high


def test_whoever_still_waits_makes_the_median_longer() -> None:
    times = np.array([1.0, 2.0, 3.0, 50.0, 50.0, 50.0])
    served = SurvivalCurve.of(times[:3], np.ones(3, dtype=bool))
    everybody = SurvivalCurve.of(times, np.array([True, True, True, False, False, False]))
    assert (served.quantile(0.5), everybody.quantile(0.5), everybody.quantile(0.9)) == (2.0, 3.0, None)


def test_the_longest_time_bounds_nothing() -> None:
    """All of 20 are over, and the 90th percentile may still lie beyond: 0.9 ** 20 is 12 %."""
    low, high = SurvivalCurve.of(np.arange(1.0, 21.0), np.ones(20, dtype=bool)).quantile_ends(0.9, 0.05)
    assert (low < 18.0, high) == (True, math.inf)


def test_of_nothing_nothing_is_said() -> None:
    curve = SurvivalCurve.of(np.zeros(0), np.zeros(0, dtype=bool))
    assert (curve.quantile(0.5), curve.quantile_ends(0.5, 0.05)) == (None, (0.0, math.inf))


def test_intervals_of_medians_hold_the_truth_as_often_as_they_say() -> None:
    """2,000 samples of 60 exponential times, a third of them censored, fixed seeds; the truth is ln 2."""
    chance, held, known = np.random.default_rng(20261129), 0, 0
    for _ in range(2_000):
        times, censored = chance.exponential(1.0, 60), chance.exponential(2.0, 60)
        curve = SurvivalCurve.of(np.minimum(times, censored), times <= censored)
        low, high = curve.quantile_ends(0.5, 0.05)
        known += math.isfinite(high)
        held += low <= math.log(2.0) <= high
    assert known > 1_900
    assert 0.935 <= held / 2_000 <= 0.97
