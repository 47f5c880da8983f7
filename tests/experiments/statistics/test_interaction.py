"""Two experiments that overlap: does one change the effect of the other."""

import numpy as np
import pytest
import statsmodels.api as sm
from oracles.estimates import existing, means

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.interaction import interaction


def test_the_contrast_is_that_of_a_regression_with_an_interaction() -> None:
    rng = np.random.default_rng(1)
    cells = {(a, b): rng.normal(10 + a + 2 * b + 0.5 * a * b, 2.0, 200) for a in (0, 1) for b in (0, 1)}
    ours = existing(interaction(means(cells[0, 0], cells[1, 0]), means(cells[0, 1], cells[1, 1])))
    design = np.array([[1, a, b, a * b] for (a, b), cell in cells.items() for _ in cell], dtype=float)
    fitted = sm.OLS(np.concatenate(list(cells.values())), design).fit(cov_type="HC2")
    assert ours.difference == pytest.approx(float(fitted.params[3]), rel=1e-9)
    assert ours.p == pytest.approx(float(fitted.pvalues[3]), rel=0.05)
    assert ours.ci.contains(0.0) == (ours.p > 0.05)


def test_independent_experiments_interact_at_the_level_of_the_test() -> None:
    rng, found = np.random.default_rng(2), 0
    for _ in range(1000):
        beside = [means(rng.normal(5, 1, 50), rng.normal(6, 3, 80)) for _ in range(2)]
        found += existing(interaction(beside[0], beside[1])).p < 0.05
    assert found / 1000 == pytest.approx(0.05, abs=0.02)


def test_an_empty_or_constant_cell_is_a_reason() -> None:
    usual, single = means([1.0, 2.0], [1.0, 2.0]), Pair(Arm(1, 1.0, 0.0), Arm(5, 1.0, 1.0))
    constant = means([1.0, 1.0], [2.0, 2.0])
    assert interaction(usual, single) == NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    assert interaction(constant, constant) == NoEstimate(Caveat.NO_VARIANCE)
