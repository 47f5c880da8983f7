"""One arm of an experiment as a test sees it, and what must hold of two of them before anything is decided."""

import math
from dataclasses import dataclass

from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import JointMoments, Moments, is_finite

FEWEST_DENOMINATORS = 10.0 - 1e-9  # ten, which rounding may miss
CANCELLED = 1e-13  # share of a variance below which a difference of variances is rounding


@dataclass(frozen=True, slots=True)
class Arm:
    """Value of one variant, with its variance per unit: variance / count is the squared standard error of value.

    `conversions` is given for proportions only; it opens the exact test and the pooled z. `denominators` is given for
    ratios only: Kish's effective number of them, (Σd)²/Σd², below 10 of which a ratio has no test. `events` are the
    units in whom something happened, as the gate counts them: those that converted, or whose value (of a ratio the
    numerator) is not zero; None: all. `beyond` is given for quantiles only: how many values lie on its thinner side.
    `never_negative` says that no unit's value can lie below 0, so that no lift lies below −1.
    """

    count: int
    value: float
    variance: float
    conversions: int | None = None
    denominators: float | None = None
    events: int | None = None
    beyond: float | None = None
    never_negative: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether enough units stand behind the value for a test: one order has no spread, and two have hardly any."""
        return self.count >= 2 and (self.denominators is None or self.denominators >= FEWEST_DENOMINATORS)

    @property
    def error(self) -> float:
        """Squared standard error of `value`."""
        return self.variance / self.count


@dataclass(frozen=True, slots=True)
class JointErrors:
    """Squared standard errors of two values that were moved to one common mean, whose own error both share."""

    control: float
    treatment: float
    covariance: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Control and treatment of one comparison.

    The arms' own variances are those of the difference; `joint` is what a lift has to know besides where the arms are
    not independent (after CUPED).
    """

    control: Arm
    treatment: Arm
    joint: JointErrors | None = None


def mean_arm(moments: Moments, events: int | None = None, *, never_negative: bool = False) -> Arm | NoEstimate:
    """Mean per unit (means, counts, engaged time, CES per unit); `events` are the units whose value is not zero."""
    if moments.count < 1:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    if not is_finite(moments.mean, moments.m2):
        return NoEstimate(Caveat.OUT_OF_RANGE)
    return Arm(moments.count, moments.mean, moments.variance, events=events, never_negative=never_negative)


def proportion_arm(units: int, conversions: int) -> Arm | NoEstimate:
    """Share of units that converted (purchase rate, funnel, retention, CSAT per unit)."""
    if units < 1:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    share = Moments.of_conversions(units, conversions)
    return Arm(units, share.mean, share.variance, conversions, events=conversions, never_negative=True)


def ratio_arm(moments: JointMoments, scale: float = 1.0, *, never_negative: bool = False) -> Arm | NoEstimate:
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
    return Arm(
        moments.count, ratio * scale, variance * scale * scale,
        denominators=effective_denominators(moments), events=moments.nonzero, never_negative=never_negative,
    )  # fmt: skip


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


NEEDED = 10  # events that the smaller arm has to expect, and that a share has to expect of either kind
ALMOST = 1e-9  # units by which rounding may miss a whole one


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a comparison may be judged: open once the smaller arm can expect `needed` events, however few it has.

    `expected` is of what is scarcest; `more_units` are those that the smaller arm still needs at today's rate, None
    while nothing happened yet.
    """

    open: bool
    """Whether enough has happened for the comparison to be judged."""
    reason: Caveat | None
    """Why, as a code."""
    expected: float
    """Here: The events that are expected in the smaller variant."""
    needed: int
    """How many events must be expected before anything is judged."""
    more_units: int | None
    """Visitors that the smaller variant still needs at today's rate, null while nothing happened yet."""


def gate_of(pair: Pair | NoEstimate) -> Gate:
    """The gate of two arms before CUPED. Expected events are min(n_c, n_t)·(events of both)/(n_c + n_t).

    Not the observed ones: a variant that broke the checkout has none, and must still be found. A ratio needs 10
    effective denominators in each arm besides, a quantile 10 values on its thinner side.
    """
    if isinstance(pair, NoEstimate):
        return Gate(False, pair.reason, 0.0, NEEDED, None)
    control, treatment = pair.control, pair.treatment
    if control.beyond is not None or control.denominators is not None:
        for arm in (control, treatment):
            if arm.beyond is not None and arm.beyond < NEEDED:
                return _closed(Caveat.FEW_EVENTS, arm.beyond, arm.count)
            if arm.denominators is not None and arm.denominators < FEWEST_DENOMINATORS:
                return _closed(Caveat.NOT_ENOUGH_UNITS, arm.denominators, arm.count)
    smaller, units = min(control.count, treatment.count), control.count + treatment.count
    events = control.count if control.events is None else control.events
    events += treatment.count if treatment.events is None else treatment.events
    reason = Caveat.FEW_EVENTS
    if control.conversions is not None and 2 * events > units:
        reason, events = Caveat.FEW_NON_EVENTS, units - events
    expected = smaller * events / units
    return Gate(True, None, expected, NEEDED, 0) if expected >= NEEDED else _closed(reason, expected, smaller)


def _closed(reason: Caveat, expected: float, units: int) -> Gate:
    more = math.ceil(NEEDED * units / expected - units - ALMOST) if expected > 0.0 else None
    return Gate(False, reason, expected, NEEDED, more)


def variance_floor(pair: Pair) -> float:
    """k = max(1, SE²_pooled / SE²_Welch), by which both squared standard errors are multiplied before they decide.

    SE²_pooled = v_p·(1/n_c + 1/n_t) with v_p = ((n_c − 1)·v_c + (n_t − 1)·v_t) / (n_c + n_t − 2). It exceeds Welch's by
    (n_c − n_t)·(v_c − v_t)·(n_c + n_t − 1) / ((n_c + n_t − 2)·n_c·n_t): exactly 1 at equal n, and wherever the smaller
    arm is the more variable. A small arm in which nothing rare happened yet has no variance to speak of.
    """
    control, treatment = pair.control, pair.treatment
    if control.count == treatment.count:
        return 1.0
    error = control.error + treatment.error
    if not 0.0 < error < math.inf or min(control.count, treatment.count) < 2:
        return 1.0
    units = control.count + treatment.count
    spread = (control.variance / error - treatment.variance / error) / (control.count * treatment.count)
    return max(1.0, 1.0 + (control.count - treatment.count) * spread * ((units - 1) / (units - 2)))
