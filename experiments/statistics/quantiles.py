"""Exact quantiles and caps from a value histogram with their order-statistic intervals; and quantiles of times that are
not over for everybody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from experiments.statistics.arms import Arm, ratio_arm
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.statistics.moments import JointMoments, Values

Times = npt.NDArray[np.float64]
Happened = npt.NDArray[np.bool_]
SAME = 2.0**-48  # 16 to 32 last places: what is left of a sum of thousands in whatever order
MOST_TIES = 0.05  # share of the values at the quantile above which its interval is not to be trusted


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Distinct values in ascending order, and how many units (or events) have each.

    Values that differ by less than `SAME` of their size are one, the largest of them: what a unit spent ends in other
    last digits where an engine adds its orders up in another order.
    """

    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @classmethod
    def from_columns(cls, values: Values, counts: Sequence[int] | npt.NDArray[np.int64]) -> "Histogram":
        """From values and their counts in any order, as SQL gives them; a value may stand several times."""
        numbers, occurs = np.asarray(values, dtype=np.float64), np.asarray(counts, dtype=np.int64)
        order = np.argsort(numbers[occurs > 0])
        ascending, often = numbers[occurs > 0][order], occurs[occurs > 0][order]
        apart = np.diff(ascending) > SAME * np.abs(ascending[1:])
        last = np.flatnonzero(np.append(apart, np.ones(min(1, ascending.size), dtype=np.bool_)))
        return cls(ascending[last], np.diff(np.cumsum(often)[last], prepend=0))

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def nonzero(self) -> "Histogram":
        """Without the zeros: those who bought."""
        kept = self.values != 0.0
        return Histogram(self.values[kept], self.counts[kept])

    def at_rank(self, rank: int) -> float:
        """The value of this rank, from 1."""
        return float(self.values[int(np.searchsorted(np.cumsum(self.counts), rank))])

    def quantile(self, q: float) -> float | NoEstimate:
        """The smallest value that at least a share q of the values do not exceed."""
        if self.count == 0:
            return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
        return self.at_rank(max(1, math.ceil(self.count * q - 1e-9)))


def cap_value(pooled: Histogram, percentile: float) -> float | NoEstimate:
    """The cap p99.9 (`percentile` 0.999) of the non-zero values, both arms pooled, before anything is subtracted.

    Over all units it would be 0 at 0.08 % conversion, and lose 18 % of the revenue at 1 %.
    """
    return pooled.nonzero().quantile(percentile)


@dataclass(frozen=True, slots=True)
class QuantileEstimate:
    """A quantile with its order-statistic interval, and the arm that a comparison takes."""

    value: float
    ci: Interval
    arm: Arm


def quantile_estimate(
    histogram: Histogram, q: float, clusters: JointMoments | None = None, alpha: float = 0.05
) -> QuantileEstimate | NoEstimate:
    """Order-statistic interval at ranks nν ± z·√(nν(1 − ν)) (David & Nagaraja 2003, ch. 7).

    `clusters` is for events as the sample: joint moments over units of num = events at or below the quantile and
    den = events. The ranks then spread by the clustered standard error of the share num/den (Deng, Knoblich & Lu 2018).
    More than 5 % of values at the quantile: `ties`.
    """
    count, value = histogram.count, histogram.quantile(q)
    if isinstance(value, NoEstimate):
        return value
    spread = _rank_spread(count, q, clusters)
    if isinstance(spread, NoEstimate):
        return spread
    z = -float(ndtri(alpha / 2.0))
    low, high = math.floor(count * q - z * spread), math.ceil(count * q + z * spread)
    if low < 1 or high > count:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    ci = Interval(histogram.at_rank(low), histogram.at_rank(high))
    ties = float(histogram.counts[int(np.searchsorted(histogram.values, value))]) / count
    if ties > MOST_TIES or ci.width <= 0.0:
        return NoEstimate(Caveat.TIES)
    units = clusters.count if clusters is not None else count
    arm = replace(quantile_arm(units, value, ci, alpha), beyond=round(count * min(q, 1.0 - q), 9))
    return QuantileEstimate(value, ci, arm)


