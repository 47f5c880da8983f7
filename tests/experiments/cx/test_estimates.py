"""Differences of figures: the interval that is recovered from both, and the p at which it touches 0."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.proving import happened, speaks

from experiments.answers.customers import Unsaid
from experiments.cx.estimates import SMALLEST, TimeQuantile, difference_of, interval_of, mean, ratio, share_of
from experiments.statistics.arms import pair, proportion_arm
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.fixed import newcombe_interval
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import SurvivalCurve

counts = st.tuples(st.integers(1, 300), st.floats(0.0, 1.0)).map(lambda each: (round(each[0] * each[1]), each[0]))


def with_one_near(share: float) -> st.SearchStrategy[tuple[tuple[int, int], tuple[int, int]]]:
    """Counts of about a share, twice: two shares that are not far from each other."""
    near = st.tuples(st.integers(20, 300), st.floats(-0.15, 0.15)).map(
        lambda each: (round(each[0] * (share + each[1])), each[0])
    )
    return st.tuples(near, near)


@speaks(near=0.2, clear=0.1)
@given(st.tuples(counts, counts) | st.floats(0.15, 0.85).flatmap(with_one_near))
def test_the_difference_of_two_shares_is_newcombes_and_p_is_where_it_touches_zero(
    shares: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    now, before = shares
    found = difference_of(share_of(*now), share_of(*before))
    assert found is not None
    arms = pair(proportion_arm(before[1], before[0]), proportion_arm(now[1], now[0]))
    assert not isinstance(arms, NoEstimate)
    expected = newcombe_interval(arms, 0.05)
    assert found.ci is not None
    assert (found.ci.low, found.ci.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.p is not None
    excludes = found.ci.low > 0.0 or found.ci.high < 0.0
    assert excludes == (found.p < 0.05) or math.isclose(found.p, 0.05, rel_tol=1e-9)
    happened("clear", excludes)
    happened("near", 1e-6 < found.p < 1.0)
    if 1e-6 < found.p < 1.0:
        at = newcombe_interval(arms, found.p)
        assert min(abs(at.low), abs(at.high)) == pytest.approx(0.0, abs=1e-9)


def test_who_answers_often_counts_as_one_person() -> None:
    once = mean(np.array([100.0, -100.0] * 20), -100.0, 100.0)
    often = ratio(JointMoments.of({"num": np.array([400.0, -400.0] * 5), "den": np.full(10, 4.0)}), -100.0, 100.0)
    single, clustered = interval_of(once), interval_of(often)
    assert isinstance(single, Interval)
    assert isinstance(clustered, Interval)
    assert clustered.width > 2.0 * single.width


def test_what_has_no_interval_says_why() -> None:
    lonely, agreed = mean([9.0], 0.0, 10.0), mean([9.0, 9.0, 9.0], 0.0, 10.0)
    assert (lonely.lack, agreed.lack, interval_of(lonely), interval_of(agreed)) == (
        Unsaid.TOO_FEW,
        Unsaid.ALL_EQUAL,
        None,
        None,
    )
    waiting = TimeQuantile(SurvivalCurve.of(np.array([1.0, 9.0, 9.0]), np.array([True, False, False])), 0.5)
    assert (waiting.value, waiting.lack) == (None, Unsaid.MOSTLY_OPEN)
    assert difference_of(waiting, agreed) is None
    known = difference_of(agreed, lonely)
    assert known is not None
    assert (known.value, known.ci, known.p) == (0.0, None, None)


def test_what_is_all_but_impossible_has_the_smallest_p() -> None:
    found = difference_of(share_of(1_000_000, 1_000_000), share_of(0, 1_000_000))
    assert found is not None
    assert found.p == SMALLEST
