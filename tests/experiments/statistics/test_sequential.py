"""The anytime method: its p and interval belong together, and its minimum only falls."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import existing, shares

from experiments.statistics.comparison import Question, answer_at, compare
from experiments.statistics.estimate import NoEstimate, Reason
from experiments.statistics.sequential import anytime_critical, running_minimum, tuning


@given(days=st.lists(st.one_of(st.floats(0.0, 1.0), st.just(NoEstimate(Reason.NO_VARIANCE))), min_size=1))
def test_the_running_minimum_only_falls_and_survives_silent_days(days: list[float | NoEstimate]) -> None:
    minima = running_minimum(days)
    known = [day for day in days if not isinstance(day, NoEstimate)]
    assert len(minima) == len(days)
    assert minima[-1] == (min(known) if known else days[-1])
    numbers = [p for p in minima if not isinstance(p, NoEstimate)]
    assert numbers == sorted(numbers, reverse=True)


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
