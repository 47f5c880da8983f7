"""Numeric edges: every one is a value or a reason, never NaN, an exception or a warning."""

import math

import numpy as np
import pytest
from oracles.estimates import existing, means, moments_of, shares

from experiments.statistics.arms import Arm, Pair, mean_arm, pair, proportion_arm, ratio_arm
from experiments.statistics.comparison import Question, answer_of, compare
from experiments.statistics.cuped import adjust_means, adjust_ratios
from experiments.statistics.effect import lift
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.statistics.moments import JointMoments, Moments

QUESTION = Question()


def test_no_variance_in_both_arms_is_a_reason_with_a_difference() -> None:
    comparison = compare(means([2.0] * 10, [3.0] * 10), QUESTION)
    assert comparison.difference == 1.0
    assert comparison.lift == 0.5
    assert comparison.fixed.p == comparison.anytime.p == comparison.bayesian == NoEstimate(Caveat.NO_VARIANCE)
    assert Caveat.NO_VARIANCE in comparison.reasons


def test_no_variance_in_one_arm_is_still_a_test() -> None:
    comparison = compare(means([2.0] * 5, [3.0, 4.0, 5.0]), QUESTION)
    assert existing(comparison.fixed.degrees_of_freedom) == pytest.approx(2.0)
    assert 0.0 < existing(comparison.fixed.p) < 1.0


def test_a_control_mean_of_zero_has_a_difference_and_no_lift() -> None:
    comparison = compare(means([-1.0, 0.0, 1.0], [1.0, 2.0, 3.0]), QUESTION)
    assert comparison.lift == comparison.fixed.ci == NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    assert isinstance(comparison.fixed.difference_ci, Interval)
    assert Caveat.CONTROL_MEAN_NEAR_ZERO in comparison.reasons


def test_a_control_mean_that_may_be_zero_has_an_unbounded_lift_interval() -> None:
    comparison = compare(means([-5.0, 0.1, 5.0], [1.0, 2.0, 3.0]), QUESTION)
    assert isinstance(comparison.lift, float)
    assert comparison.fixed.ci == NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)


@pytest.mark.parametrize("values", [[], [4.0]])
def test_an_empty_arm_and_a_single_unit_are_not_enough(values: list[float]) -> None:
    arms = pair(mean_arm(moments_of([1.0, 2.0])), mean_arm(moments_of(values)))
    comparison = compare(arms, QUESTION)
    assert comparison.fixed.p == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    for method in ("fixed", "anytime"):
        assert isinstance(answer_of(comparison, method).p, NoEstimate)
    assert comparison.reasons[0] == Caveat.NOT_ENOUGH_UNITS


def test_an_empty_arm_of_a_proportion_or_ratio_is_not_enough() -> None:
    assert proportion_arm(0, 0) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    assert ratio_arm(JointMoments.of({"num": [], "den": []})) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    comparison = compare(pair(proportion_arm(0, 0), proportion_arm(10, 2)), QUESTION)
    assert answer_of(comparison, "bayesian").ci == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    assert answer_of(comparison, "planned").p == NoEstimate(Caveat.NOT_ENOUGH_UNITS)


@pytest.mark.parametrize(("x_c", "x_t"), [(0, 0), (50, 50), (0, 50), (50, 0)])
def test_none_or_all_converting_is_answered_exactly_with_a_reason(x_c: int, x_t: int) -> None:
    comparison = compare(shares(x_c, 50, x_t, 50), QUESTION)
    assert comparison.exact
    assert 0.0 < existing(comparison.fixed.p) <= 1.0
    assert isinstance(comparison.fixed.difference_ci, Interval)
    assert comparison.reasons[0] in (Caveat.FEW_CONVERSIONS, Caveat.FEW_NON_CONVERSIONS)


def test_one_unit_per_arm_of_a_proportion_is_answered_exactly() -> None:
    comparison = compare(shares(0, 1, 1, 1), QUESTION)
    assert comparison.fixed.p == 1.0
    assert comparison.anytime.p == NoEstimate(Caveat.FEW_EVENTS)


