"""Sample ratio mismatch: did the arms fill as the weights say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtrc, gammaln

from experiments.statistics.estimate import NoEstimate, Reason
from experiments.statistics.fixed import SMALLEST_P

ALARM_ALPHA = 0.01
CONCENTRATION = 100.0  # prior units per arm: a_i = 100·K·θ_i


@dataclass(frozen=True, slots=True)
class ChiSquare:
    statistic: float
    degrees_of_freedom: int
    p: float


@dataclass(frozen=True, slots=True)
class Balance:
    """Health of the allocation: χ² p now, the sequential p over the closed days, and the alarm that the latter rings.

    `expected` are shares in the order of the arms (0 for an arm of weight 0), `observed` the counts.
    """

    p: float | NoEstimate
    sequential_p: float
    alarm: bool
    expected: tuple[float, ...]
    observed: tuple[int, ...]


def balance(daily_counts: Sequence[Sequence[int]], weights: Sequence[float]) -> Balance:
    """The alarm from cumulative counts per arm at each closed day (the last row is now)."""
    ...


def chi_square(counts: Sequence[int], weights: Sequence[float]) -> ChiSquare | NoEstimate:
    """Pearson's χ² against the weights; arms of weight 0 leave the test and its degrees of freedom."""
    ...


def log_bayes_factor(counts: Sequence[int], weights: Sequence[float]) -> float:
    """ln BF of a Dirichlet-multinomial against the weights (Lindon & Malek 2022), a_i = 100·K·θ_i."""
    ...


def sequential_p(log_bayes_factors: Sequence[float]) -> float:
    """min over the looks of 1 / BF, at most 1: valid at every look."""
    ...
