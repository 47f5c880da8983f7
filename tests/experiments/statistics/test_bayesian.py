"""The Bayesian method against numerical integration, and its quadrature against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import existing, means, shares
from scipy.integrate import quad
from scipy.stats import beta, norm

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.bayesian import LiftPrior, beta_lift, gaussian, posterior
from experiments.statistics.estimate import Caveat, NoEstimate


@given(mean=st.floats(-0.5, 0.5), deviation=st.floats(0.01, 0.5))
def test_gaussian_losses_are_the_integrals_they_stand_for(mean: float, deviation: float) -> None:
    ours, density = gaussian(mean, deviation), norm(mean, deviation).pdf
    drop = quad(lambda effect: -effect * density(effect), mean - 12 * deviation, 0.0)[0] if mean < 12 * deviation else 0
    assert ours.expected_loss == pytest.approx(max(0.0, drop), abs=1e-8)
    assert ours.chance_to_win == pytest.approx(norm.sf(0.0, mean, deviation), abs=1e-12)
    assert ours.expected_loss_control - ours.expected_loss == pytest.approx(mean, abs=1e-12)


def test_a_tight_prior_pulls_the_posterior_to_itself() -> None:
    ours = gaussian(0.2, 0.1, LiftPrior(0.0, 0.001))
    assert ours.mean == pytest.approx(0.0, abs=1e-4)
    assert ours.ci.width < 0.005


def test_a_vague_prior_is_a_flat_one() -> None:
    vague, flat = gaussian(0.2, 0.1, LiftPrior(0.0, 1e6)), gaussian(0.2, 0.1)
    assert vague.chance_to_win == pytest.approx(flat.chance_to_win, abs=1e-9)


@pytest.mark.parametrize("table", [(3, 1000, 8, 1100), (1, 50, 0, 60), (9, 20, 15, 20), (995, 1000, 999, 1000)])
def test_few_conversions_are_integrated_and_agree_with_draws(table: tuple[int, int, int, int]) -> None:
    x_c, n_c, x_t, n_t = table
    rng = np.random.default_rng(11)
    control, treatment = rng.beta(1 + x_c, 1 + n_c - x_c, 10**6), rng.beta(1 + x_t, 1 + n_t - x_t, 10**6)
    lifts, ours = treatment / control - 1.0, existing(posterior(shares(*table)))
    assert ours.chance_to_win == pytest.approx(float((lifts > 0).mean()), abs=2e-3)
    assert ours.expected_loss == pytest.approx(float(np.maximum(0.0, -lifts).mean()), rel=0.05)
    assert [ours.ci.low, ours.ci.high] == pytest.approx(np.quantile(lifts, [0.025, 0.975]), rel=0.02, abs=2e-3)
    assert ours.mean == pytest.approx(float(lifts.mean()), rel=0.03, abs=1e-5)


@given(x_c=st.integers(1, 30), x_t=st.integers(0, 30), n_c=st.integers(30, 2000), n_t=st.integers(30, 2000))
def test_the_chance_of_two_betas_meets_scipys_integral(x_c: int, x_t: int, n_c: int, n_t: int) -> None:
    control, treatment = beta(1 + x_c, 1 + n_c - x_c), beta(1 + x_t, 1 + n_t - x_t)
    low, high = control.ppf([1e-14, 1 - 1e-14])
    expected = quad(lambda p: control.pdf(p) * treatment.sf(p), low, high, epsabs=1e-11, limit=200)[0]
    assert existing(beta_lift(shares(x_c, n_c, x_t, n_t))).chance_greater == pytest.approx(expected, abs=1e-8)


def test_losses_of_both_directions_differ_by_the_mean_lift() -> None:
    worse = existing(beta_lift(shares(250, 2000, 200, 2000)))
    assert worse.expected_rise - worse.expected_drop == pytest.approx(worse.mean, rel=1e-12)
    better = existing(beta_lift(shares(200, 2000, 250, 2000)))
    assert worse.chance_greater == pytest.approx(1.0 - better.chance_greater, abs=1e-12)


def test_a_lift_far_wider_than_its_noise_is_still_integrated_exactly() -> None:
    worse = existing(beta_lift(shares(400_000, 10**6, 100_000, 10**6)))
    assert worse.expected_drop == pytest.approx(-worse.mean, rel=1e-12)
    assert worse.expected_rise == pytest.approx(0.0, abs=1e-12)


def test_wanting_down_turns_the_posterior_of_few_conversions() -> None:
    up, down = (existing(posterior(shares(3, 1000, 8, 1100), want=want)) for want in ("up", "down"))
    assert up.chance_to_win == pytest.approx(1.0 - down.chance_to_win)
    assert (up.expected_loss, up.expected_loss_control) == (down.expected_loss_control, down.expected_loss)


def test_a_prior_of_the_plan_is_used_even_where_conversions_are_few() -> None:
    assert existing(posterior(shares(3, 1000, 8, 1100), LiftPrior(0.0, 0.05))).mean < 0.05


def test_losing_can_be_too_unlikely_for_double_precision() -> None:
    assert existing(beta_lift(shares(1, 10**6, 10**6, 10**6))).expected_drop == 0.0


def test_a_lift_over_nothing_has_no_posterior() -> None:
    nothing = NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    assert posterior(shares(0, 100, 5, 100)) == nothing
    assert posterior(means([-1.0, 1.0], [1.0, 2.0])) == nothing
    assert posterior(Pair(Arm(10, 1e-200, 1e200), Arm(10, 1.0, 1.0))) == nothing


def test_two_means_have_no_beta_posterior() -> None:
    pair = means([1.0, 2.0], [1.0, 3.0])
    assert beta_lift(pair) == NoEstimate(Caveat.NOT_A_TEST)
