"""The fixed-horizon test: Welch's t for everything mean-like, and the pooled z beside it for proportions."""

import math
from dataclasses import dataclass

from scipy.special import ndtr, stdtr, stdtrit

from experiments.statistics.arms import Pair
from experiments.statistics.effect import Effect
from experiments.statistics.estimate import NoEstimate, Reason

SMALLEST_P = 5e-324  # a p-value is never zero; below this double precision has no number


@dataclass(frozen=True, slots=True)
class PooledZ:
    """The two-proportion z-test with pooled variance, for comparison with other tools; it never decides."""

    p: float
    statistic: float


def welch_p(effect: Effect) -> float:
    """Two-sided p from the lower tail of Student's t: not 1 − cdf, which is 0 where the truth is 2e-84."""
    return two_sided(float(stdtr(effect.degrees_of_freedom, -abs(effect.statistic))))


def welch_critical(alpha: float, degrees_of_freedom: float) -> float:
    """The quantile t with P(|T| > t) = alpha."""
    return -float(stdtrit(degrees_of_freedom, alpha / 2.0))


def pooled_z(pair: Pair) -> PooledZ | NoEstimate:
    """z of x_t/n_t − x_c/n_c with the pooled share; both arms need `conversions`."""
    control, treatment = pair.control, pair.treatment
    if control.conversions is None or treatment.conversions is None:
        return NoEstimate(Reason.NOT_A_TEST)
    units = control.count + treatment.count
    pooled = (control.conversions + treatment.conversions) / units
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / control.count + 1.0 / treatment.count))
    if error == 0.0:
        return NoEstimate(Reason.NO_VARIANCE)
    shares = treatment.conversions / treatment.count - control.conversions / control.count
    return PooledZ(normal_p(shares / error), shares / error)


def normal_p(statistic: float) -> float:
    """Two-sided p of a standard normal statistic."""
    return two_sided(float(ndtr(-abs(statistic))))


def two_sided(tail: float) -> float:
    """Twice a one-sided tail, at most 1 and never 0."""
    return min(1.0, max(SMALLEST_P, 2.0 * tail))
