"""CUPED: taking out what was known of the units before their exposure."""

from dataclasses import dataclass

from experiments.statistics.arms import Pair
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Both arms after regression on the covariate; `variance_ratio` is adjusted over unadjusted squared error.

    `coefficients` are (x, has_history); a column that is constant or collinear is dropped and has 0.
    """

    pair: Pair
    coefficients: tuple[float, float]
    variance_ratio: float


def adjust_means(control: JointMoments, treatment: JointMoments) -> Adjustment | NoEstimate:
    """From columns (y, x, has_history): OLS pooled over the pair; `covariate_constant` where nothing is left."""
    ...


def adjust_ratios(control: JointMoments, treatment: JointMoments) -> Adjustment | NoEstimate:
    """From columns (num, den, xnum, xden, has_history): the same on the linearised ratios (delta method)."""
    ...