def test_values_around_1e15_keep_their_difference() -> None:
    control, treatment = [1e15 - 1, 1e15, 1e15 + 1], [1e15 + 1, 1e15 + 2, 1e15 + 3]
    comparison, small = compare(means(control, treatment), QUESTION), compare(means([-1, 0, 1], [1, 2, 3]), QUESTION)
    assert comparison.difference == 2.0
    assert existing(comparison.lift) == pytest.approx(2e-15, rel=1e-9)
    assert existing(comparison.fixed.p) == pytest.approx(existing(small.fixed.p), rel=1e-12)
    assert existing(comparison.fixed.ci).contains(0.0)


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e9, 1e100])
def test_the_scale_of_the_values_does_not_matter(scale: float) -> None:
    rng = np.random.default_rng(5)
    control, treatment = rng.gamma(2.0, 1.0, 50), rng.gamma(2.2, 1.0, 60)
    here, there = (
        compare(means(control, treatment), QUESTION),
        compare(means(control * scale, treatment * scale), QUESTION),
    )
    assert existing(there.fixed.p) == pytest.approx(existing(here.fixed.p), rel=1e-9)
    assert existing(there.fixed.ci).low == pytest.approx(existing(here.fixed.ci).low, rel=1e-9)


def test_sums_beyond_double_precision_are_out_of_range() -> None:
    out = NoEstimate(Caveat.OUT_OF_RANGE)
    assert mean_arm(Moments(5, 1.0, math.inf)) == out
    assert ratio_arm(JointMoments(("num", "den"), 3, (1.0, 1.0), (math.inf, 0.0, 1.0), 3)) == out
    assert ratio_arm(JointMoments(("num", "den"), 3, (1e300, 1e-300), (1.0, 0.0, 1.0), 3)) == out
    huge = Arm(5, 1e308, 1.0)
    assert compare(Pair(Arm(5, -1e308, 1.0), huge), QUESTION).fixed.p == out
    assert lift(Pair(Arm(5, 1e-300, 1.0), huge)) == NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    infinite = JointMoments(("y", "x"), 3, (1.0, 1.0), (math.inf, 1.0, 1.0), 3)
    assert adjust_means(infinite, infinite) == out


def test_a_ratio_without_denominators_says_so() -> None:
    nobody = JointMoments.of({"num": [0.0, 0.0], "den": [0.0, 0.0]})
    assert ratio_arm(nobody) == NoEstimate(Caveat.NO_DENOMINATOR)


def test_a_ratio_of_a_handful_of_denominators_has_a_value_and_no_test() -> None:
    """One order has no spread by the delta method, and would win every test: looked at daily, 45 % false positives."""
    few_orders = JointMoments.of({"num": [30.0, 0.0, 0.0], "den": [1.0, 0.0, 0.0]})
    many_orders = JointMoments.of({"num": np.linspace(5.0, 60.0, 40), "den": np.ones(40)})
    arm = existing(ratio_arm(few_orders))
    assert (arm.value, arm.variance, arm.denominators) == (pytest.approx(30.0), 0.0, 1.0)
    comparison = compare(pair(arm, ratio_arm(many_orders)), QUESTION)
    for method in ("fixed", "anytime"):
        assert answer_of(comparison, method).p == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    assert existing(comparison.difference) == pytest.approx(2.5)
    assert comparison.bayesian == NoEstimate(Caveat.NOT_ENOUGH_UNITS)


def test_orders_that_all_have_one_price_have_no_variance() -> None:
    orders = np.random.default_rng(8).poisson(3.0, 100) + 1.0
    arm = ratio_arm(JointMoments.of({"num": 19.99 * orders, "den": orders}))
    assert compare(pair(arm, arm), QUESTION).fixed.p == NoEstimate(Caveat.NO_VARIANCE)


