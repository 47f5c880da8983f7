"""CUPED: what it gains, and that an unknown past is not a zero."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from oracles.estimates import existing

from experiments.statistics.arms import Pair, ratio_arm
from experiments.statistics.comparison import fixed_answer
from experiments.statistics.cuped import Adjustment, adjust_means, adjust_ratios
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import JointMoments

Columns = dict[str, np.ndarray]


def world(rng: np.random.Generator, units: int, effect: float, known: float = 0.5) -> Columns:
    """Half of the units are new: their covariate is 0, and they behave otherwise than those with a past of 0."""
    has_history = (rng.random(units) < known).astype(float)
    taste = rng.normal(0.0, 3.0, units)
    x = np.where(has_history == 1.0, 10.0 + taste + rng.normal(0.0, 1.0, units), 0.0)
    return {"y": 10.0 + taste + rng.normal(0.0, 1.0, units) + effect, "x": x, "has_history": has_history}


def adjusted(arms: list[Columns], without: tuple[str, ...] = ()) -> Adjustment:
    joint = [JointMoments.of({name: arm[name] for name in arm if name not in without}) for arm in arms]
    return existing(adjust_means(joint[0], joint[1]))


def test_the_history_column_tells_an_unknown_past_from_an_empty_one() -> None:
    """Without it the zeros of the unknown spoil the slope, and next to nothing is gained."""
    rng = np.random.default_rng(1)
    arms = [world(rng, 20_000, 0.0), world(rng, 20_000, 0.1)]
    assert adjusted(arms).variance_ratio == pytest.approx(1 - 0.5 * 0.81, abs=0.03)
    assert adjusted(arms, without=("has_history",)).variance_ratio > 0.9


def test_coefficients_are_least_squares_over_both_arms() -> None:
    rng = np.random.default_rng(2)
    arms = [world(rng, 500, 0.0), world(rng, 700, 0.3)]
    pooled = {name: np.concatenate([arm[name] for arm in arms]) for name in arms[0]}
    design = sm.add_constant(np.column_stack([pooled["x"], pooled["has_history"]]))
    fitted = sm.OLS(pooled["y"], design).fit()
    assert adjusted(arms).coefficients == pytest.approx(tuple(fitted.params[1:]), rel=1e-9)


def test_adjusted_arms_are_the_means_of_residuals_put_back_to_the_common_mean() -> None:
    rng = np.random.default_rng(3)
    arms = [world(rng, 500, 0.0), world(rng, 700, 0.3)]
    result = adjusted(arms)
    slope, step = result.coefficients
    centre = [np.mean(np.concatenate([arm[name] for arm in arms])) for name in ("x", "has_history")]
    for ours, arm in zip((result.pair.control, result.pair.treatment), arms, strict=True):
        residual = arm["y"] - slope * (arm["x"] - centre[0]) - step * (arm["has_history"] - centre[1])
        assert ours.value == pytest.approx(float(residual.mean()), rel=1e-12)
        assert ours.variance == pytest.approx(float(residual.var(ddof=1)), rel=1e-9)


@pytest.mark.parametrize("known", [1.0, 0.0])
def test_a_constant_history_column_is_dropped(known: float) -> None:
    rng = np.random.default_rng(4)
    arms = [world(rng, 300, 0.0), world(rng, 300, 0.1)]
    for arm in arms:
        arm["x"], arm["has_history"] = arm["y"] + rng.normal(0, 1, 300), np.full(300, known)
    assert adjusted(arms).coefficients[1] == 0.0
    assert adjusted(arms) == adjusted(arms, without=("has_history",))


def test_a_covariate_that_says_the_same_as_having_history_is_kept_once() -> None:
    rng = np.random.default_rng(5)
    arms = [world(rng, 300, 0.0), world(rng, 300, 0.1)]
    for arm in arms:
        arm["x"] = 7.0 * arm["has_history"]
    assert adjusted(arms).coefficients[1] == 0.0


def test_where_only_having_history_varies_it_alone_adjusts() -> None:
    rng = np.random.default_rng(6)
    arms = [world(rng, 3000, 0.0), world(rng, 3000, 0.1)]
    for arm in arms:
        arm["x"] = np.zeros(3000)
        arm["y"] = arm["y"] + 5.0 * arm["has_history"]
    result = adjusted(arms)
    assert result.coefficients == (0.0, pytest.approx(5.0, abs=0.3))
    assert result.variance_ratio < 0.8


def test_adjustment_moves_no_true_effect() -> None:
    """Averaged over many experiments, adjusted and unadjusted differences are the effect that was put in."""
    rng, estimates = np.random.default_rng(7), []
    for _ in range(300):
        pair = adjusted([world(rng, 200, 0.0), world(rng, 200, 0.5)]).pair
        estimates.append(pair.treatment.value - pair.control.value)
    assert float(np.mean(estimates)) == pytest.approx(0.5, abs=0.05)


def ratio_world(rng: np.random.Generator, units: int, known: float = 0.6) -> Columns:
    orders, past = rng.poisson(3.0, units) + 1.0, rng.poisson(3.0, units) + 1.0
    basket = rng.gamma(20.0, 2.0, units)
    has_history = (rng.random(units) < known).astype(float)
    return {
        "num": basket * orders + rng.normal(0, 5, units),
        "den": orders,
        "xnum": (basket * past + rng.normal(0, 5, units)) * has_history,
        "xden": past * has_history,
        "has_history": has_history,
    }


def test_a_ratio_gains_from_its_past_too() -> None:
    rng = np.random.default_rng(8)
    joint = [JointMoments.of(ratio_world(rng, 5000)) for _ in range(2)]
    result = existing(adjust_ratios(joint[0], joint[1]))
    raw = existing(ratio_arm(joint[0]))
    assert result.variance_ratio == pytest.approx(1 - 0.6 * 0.8, abs=0.15)
    assert result.pair.control.value == pytest.approx(raw.value, rel=0.01)


def test_the_adjusted_variance_of_a_ratio_is_the_one_between_experiments() -> None:
    rng, estimates, errors = np.random.default_rng(9), [], []
    for _ in range(400):
        joint = [JointMoments.of(ratio_world(rng, 300)) for _ in range(2)]
        pair = existing(adjust_ratios(joint[0], joint[1])).pair
        estimates.append(pair.treatment.value - pair.control.value)
        errors.append(pair.control.error + pair.treatment.error)
    assert float(np.var(estimates)) == pytest.approx(float(np.mean(errors)), rel=0.2)


PairOf = Callable[[np.random.Generator, float], Pair]


def mean_pair(rng: np.random.Generator, factor: float) -> Pair:
    """Arms of unequal size; where the treatment multiplies what its units do, the arms' slopes are not alike."""
    arms = [world(rng, 200, 0.0, known=0.9), world(rng, 400, 0.0, known=0.9)]
    arms[1]["y"] = factor * arms[1]["y"]
    return adjusted(arms).pair


