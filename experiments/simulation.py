"""The simulations behind `resonate simulate`: error rates that the statistics promise, measured with their own code."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from experiments.simulation_intervals import (
    borderline_contradictions,
    coverage,
    cuped_variance_ratio,
    milliseconds_per_comparison,
)
from experiments.simulation_looks import (
    anytime_rejections,
    planned_rejections,
    revenue_rejections,
    sample_ratio_alarms,
)

RUNS: Final = 4000
SEED: Final = 20260105
PEEKED: Final = "GrowthBook relative 1.6 / 3.7 / 7.5 %; fixed z peeked 28-39 %"
COVERED: Final = "delta 0.936-0.947, Spotify 0.83-0.95"

Measure = Callable[[int, np.random.Generator], float]
Progress = Callable[[str, int, int], None]  # figure, figures done, figures in all


@dataclass(frozen=True, slots=True)
class Figure:
    """One promise: the range that is demanded, what was measured of peers, and how ours is measured.

    `by_chance` says that the value is a share of the runs, with a binomial standard error.
    """

    name: str
    demand: str
    range: tuple[float, float]
    peers: str
    measure: Measure
    by_chance: bool = True


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """One row of the table; `met` allows two standard errors of chance."""

    figure: str
    demand: str
    ours: float
    standard_error: float
    peers: str
    met: bool


def simulate(
    figures: Sequence[str] | None = None, runs: int = RUNS, seed: int = SEED, progress: Progress | None = None
) -> list[ErrorRate]:
    """Measure the figures whose names contain one of the given words (all without any), each with its own stream.

    `runs` is the number of simulated experiments per figure. The same seed gives the same table.
    """
    chosen = [figure for figure in FIGURES if figures is None or any(word in figure.name for word in figures)]
    rows: list[ErrorRate] = []
    for done, figure in enumerate(chosen):
        if progress is not None:
            progress(figure.name, done, len(chosen))
        rows.append(_measured(figure, runs, np.random.default_rng([seed, FIGURES.index(figure)])))
    if progress is not None:
        progress("", len(chosen), len(chosen))
    return rows


def _measured(figure: Figure, runs: int, rng: np.random.Generator) -> ErrorRate:
    ours = figure.measure(runs, rng)
    error = math.sqrt(ours * (1.0 - ours) / runs) if figure.by_chance else 0.0
    low, high = figure.range
    met = low - 2.0 * error <= ours <= high + 2.0 * error
    return ErrorRate(figure.name, figure.demand, ours, error, figure.peers, met)


def _false_positives(looks: int, units: int) -> Figure:
    name = f"false positives at any look, anytime, {looks} looks × {units:,} per arm"
    measure: Measure = lambda runs, rng: anytime_rejections(runs, rng, looks, units, 0.05, 0.05)  # noqa: E731
    return Figure(name, "≤ 5 %", (0.0, 0.05), PEEKED, measure)


def _power() -> tuple[Figure, Figure]:
    """28 days of 2,500 units per arm; a planned test looks at them four times."""
    peers = "GrowthBook 0.80, Eppo 0.83"

    def anytime(runs: int, rng: np.random.Generator) -> float:
        return anytime_rejections(runs, rng, 28, 2500, 0.05, 0.055)

    def planned(runs: int, rng: np.random.Generator) -> float:
        return planned_rejections(runs, rng, 4, 7 * 2500, 0.05, 0.055)

    return (
        Figure("power at +10 % on 5 %, anytime, 28 looks", "≥ 0.90", (0.90, 1.0), peers, anytime),
        Figure("power at +10 % on 5 %, planned, 4 looks", "≥ 0.975", (0.975, 1.0), peers, planned),
    )


def _planned_false_positives() -> Figure:
    def measure(runs: int, rng: np.random.Generator) -> float:
        return planned_rejections(runs, rng, 4, 7 * 2500, 0.05, 0.05)

    peers = "four-look bounds read daily 6.4-9 %, read on after the end 9.3 %"
    return Figure("false positives at any look, planned, 4 looks", "≤ 5 %", (0.0, 0.05), peers, measure)


def _coverage(units: int, control: float, treatment: float) -> Figure:
    name = f"coverage of the 95 % lift interval, {100 * control:g} → {100 * treatment:g} %, {units:,} per arm (exact)"
    measure: Measure = lambda _runs, _rng: coverage(units, control, treatment)  # noqa: E731
    return Figure(name, "0.945-0.955", (0.945, 0.955), COVERED, measure, by_chance=False)


def _cuped(correlation: float) -> Figure:
    name = f"CUPED variance ratio over 1 − ρ², ρ = {correlation}"
    measure: Measure = lambda runs, rng: cuped_variance_ratio(runs, rng, correlation)  # noqa: E731
    return Figure(name, "within 5 %", (0.95, 1.05), "", measure, by_chance=False)


def _comparison_time(name: str, most_milliseconds: float, exact: bool) -> Figure:
    measure: Measure = lambda _runs, _rng: milliseconds_per_comparison(exact)  # noqa: E731
    peers = "tea-tasting 0.97, gbstats 0.05-1.1"
    return Figure(name, f"≤ {most_milliseconds} ms", (0.0, most_milliseconds), peers, measure, by_chance=False)


FIGURES: Final[tuple[Figure, ...]] = (
    _false_positives(28, 2500),
    _false_positives(100, 500),
    _false_positives(100, 50),
    _planned_false_positives(),
    *_power(),
    _coverage(1000, 0.02, 0.02),
    _coverage(1000, 0.02, 0.026),
    _coverage(10_000, 0.05, 0.055),
    _coverage(2000, 0.10, 0.20),
    Figure(
        "bounded lift intervals that contradict their p, borderline tables",
        "0",
        (0.0, 0.0),
        "delta 4-26 %",
        borderline_contradictions,
    ),
    *(_cuped(correlation) for correlation in (0.3, 0.5, 0.7, 0.9)),
    Figure(
        "sequential sample-ratio alarms over 28 looks, no mismatch",
        "≤ 0.3 %",
        (0.0, 0.003),
        "χ² at .001: 1 %",
        lambda runs, rng: sample_ratio_alarms(runs, rng, 28, 2500),
    ),
    Figure(
        "false positives at any look, anytime, revenue of 1 in 20 with a heavy tail, 28 looks × 2,500 per arm",
        "≤ 5 %",
        (0.0, 0.05),
        "",
        lambda runs, rng: revenue_rejections(runs, rng, 28, 2500),
    ),
    _comparison_time("milliseconds per comparison, closed forms", 0.2, exact=False),
    _comparison_time("milliseconds per comparison, exact test and quadrature", 3.0, exact=True),
)