def test_denominators_count_as_many_as_they_are_alike() -> None:
    alike = JointMoments.of({"num": np.arange(20.0), "den": np.full(20, 3.0)})
    one_giant = JointMoments.of({"num": np.arange(20.0), "den": np.array([1000.0] + [1.0] * 19)})
    assert existing(ratio_arm(alike)).denominators == pytest.approx(20.0)
    assert existing(ratio_arm(one_giant)).denominators == pytest.approx(1.04, abs=0.01)


def test_a_ratio_that_is_not_settled_is_not_adjusted_either() -> None:
    rng = np.random.default_rng(7)
    joint = []
    for _ in range(2):
        orders = np.array([1.0] * 5 + [0.0] * 45)
        past = rng.poisson(3.0, 50) + 1.0
        joint.append(
            JointMoments.of(
                {"num": orders * rng.gamma(9, 3, 50), "den": orders, "xnum": past * 9, "xden": past + rng.random(50)}
            )
        )
    found = existing(adjust_ratios(joint[0], joint[1])).pair
    comparison = compare(pair(ratio_arm(joint[0]), ratio_arm(joint[1])), QUESTION, found)
    assert not comparison.cuped
    assert not found.control.is_settled
    assert comparison.fixed.p == NoEstimate(Caveat.NOT_ENOUGH_UNITS)


def test_a_constant_covariate_leaves_the_unadjusted_answer_with_a_reason() -> None:
    arms = [JointMoments.of({"y": [1.0, 2.0, 4.0], "x": [3.0] * 3, "has_history": [1.0] * 3}) for _ in range(2)]
    adjusted = adjust_means(arms[0], arms[1])
    raw = pair(*(mean_arm(arm.moments("y")) for arm in arms))
    comparison = compare(raw, QUESTION, adjusted)
    assert adjusted == NoEstimate(Caveat.COVARIATE_CONSTANT)
    assert not comparison.cuped
    assert comparison.unadjusted is None
    assert comparison.reasons[0] == Caveat.COVARIATE_CONSTANT
    assert comparison.fixed == compare(raw, QUESTION).fixed


def test_a_constant_outcome_cannot_be_adjusted() -> None:
    arms = [JointMoments.of({"y": [2.0] * 3, "x": [1.0, 2.0, 3.0]}) for _ in range(2)]
    assert adjust_means(arms[0], arms[1]) == NoEstimate(Caveat.COVARIATE_UNRELATED)


def test_too_few_units_cannot_be_adjusted() -> None:
    one = JointMoments.of({"y": [2.0], "x": [1.0]})
    assert adjust_means(one, one) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    ratio = JointMoments.of({"num": [1.0, 2.0], "den": [1.0, 1.0], "xnum": [0.0, 0.0], "xden": [0.0, 0.0]})
    assert adjust_ratios(ratio, ratio) == NoEstimate(Caveat.COVARIATE_CONSTANT)


def test_an_outcome_that_equals_its_covariate_leaves_no_variance_and_no_nonsense() -> None:
    x = np.random.default_rng(6).normal(size=(2, 50))
    arms = [JointMoments.of({"y": 0.3 * values + 0.7, "x": values}) for values in x]
    adjusted = existing(adjust_means(arms[0], arms[1])).pair
    raw = pair(*(mean_arm(arm.moments("y")) for arm in arms))
    assert compare(raw, QUESTION, adjusted).fixed.p == NoEstimate(Caveat.NO_VARIANCE)


def test_the_smallest_p_is_never_zero() -> None:
    far = Pair(Arm(10**6, 0.0, 1.0), Arm(10**6, 1e6, 1.0))
    comparison = compare(far, Question(planned_units=2 * 10**6))
    assert existing(comparison.fixed.p) > 0.0
    assert existing(comparison.anytime.p) > 0.0
    assert existing(compare(shares(5, 10**6, 500_000, 10**6), QUESTION).fixed.p) > 0.0
