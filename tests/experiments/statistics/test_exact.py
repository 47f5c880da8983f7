"""Few conversions: Fisher's test, Newcombe's interval, and the lift interval that belongs to it."""

import itertools

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import ends, existing, shares
from oracles.proving import judged, speaks
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.comparison import Question, compare
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.fixed import few, fisher_p, newcombe_interval, newcombe_lift_interval, wilson_interval

tables = st.tuples(st.integers(1, 400), st.integers(1, 400), st.floats(0, 1), st.floats(0, 1)).map(
    lambda drawn: (round(drawn[0] * drawn[2]), drawn[0], round(drawn[1] * drawn[3]), drawn[1])
)


@given(table=tables)
def test_fisher_meets_scipy(table: tuple[int, int, int, int]) -> None:
    x_c, n_c, x_t, n_t = table
    expected = scipy.stats.fisher_exact([[x_c, n_c - x_c], [x_t, n_t - x_t]])[1]
    assert fisher_p(shares(*table)) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("table", [(5, 10**6, 100, 10**6), (9, 100, 90_000, 10**6), (3, 10**6, 0, 10**5)])
def test_fisher_meets_scipy_with_many_units(table: tuple[int, int, int, int]) -> None:
    x_c, n_c, x_t, n_t = table
    expected = scipy.stats.fisher_exact([[x_c, n_c - x_c], [x_t, n_t - x_t]])[1]
    assert fisher_p(shares(*table)) == pytest.approx(float(expected), rel=1e-8)


def test_fisher_of_the_impossible_is_the_smallest_number_not_zero() -> None:
    assert fisher_p(shares(5, 10**6, 9_000_000, 10**7)) == 5e-324


@given(table=tables)
def test_newcombe_and_wilson_meet_statsmodels(table: tuple[int, int, int, int]) -> None:
    x_c, n_c, x_t, n_t = table
    pair = shares(*table)
    expected = confint_proportions_2indep(x_t, n_t, x_c, n_c, compare="diff", method="newcomb", alpha=0.05)
    assert ends(newcombe_interval(pair, 0.05)) == pytest.approx([float(end) for end in expected], abs=1e-9)
    wilson = proportion_confint(x_c, n_c, method="wilson")
    assert ends(wilson_interval(pair.control, 0.05)) == pytest.approx([float(end) for end in wilson], abs=1e-9)


@speaks(lift=0.25)
@given(table=tables)
def test_the_lift_interval_holds_zero_exactly_when_the_difference_does(table: tuple[int, int, int, int]) -> None:
    pair = shares(*table)
    lift, difference = newcombe_lift_interval(pair, 0.05), newcombe_interval(pair, 0.05)
    if judged(lift, "lift") and min(abs(difference.low), abs(difference.high)) > 1e-12:
        assert lift.contains(0.0) == difference.contains(0.0)


@speaks(lift=0.25)
@given(table=tables)
def test_the_lift_interval_ends_where_the_interval_of_the_contrast_touches_zero(
    table: tuple[int, int, int, int],
) -> None:
    pair = shares(*table)
    lift = newcombe_lift_interval(pair, 0.05)
    if not judged(lift, "lift"):
        return
    p_c, p_t = pair.control.value, pair.treatment.value
    control, treatment = wilson_interval(pair.control, 0.05), wilson_interval(pair.treatment, 0.05)
    for ratio, near, far in (
        (lift.low + 1.0, treatment.low, control.high),
        (lift.high + 1.0, treatment.high, control.low),
    ):
        squared = (p_t - near) ** 2 + ratio * ratio * (far - p_c) ** 2
        assert (p_t - ratio * p_c) ** 2 == pytest.approx(squared, rel=1e-6, abs=1e-12)


def test_ten_conversions_are_enough_and_nine_are_few() -> None:
    assert few(shares(10, 100, 10, 100)) is None
    assert few(shares(9, 100, 50, 100)) == Caveat.FEW_CONVERSIONS
    assert few(shares(50, 100, 91, 100)) == Caveat.FEW_NON_CONVERSIONS
    assert few(Pair(Arm(5, 1.0, 1.0), Arm(5, 1.0, 1.0))) is None


def test_no_conversion_in_control_has_no_lift_but_an_exact_test() -> None:
    comparison = compare(shares(0, 1000, 8, 1000), Question())
    assert comparison.lift == comparison.fixed.ci == NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    assert comparison.fixed.p == pytest.approx(scipy.stats.fisher_exact([[0, 1000], [8, 992]])[1])
    assert comparison.reasons == (Caveat.FEW_CONVERSIONS, Caveat.CONTROL_MEAN_NEAR_ZERO, Caveat.FEW_EVENTS)


def test_where_fisher_and_newcombe_disagree_the_interval_follows_the_test() -> None:
    """All small tables: p below 0.05 exactly where both intervals leave zero out; most agree by themselves."""
    moved = unsaid = 0
    for n_c, n_t in ((10, 30), (50, 100), (100, 1000), (300, 100)):
        for x_c, x_t in itertools.product(range(min(n_c, 13)), range(min(n_t, 40))):
            pair = shares(x_c, n_c, x_t, n_t)
            fixed = compare(pair, Question()).fixed
            significant = existing(fixed.p) < 0.05
            assert existing(fixed.difference_ci).contains(0.0) != significant
            unsaid += isinstance(fixed.ci, NoEstimate)
            assert isinstance(fixed.ci, NoEstimate) or fixed.ci.contains(0.0) != significant
            moved += newcombe_interval(pair, 0.05).contains(0.0) == significant
    assert 0 < moved < 100
    assert unsaid == 4 * 40 - 10  # no conversion in control