def ratio_pair(rng: np.random.Generator, factor: float) -> Pair:
    arms = [ratio_world(rng, 200), ratio_world(rng, 400)]
    arms[1]["num"] = factor * arms[1]["num"]
    return existing(adjust_ratios(*(JointMoments.of(arm) for arm in arms))).pair


@pytest.mark.parametrize(("factor", "least"), [(1.0, 0.2), (2.0, -0.1)])
@pytest.mark.parametrize("pair_of", [mean_pair, ratio_pair])
def test_the_errors_of_both_moved_values_and_their_covariance_are_those_between_experiments(
    pair_of: PairOf, factor: float, least: float
) -> None:
    """Where both arms' slopes are alike, what they share is the common mean's error; else it may be next to nothing."""
    rng = np.random.default_rng(10)
    pairs = [pair_of(rng, factor) for _ in range(2000)]
    between = np.cov(np.array([(pair.control.value, pair.treatment.value) for pair in pairs]).T)
    told = np.mean([(joint.control, joint.treatment, joint.covariance) for pair in pairs if (joint := pair.joint)], 0)
    size = float(np.sqrt(between[0, 0] * between[1, 1]))
    assert told[:2] == pytest.approx([between[0, 0], between[1, 1]], rel=0.08)
    assert told[2] == pytest.approx(between[0, 1], abs=0.06 * size)
    assert told[2] > least * size


@pytest.mark.parametrize("factor", [1.0, 2.0])
@pytest.mark.parametrize("pair_of", [mean_pair, ratio_pair])
def test_what_the_arms_share_leaves_the_error_of_their_difference_as_it_was(pair_of: PairOf, factor: float) -> None:
    pair = pair_of(np.random.default_rng(11), factor)
    joint = pair.joint
    assert joint is not None
    apart = pair.control.error + pair.treatment.error
    assert joint.control + joint.treatment - 2.0 * joint.covariance == pytest.approx(apart, rel=1e-9)


def test_the_lift_interval_of_an_adjusted_ratio_covers() -> None:
    """Every visitor has a past that tells most of what they do; every order is worth as much more as it cost before."""
    rng, covered, apart, runs = np.random.default_rng(12), 0, 0, 2000
    for _ in range(runs):
        arms = [ratio_world(rng, 200, known=1.0) for _ in range(2)]
        arms[1]["num"] = arms[1]["num"] + 40.0 * arms[1]["den"]
        pair = existing(adjust_ratios(*(JointMoments.of(arm) for arm in arms))).pair
        covered += existing(fixed_answer(pair, 0.05).ci).contains(1.0)
        apart += existing(fixed_answer(replace(pair, joint=None), 0.05).ci).contains(1.0)
    assert covered / runs == pytest.approx(0.95, abs=0.015)
    assert apart / runs < 0.93


def test_a_covariate_that_varies_by_rounding_only_is_a_constant() -> None:
    rng = np.random.default_rng(9)
    nearly = np.array([0.1, np.nextafter(0.1, 1.0)])
    arms = [JointMoments.of({"y": rng.normal(size=400), "x": rng.choice(nearly, 400)}) for _ in range(2)]
    assert arms[0].comoment("x", "x") > 0.0
    assert adjust_means(arms[0], arms[1]) == NoEstimate(Caveat.COVARIATE_CONSTANT)
