"""The fixed-horizon test: Welch's t, the pooled z for proportions, and exact answers for few conversions."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc, gammaln, ndtr, ndtri, stdtr, stdtrit

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.effect import Effect, relative_standard_error
from experiments.statistics.estimate import Caveat, Interval, NoEstimate

SMALLEST_P = 5e-324  # a p-value is never zero; below this double precision has no number


@dataclass(frozen=True, slots=True)
class PooledZ:
    """The two-proportion z-test with pooled variance, for comparison with other tools; it never decides."""

    p: float
    statistic: float


@dataclass(frozen=True, slots=True)
class RelativeDelta:
    """The test and interval of the lift by its first-order standard error, as other tools have them; they decide
    nothing: the test is not that of the difference, and which arm is control changes it."""

    p: float
    ci: Interval


def relative_delta(effect: Effect, alpha: float) -> RelativeDelta | NoEstimate:
    """Delta method (Deng, Knoblich & Lu 2018) on the lift, with Welch's degrees of freedom."""
    error = relative_standard_error(effect)
    if isinstance(error, NoEstimate):
        return error
    freedom, relative = effect.degrees_of_freedom, effect.difference / abs(effect.control)
    half_width = welch_critical(alpha, freedom) * error
    p = two_sided(float(stdtr(freedom, -abs(relative / error))))
    return RelativeDelta(p, Interval.around(relative - half_width, relative + half_width))


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
        return NoEstimate(Caveat.NOT_A_TEST)
    units = control.count + treatment.count
    pooled = (control.conversions + treatment.conversions) / units
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / control.count + 1.0 / treatment.count))
    if error == 0.0:
        return NoEstimate(Caveat.NO_VARIANCE)
    shares = treatment.conversions / treatment.count - control.conversions / control.count
    return PooledZ(normal_p(shares / error), shares / error)


def normal_p(statistic: float) -> float:
    """Two-sided p of a standard normal statistic."""
    return two_sided(float(ndtr(-abs(statistic))))


def two_sided(tail: float) -> float:
    """Twice a one-sided tail, at most 1 and never 0."""
    return min(1.0, max(SMALLEST_P, 2.0 * tail))


FEW = 10
TIE = 1e-9  # tables whose log probabilities are this close count as equally likely
FAR = 10_000  # tables between the observed and the likeliest one, above which underflow is looked at first
UNDERFLOW = -800.0  # a log probability for which double precision has no number


def few(pair: Pair) -> Caveat | None:
    """`few_conversions` below 10 conversions in an arm, `few_non_conversions` below 10 others; None else."""
    control, treatment = pair.control, pair.treatment
    if control.conversions is None or treatment.conversions is None:
        return None
    if min(control.conversions, treatment.conversions) < FEW:
        return Caveat.FEW_CONVERSIONS
    others = min(control.count - control.conversions, treatment.count - treatment.conversions)
    return Caveat.FEW_NON_CONVERSIONS if others < FEW else None


def fisher_p(pair: Pair) -> float:
    """Two-sided: the total probability of all tables no likelier than the observed one (Fisher 1935).

    Both arms need `conversions`. The tables are weighed against each other by exact ratios, out from the observed one
    as far as they matter, so that the work grows with the spread and not with the number of units.
    """
    n_t, n_c = pair.treatment.count, pair.control.count
    x, k = _conversions(pair.treatment), _conversions(pair.treatment) + _conversions(pair.control)
    mode = (n_t + 1) * (k + 1) // (n_t + n_c + 2)
    if abs(x - mode) > FAR and _log_probability(x, k, n_t, n_c) < UNDERFLOW:
        return SMALLEST_P
    spread = math.sqrt(k * (n_t / (n_t + n_c)) * (n_c / (n_t + n_c)))
    reach = abs(x - mode) + int(12.0 * spread) + 60
    lowest, highest = max(0, k - n_c, mode - reach), min(k, n_t, mode + reach)
    table = np.arange(lowest, highest, dtype=np.float64)
    steps = np.log((n_t - table) / (table + 1.0) * (k - table) / (n_c - k + table + 1.0))
    weights = np.concatenate(([0.0], np.cumsum(steps)))
    weights -= weights.max()
    extreme = weights[weights <= weights[x - lowest] + TIE]
    return min(1.0, max(SMALLEST_P, float(np.exp(extreme).sum() / np.exp(weights).sum())))


def binomial_p(hits: int, trials: int, share: float) -> float:
    """One-sided: how likely so many of the trials, or more, are hits where each is one with this chance."""
    return float(bdtrc(hits - 1, trials, share))


def _conversions(arm: Arm) -> int:
    return arm.conversions or 0


def _log_probability(x: int, k: int, n_t: int, n_c: int) -> float:
    chosen = _log_choose(n_t, x) + _log_choose(n_c, k - x)
    return chosen - _log_choose(n_t + n_c, k)


def _log_choose(n: int, k: int) -> float:
    return float(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))


def wilson_interval(arm: Arm, alpha: float) -> Interval:
    """Score interval of one share (Wilson 1927)."""
    z = -float(ndtri(alpha / 2.0))
    share, weight = _conversions(arm) / arm.count, z * z / arm.count
    half_width = z * math.sqrt(share * (1.0 - share) / arm.count + weight / (4.0 * arm.count))
    middle = share + weight / 2.0
    low, high = (middle - half_width) / (1.0 + weight), (middle + half_width) / (1.0 + weight)
    return Interval(max(0.0, min(share, low)), min(1.0, max(share, high)))


def newcombe_interval(pair: Pair, alpha: float) -> Interval:
    """Difference of shares by the square-and-add of two Wilson intervals (Newcombe 1998, method 10)."""
    control, treatment = wilson_interval(pair.control, alpha), wilson_interval(pair.treatment, alpha)
    p_c, p_t = _conversions(pair.control) / pair.control.count, _conversions(pair.treatment) / pair.treatment.count
    below = math.hypot(p_t - treatment.low, control.high - p_c)
    above = math.hypot(treatment.high - p_t, p_c - control.low)
    return Interval(p_t - p_c - below, p_t - p_c + above)


def newcombe_lift_interval(pair: Pair, alpha: float) -> Interval | NoEstimate:
    """The same for the ratio of shares, less one (MOVER-R, Donner & Zou 2012, eq. 6).

    It solves "the interval of p_t − R·p_c touches zero" for R, so it holds zero lift when the difference holds zero.
    """
    control, treatment = wilson_interval(pair.control, alpha), wilson_interval(pair.treatment, alpha)
    p_c, p_t = _conversions(pair.control) / pair.control.count, _conversions(pair.treatment) / pair.treatment.count
    if control.low <= 0.0:
        return NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    product = p_t * p_c
    numerator_low = treatment.low * (2.0 * p_t - treatment.low)
    numerator_high = treatment.high * (2.0 * p_t - treatment.high)
    denominator_low = control.low * (2.0 * p_c - control.low)
    denominator_high = control.high * (2.0 * p_c - control.high)
    root_low = math.sqrt(max(0.0, product * product - numerator_low * denominator_high))
    root_high = math.sqrt(max(0.0, product * product - numerator_high * denominator_low))
    low = numerator_low / (product + root_low) if product > 0.0 else 0.0
    return Interval(low - 1.0, (product + root_high) / denominator_low - 1.0)
