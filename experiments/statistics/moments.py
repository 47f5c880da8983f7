"""Centred moments: all that a test needs to know of many units, additive over parts, days and shards."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Self

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.int64] | npt.NDArray[np.bool_]
ROUNDING = 2.0**-52


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and m2 (the sum of squared deviations) of one column.

    m2 rather than a plain sum of squares, because that cancels when the mean is large against the spread.
    """

    count: int
    mean: float
    m2: float

    @classmethod
    def of_conversions(cls, count: int, conversions: int) -> Self:
        """Moments of `conversions` ones among `count` units, the others zero."""
        if count == 0:
            return cls(0, 0.0, 0.0)
        return cls(count, conversions / count, conversions * (count - conversions) / count)

    @property
    def total(self) -> float:
        return self.mean * self.count

    @property
    def variance(self) -> float:
        """Sample variance (n − 1); 0 below two units, and 0 where only rounding is left."""
        return sample_variance(self.count, self.mean, self.m2)


def _centred(product: float, correction: float, count: int) -> float:
    """Their difference, or 0 where it is no more than the rounding of two sums of so many addends that cancel."""
    difference = product - correction
    return difference if abs(difference) > max(8, count) * ROUNDING * abs(product) else 0.0


def mean_or_nothing(mean: float, count: int, deviation: float) -> float:
    """The mean, or 0 where the rounding of so many addends of this deviation leaves as much: no base for a lift."""
    return 0.0 if abs(mean) <= max(8, count) * ROUNDING * deviation else mean


def sample_variance(count: int, mean: float, m2: float) -> float:
    """m2 / (n − 1); a spread below one unit in the last place of the mean is rounding, not variance."""
    if count < 2:
        return 0.0
    variance = m2 / (count - 1)
    return variance if variance > (ROUNDING * mean) * (ROUNDING * mean) else 0.0


@dataclass(frozen=True, slots=True)
class JointMoments:
    """Means and co-moments of several columns of the same units.

    `columns` are named by their role: ratio ("num", "den"); CUPED ("y", "x", "has_history");
    CUPED of a ratio ("num", "den", "xnum", "xden", "has_history").
    `comoments` holds Σ(a − ā)(b − b̄) for every pair a ≤ b in the order of `combinations_with_replacement(columns, 2)`.
    `nonzero` is how many units have another value than 0 in the first column: those in whom something happened.
    """

    columns: tuple[str, ...]
    count: int
    means: tuple[float, ...]
    comoments: tuple[float, ...]
    nonzero: int

    @classmethod
    def of(cls, columns: Mapping[str, Values]) -> Self:
        """Joint moments of raw columns of equal length, in two passes around the first values."""
        names = tuple(columns)
        table = np.asarray([np.asarray(columns[name], dtype=np.float64) for name in names])
        count = int(table.shape[1])
        if count == 0:
            return cls.from_sums(0, dict.fromkeys(names, 0.0), {})
        shift, nonzero = table[:, :1], int(np.count_nonzero(table[0]))
        table = table - shift
        means = table.mean(axis=1, keepdims=True)
        products = (table - means) @ (table - means).T
        packed = tuple(float(products[i, j]) for i, j in combinations_with_replacement(range(len(names)), 2))
        return cls(names, count, tuple(float(mean) for mean in (shift + means).ravel()), packed, nonzero)

    @classmethod
    def from_sums(
        cls,
        count: int,
        totals: Mapping[str, float],
        products: Mapping[tuple[str, str], float],
        shifts: Mapping[str, float] | None = None,
        nonzero: int | None = None,
    ) -> Self:
        """From Σ(a − shift_a) and Σ(a − shift_a)(b − shift_b) per pair, in either order, as SQL gives them.

        Choose shifts near the means. `nonzero` None: no unit's first value is 0.
        """
        names, shift = tuple(totals), shifts or {}
        pairs = tuple(combinations_with_replacement(names, 2))
        if count == 0:
            return cls(names, 0, (0.0,) * len(names), (0.0,) * len(pairs), 0)
        packed = tuple(
            _centred(products[a, b] if (a, b) in products else products[b, a], totals[a] * totals[b] / count, count)
            for a, b in pairs
        )
        means = tuple(shift.get(name, 0.0) + totals[name] / count for name in names)
        return cls(names, count, means, packed, count if nonzero is None else nonzero)

    def __add__(self, other: "JointMoments") -> "JointMoments":
        """Joint moments of both parts together (Chan, Golub & LeVeque 1979)."""
        count = self.count + other.count
        if count == 0:
            return self
        steps = [theirs - ours for ours, theirs in zip(self.means, other.means, strict=True)]
        weight = (self.count / count) * other.count
        means = tuple(ours + step * (other.count / count) for ours, step in zip(self.means, steps, strict=True))
        pairs = combinations_with_replacement(steps, 2)
        comoments = tuple(
            ours + theirs + left * right * weight
            for (left, right), ours, theirs in zip(pairs, self.comoments, other.comoments, strict=True)
        )
        return JointMoments(self.columns, count, means, comoments, self.nonzero + other.nonzero)

    def mean(self, column: str) -> float:
        return self.means[self.columns.index(column)]

    def moments(self, column: str) -> Moments:
        """The moments of one column alone."""
        return Moments(self.count, self.mean(column), max(0.0, self.comoment(column, column)))

    def comoment(self, left: str, right: str) -> float:
        """Σ(left − mean)(right − mean)."""
        i, j = sorted((self.columns.index(left), self.columns.index(right)))
        size = len(self.columns)
        return self.comoments[i * size - i * (i - 1) // 2 + j - i]

    def covariance(self, left: str, right: str) -> float:
        """Sample covariance (n − 1); 0 below two units."""
        if self.count < 2:
            return 0.0
        if left == right:
            return self.moments(left).variance
        return self.comoment(left, right) / (self.count - 1)


def is_finite(*values: float) -> bool:
    """Whether all sums stayed inside double precision."""
    return all(math.isfinite(value) for value in values)
