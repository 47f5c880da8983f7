"""A goal that must only be no worse than by a margin: its interval decides, whichever direction is good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import existing, means
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from experiments.statistics.comparison import Question, compare
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.statistics.guardrail import margin_verdict

ends = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.019, 0.005, "wins"),  # no worse than 2 %, and not better either
        (-0.015, -0.005, "wins"),  # worse, by less than 2 %
        (-0.021, 0.100, "unclear"),
        (-0.020, 0.010, "unclear"),  # the margin itself is not ruled out
        (-0.100, -0.021, "loses"),
        (0.010, 0.050, "wins"),
    ],
)
def test_the_interval_decides_on_which_side_of_the_margin_it_lies(low: float, high: float, verdict: str) -> None:
    assert margin_verdict(Interval(low, high), 0.02, "up") == verdict
    assert margin_verdict(Interval(-high, -low), 0.02, "down") == verdict


def test_without_an_interval_nothing_is_decided() -> None:
    assert margin_verdict(NoEstimate(Caveat.FEW_EVENTS), 0.02, "up") == "unclear"


@given(interval=ends, margin=st.floats(0.001, 0.5))
def test_what_wins_outright_is_no_worse_by_any_margin(interval: list[float], margin: float) -> None:
    low, high = interval
    if low > 0.0:
        assert margin_verdict(Interval(low, high), margin, "up") == "wins"
    wider = margin_verdict(Interval(low, high), 2.0 * margin, "up")
    assert margin_verdict(Interval(low, high), margin, "up") != "wins" or wider == "wins"


@given(shift=st.floats(-1.0, 1.0))
def test_in_points_it_is_the_one_sided_test_at_half_of_alpha_against_the_margin(shift: float) -> None:
    control, treatment = [0.0, 1.0, 2.0, 3.0, 4.0] * 6, [shift + value for value in [0.0, 1.0, 2.0, 3.5, 4.0] * 6]
    ci = existing(compare(means(control, treatment), Question(scale="points")).fixed.difference_ci)
    two = CompareMeans(DescrStatsW(treatment), DescrStatsW(control))
    p = two.ttest_ind(alternative="larger", usevar="unequal", value=-0.5)[1]
    assert (margin_verdict(ci, 0.5, "up") == "wins") == (p < 0.025)
