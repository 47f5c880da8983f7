"""One arm of an experiment as a test sees it: how many units, which value, how uncertain."""

from dataclasses import dataclass

from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import JointMoments, Moments, is_finite

FEWEST_DENOMINATORS = 10.0
CANCELLED = 1e-13  # share of a variance below which a difference of variances is rounding


@dataclass(frozen=True, slots=True)
class Arm:
    """Value of one variant, with its variance per unit: variance / count is the squared standard error of value.

    `conversions` is given for proportions only; it opens the exact test and the pooled z. `denominators` is given for
    ratios only: Kish's effective number of them, (Σd)²/Σd², below 10 of which a ratio has no test.
    """

    count: int
    value: float
    variance: float
    conversions: int | None = None
    denominators: float | None = None

    @property
    def is_settled(self) -> bool:
        """Whether enough units stand behind the value for a test: one order has no spread, and two have hardly any."""
        return self.count >= 2 and (self.denominators is None or self.denominators >= FEWEST_DENOMINATORS)

    @property
    def error(self) -> float:
        """Squared standard error of `value`."""
        return self.variance / self.count


@dataclass(frozen=True, slots=True)
class Pair:
    """Control and treatment of one comparison."""

    control: Arm
    treatment: Arm


def mean_arm(moments: Moments) -> Arm | NoEstimate:
    """Mean per unit (means, counts, engaged time, CES per unit)."""
    if moments.count < 1:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    if not is_finite(moments.mean, moments.m2):
        return NoEstimate(Caveat.OUT_OF_RANGE)
    return Arm(moments.count, moments.mean, moments.variance)


def proportion_arm(units: int, conversions: int) -> Arm | NoEstimate:
    """Share of units that converted (purchase rate, funnel, retention, CSAT per unit)."""
    arm = mean_arm(Moments.of_conversions(units, conversions))
    return arm if isinstance(arm, NoEstimate) else Arm(arm.count, arm.value, arm.variance, conversions)


def ratio_arm(moments: JointMoments, scale: float = 1.0) -> Arm | NoEstimate:
    """Σ num / Σ den over units, variance by the delta method: (v_M − 2R·cov + R²·v_D) / D̄².

    Average order value, CSAT and NPS over answers (`scale` 100 for points): repeated answers of a unit cluster.
    """
    denominator = moments.mean("den") if moments.count else 0.0
    if moments.count < 1:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    if not is_finite(*moments.means, *moments.comoments):
        return NoEstimate(Caveat.OUT_OF_RANGE)
    if denominator == 0.0:
        return NoEstimate(Caveat.NO_DENOMINATOR)
    ratio = moments.mean("num") / denominator
    variance = _linearised_variance(moments, ratio) / denominator / denominator
    if not is_finite(ratio, variance):
        return NoEstimate(Caveat.OUT_OF_RANGE)
    return Arm(moments.count, ratio * scale, variance * scale * scale, denominators=effective_denominators(moments))


def _linearised_variance(moments: JointMoments, ratio: float) -> float:
    """Variance of num − R·den; 0 where only rounding is left, as of orders that all have one price."""
    own = moments.covariance("num", "num") + ratio * ratio * moments.covariance("den", "den")
    spread = own - 2.0 * ratio * moments.covariance("num", "den")
    return spread if spread > CANCELLED * own else 0.0


def effective_denominators(moments: JointMoments) -> float:
    """How many equal denominators Σd is worth: (Σd)²/Σd² (Kish 1965); `den` may not add up to zero."""
    total = moments.mean("den") * moments.count
    return total / (moments.comoment("den", "den") + total * moments.mean("den")) * total


def pair(control: Arm | NoEstimate, treatment: Arm | NoEstimate) -> Pair | NoEstimate:
    """Both arms, or the reason of the first that is missing."""
    if isinstance(control, NoEstimate):
        return control
    return treatment if isinstance(treatment, NoEstimate) else Pair(control, treatment)
