"""Simulated coverage of the lift interval after CUPED, by the service's own path from joint moments to the answer."""

import math
from collections.abc import Callable
from itertools import product
from typing import Final

import numpy as np

from experiments.statistics.arms import mean_arm, pair
from experiments.statistics.comparison import Question, answer_at
from experiments.statistics.cuped import adjust_means
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments

MEAN: Final = 1.0  # of control, and the standard deviation of its units
QUESTION: Final = Question()


def adjusted_coverage(
    runs: int, rng: np.random.Generator, correlation: float, lift: float, units: int, *, multiplies: bool = False
) -> float:
    """Share of runs whose 95 % interval of the lift holds it; units are per arm, normal, and known by a covariate.

    The lift adds the same to every unit, or multiplies what each does: then the arms' slopes are not alike. A missing
    interval covers.
    """
    control = _joint_moments(runs, rng, units, correlation, (MEAN, 1.0))
    factor = 1.0 + lift
    treatment = _joint_moments(runs, rng, units, correlation, (MEAN * factor, factor if multiplies else 1.0))
    covered = 0
    for arms in zip(control, treatment, strict=True):
        plain = pair(*(mean_arm(arm.moments("y"), arm.nonzero) for arm in arms))
        adjustment = adjust_means(*arms)
        adjusted = adjustment if isinstance(adjustment, NoEstimate) else adjustment.pair
        ci = answer_at(plain, QUESTION, "fixed", QUESTION.alpha, adjusted).ci
        covered += isinstance(ci, NoEstimate) or ci.contains(lift)
    return covered / runs


def _joint_moments(
    runs: int, rng: np.random.Generator, units: int, correlation: float, scale: tuple[float, float]
) -> list[JointMoments]:
    """Of outcome and covariate, drawn by what is known of them: normal means, and Bartlett's Wishart co-moments.

    `scale` is the outcome's mean and standard deviation; the covariate is standard normal.
    """
    mean, deviation = scale
    rest = math.sqrt(1.0 - correlation * correlation)
    x, own = rng.standard_normal((2, runs)) / math.sqrt(units)
    y = mean + deviation * (correlation * x + rest * own)
    first, second = np.sqrt(rng.chisquare([[units - 1], [units - 2]], (2, runs)))
    along, across = correlation * first + rest * rng.standard_normal(runs), rest * second
    yy, yx, xx = deviation**2 * (along**2 + across**2), deviation * first * along, first**2
    columns = np.stack([y, x, yy, yx, xx], axis=1).tolist()
    return [JointMoments(("y", "x"), units, (row[0], row[1]), tuple(row[2:]), units) for row in columns]


def _row(correlation: float, lift: float, units: int, *, multiplies: bool = False) -> tuple[str, "Measure"]:
    effect = f"{100 * lift:+.0f} %" if lift else "0 %"
    how = ", multiplied" if multiplies else ""
    name = f"coverage of the adjusted lift interval, ρ = {correlation}, {effect}{how}, {units:,} per arm"
    return name, lambda runs, rng: adjusted_coverage(runs, rng, correlation, lift, units, multiplies=multiplies)


Measure = Callable[[int, np.random.Generator], float]
ADJUSTED_LIFTS: Final[tuple[tuple[str, Measure], ...]] = (
    *(_row(*shape) for shape in product((0.9, 0.95), (-0.5, 0.0, 0.5, 1.0), (200, 2000))),
    *(_row(0.95, *shape, multiplies=True) for shape in product((-0.5, 1.0), (200, 2000))),
)
"""The name and the measure of each row."""
