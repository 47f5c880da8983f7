"""The Bayesian method: a Gaussian posterior of the lift, and the exact beta-binomial where conversions are few."""

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from experiments.statistics.arms import Pair
from experiments.statistics.beta_binomial import beta_lift
from experiments.statistics.effect import effect
from experiments.statistics.estimate import Interval, NoEstimate, Reason, Want
from experiments.statistics.exact import few
from experiments.statistics.lift import lift, relative_standard_error
from experiments.statistics.moments import is_finite


@dataclass(frozen=True, slots=True)
class Prior:
    """Normal prior of the relative lift (0.1 is ten percent)."""

    mean: float
    standard_deviation: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """Chance that treatment is the better one, and what shipping either arm is expected to lose, relative to control.

    Better follows `want`. `ci` is the equal-tailed credible interval of the lift. Nothing of it is peek-proof.
    """

    chance_to_win: float
    expected_loss: float  # of shipping treatment
    expected_loss_control: float  # of keeping control
    ci: Interval
    mean: float


def posterior(pair: Pair, prior: Prior | None = None, level: float = 0.95, want: Want = "up") -> Posterior | NoEstimate:
    """Posterior of the relative lift: Gaussian on the delta scale; beta-binomial where conversions are few and flat."""
    if prior is None and few(pair) is not None:
        return _of_conversions(pair, level, want)
    measured, relative = effect(pair), lift(pair)
    if isinstance(measured, NoEstimate):
        return measured
    if isinstance(relative, NoEstimate):
        return relative
    error = relative_standard_error(measured)
    if isinstance(error, NoEstimate):
        return error
    if pair.control.value < 0.0:  # a lift against a negative control goes up when the metric goes down
        want = "down" if want == "up" else "up"
    answer = gaussian(relative, error, prior, level, want)
    return answer if is_finite(answer.ci.width) else NoEstimate(Reason.CONTROL_MEAN_NEAR_ZERO)


def gaussian(
    relative: float, standard_error: float, prior: Prior | None = None, level: float = 0.95, want: Want = "up"
) -> Posterior:
    """Posterior of a normally measured lift: precision 1/SE² + 1/s0², flat where no prior is given.

    Expected loss E[max(0, −δ)] = s·φ(μ/s) − μ·Φ(−μ/s).
    """
    mean, deviation = relative, standard_error
    if prior is not None:
        share = 1.0 / (1.0 + (standard_error / prior.standard_deviation) ** 2)
        mean = share * relative + (1.0 - share) * prior.mean
        deviation = standard_error * math.sqrt(share)
    good = mean if want == "up" else -mean
    half_width = -float(ndtri((1.0 - level) / 2.0)) * deviation
    return Posterior(
        float(ndtr(good / deviation)),
        _expected_loss(good, deviation),
        _expected_loss(-good, deviation),
        Interval(mean - half_width, mean + half_width),
        mean,
    )


def _expected_loss(mean: float, deviation: float) -> float:
    z = mean / deviation
    density = math.exp(-0.5 * z * z) / math.sqrt(math.tau)
    return max(0.0, deviation * (density - z * float(ndtr(-z))))


def _of_conversions(pair: Pair, level: float, want: Want) -> Posterior | NoEstimate:
    exact = beta_lift(pair, level)
    if isinstance(exact, NoEstimate):
        return exact
    if want == "up":
        return Posterior(exact.chance_greater, exact.expected_drop, exact.expected_rise, exact.ci, exact.mean)
    return Posterior(1.0 - exact.chance_greater, exact.expected_rise, exact.expected_drop, exact.ci, exact.mean)