def quantile_arm(units: int, value: float, ci: Interval, alpha: float = 0.05) -> Arm:
    """The arm of a quantile whose interval at 1 − alpha is known: squared error ((high − low) / 2z)²·(n − 1)/n."""
    error = ci.width / (-2.0 * float(ndtri(alpha / 2.0)))
    return Arm(units, value, error * error * (units - 1))


def _rank_spread(count: int, q: float, clusters: JointMoments | None) -> float | NoEstimate:
    """Standard deviation of the number of values at or below the quantile."""
    if clusters is None:
        return math.sqrt(count * q * (1.0 - q))
    share = ratio_arm(clusters)
    return share if isinstance(share, NoEstimate) else count * math.sqrt(share.error)


LEVEL = 1e-12  # by which a survival may miss the quantile's level by rounding


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalCurve:
    """Times that are not over for everybody: whoever still waits is censored, not left out, because a median of those
    who were served looks fast where the hard ones are missing (Kaplan & Meier 1958).

    `surviving` is the share that still waits after each of the `times` at which something happened, ascending; `hazard`
    Greenwood's sum Σ d / (n·(n − d)) up to it, the variance of the logarithm of that share. `count` are all who waited.
    """

    times: Times
    surviving: Times
    hazard: Times
    count: int

    @classmethod
    def of(cls, times: Times, happened: Happened) -> Self:
        """Of how long each waited, and whether that ended it; at one time whoever was served goes before who waits."""
        order = np.argsort(times, kind="stable")
        return cls.of_sorted(times[order], happened[order])

    @classmethod
    def of_sorted(cls, times: Times, happened: Happened) -> Self:
        """The same of ascending times."""
        count = int(times.size)
        starts = np.flatnonzero(np.diff(times, prepend=-np.inf))
        deaths = np.add.reduceat(happened.astype(np.float64), starts) if count else np.zeros(0)
        kept = deaths > 0
        deaths, at_risk = deaths[kept], count - starts[kept].astype(np.float64)
        with np.errstate(divide="ignore"):
            hazard = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        surviving = np.cumprod((at_risk - deaths) / at_risk, dtype=np.float64)
        return cls(times[starts[kept]], surviving, hazard, count)

    def quantile(self, q: float) -> float | None:
        """The smallest time by which a share q of all is over; None where so many are not over yet."""
        over = np.flatnonzero(self.surviving <= 1.0 - q + LEVEL)
        return float(self.times[over[0]]) if over.size else None

    def quantile_ends(self, q: float, alpha: float) -> tuple[float, float]:
        """The interval of a quantile: the times whose share is not significantly another one (Brookmeyer & Crowley
        1982), on the scale log(−log S) with Greenwood's variance (Kalbfleisch & Prentice 1980; the `log-log` of R's
        survfit). The upper end is infinite where nobody is left beyond it.
        """
        if not self.times.size:
            return 0.0, math.inf
        inside = np.flatnonzero(self._distances(1.0 - q) <= -float(ndtri(alpha / 2.0)))
        over = np.flatnonzero(self.surviving <= 1.0 - q + LEVEL)
        last = int(inside[-1]) + 1 if inside.size else int(over[0]) if over.size else self.times.size
        low = int(inside[0]) if inside.size else min(last, self.times.size - 1)
        known = last < self.times.size and self.surviving[last] > 0.0
        return float(self.times[low]), float(self.times[last]) if known else math.inf

    def _distances(self, level: float) -> Times:
        """How many standard errors the share after each time lies from the level; before the first and after the last
        one has waited, no error is known, and nothing is that level."""
        surviving = self.surviving
        known = (surviving > 0.0) & (surviving < 1.0)
        distances = np.full(surviving.shape, np.inf)
        logs = np.log(surviving[known])
        errors = np.sqrt(self.hazard[known]) / np.abs(logs)
        distances[known] = np.abs(np.log(-logs) - math.log(-math.log(level))) / errors
        return distances
