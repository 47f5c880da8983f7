"""Simulated experiments that are looked at again and again: anytime, planned, and the sample-ratio alarm."""

import numpy as np
import numpy.typing as npt

from experiments.statistics.balance import ALARM_ALPHA, log_bayes_factor, sequential_p
from experiments.statistics.group_sequential import Look, equal_looks, planned_critical
from experiments.statistics.sequential import anytime_critical, tuning

ALPHA = 0.05
Array = npt.NDArray[np.float64]
_AT_ONCE = 500  # runs whose single amounts are in memory together


def anytime_rejections(
    runs: int, rng: np.random.Generator, looks: int, units_per_look: int, control: float, treatment: float
) -> float:
    """Share of runs whose anytime interval excludes zero at any look; n* is the planned end.

    `units_per_look` are those of one arm; `control` and `treatment` are true conversion rates.
    """
    statistics, units = _statistics(runs, rng, looks, units_per_look, (control, treatment))
    rho_squared = tuning(ALPHA, int(units[-1]))
    criticals = np.array([anytime_critical(ALPHA, rho_squared * count) for count in units])
    return float((np.abs(statistics) > criticals).any(axis=1).mean())


def planned_rejections(
    runs: int, rng: np.random.Generator, looks: int, units_per_look: int, control: float, treatment: float
) -> float:
    """Share of runs whose statistic crosses its boundary at one of the planned looks."""
    statistics, units = _statistics(runs, rng, looks, units_per_look, (control, treatment))
    schedule = equal_looks(looks)
    criticals = [planned_critical(ALPHA, Look(k + 1, schedule), float(units[k]) - 2.0) for k in range(looks)]
    return float((np.abs(statistics) >= np.array(criticals)).any(axis=1).mean())


def fixed_rejections_at_every_look(
    runs: int, rng: np.random.Generator, looks: int, units_per_look: int, control: float, treatment: float
) -> float:
    """Share of runs that a fixed test calls significant at some look: what peeking does."""
    statistics, _ = _statistics(runs, rng, looks, units_per_look, (control, treatment))
    return float((np.abs(statistics) > 1.959963984540054).any(axis=1).mean())


def revenue_rejections(runs: int, rng: np.random.Generator, looks: int, units_per_look: int) -> float:
    """The first share for revenue per unit in an A/A: one unit in twenty buys, amounts are log-normal with σ = 1.5."""
    rho_squared = tuning(ALPHA, 2 * units_per_look * looks)
    count = units_per_look * np.arange(1, looks + 1)
    criticals = np.array([anytime_critical(ALPHA, rho_squared * 2 * units) for units in count])
    rejected = 0
    for begun in range(0, runs, _AT_ONCE):
        sums, squares = _revenue(rng, (min(_AT_ONCE, runs - begun), 2, looks), units_per_look)
        error = ((squares - sums**2 / count) / (count - 1) / count).sum(axis=1)
        difference = (sums[:, 1] - sums[:, 0]) / count
        statistics = np.divide(difference, np.sqrt(error), out=np.zeros_like(difference), where=error > 0.0)
        rejected += int((np.abs(statistics) > criticals).any(axis=1).sum())
    return rejected / runs


def sample_ratio_alarms(runs: int, rng: np.random.Generator, looks: int, units_per_look: int) -> float:
    """Share of runs without a mismatch in which the sequential alarm rings at any look; two equal arms."""
    arrivals = rng.binomial(2 * units_per_look, 0.5, (runs, looks)).cumsum(axis=1)
    totals = 2 * units_per_look * np.arange(1, looks + 1)
    alarms = 0
    for run in arrivals:
        factors = [
            log_bayes_factor((int(count), int(total - count)), (0.5, 0.5))
            for count, total in zip(run, totals, strict=True)
        ]
        alarms += sequential_p(factors) < ALARM_ALPHA
    return alarms / runs


def _revenue(rng: np.random.Generator, shape: tuple[int, int, int], units: int) -> tuple[Array, Array]:
    """Sums of amounts and of their squares up to each look, by run and arm."""
    purchases = rng.binomial(units, 0.05, shape).ravel()
    amounts = rng.lognormal(0.0, 1.5, int(purchases.sum()))
    cell = np.repeat(np.arange(purchases.size), purchases)
    sums = np.bincount(cell, amounts, purchases.size).reshape(shape)
    squares = np.bincount(cell, amounts**2, purchases.size).reshape(shape)
    return sums.cumsum(axis=2), squares.cumsum(axis=2)


def _statistics(
    runs: int, rng: np.random.Generator, looks: int, units_per_look: int, rates: tuple[float, float]
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Welch's statistic per run and look, 0 where nothing varies yet, and the units of both arms at each look."""
    chances = np.array(rates)[None, :, None]
    conversions = rng.binomial(units_per_look, chances, (runs, 2, looks)).cumsum(axis=2)
    count = units_per_look * np.arange(1, looks + 1)
    mean = conversions / count
    error = (mean * (1.0 - mean) / (count - 1)).sum(axis=1)
    difference = mean[:, 1] - mean[:, 0]
    statistics = np.divide(difference, np.sqrt(error), out=np.zeros_like(difference), where=error > 0.0)
    return statistics, 2 * count
