"""Sample ratio mismatch: did the arms fill as the weights say, and with the same kinds of units."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtrc, gammaln

from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.fixed import SMALLEST_P
from experiments.statistics.multiplicity import adjusted

ALARM_ALPHA = 0.01
FEWEST_EXPECTED = 5.0
CONCENTRATION = 100.0  # prior units per arm: a_i = 100·K·θ_i


@dataclass(frozen=True, slots=True)
class ChiSquare:
    statistic: float
    degrees_of_freedom: int
    p: float


@dataclass(frozen=True, slots=True)
class LevelBalance:
    """One row of the drill-down: where an imbalance comes from. `p_adjusted` is Holm's over all rows.

    As everywhere: `dimension`, `level`, `p`.
    """

    dimension: str
    level: str
    observed: tuple[int, ...]
    """Units counted in each variant, in the order of the variants."""
    p: float | NoEstimate
    p_adjusted: float | NoEstimate
    """Here: The p corrected for all levels that are looked at."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Health of the allocation: χ² p as of now, the sequential p over the closed days, and the alarm it rings.

    `expected` are shares in the order of the arms (0 for an arm of weight 0), `observed` the counts.

    As everywhere: `p`, `observed`.
    """

    p: float | NoEstimate
    sequential_p: float
    """How surprising the filling is over all closed days; it may be read on any day, and rings the alarm below 0.01."""
    alarm: bool
    """Whether the variants filled so unlike their weights that no number can be trusted."""
    expected: tuple[float, ...]
    """The share of units that each variant should have, in the order of the variants."""
    observed: tuple[int, ...]
    drill_down: tuple[LevelBalance, ...] = ()
    """Where an imbalance comes from: the same count by day and by dimension."""


def balance(
    closed_days: Sequence[Sequence[int]],
    weights: Sequence[float],
    now: Sequence[int] | None = None,
    levels: Sequence[tuple[str, str, tuple[int, ...]]] = (),
) -> Balance:
    """The alarm from cumulative counts per arm at each closed day, χ² from those of `now` (None: the last of the days).

    A day that is still open is no look: morning and evening visitors may fill the arms in bursts. `levels` are
    dimension, level and counts per arm of what is drilled down to.
    """
    observed = tuple(closed_days[-1] if now is None else now)
    total = math.fsum(weights)
    expected = tuple(weight / total for weight in weights)
    p, *level_ps = (
        test if isinstance(test, NoEstimate) else test.p
        for test in (chi_square(counts, weights) for counts in (observed, *(counts for _, _, counts in levels)))
    )
    alarm_p = sequential_p([log_bayes_factor(counts, weights) for counts in closed_days])
    drill_down = (
        LevelBalance(*level, level_p, corrected)
        for level, level_p, corrected in zip(levels, level_ps, adjusted(level_ps), strict=True)
    )
    return Balance(p, alarm_p, alarm_p < ALARM_ALPHA, expected, observed, tuple(drill_down))


def chi_square(counts: Sequence[int], weights: Sequence[float]) -> ChiSquare | NoEstimate:
    """Pearson's χ² against the weights; arms of weight 0 leave the test and its degrees of freedom."""
    kept = _tested(counts, weights)
    units = sum(count for count, _ in kept)
    if len(kept) < 2 or units == 0:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    statistic = math.fsum((count - units * share) ** 2 / (units * share) for count, share in kept)
    p = float(chdtrc(len(kept) - 1, statistic))
    return ChiSquare(statistic, len(kept) - 1, max(SMALLEST_P, p))


def homogeneity(counts: Sequence[Sequence[int]]) -> float | NoEstimate:
    """p of Pearson's χ² that the rows (arms) have the columns (kinds of units) in the same shares.

    Empty rows and columns leave the test. χ² is no p where fewer than 5 units are expected in a cell (Cochran 1954).
    """
    rows = [row for row in counts if sum(row)]
    columns = [column for column in zip(*rows, strict=True) if sum(column)]
    units = sum(map(sum, columns))
    expected = [[sum(row) * sum(column) / units for column in columns] for row in rows]
    if len(rows) < 2 or len(columns) < 2 or min(map(min, expected)) < FEWEST_EXPECTED:
        return NoEstimate(Caveat.NOT_ENOUGH_UNITS)
    statistic = math.fsum(
        (columns[place][number] - each) ** 2 / each
        for number, row in enumerate(expected)
        for place, each in enumerate(row)
    )
    return max(SMALLEST_P, float(chdtrc((len(rows) - 1) * (len(columns) - 1), statistic)))


def log_bayes_factor(counts: Sequence[int], weights: Sequence[float]) -> float:
    """ln of the Bayes factor of a Dirichlet-multinomial against the weights, a_i = 100·K·θ_i (Lindon & Malek 2022)."""
    kept = _tested(counts, weights)
    if len(kept) < 2:
        return 0.0
    prior = [CONCENTRATION * len(kept) * share for _, share in kept]
    units, mass = sum(count for count, _ in kept), math.fsum(prior)
    terms = [float(gammaln(mass) - gammaln(mass + units))]
    for (count, share), a in zip(kept, prior, strict=True):
        terms.append(float(gammaln(a + count) - gammaln(a)) - count * math.log(share))
    return math.fsum(terms)


def sequential_p(log_bayes_factors: Sequence[float]) -> float:
    """min over the looks of 1 / BF, at most 1: valid at every look (Ville's inequality)."""
    highest = max([0.0, *log_bayes_factors])
    return max(SMALLEST_P, math.exp(-min(highest, 744.0)))


def _tested(counts: Sequence[int], weights: Sequence[float]) -> list[tuple[int, float]]:
    """Count and expected share of the arms that take part."""
    total = math.fsum(weights)
    return [(count, weight / total) for count, weight in zip(counts, weights, strict=True) if weight > 0.0]
