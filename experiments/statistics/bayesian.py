"""The Bayesian method: a Gaussian posterior of the lift, and the exact beta-binomial where conversions are few."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincc, betainccinv, betaincinv, ndtri, xlog1py, xlogy

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.effect import Effect, above_minus_one, effect, lift, relative_standard_error
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, Scale, Want
from experiments.statistics.fixed import few
from experiments.statistics.moments import is_finite
from experiments.statistics.roots import root

Array = npt.NDArray[np.float64]
NODES = 160
BEYOND = 1e-18  # probability outside the integrated range of an arm
_POSITIONS, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)


@dataclass(frozen=True, slots=True)
class BetaLift:
    """Relative lift p_t / p_c − 1, in points the difference p_t − p_c; drop and rise are expected on that scale."""

    chance_greater: float
    expected_drop: float
    expected_rise: float
    ci: Interval
    mean: float


@dataclass(frozen=True, slots=True)
class _Beta:
    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    def interval(self, outside: float) -> Interval:
        low, high = betaincinv(self.a, self.b, outside / 2.0), betainccinv(self.a, self.b, outside / 2.0)
        return Interval(float(low), float(high))

    def below(self, x: Array) -> Array:
        return np.asarray(betainc(self.a, self.b, x))

    def above(self, x: Array) -> Array:
        return np.asarray(betaincc(self.a, self.b, x))


def beta_lift(pair: Pair, level: float = 0.95, scale: Scale = "relative") -> BetaLift | NoEstimate:
    """Posterior of the relative lift; without a conversion in control it has no mean: `control_mean_near_zero`."""
    if pair.control.conversions is None or pair.treatment.conversions is None:
        return NoEstimate(Caveat.NOT_A_TEST)
    if pair.control.conversions == 0 and scale == "relative":
        return NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
    control, treatment = _posterior(pair.control), _posterior(pair.treatment)
    x, weights = _nodes(control)
    reduced = _Beta(treatment.a + 1.0, treatment.b)
    lost = treatment.below(x) - treatment.mean / x * reduced.below(x)  # relative to x, which control converts
    if scale == "relative":
        mean = treatment.mean * (control.a + control.b - 1.0) / (control.a - 1.0) - 1.0
        ci = _ratio_interval(control, treatment, (x, weights), 1.0 - level)
    else:
        lost, mean = lost * x, treatment.mean - control.mean
        ci = _difference_interval(treatment, (x, weights), 1.0 - level)
    drop = max(0.0, float(weights @ lost))
    greater, smaller = float(weights @ treatment.above(x)), float(weights @ treatment.below(x))
    chance = greater if greater < smaller else 1.0 - smaller  # from its smaller side
    return BetaLift(chance, drop, max(0.0, drop + mean), ci, mean)


def _posterior(arm: Arm) -> _Beta:
    conversions = arm.conversions or 0
    return _Beta(1.0 + conversions, 1.0 + arm.count - conversions)


def _nodes(beta: _Beta) -> tuple[Array, Array]:
    """Points and weights that integrate against this density; the weights are normalised numerically."""
    reach = beta.interval(BEYOND)
    half = (reach.high - reach.low) / 2.0
    x, width = reach.low + half * (_POSITIONS + 1.0), half * _WEIGHTS
    logarithm = xlogy(beta.a - 1.0, x) + xlog1py(beta.b - 1.0, -x)
    weights = width * np.exp(logarithm - logarithm.max())
    return x, weights / weights.sum()


def _ratio_interval(control: _Beta, treatment: _Beta, nodes: tuple[Array, Array], outside: float) -> Interval:
    """Equal-tailed interval of p_t / p_c − 1 from P(p_t ≤ r·p_c) = ∫ f_c(x)·F_t(r·x) dx."""
    x, weights = nodes
    ends = control.interval(1e-9), treatment.interval(1e-9)
    low, high = math.log(ends[1].low / ends[0].high), math.log(ends[1].high / ends[0].low)

    def quantile(probability: float) -> float:
        def distance(logarithm: float) -> float:
            return float(weights @ treatment.below(np.minimum(1.0, math.exp(logarithm) * x))) - probability

        return math.exp(root(distance, low, high, 1e-10)) - 1.0

    return Interval(quantile(outside / 2.0), quantile(1.0 - outside / 2.0))


def _difference_interval(treatment: _Beta, nodes: tuple[Array, Array], outside: float) -> Interval:
    """Equal-tailed interval of p_t − p_c from P(p_t − p_c ≤ d) = ∫ f_c(x)·F_t(x + d) dx."""
    x, weights = nodes

    def quantile(probability: float) -> float:
        def distance(difference: float) -> float:
            return float(weights @ treatment.below(np.clip(x + difference, 0.0, 1.0))) - probability

        return root(distance, -1.0, 1.0, 1e-10)

    return Interval(quantile(outside / 2.0), quantile(1.0 - outside / 2.0))


@dataclass(frozen=True, slots=True)
class LiftPrior:
    """Normal prior of the relative lift (0.1 is ten percent)."""

    mean: float
    standard_deviation: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """Chance that treatment is the better one, and what shipping either arm is expected to lose, relative to control.

    Better follows `want`. `ci` is the equal-tailed credible interval of the lift. On the `scale` of points `ci` and
    mean are of the difference, and losses are relative to the standard deviation of a unit: control may be zero.
    Nothing of it is peek-proof.
    """

    chance_to_win: float
    """The chance that the variant is better than control, from 0 to 1."""
    expected_loss: float
    """What shipping the variant is expected to lose if that is wrong, as a share of control."""
    expected_loss_control: float
    """What keeping control is expected to lose if that is wrong, as a share of control."""
    ci: Interval
    mean: float
    scale: Scale = "relative"
    peek_proof: ClassVar[bool] = False
    """Whether the numbers may be read on any day without being fooled by the looking; these may not."""


def posterior(
    pair: Pair,
    prior: LiftPrior | None = None,
    level: float = 0.95,
    want: Want = "up",
    measured: Effect | NoEstimate | None = None,
    scale: Scale = "relative",
) -> Posterior | NoEstimate:
    """Posterior of the relative lift: Gaussian on the delta scale; beta-binomial where conversions are few and flat.

    `measured` is the pair's effect with the variance floor, for the Gaussian (None: without one); the beta-binomial is
    exact and needs none. In points it is the posterior of the difference, always flat: the prior is one of lifts.
    """
    if few(pair) is not None and (prior is None or scale == "points"):
        exact = beta_lift(pair, level, scale)
        if isinstance(exact, NoEstimate):
            return exact
        chances = exact.chance_greater, exact.expected_drop, exact.expected_rise
        if want == "down":
            chances = 1.0 - exact.chance_greater, exact.expected_rise, exact.expected_drop
        found = Posterior(*chances, exact.ci, exact.mean)
        shares = [_posterior(arm).mean for arm in (pair.control, pair.treatment)]
        return found if scale == "relative" else _in_points(found, [share * (1.0 - share) for share in shares])
    measured, relative = measured or effect(pair), lift(pair)
    if isinstance(measured, NoEstimate):
        return measured
    if scale == "points":
        found = gaussian(measured.difference, measured.standard_error, None, level, want)
        # of a ratio an answer or an order is the unit that has a spread
        return _in_points(
            found, [arm.error * (arm.denominators or arm.count) for arm in (pair.control, pair.treatment)]
        )
    if isinstance(relative, NoEstimate):
        return relative
    error = relative_standard_error(measured)
    if isinstance(error, NoEstimate):
        return error
    answer = gaussian(relative, error, prior, level, want, never_negative=pair.control.never_negative)
    return answer if is_finite(answer.ci.width) else NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)


def _in_points(found: Posterior, variances: Sequence[float]) -> Posterior:
    """The posterior of a difference, its losses relative to the spread of a unit of both arms."""
    spread = math.sqrt(sum(variances) / len(variances))
    drop, rise = found.expected_loss / spread, found.expected_loss_control / spread
    return replace(found, scale="points", expected_loss=drop, expected_loss_control=rise)


def gaussian(
    relative: float,
    standard_error: float,
    prior: LiftPrior | None = None,
    level: float = 0.95,
    want: Want = "up",
    *,
    never_negative: bool = False,
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
    half_width = _quantile(level) * deviation
    ci = Interval.around(mean - half_width, mean + half_width)
    return Posterior(
        _below(good / deviation),
        _expected_loss(good, deviation),
        _expected_loss(-good, deviation),
        above_minus_one(ci) if never_negative else ci,
        mean,
    )


def _expected_loss(mean: float, deviation: float) -> float:
    z = mean / deviation
    density = math.exp(-0.5 * z * z) / math.sqrt(math.tau)
    return max(0.0, deviation * (density - z * _below(-z)))


def _below(z: float) -> float:
    """The standard normal distribution at z, from the side that does not cancel."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


@lru_cache(maxsize=64)
def _quantile(level: float) -> float:
    """Standard deviations on either side of the mean that hold `level`."""
    return -float(ndtri((1.0 - level) / 2.0))
