"""Looking again and again: the anytime-valid confidence sequence, and group-sequential bounds at planned looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtrit

from experiments.statistics.effect import Effect
from experiments.statistics.fixed import SMALLEST_P
from experiments.statistics.roots import root


@lru_cache(maxsize=1024)
def tuning(alpha: float, planned_units: int) -> float:
    """ρ² that makes the sequence narrowest at n* = planned_units: (−2 ln α + ln(1 − 2 ln α)) / n*.

    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2021), eq. 155. n* is frozen with the phase.
    """
    return (-2.0 * math.log(alpha) + math.log(1.0 - 2.0 * math.log(alpha))) / max(1, planned_units)


def anytime_critical(level: float, precision: float) -> float:
    """Half-width in standard errors: √((nρ² + 1)/(nρ²) · 2 ln(√(nρ² + 1)/level)); same paper, eq. 9.

    `precision` is nρ²: ρ² belongs to the plan's alpha, so that intervals at several levels are of one sequence.
    """
    return math.sqrt((precision + 1.0) / precision * 2.0 * (0.5 * math.log1p(precision) - math.log(level)))


def anytime_p(effect: Effect, precision: float) -> float:
    """min(1, √(nρ² + 1)·exp(−nρ²·d² / (2·SE²·(nρ² + 1)))): valid at any look, dual to the interval."""
    statistic = effect.statistic
    exponent = 0.5 * math.log1p(precision) - 0.5 * statistic * statistic * precision / (precision + 1.0)
    return 1.0 if exponent >= 0.0 else max(SMALLEST_P, math.exp(exponent))


Array = npt.NDArray[np.float64]
NODES = 64  # Gauss-Legendre nodes per panel
WIDEST = 40.0  # standard deviations of a step that a panel spans: bounds agree with panels half as wide to 1e-9
CLOSEST = 1e-10  # share of the units that counts as somebody new: less moves the walk by 1e-5 standard deviations
REACH = 8.5  # standard deviations to which an open side of the walk, and a step's kernel, is integrated
CERTAIN = 0.999  # the largest alpha for which bounds are solved; a repeated p above it is 1
TINY = 1e-14  # below it the paths that crossed earlier no longer matter
_POSITIONS, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)
_FROM_START = _POSITIONS + 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """The `number`-th look of a plan (from 1).

    `units` are those of both arms at each look so far whose gate was open, ascending: the information, up to scale, of
    which the correlation between looks follows. `spent` is the share of the spending time at each of them, ascending, 1
    at the last look of the plan. `looks_so_far` makes it.
    """

    number: int
    units: tuple[int, ...]
    spent: tuple[float, ...]


def looks_so_far(reached: Sequence[tuple[int, int]], planned_units: int, looks: int) -> Look:
    """From the number and the units of each look that was reached with an open gate, of a plan with so many looks.

    A look spends by the units that it has of those planned, at most by the calendar (traffic above the plan must not
    use up alpha early), and the last one all that is left, however many came.
    """
    spent: list[float] = []
    for number, units in reached:
        share = 1.0 if number >= looks else min(units / max(1, planned_units), number / looks)
        spent.append(max([share, *spent[-1:]]))
    return Look(reached[-1][0], tuple(units for _, units in reached), tuple(spent))


def equal_looks(looks: int) -> tuple[float, ...]:
    """Information fractions of equally spaced looks: k / looks."""
    return tuple((number + 1) / looks for number in range(looks))


def spent(alpha: float, information: float) -> float:
    """Alpha spent by information fraction t: alpha·t² (power family, Kim & DeMets 1987)."""
    return alpha * min(1.0, information) ** 2


@lru_cache(maxsize=1024)
def bounds(
    alpha: float, information: tuple[float, ...], spending: tuple[float, ...] | None = None, sides: int = 2
) -> tuple[float, ...]:
    """Standard normal bounds per look for looks at ascending information, integrating the walk's density.

    Armitage, McPherson & Rowe (1969); Lan & DeMets (1983). With `sides` 2 they are symmetric and share alpha.
    `spending` is the spending time at each look; None: the information is in fractions, and alpha is spent by it.
    """
    return solved_bounds(alpha, information, spending or information, sides)


def solved_bounds(
    alpha: float, information: tuple[float, ...], spending: tuple[float, ...], sides: int = 2
) -> tuple[float, ...]:
    """The bounds, not cached: the walk W(t) = Z·√t has independent normal increments between looks.

    A look at which nobody has come since the one before sees the same walk: it starts where that one started, and has
    what both spend together. The density is summed up over panels as narrow as the steps ask for: planned looks ask for
    one, a look close upon another for many.
    """
    solved: list[float] = []
    points, density = np.zeros(1), np.ones(1)
    scale = wall = spent_before = spent_last = reached = 0.0
    for amount, share in zip(information, spending, strict=True):
        fraction = amount / information[-1]
        if fraction > reached * (1.0 + CLOSEST):
            step = math.sqrt(fraction - reached)
            if solved:
                low = -wall if sides == 2 else -REACH * math.sqrt(reached)
                points, density = _onward(points, density, scale, _edges(low, wall, scale, step))
            scale, reached, spent_before = step, fraction, spent_last
        spent_last = spent(alpha, share)
        wall = _wall(points, density, scale, (spent_last - spent_before) / sides)
        solved.append(wall / math.sqrt(reached))
    return tuple(solved)


def _edges(low: float, high: float, arrived: float, step: float) -> Array:
    """Where panels begin and end; `arrived` and `step` are standard deviations of the last step and of the next.

    The next step's kernel has its width everywhere (R's ldbounds makes its grid by the step, too: `landem`). The last
    step left a drop of its width at the last wall, which is near an end or outside: from there panels may double.
    """
    distances, rest = [0.0], high - low
    while rest > (widest := min(WIDEST * step, WIDEST * arrived + distances[-1])):
        distances.append(distances[-1] + min(widest, rest / 3.0))
        rest = high - low - 2.0 * distances[-1]
    return np.array([*(low + distance for distance in distances), *(high - distance for distance in distances[::-1])])


def _onward(points: Array, density: Array, scale: float, edges: Array) -> tuple[Array, Array]:
    """Points in the panels and the weighted density there, one normal step after that at `points` (ascending)."""
    starts, halves = edges[:-1, None], (edges[1:] - edges[:-1])[:, None] / 2.0
    panels = starts + halves * _FROM_START
    targets, origins = panels / scale, points / scale
    firsts, lasts = origins.searchsorted(targets[:, 0] - REACH), origins.searchsorted(targets[:, -1] + REACH)
    arriving = np.empty_like(panels)
    for number, (target, first, last) in enumerate(zip(targets, firsts, lasts, strict=True)):
        exponents = target[:, None] - origins[first:last]
        exponents *= exponents
        exponents *= -0.5
        arriving[number] = np.exp(exponents, out=exponents) @ density[first:last]
    arriving *= halves * _WEIGHTS / (scale * math.sqrt(math.tau))
    return panels.ravel(), arriving.ravel()


def _wall(points: Array, density: Array, scale: float, tail: float) -> float:
    """The value that the next step exceeds with probability `tail`, given the weighted density of where it starts.

    With nothing left to spend it lies where the walk does not come.
    """
    origins = points / scale
    lowest, highest = float(origins[0]) - 9.0, float(origins[-1]) + 9.0
    if tail <= 0.0:
        return scale * highest
    if points.size == 1:
        return -scale * float(ndtri(tail))
    logarithm = math.log(tail)

    def excess(wall: float) -> float:
        crossing = float(ndtr(origins - wall) @ density)
        return math.log(crossing) - logarithm if crossing > 0.0 else -1e3

    return scale * root(excess, lowest, highest)


def boundary(alpha: float, look: Look) -> float:
    """The bound of this look."""
    return bounds(alpha, look.units, look.spent)[-1]


def planned_critical(alpha: float, look: Look, degrees_of_freedom: float) -> float:
    """The bound as a t quantile of the same nominal level (significance-level approach, Jennison & Turnbull 2000)."""
    return -float(stdtrit(degrees_of_freedom, ndtr(-boundary(alpha, look))))


def planned_p(p: float, look: Look) -> float:
    """Repeated p at this look: the smallest alpha whose bound the fixed two-sided `p` reaches (Jennison & Turnbull)."""
    earlier = [share for units, share in zip(look.units, look.spent, strict=True) if units < look.units[-1]]
    own = look.spent[-1] ** 2 - (earlier[-1] ** 2 if earlier else 0.0)
    if own <= 0.0:
        return 1.0
    ceiling = min(1.0, p / own)  # the bound of a look never spends less than its own share of alpha
    if not earlier or p < TINY:
        return max(SMALLEST_P, ceiling)
    statistic = -float(ndtri(p / 2.0))

    def distance(logarithm: float) -> float:
        return solved_bounds(math.exp(logarithm), look.units, look.spent)[-1] - statistic

    if distance(math.log(CERTAIN)) >= 0.0:
        return 1.0
    return math.exp(root(distance, math.log(p), math.log(min(CERTAIN, ceiling)), 1e-11))
