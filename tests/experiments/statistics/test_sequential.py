"""The anytime method: its p and interval belong together."""

import math

import pytest
from oracles.estimates import existing, shares

from experiments.statistics.comparison import Question, answer_at, compare
from experiments.statistics.sequential import anytime_critical, tuning


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_the_sequence_is_narrowest_near_the_planned_units(alpha: float) -> None:
    """ρ² is chosen so that no other ρ² makes the interval much narrower at n*."""
    planned = 10_000
    ours = anytime_critical(alpha, planned * tuning(alpha, planned))
    others = [anytime_critical(alpha, math.exp(step / 10.0)) for step in range(-60, 60)]
    assert ours <= min(others) * 1.001


def test_p_reaches_alpha_where_the_interval_reaches_zero() -> None:
    pair, question = shares(200, 2000, 250, 2000), Question(planned_units=8000)
    p = existing(compare(pair, question).anytime.p)
    for alpha, inside in ((p * 1.0001, False), (p * 0.9999, True)):
        assert existing(answer_at(pair, question, "anytime", alpha).ci).contains(0.0) == inside


def test_more_planned_units_widen_an_early_look() -> None:
    pair = shares(200, 2000, 250, 2000)
    early, late = (compare(pair, Question(planned_units=units)).anytime for units in (100_000, 4000))
    assert existing(early.p) > existing(late.p)
