"""The lift interval after CUPED covers what it promises, and would not without the error of the common mean."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.statistics import comparison
from experiments.statistics.effect import effect
from experiments.validation.estimates import ADJUSTED_LIFTS, adjusted_coverage

ROWS = dict(ADJUSTED_LIFTS)
FAR = [name for name in ROWS if "0.95, -50 %" in name or "0.95, +100 %" in name]


@pytest.mark.parametrize("row", FAR)
def test_an_adjusted_lift_far_from_zero_is_covered(row: str) -> None:
    assert 0.94 <= ROWS[row](4000, np.random.default_rng(1)) <= 0.96


@pytest.mark.slow
@pytest.mark.drawn(1)
@pytest.mark.parametrize("row", ROWS)
def test_an_adjusted_lift_is_covered_to_half_a_point(row: str) -> None:
    assert 0.945 <= ROWS[row](40_000, np.random.default_rng(2)) <= 0.955


def test_without_the_error_of_the_common_mean_the_interval_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "effect", lambda judged: effect(replace(judged, joint=None)))
    assert adjusted_coverage(4000, np.random.default_rng(1), 0.95, 1.0, 200) < 0.86
