"""A figure of customers' experience as an estimate: its value, and how far it may lie, at any level.

The difference of two of them has the interval that is recovered from their own (MOVER, Zou & Donner 2008; of two shares
it is Newcombe's), and the p at which that interval just holds 0.
"""

import math
from dataclasses import dataclass
from typing import Final, Protocol

from experiments.answers.customers import Unsaid
from experiments.statistics.arms import Arm, mean_arm, proportion_arm, ratio_arm
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.fixed import welch_critical, wilson_interval
from experiments.statistics.moments import JointMoments, Values
from experiments.statistics.quantiles import SurvivalCurve
from experiments.statistics.roots import root

ALPHA: Final = 0.05
SMALLEST: Final = 1e-12
"""The smallest p that is told apart from others."""
FAR: Final = 1e100
Ends = tuple[float, float]
NOWHERE: Final[Ends] = (-math.inf, math.inf)


class Estimate(Protocol):
    """What can be said of a figure; `lack` is why it has no value, or no interval."""

    @property
    def value(self) -> float | None: ...

    @property
    def lack(self) -> Unsaid | None: ...

    def ends(self, alpha: float) -> Ends:
        """The interval at 1 − alpha; an end that is not known is infinite."""
        ...


@dataclass(frozen=True, slots=True)
class Nothing:
    """A figure that cannot be given."""

    lack: Unsaid = Unsaid.NOTHING_YET
    value: None = None

    def ends(self, alpha: float) -> Ends:
        return NOWHERE


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """So many of so many, each of whom counts once, by Wilson's interval."""

    arm: Arm
    lack: None = None

    @property
    def value(self) -> float:
        return self.arm.value

    def ends(self, alpha: float) -> Ends:
        found = wilson_interval(self.arm, alpha)
        return found.low, found.high


@dataclass(frozen=True, slots=True)
class Ratio:
    """A mean over people, or Σ num / Σ den by the delta method, with Student's t; `low` and `high` bound what it is."""

    arm: Arm
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.arm.value

    @property
    def lack(self) -> Unsaid | None:
        if not self.arm.is_settled:
            return Unsaid.TOO_FEW
        return Unsaid.ALL_EQUAL if self.arm.variance <= 0.0 else None

    def ends(self, alpha: float) -> Ends:
        if self.lack is not None:
            return NOWHERE
        half = welch_critical(alpha, self.arm.count - 1) * math.sqrt(self.arm.error)
        return max(self.low, self.value - half), min(self.high, self.value + half)


def share_of(hits: int, of: int, lack: Unsaid = Unsaid.NOTHING_YET) -> Estimate:
    """The share of those who did; `lack` says why there is nobody, where there is nobody."""
    arm = proportion_arm(of, hits)
    return Nothing(lack) if isinstance(arm, NoEstimate) else RateEstimate(arm)


def mean(values: Values, low: float, high: float) -> Estimate:
    """The mean of what each of some people said."""
    own = JointMoments.of({"num": values})
    arm = mean_arm(own.moments("num"))
    return Nothing() if isinstance(arm, NoEstimate) else Ratio(arm, low, high)


def ratio(moments: JointMoments, low: float, high: float) -> Estimate:
    """Σ num / Σ den, where Σ den is more than 0."""
    arm = ratio_arm(moments)
    return Nothing() if isinstance(arm, NoEstimate) else Ratio(arm, low, high)


@dataclass(frozen=True, slots=True)
class TimeQuantile:
    """Within how long a share `q` of all is done, those who still wait included."""

    curve: SurvivalCurve
    q: float

    @property
    def value(self) -> float | None:
        return self.curve.quantile(self.q)

    @property
    def lack(self) -> Unsaid | None:
        if self.value is None:
            return Unsaid.MOSTLY_OPEN if self.curve.count else Unsaid.NOTHING_YET
        return Unsaid.OPEN_END if math.isinf(self.curve.quantile_ends(self.q, ALPHA)[1]) else None

    def ends(self, alpha: float) -> Ends:
        return self.curve.quantile_ends(self.q, alpha)


def interval_of(estimate: Estimate, alpha: float = ALPHA) -> Interval | None:
    """The interval of a figure that has a value, None where an end of it is not known."""
    low, high = estimate.ends(alpha)
    known = estimate.value is not None and math.isfinite(low) and math.isfinite(high)
    return Interval(low, high) if known else None


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure less the same of the time before."""

    value: float
    ci: Interval | None
    p: float | None


def difference_of(now: Estimate, before: Estimate) -> Difference | None:
    """None where either has no value; without an interval there is no p either."""
    if now.value is None or before.value is None:
        return None
    pair = _Compared(now, before, now.value, before.value)
    low, high = pair.ends(ALPHA)
    if math.isinf(low) or math.isinf(high):
        return Difference(pair.difference, None, None)
    return Difference(pair.difference, Interval(low, high), pair.p)


@dataclass(frozen=True, slots=True)
class _Compared:
    now: Estimate
    before: Estimate
    value: float
    previous: float

    @property
    def difference(self) -> float:
        return self.value - self.previous

    def ends(self, alpha: float) -> Ends:
        """d − √((v₁ − l₁)² + (u₀ − v₀)²) and d + √((u₁ − v₁)² + (v₀ − l₀)²)."""
        (low, high), (before_low, before_high) = self.now.ends(alpha), self.before.ends(alpha)
        below = math.hypot(self.value - low, before_high - self.previous)
        return self.difference - below, self.difference + math.hypot(high - self.value, self.previous - before_low)

    @property
    def p(self) -> float:
        """The level at which the end that is nearer to 0 touches it."""
        if self.difference == 0.0:
            return 1.0
        certain, chance = math.log(SMALLEST), math.log(math.nextafter(1.0, 0.0))
        if self._clear(certain) >= 0.0:
            return SMALLEST
        return math.exp(root(self._clear, certain, chance)) if self._clear(chance) > 0.0 else 1.0

    def _clear(self, log_alpha: float) -> float:
        """By how much the interval at this level is clear of 0; finite, as the search for the root needs it."""
        low, high = self.ends(math.exp(log_alpha))
        return max(-FAR, low if self.difference > 0.0 else -high)
