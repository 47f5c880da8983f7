"""The root search against known roots."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics.roots import root


@given(where=st.floats(-50, 50), steepness=st.floats(0.01, 100))
def test_a_monotone_function_is_solved(where: float, steepness: float) -> None:
    found = root(lambda x: math.atan(steepness * (x - where)), -60.0, 70.0)
    assert found == pytest.approx(where, rel=1e-11, abs=1e-11)


def test_a_cubic_and_a_step_are_solved() -> None:
    assert root(lambda x: x**3 - 2.0, 0.0, 5.0) == pytest.approx(2.0 ** (1 / 3), rel=1e-12)
    assert root(lambda x: -1.0 if x < 0.3 else 1.0, 0.0, 1.0) == pytest.approx(0.3, rel=1e-9)


def test_without_a_change_of_sign_the_nearer_end_is_returned() -> None:
    assert root(lambda x: x + 1.0, 0.0, 5.0) == 0.0
    assert root(lambda x: -x - 1.0, -7.0, -2.0) == -2.0
