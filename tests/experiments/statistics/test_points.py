"""Effects in points: where control may be zero or of either sign, every answer is about the difference."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import ends, even_look, existing, shares
from oracles.proving import judged, speaks
from scipy.stats import norm

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.bayesian import LiftPrior, posterior
from experiments.statistics.comparison import Method, Question, answer_of, compare, simultaneous_interval
from experiments.statistics.effect import effect, floored
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.guardrail import GuardrailVerdict, Margin, guardrail

SHOWN = NoEstimate(Caveat.SHOWN_IN_POINTS)
POINTS = Question(scale="points", look=even_look(4), family=2)
METHODS: tuple[Method, ...] = ("fixed", "anytime", "planned", "bayesian")
arms = st.builds(Arm, st.integers(10, 10_000), st.floats(-100, 100), st.floats(1.0, 1e4))
tables = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda found: shares(found[0], 700, found[1], 900))


@speaks(fixed=0.3, anytime=0.3, planned=0.3)
@given(pair=st.one_of(st.builds(Pair, arms, arms), tables))
def test_in_points_every_p_and_difference_is_as_ever_and_no_lift_is_said(pair: Pair) -> None:
    ours, lifts = compare(pair, POINTS), compare(pair, replace(POINTS, scale="relative"))
    assert (ours.lift, ours.difference) == (SHOWN, lifts.difference)
    assert Caveat.SHOWN_IN_POINTS in ours.reasons
    for method in ("fixed", "anytime", "planned"):
        one, other = answer_of(ours, method), answer_of(lifts, method)
        assert (one.p, one.difference_ci, one.statistic) == (other.p, other.difference_ci, other.statistic)
        assert simultaneous_interval(pair, POINTS, method) != SHOWN
        if judged(one.difference_ci, method):
            assert one.ci == SHOWN


@pytest.mark.parametrize("method", METHODS)
def test_a_control_of_zero_has_an_answer_in_points(method: Method) -> None:
    comparison = compare(Pair(Arm(900, 0.0, 6000.0), Arm(900, 20.0, 6000.0)), POINTS)
    answer = answer_of(comparison, method)
    assert existing(answer.difference_ci).low > 0.0
    assert (answer.ci, comparison.lift) == (SHOWN, SHOWN)
    shared = existing(simultaneous_interval(Pair(Arm(900, 0.0, 6000.0), Arm(900, 20.0, 6000.0)), POINTS, method))
    assert shared.width > existing(answer.difference_ci).width


def test_the_posterior_in_points_is_that_of_the_difference_whatever_the_prior_of_lifts_is() -> None:
    pair = Pair(Arm(900, -1.0, 6000.0), Arm(900, 3.0, 6000.0))
    measured = floored(existing(effect(pair)), 2.0)
    ours = existing(posterior(pair, LiftPrior(0.0, 0.01), 0.95, "up", measured, "points"))
    normal = norm(4.0, np.sqrt(2.0 * 12_000.0 / 900))
    assert ours.chance_to_win == pytest.approx(normal.sf(0.0))
    assert ends(ours.ci) == pytest.approx(normal.ppf([0.025, 0.975]))
    assert ours.expected_loss_control - ours.expected_loss == pytest.approx(4.0 / np.sqrt(6000.0))


def test_the_losses_of_a_ratio_are_relative_to_the_spread_of_its_answers() -> None:
    """A tenth of 9,000 units answer, with a standard deviation of 80 points each."""
    control, treatment = (Arm(9000, value, 6400.0 * 10.0, denominators=900.0) for value in (10.0, 18.0))
    ours = existing(posterior(Pair(control, treatment), scale="points"))
    assert ours.expected_loss_control - ours.expected_loss == pytest.approx(8.0 / 80.0)


@pytest.mark.parametrize("table", [(3, 1000, 8, 1100), (0, 50, 4, 60), (995, 1000, 999, 1000)])
@pytest.mark.parametrize("want", ["up", "down"])
def test_few_conversions_in_points_agree_with_draws(table: tuple[int, int, int, int], want: str) -> None:
    x_c, n_c, x_t, n_t = table
    rng = np.random.default_rng(11)
    drawn = rng.beta(1 + x_t, 1 + n_t - x_t, 10**6) - rng.beta(1 + x_c, 1 + n_c - x_c, 10**6)
    good = drawn if want == "up" else -drawn
    ours = existing(posterior(shares(*table), want="up" if want == "up" else "down", scale="points"))
    assert ours.chance_to_win == pytest.approx(float((good > 0).mean()), abs=2e-3)
    rates = [(1 + x_c) / (2 + n_c), (1 + x_t) / (2 + n_t)]
    spread = np.sqrt(np.mean([rate * (1 - rate) for rate in rates]))
    assert ours.expected_loss == pytest.approx(float(np.maximum(0.0, -good).mean()) / spread, rel=0.05)
    assert ends(ours.ci) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), rel=0.02, abs=2e-4)
    assert ours.mean == pytest.approx(float(drawn.mean()), rel=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_a_guardrail_in_points_bears_points_and_a_share_of_control_is_turned_into_them(method: Method) -> None:
    pair = Pair(Arm(9000, -4.0, 6000.0), Arm(9000, -4.5, 6000.0))
    safe, unclear = (guardrail(pair, POINTS, Margin(harm, relative=False), method) for harm in (8.0, 0.5))
    assert (safe.verdict, unclear.verdict) == (GuardrailVerdict.SAFE, GuardrailVerdict.UNCLEAR)
    assert safe.worst_case == unclear.worst_case
    share = guardrail(pair, POINTS, Margin(2.0), method)  # 200 % of −4 is 8 points
    assert share.verdict is GuardrailVerdict.SAFE
    assert share.worst_case == pytest.approx(existing(safe.worst_case) / 4.0)
    nothing = guardrail(replace(pair, control=replace(pair.control, value=0.0)), POINTS, Margin(2.0), method)
    assert nothing.worst_case == NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    broken = Pair(pair.control, Arm(9000, -20.0, 6000.0))
    assert guardrail(broken, POINTS, Margin(1.0, relative=False), method).verdict is GuardrailVerdict.VIOLATED
