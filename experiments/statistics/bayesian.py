"""The Bayesian method: a Gaussian posterior of the lift, and the exact beta-binomial for few conversions."""

from dataclasses import dataclass

from experiments.statistics.arms import Pair
from experiments.statistics.estimate import Interval, NoEstimate, Want


@dataclass(frozen=True, slots=True)
class Prior:
    """Normal prior of the relative lift (0.1 is ten percent)."""

    mean: float
    standard_deviation: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """Chance that treatment is the better one, and what shipping either arm is expected to lose, relative to control.

    Better follows `want`. `ci` is the equal-tailed credible interval of the lift. It is not peek-proof.
    """

    chance_to_win: float
    expected_loss: float  # of shipping treatment
    expected_loss_control: float  # of keeping control
    ci: Interval
    mean: float
    standard_deviation: float


def gaussian(mean: float, standard_error: float, prior: Prior | None, level: float, want: Want = "up") -> Posterior:
    """Posterior of a normally measured lift, flat prior unless one is given: precision 1/SE² + 1/s0²."""
    ...


def posterior(
    pair: Pair, prior: Prior | None = None, level: float = 0.95, want: Want = "up"
) -> Posterior | NoEstimate:
    """Gaussian posterior of the relative lift of a pair, by the delta standard error."""
    ...


@dataclass(frozen=True, slots=True)
class BetaPosterior:
    """Beta-binomial of two proportions with Beta(1, 1) priors, on the absolute scale; losses are differences in share."""

    chance_to_win: float
    expected_loss: float
    expected_loss_control: float
    control_ci: Interval
    treatment_ci: Interval
    mean_difference: float


def beta_binomial(pair: Pair, level: float = 0.95) -> BetaPosterior | NoEstimate:
    """Exact by quadrature; both arms need `conversions`."""
    ...
