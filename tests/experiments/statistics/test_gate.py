"""The gate and the variance floor: what must hold of two arms before anything is decided, and how wide it is then."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import even_look, existing, histogram_of, moments_of, shares
from oracles.proving import judged, speaks

from experiments.statistics.arms import Arm, Gate, Pair, gate_of, mean_arm, pair, ratio_arm, variance_floor
from experiments.statistics.comparison import Method, Question, answer_at, answer_of, compare, simultaneous_interval
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.guardrail import GuardrailVerdict, Margin, guardrail
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import quantile_estimate

METHODS: tuple[Method, ...] = ("fixed", "anytime", "planned", "bayesian")
counts = st.integers(2, 10_000)
spreads = st.floats(0.0, 100.0, allow_subnormal=False)


def test_a_small_arm_in_which_nothing_rare_could_have_happened_yet_is_not_judged() -> None:
    """The first day of a message given to 5 %: 38 of 1,893 against 0 of 107 was p = .00025."""
    pair, few_events = shares(38, 1893, 0, 107), NoEstimate(Caveat.FEW_EVENTS)
    comparison = compare(pair, Question(look=even_look(1)))
    assert comparison.gate == Gate(False, Caveat.FEW_EVENTS, 107 * 38 / 2000, 10, 420)
    for method in METHODS:
        answer = answer_of(comparison, method)
        assert (answer.ci, answer.difference_ci) == (few_events, few_events) or method == "bayesian"
        assert answer.ci == simultaneous_interval(pair, Question(look=even_look(1)), method) == few_events
    assert (comparison.anytime.p, comparison.planned, comparison.bayesian) == (few_events,) * 3
    assert comparison.exact
    assert 0.1 < existing(comparison.fixed.p) < 0.3
    assert (comparison.lift, Caveat.FEW_EVENTS in comparison.reasons) == (-1.0, True)


def test_the_gate_opens_at_ten_expected_events_and_names_the_units_that_it_lacks() -> None:
    assert gate_of(shares(90, 900, 10, 100)) == Gate(True, None, 10.0, 10, 0)
    assert gate_of(shares(90, 900, 0, 100)) == Gate(False, Caveat.FEW_EVENTS, 9.0, 10, 12)
    assert gate_of(shares(249, 9960, 6, 240)) == Gate(False, Caveat.FEW_EVENTS, 6.0, 10, 160)
    assert gate_of(shares(249, 9960, 10, 400)).open


def test_almost_everybody_converting_is_as_rare_as_almost_nobody() -> None:
    few, others = gate_of(shares(990, 1000, 100, 100)), gate_of(shares(10, 1000, 0, 100))
    assert (few.reason, others.reason) == (Caveat.FEW_NON_EVENTS, Caveat.FEW_EVENTS)
    assert few.expected == pytest.approx(others.expected)


def test_before_anything_happened_nobody_knows_how_many_units_are_missing() -> None:
    assert gate_of(shares(0, 1000, 0, 1000)) == Gate(False, Caveat.FEW_EVENTS, 0.0, 10, None)
    assert gate_of(NoEstimate(Caveat.NO_DENOMINATOR)) == Gate(False, Caveat.NO_DENOMINATOR, 0.0, 10, None)


def test_of_a_mean_the_units_that_brought_something_count_and_of_values_never_zero_all() -> None:
    buyers = [JointMoments.of({"y": [0.0] * 95 + [30.0, 40.0, 50.0, 60.0, 70.0]}) for _ in range(2)]
    rare = pair(*(mean_arm(arm.moments("y"), arm.nonzero) for arm in buyers))
    assert gate_of(rare).expected == 5.0
    assert gate_of(pair(*(mean_arm(moments_of([1.0, 2.0] * 5)) for _ in range(2)))).open


def test_a_ratio_needs_units_with_a_numerator_and_denominators() -> None:
    orders = [JointMoments.of({"num": [5.0] * 12 + [0.0] * 8, "den": [1.0] * 20}) for _ in range(2)]
    assert gate_of(pair(*(ratio_arm(arm) for arm in orders))).expected == 12.0
    alone = JointMoments.of({"num": [30.0, 0.0, 0.0], "den": [1.0, 0.0, 0.0]})
    gate = gate_of(pair(ratio_arm(alone), ratio_arm(orders[0])))
    assert (gate.reason, gate.expected, gate.more_units) == (Caveat.NOT_ENOUGH_UNITS, 1.0, 27)


def test_a_quantile_needs_ten_values_beyond_it_in_each_arm() -> None:
    arms = [existing(quantile_estimate(histogram_of(np.arange(1.0, n)), 0.9)).arm for n in (2001, 96, 101)]
    assert gate_of(Pair(arms[0], arms[1])) == Gate(False, Caveat.FEW_EVENTS, pytest.approx(9.5), 10, 5)
    assert gate_of(Pair(arms[0], arms[2])).open
    assert compare(Pair(arms[0], arms[1]), Question()).anytime.p == NoEstimate(Caveat.FEW_EVENTS)


@pytest.mark.parametrize("method", METHODS)
def test_a_guardrail_behind_a_closed_gate_is_neither_violated_nor_safe(method: Method) -> None:
    question = Question(want="down", look=even_look(1))
    answer = guardrail(shares(0, 2000, 9, 100), question, Margin(10.0, relative=False), method)
    assert (answer.verdict, answer.reasons) == (GuardrailVerdict.UNCLEAR, (Caveat.FEW_EVENTS,))


def test_the_gate_is_that_of_the_units_whatever_an_adjustment_makes_of_them() -> None:
    closed, adjusted = shares(3, 500, 4, 500), Pair(Arm(500, 0.5, 0.01), Arm(500, 0.9, 0.01))
    assert answer_at(closed, Question(), "anytime", 0.05, adjusted).p == NoEstimate(Caveat.FEW_EVENTS)


@given(n_c=counts, n_t=counts, v_c=spreads, v_t=spreads)
def test_the_floor_is_the_pooled_error_over_welchs_where_that_is_larger(
    n_c: int, n_t: int, v_c: float, v_t: float
) -> None:
    floor = variance_floor(Pair(Arm(n_c, 0.0, v_c), Arm(n_t, 0.0, v_t)))
    pooled = ((n_c - 1) * v_c + (n_t - 1) * v_t) / (n_c + n_t - 2) * (1 / n_c + 1 / n_t)
    welch = v_c / n_c + v_t / n_t
    assert floor == pytest.approx(max(1.0, pooled / welch if welch > 0.0 else 1.0), rel=1e-12)
    if n_c == n_t or (n_c < n_t) == (v_c > v_t) or v_c == v_t:
        assert floor == 1.0


@given(n=st.tuples(counts, counts), spread=st.tuples(spreads, spreads), value=st.floats(-10.0, 10.0))
def test_what_is_published_stays_and_what_decides_is_wider_by_the_floor(
    n: tuple[int, int], spread: tuple[float, float], value: float
) -> None:
    pair = Pair(Arm(n[0] + 8, 5.0, spread[0] + 0.1), Arm(n[1] + 8, value, spread[1] + 0.1))
    comparison = compare(pair, Question(look=even_look(2)))
    root = math.sqrt(comparison.variance_floor)
    published = existing(comparison.fixed.statistic)
    for method in ("fixed", "anytime", "planned"):
        answer = answer_of(comparison, method)
        assert existing(answer.statistic) == pytest.approx(published / root, rel=1e-12, abs=1e-12)
    assert existing(comparison.deciding.p) >= existing(comparison.fixed.p) * (1.0 - 1e-9)
    wide = existing(comparison.deciding.difference_ci).width
    assert wide == pytest.approx(root * existing(comparison.fixed.difference_ci).width, rel=1e-9)


def test_few_conversions_behind_an_open_gate_are_decided_exactly_and_without_a_floor() -> None:
    comparison = compare(shares(1000, 19_000, 2, 300), Question())
    assert comparison.gate.open
    assert comparison.variance_floor > 1.0
    assert comparison.deciding == comparison.fixed


@pytest.mark.parametrize("method", METHODS)
def test_a_broken_variant_is_found_by_every_method(method: Method) -> None:
    """100 of 2,000 against 0 of 2,000: fifty are expected in the broken arm, however few it has."""
    comparison = compare(shares(100, 2000, 0, 2000), Question(look=even_look(1)))
    answer = answer_of(comparison, method)
    assert comparison.gate.open
    assert existing(answer.ci).high < 0.0
    assert method == "bayesian" or existing(answer.p) < 1e-6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("units", [(2000, 2000), (20_000, 1000), (5000, 20_000)])
def test_revenue_that_is_gone_is_found_by_every_method_too(method: Method, units: tuple[int, int]) -> None:
    control = Arm(units[0], 2.0, 400.0, events=units[0] // 20)
    comparison = compare(Pair(control, Arm(units[1], 0.0, 0.0, events=0)), Question(look=even_look(4)))
    answer = answer_of(comparison, method)
    assert comparison.gate.open
    assert existing(answer.ci).high < 0.0
    assert existing(answer.ci).width > 0.05


@given(
    n=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    rates=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
    factor=st.integers(2, 50),
)
def test_more_units_at_the_same_rates_never_close_the_gate(
    n: tuple[int, int], rates: tuple[float, float], factor: int
) -> None:
    x = [round(units * rate) for units, rate in zip(n, rates, strict=True)]
    now = gate_of(shares(x[0], n[0], x[1], n[1]))
    later = gate_of(shares(*(factor * number for number in (x[0], n[0], x[1], n[1]))))
    assert later.expected == pytest.approx(factor * now.expected)
    assert later.open >= now.open
    assert now.more_units is None or later.more_units is None or later.more_units <= now.more_units


@speaks(fixed=0.3, anytime=0.2, bayesian=0.1)
@given(
    n=st.tuples(st.integers(10, 100_000), st.integers(10, 100_000)),
    means=st.tuples(st.floats(1e-3, 1e3), st.one_of(st.just(0.0), st.floats(1e-3, 1e3))),
    spread=st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 30.0)),
    never_negative=st.booleans(),
)
def test_no_interval_is_a_point_and_no_lift_of_what_is_never_negative_ends_below_minus_one(
    n: tuple[int, int], means: tuple[float, float], spread: tuple[float, float], never_negative: bool
) -> None:
    arms = [
        Arm(units, mean, (mean * wide) ** 2, never_negative=never_negative)
        for units, mean, wide in zip(n, means, spread, strict=True)
    ]
    comparison = compare(Pair(*arms), Question(look=even_look(1)))
    for method in METHODS:
        answer = answer_of(comparison, method)
        if method != "planned" and judged(answer.ci, method):
            assert answer.ci.width > 0.0
            assert not never_negative or answer.ci.low >= -1.0
            assert not never_negative or not -1.0 < answer.ci.low < -1.0 + 1e-15
        for interval in (answer.difference_ci, comparison.fixed.ci, comparison.fixed.difference_ci):
            assert isinstance(interval, NoEstimate) or interval.width > 0.0


def test_an_adjustment_that_would_make_what_is_never_negative_so_is_not_used() -> None:
    plain = Pair(*(Arm(500, value, 4.0, events=200, never_negative=True) for value in (1.0, 0.1)))
    below = Pair(Arm(500, 1.0, 2.0), Arm(500, -0.05, 2.0))
    above = Pair(Arm(500, 1.0, 2.0), Arm(500, 0.05, 2.0))
    assert not compare(plain, Question(), below).cuped
    assert compare(plain, Question(), above).cuped
    assert existing(compare(plain, Question(), above).anytime.ci).low == -1.0


@pytest.mark.parametrize("idle", [0, 10, 20, 40, 90, 140, 990])
def test_ten_buyers_of_one_order_each_are_ten_however_many_bought_nothing(idle: int) -> None:
    orders = [1.0] * 10 + [0.0] * idle
    arm = ratio_arm(JointMoments.of({"num": [20.0 + n for n in range(10)] + [0.0] * idle, "den": orders}))
    assert isinstance(arm, Arm)
    assert arm.is_settled
