"""The anytime-valid method: an asymptotic confidence sequence that holds at every look at once."""

import math
from collections.abc import Iterable

from experiments.statistics.effect import Effect
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.fixed import SMALLEST_P


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


def running_minimum(p_values: Iterable[float | NoEstimate]) -> tuple[float | NoEstimate, ...]:
    """p_min per closed day: the smallest p so far; a day that says nothing keeps what was known."""
    smallest: float | NoEstimate | None = None
    minima: list[float | NoEstimate] = []
    for p in p_values:
        if smallest is None or isinstance(smallest, NoEstimate) or (not isinstance(p, NoEstimate) and p < smallest):
            smallest = p
        minima.append(smallest)
    return tuple(minima)
