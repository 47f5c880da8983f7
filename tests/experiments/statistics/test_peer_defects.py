"""Where each peer was found wrong: the same case, and that ours does not have the defect."""

import math

import numpy as np
import pytest
import scipy.stats
import tea_tasting
from oracles.estimates import existing, histogram_of, means, moments_of, shares
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import confint_proportions_2indep

from experiments.statistics.arms import Arm, Pair, ratio_arm
from experiments.statistics.comparison import Question, compare, fixed_answer
from experiments.statistics.cuped import adjust_means
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.power import Design, required_units
from experiments.statistics.quantiles import cap_value, quantile_estimate
from experiments.statistics.sample_ratio import chi_square, log_bayes_factor, sequential_p


def borderline_tables(n_c: int, n_t: int) -> list[tuple[int, int, int, int]]:
    """Tables whose Welch p is between 0.03 and 0.07."""
    tables = ((x_c, n_c, x_t, n_t) for x_c in range(20, n_c // 3, 7) for x_t in range(n_t // 30, n_t // 3, 11))
    return [table for table in tables if 0.03 < existing(fixed_answer(shares(*table), 0.05).p) < 0.07]


def test_one_path_decides_where_pooled_z_and_welch_disagree() -> None:
    """At 500 v 4500 the two tests fall on different sides of 0.05 often; p and both intervals here are of one path."""
    disagreements = 0
    tables = borderline_tables(500, 4500)
    for table in tables:
        comparison = compare(shares(*table), Question())
        significant = existing(comparison.fixed.p) < 0.05
        disagreements += significant != (existing(comparison.pooled).p < 0.05)
        assert existing(comparison.fixed.ci).contains(0.0) != significant
        assert existing(comparison.fixed.difference_ci).contains(0.0) != significant
    assert disagreements / len(tables) > 0.2


def test_the_lift_interval_never_contradicts_p_where_the_delta_method_does() -> None:
    contradictions = 0
    tables = borderline_tables(500, 4500)
    for table in tables:
        pair = shares(*table)
        lift = pair.treatment.value / pair.control.value - 1.0
        error = math.sqrt(pair.treatment.error + (1.0 + lift) ** 2 * pair.control.error) / pair.control.value
        answer = fixed_answer(pair, 0.05)
        critical = float(scipy.stats.t.isf(0.025, existing(answer.degrees_of_freedom)))
        contradictions += (abs(lift) > critical * error) != (existing(answer.p) < 0.05)
    assert contradictions / len(tables) > 0.1  # and ours has none: the test above


def test_dividing_the_interval_of_the_difference_by_control_covers_too_little() -> None:
    """What Spotify does: the noise of control is left out. 10 % → 20 %, 2,000 per arm."""
    rng, divided, ours, runs = np.random.default_rng(1), 0, 0, 2000
    for x_c, x_t in zip(rng.binomial(2000, 0.1, runs), rng.binomial(2000, 0.2, runs), strict=True):
        answer = fixed_answer(shares(int(x_c), 2000, int(x_t), 2000), 0.05)
        control, absolute = x_c / 2000, existing(answer.difference_ci)
        divided += Interval(absolute.low / control, absolute.high / control).contains(1.0)
        ours += existing(answer.ci).contains(1.0)
    assert divided / runs < 0.9
    assert ours / runs == pytest.approx(0.95, abs=0.015)


def test_ordinary_proportions_never_raise_where_statsmodels_score_interval_does() -> None:
    with pytest.raises((ValueError, ZeroDivisionError, RuntimeWarning)):
        confint_proportions_2indep(38, 200, 24, 200, compare="diff", method="score")
    comparison = compare(shares(24, 200, 38, 200), Question())
    assert isinstance(comparison.fixed.ci, Interval)


def test_an_arm_of_weight_zero_keeps_no_degree_of_freedom() -> None:
    counts = [5000, 5196, 0]
    kept = float(scipy.stats.chi2.sf(existing(chi_square(counts, [1, 1, 0])).statistic, 2))
    assert kept == pytest.approx(0.15, abs=0.02)
    assert existing(chi_square(counts, [1, 1, 0])).p == pytest.approx(0.052, abs=0.005)


def test_a_tiny_p_is_the_true_one_and_not_zero() -> None:
    comparison = compare(shares(5000, 50_000, 7000, 50_000), Question())
    assert 1.0 - scipy.stats.norm.cdf(existing(comparison.fixed.statistic)) == 0.0  # how peers lose it
    assert existing(comparison.pooled).p == pytest.approx(2.28486304329e-84, rel=1e-9)
    assert 1e-85 < existing(comparison.fixed.p) < 1e-83


def test_nine_to_one_is_planned_where_tea_tasting_and_statsmodels_fail() -> None:
    assert math.isnan(TTestIndPower().power(6.5 / math.sqrt(9000 * 0.9), 9000, 0.01, 9.0))
    units = required_units(0.02, 0.0196, 0.05, Design(ratio=9.0))
    assert units == pytest.approx(170_930.9, rel=1e-5)


def test_sums_of_squares_do_not_cancel_at_a_large_mean() -> None:
    times = np.random.default_rng(2).normal(1.7e9, 100.0, 9000)
    naive = (float((times**2).sum()) - float(times.sum()) ** 2 / 9000) / 8999
    truth = float(np.var(times - 1.7e9, ddof=1))
    assert abs(naive / truth - 1.0) > 0.01
    assert moments_of(times).variance == pytest.approx(truth, rel=1e-9)


def test_average_order_value_is_a_ratio_and_not_a_mean_of_means() -> None:
    """Buyers of many small baskets: the mean of their means is not what an order is worth."""
    orders, revenue = [1.0, 9.0], [100.0, 90.0]
    ours = existing(ratio_arm(JointMoments.of({"num": revenue, "den": orders})))
    assert ours.value == 19.0
    assert np.mean([100.0, 10.0]) == 55.0


def test_a_cap_over_all_units_loses_revenue_and_one_over_buyers_does_not() -> None:
    rng = np.random.default_rng(3)
    rare = np.where(rng.random(200_000) < 0.0008, rng.lognormal(4.0, 0.5, 200_000), 0.0)
    assert histogram_of(rare).quantile(0.999) == 0.0  # everything would be capped away
    usual = np.where(rng.random(200_000) < 0.01, rng.lognormal(4.0, 1.0, 200_000), 0.0)
    over_all, over_buyers = (
        existing(histogram_of(usual).quantile(0.999)),
        existing(cap_value(histogram_of(usual), 0.999)),
    )
    lost, kept = (np.minimum(usual, cap).mean() / usual.mean() for cap in (over_all, over_buyers))
    assert lost < 0.85
    assert kept > 0.98


def test_an_unknown_past_is_not_a_past_of_zero() -> None:
    rng = np.random.default_rng(4)
    joint: list[JointMoments] = []
    for _ in range(2):
        taste, known = rng.normal(0.0, 1.0, 5000), rng.random(5000) < 0.2
        x = np.where(known, 30.0 + taste, 0.0)
        joint.append(JointMoments.of({"y": taste, "x": x, "has_history": known.astype(float)}))
    with_flag = existing(adjust_means(joint[0], joint[1])).variance_ratio
    bare = [
        JointMoments(("y", "x"), arm.count, arm.means[:2], (arm.comoments[0], *arm.comoments[1:4:2]), arm.count)
        for arm in joint
    ]
    assert existing(adjust_means(bare[0], bare[1])).variance_ratio > 0.99
    assert with_flag == pytest.approx(0.8, abs=0.03)


def test_a_quantile_among_ties_is_not_tested() -> None:
    """An A/A of the median rejects 13 % at 50 % zeros; ours says `ties`."""
    values = np.where(np.random.default_rng(5).random(2000) < 0.5, 0.0, 7.0)
    assert quantile_estimate(histogram_of(values), 0.4) == NoEstimate(Caveat.TIES)


def test_daily_chi_square_alarms_falsely_and_the_sequential_alarm_does_not() -> None:
    rng, daily, sequential, runs = np.random.default_rng(6), 0, 0, 300
    for _ in range(runs):
        counts = rng.binomial(5000, 0.5, 28).cumsum()
        days = [(int(n), 5000 * (day + 1) - int(n)) for day, n in enumerate(counts)]
        daily += min(existing(chi_square(day, [1, 1])).p for day in days) < 0.01
        sequential += sequential_p([log_bayes_factor(day, [1, 1]) for day in days]) < 0.01
    assert daily / runs > 0.03
    assert sequential / runs < 0.01


def test_bayesian_numbers_come_without_monte_carlo() -> None:
    """The same input gives the same digits, and a loss far below one draw in ten thousand is not zero."""
    one, other = (existing(compare(shares(5000, 50_000, 5600, 50_000), Question()).bayesian) for _ in range(2))
    assert one == other
    assert 0.0 < one.expected_loss < 1e-9


def test_welch_meets_tea_tasting_where_that_is_right() -> None:
    rng = np.random.default_rng(7)
    control, treatment = rng.gamma(2.0, 1.0, 300), rng.gamma(2.3, 1.0, 200)
    pair = means(control, treatment)
    aggregates = [
        tea_tasting.aggr.Aggregates(arm.size, {"y": float(arm.mean())}, {"y": float(arm.var(ddof=1))})
        for arm in (control, treatment)
    ]
    peer = tea_tasting.Mean("y").analyze_aggregates(*aggregates)
    assert fixed_answer(pair, 0.05).p == pytest.approx(peer.pvalue, rel=1e-9)


def test_the_arms_of_a_pair_may_differ_in_spread() -> None:
    """Student's pooled variance rejects three times too often when the small arm is the noisy one."""
    rng, student, welch, runs = np.random.default_rng(8), 0, 0, 1000
    for _ in range(runs):
        control, treatment = rng.normal(0, 1, 400), rng.normal(0, 4, 60)
        student += scipy.stats.ttest_ind(control, treatment).pvalue < 0.05
        welch += existing(fixed_answer(means(control, treatment), 0.05).p) < 0.05
    assert student / runs > 0.2
    assert welch / runs == pytest.approx(0.05, abs=0.02)


def test_a_relative_sequence_would_lean_on_a_noisy_control_and_ours_is_absolute() -> None:
    """With small early looks the relative scale rejects 7.5 %: its error shrinks whenever control is high by chance."""
    lucky = Pair(Arm(200, 2.0, 1.0), Arm(200, 1.8, 1.0))
    answer = compare(lucky, Question(planned_units=400)).anytime
    mirrored = compare(Pair(lucky.treatment, lucky.control), Question(planned_units=400)).anytime
    assert answer.p == mirrored.p


def test_a_relative_test_by_the_delta_method_depends_on_which_arm_is_control() -> None:
    """Growthbook and PostHog have it: 62 of 1,471 against 87 of 1,529 is .031 there, the other way round .110."""
    there, back = compare(shares(87, 1529, 62, 1471), Question()), compare(shares(62, 1471, 87, 1529), Question())
    assert [round(existing(each.delta).p, 3) for each in (there, back)] == [0.031, 0.110]
    assert [round(existing(each.fixed.p), 3) for each in (there, back)] == [0.062, 0.062]
    assert existing(there.delta).ci.high < 0.0 < existing(there.fixed.ci).high


def test_a_loss_that_halves_is_a_rise_of_half() -> None:
    """Divided by control with its sign it read −50 % beside a difference of +5 (growthbook changed so in PR 6658)."""
    comparison = compare(Pair(Arm(1000, -10.0, 25.0), Arm(1000, -5.0, 25.0)), Question())
    assert (comparison.lift, comparison.difference) == (0.5, 5.0)
    assert existing(comparison.fixed.ci).low > 0.0
    assert existing(comparison.bayesian).chance_to_win > 0.99
