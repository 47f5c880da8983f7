"""Exact quantiles and caps from a value histogram, and the order-statistic interval of a quantile."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.statistics.arms import Arm
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.moments import JointMoments, Moments


@dataclass(frozen=True, slots=True)
class Histogram:
    """Distinct values in ascending order, and how many units (or events) have each; additive."""

    values: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Histogram": ...

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[float, int]]) -> "Histogram":
        """From (value, count) in any order, as SQL gives them."""
        ...

    def __add__(self, other: "Histogram") -> "Histogram": ...

    @property
    def count(self) -> int: ...

    def nonzero(self) -> "Histogram": ...

    def quantile(self, q: float) -> float | NoEstimate:
        """The smallest value that at least a share q of the values do not exceed."""
        ...

    def capped(self, cap: float) -> Moments:
        """Moments of the values after capping them from above."""
        ...


def cap_value(pooled: Histogram, percentile: float) -> float | NoEstimate:
    """The cap p99.9 (`percentile` 0.999) of the non-zero values, both arms pooled, before anything is subtracted."""
    ...


@dataclass(frozen=True, slots=True)
class QuantileEstimate:
    """A quantile with its order-statistic interval and the arm that a comparison takes."""

    value: float
    ci: Interval
    arm: Arm


def quantile_estimate(
    histogram: Histogram, q: float, clusters: JointMoments | None = None, alpha: float = 0.05
) -> QuantileEstimate | NoEstimate:
    """Order-statistic interval: ranks nν ± z·√(nν(1 − ν)), widened by the clustering of events in units.

    `clusters`, where events are the sample: joint moments over units of num = events at or below the quantile and
    den = events.
    """
    ...
