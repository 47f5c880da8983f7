"""Surveys: a difference in who answers is not a difference in what they think."""

import numpy as np
import pytest
from oracles.estimates import existing

from experiments.statistics.arms import Pair, ratio_arm
from experiments.statistics.comparison import Question, compare
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.survey import Responses, response_guard


def nps(control: Responses, treatment: Responses) -> tuple[Caveat, ...]:
    return response_guard(control, treatment, -100.0, 100.0).reasons


def test_response_rates_that_differ_stand_in_the_way() -> None:
    assert Caveat.RESPONSE_RATES_DIFFER in nps(Responses(50_000, 6500, 20.0), Responses(50_000, 7500, 60.0))


def test_equal_rates_and_a_large_effect_pass() -> None:
    assert nps(Responses(50_000, 6500, 20.0), Responses(50_000, 6510, 45.0)) == ()


def test_a_small_effect_could_be_one_point_of_response() -> None:
    """13.0 against 13.4 % response alone made +4.8 points in NPS."""
    guard = response_guard(Responses(50_000, 6500, 20.0), Responses(50_000, 6530, 24.8), -100.0, 100.0)
    assert guard.reasons == (Caveat.RESPONSE_COULD_EXPLAIN,)
    assert existing(guard.explainable) > 4.8
    assert guard.control_rate == pytest.approx(0.13)


def test_the_explainable_difference_is_one_point_of_extreme_answers() -> None:
    guard = response_guard(Responses(10_000, 1000, 0.0), Responses(10_000, 1000, 0.0), -100.0, 100.0)
    everyone_happy = (1000 * 0.0 + 100 * 100.0) / 1100
    assert guard.explainable == pytest.approx(everyone_happy)


def test_no_answers_are_a_reason_and_nobody_asked_too() -> None:
    nothing = NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    silent = response_guard(Responses(100, 0, 0.0), Responses(100, 20, 4.0), 1.0, 5.0)
    assert silent.explainable == nothing
    nobody = response_guard(Responses(0, 0, 0.0), Responses(100, 20, 4.0), 1.0, 5.0)
    assert (nobody.control_rate, nobody.p) == (nothing, nothing)


def test_repeated_answers_of_one_person_cluster() -> None:
    """NPS over answers: a person who answers five times alike is not five witnesses."""
    rng, naive, ours, runs = np.random.default_rng(1), 0, 0, 400
    for _ in range(runs):
        arms, answers = [], []
        for _ in range(2):
            score, times = rng.choice([-1.0, 0.0, 1.0], 300), rng.integers(1, 9, 300).astype(float)
            arms.append(existing(ratio_arm(JointMoments.of({"num": score * times, "den": times}), scale=100.0)))
            answers.append(
                existing(
                    ratio_arm(
                        JointMoments.of({"num": np.repeat(score, times.astype(int)), "den": np.ones(int(times.sum()))}),
                        scale=100.0,
                    )
                )
            )
        ours += existing(compare(Pair(*arms), Question()).fixed.p) < 0.05
        naive += existing(compare(Pair(*answers), Question()).fixed.p) < 0.05
    assert naive / runs > 0.2
    assert ours / runs == pytest.approx(0.05, abs=0.03)
