"""Empirical Bayes: what many experiments say of each, with the cases that can be checked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.program.shrinkage import DEFAULT_SCALE, ENOUGH, Shrinkage, shrinkage
from experiments.validation.programmes import SIZES, WORLDS, World, programme

NORMAL_90 = 1.6448536269514722
numbers = st.floats(-0.5, 0.5)
spreads = st.floats(1e-4, 1.0)


def found(estimates: list[float], errors: list[float], chosen: list[bool] | None = None) -> Shrinkage:
    answer = shrinkage(estimates, errors, chosen or [True] * len(estimates))
    assert answer is not None
    return answer


def test_without_an_experiment_there_is_no_prior() -> None:
    assert shrinkage([], [], []) is None


def test_a_single_experiment_is_read_by_the_default_prior() -> None:
    one = found([0.04], [0.02])
    assert one.prior.borrowed
    assert one.estimates[0].value == pytest.approx(0.02, abs=0.004)  # a normal of scale .02 halves it, or nearly
    half = NORMAL_90 * DEFAULT_SCALE * math.sqrt(0.5)
    assert one.total.ci.high == pytest.approx(0.02 + half, abs=0.006)


def test_from_ten_experiments_on_the_prior_is_their_own() -> None:
    assert found([0.01] * (ENOUGH - 1), [0.02] * (ENOUGH - 1)).prior.borrowed
    assert not found([0.01] * ENOUGH, [0.02] * ENOUGH).prior.borrowed


def test_where_most_are_nothing_the_one_that_stands_out_is_kept_and_the_others_are_not() -> None:
    rng = np.random.default_rng(3)
    estimates = [*(0.02 * rng.standard_normal(99)).tolist(), 0.2]
    answer = found(estimates, [0.02] * 100)
    assert answer.estimates[-1].value > 0.15
    assert max(abs(shrunk.value) for shrunk in answer.estimates[:-1]) < 0.6 * max(map(abs, estimates[:-1]))


@pytest.mark.parametrize("world", WORLDS)
def test_an_interval_holds_the_estimate_that_it_stands_beside(world: World) -> None:
    """Where most did nothing nine tenths of a posterior may lie on 0, and its mean does not."""
    rng = np.random.default_rng(5)
    for size in range(1, 60, 3):
        truth, estimates, errors = programme(world, size, rng)
        answer = found(estimates.tolist(), errors.tolist(), (truth > 0.0).tolist())
        assert all(shrunk.ci.contains(shrunk.value) for shrunk in (*answer.estimates, answer.total))


def test_losers_shape_the_prior_of_the_winners() -> None:
    """Sixty failures beside three winners say that the winners were lucky."""
    rng = np.random.default_rng(5)
    winners = [0.05] * ENOUGH
    alone = found(winners, [0.02] * ENOUGH)
    among = found([*winners, *(0.02 * rng.standard_normal(60)).tolist()], [0.02] * (ENOUGH + 60))
    assert among.estimates[0].value < 0.8 * alone.estimates[0].value


@given(st.lists(st.tuples(numbers, spreads, st.booleans()), min_size=1, max_size=25))
def test_whatever_comes_no_estimate_grows_and_the_sum_is_that_of_the_chosen(
    rows: list[tuple[float, float, bool]],
) -> None:
    estimates, errors, chosen = map(list, zip(*rows, strict=True))
    answer = found(estimates, errors, chosen)
    for estimate, shrunk in zip(estimates, answer.estimates, strict=True):
        assert abs(shrunk.value) <= abs(estimate) + 1e-12
        assert shrunk.value * estimate >= 0.0
        assert shrunk.ci.contains(shrunk.value)
    total = sum(shrunk.value for shrunk, summed in zip(answer.estimates, chosen, strict=True) if summed)
    assert answer.total.value == pytest.approx(total, abs=1e-9)
    assert answer.total.ci.contains(answer.total.value)
    assert sum(answer.prior.weights) == pytest.approx(1.0)


def test_another_unit_of_measurement_scales_everything_and_the_sign_mirrors_it() -> None:
    _, estimates, errors = programme("normal", 40, np.random.default_rng(1))
    one = found(estimates.tolist(), errors.tolist())
    scaled = found((1000.0 * estimates).tolist(), (1000.0 * errors).tolist())
    mirrored = found((-estimates).tolist(), errors.tolist())
    assert scaled.total.value == pytest.approx(1000.0 * one.total.value, rel=1e-6)
    assert mirrored.total.value == pytest.approx(-one.total.value, rel=1e-9)


def test_the_same_programme_gives_the_same_digits() -> None:
    _, estimates, errors = programme("t3", 40, np.random.default_rng(1))
    assert found(estimates.tolist(), errors.tolist()) == found(estimates.tolist(), errors.tolist())


def test_a_hundred_programmes_keep_the_promise_that_a_sum_of_winners_breaks() -> None:
    rng = np.random.default_rng(7)
    naive = shrunk = actual = covered = 0.0
    for _ in range(100):
        truth, estimates, errors = programme("nulls", 40, rng)
        won = estimates > 1.96 * errors
        total = found(estimates.tolist(), errors.tolist(), won.tolist()).total
        naive, actual, shrunk = naive + estimates[won].sum(), actual + truth[won].sum(), shrunk + total.value
        covered += total.ci.contains(float(truth[won].sum()))
    assert naive / actual > 1.5
    assert 0.9 < shrunk / actual < 1.1
    assert covered >= 85


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", WORLDS)
def test_a_single_normal_would_not_do(world: World, size: int) -> None:
    """What the mixture is for: one normal fitted by its moments, in the world in which most do nothing."""
    rng, sums, truths = np.random.default_rng(11), 0.0, 0.0
    for _ in range(400):
        truth, estimates, errors = programme(world, size, rng)
        variance = max(0.0, float((estimates**2 - errors**2).mean()))
        won = estimates > 1.96 * errors
        sums += float((estimates * variance / (variance + errors**2))[won].sum())
        truths += float(truth[won].sum())
    assert (sums / truths < 0.93) == (world == "nulls")
