"""The simulations behind `resonate simulate`: error rates that the statistics promise, measured with their own code."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.statistics.arms import Pair, pair, proportion_arm
from experiments.statistics.comparison import Question, compare, fixed_answer
from experiments.statistics.cuped import adjust_means
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.sample_ratio import ALARM_ALPHA, log_bayes_factor, sequential_p
from experiments.statistics.sequential import Look, anytime_critical, looks_so_far, planned_critical, tuning

ALPHA = 0.05
TAIL = 4.5  # standard deviations of conversions enumerated on each side: all but 1e-5 of the probability
BORDERLINE = (0.04, 0.06)


def coverage(units: int, control: float, treatment: float) -> float:
    """Exact coverage of the fixed lift interval, by enumerating the conversions of both arms; units are per arm.

    A missing interval (unbounded) covers.
    """
    truth = treatment / control - 1.0
    covered = total = 0.0
    for x_c, weight_c in _binomial(units, control):
        for x_t, weight_t in _binomial(units, treatment):
            ci = fixed_answer(_shares(x_c, units, x_t, units), ALPHA).ci
            covered += weight_c * weight_t * (isinstance(ci, NoEstimate) or ci.contains(truth))
            total += weight_c * weight_t
    return covered / total


def borderline_contradictions(runs: int, rng: np.random.Generator) -> float:
    """Share of borderline tables (p from 0.04 to 0.06) with a bounded lift interval that contradicts its p."""
    found = contradictions = 0
    while found < runs:
        n_c, n_t = ((500, 4500), (1000, 1000), (4500, 500), (200, 260))[int(rng.integers(4))]
        rate = float(rng.uniform(0.02, 0.5))
        x_c, x_t = int(rng.binomial(n_c, rate)), int(rng.binomial(n_t, min(0.95, rate * rng.uniform(0.6, 1.6))))
        answer = fixed_answer(_shares(x_c, n_c, x_t, n_t), ALPHA)
        if isinstance(answer.p, NoEstimate) or not BORDERLINE[0] < answer.p < BORDERLINE[1]:
            continue
        found += 1
        if not isinstance(answer.ci, NoEstimate):
            contradictions += answer.ci.contains(0.0) == (answer.p < ALPHA)
    return contradictions / runs


def cuped_variance_ratio(runs: int, rng: np.random.Generator, correlation: float) -> float:
    """Adjusted over unadjusted variance, divided by 1 − ρ²; a mean over experiments of 2 × 1,000 units."""
    ratios: list[float] = []
    for _ in range(max(20, runs // 20)):
        arms: list[JointMoments] = []
        for _ in range(2):
            x = rng.standard_normal(1000)
            y = correlation * x + math.sqrt(1.0 - correlation * correlation) * rng.standard_normal(1000)
            arms.append(JointMoments.of({"y": y, "x": x, "has_history": np.ones(1000)}))
        adjustment = adjust_means(*arms)
        if not isinstance(adjustment, NoEstimate):
            ratios.append(adjustment.variance_ratio)
    return float(np.mean(ratios)) / (1.0 - correlation * correlation)


def milliseconds_per_comparison(exact: bool) -> float:
    """Median CPU time of one comparison by every method; `exact` with few conversions and a planned look."""
    given = _shares(7, 2000, 16, 2000) if exact else _shares(200, 2000, 250, 2000)
    question = Question(look=Look(3, (1000, 2000, 3000), (0.25, 0.5, 0.75)) if exact else None)
    compare(given, question)
    times: list[float] = []
    for _ in range(200):
        start = time.process_time()
        compare(given, question)
        times.append(time.process_time() - start)
    return 1000.0 * median(times)


def _shares(x_c: int, n_c: int, x_t: int, n_t: int) -> Pair:
    arms = pair(proportion_arm(n_c, x_c), proportion_arm(n_t, x_t))
    if isinstance(arms, NoEstimate):
        raise ValueError("an arm of a simulation needs units")
    return arms


def _binomial(units: int, rate: float) -> list[tuple[int, float]]:
    """Conversions that matter and their probabilities."""
    spread = math.sqrt(units * rate * (1.0 - rate))
    low, high = max(0, int(units * rate - TAIL * spread)), min(units, int(units * rate + TAIL * spread) + 1)
    found: list[tuple[int, float]] = []
    for x in range(low, high + 1):
        logarithm = math.lgamma(units + 1.0) - math.lgamma(x + 1.0) - math.lgamma(units - x + 1.0)
        found.append((x, math.exp(logarithm + x * math.log(rate) + (units - x) * math.log1p(-rate))))
    return found


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
    reached = [(k + 1, int(units[k])) for k in range(looks)]
    so_far = [looks_so_far(reached[: k + 1], int(units[-1]), looks) for k in range(looks)]
    criticals = [planned_critical(ALPHA, look, float(look.units[-1]) - 2.0) for look in so_far]
    return float((np.abs(statistics) >= np.array(criticals)).any(axis=1).mean())


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


RUNS: Final = 4000
SEED: Final = 20260105
PEEKED: Final = "GrowthBook relative 1.6 / 3.7 / 7.5 %; fixed z peeked 28-39 %"
POWERED: Final = "GrowthBook 0.80, Eppo 0.83"
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


def error_rates(
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
        ours = figure.measure(runs, np.random.default_rng([seed, FIGURES.index(figure)]))
        error = math.sqrt(ours * (1.0 - ours) / runs) if figure.by_chance else 0.0
        low, high = figure.range
        met = low - 2.0 * error <= ours <= high + 2.0 * error
        rows.append(ErrorRate(figure.name, figure.demand, ours, error, figure.peers, met))
    if progress is not None:
        progress("", len(chosen), len(chosen))
    return rows


def _rejections(
    name: str, demand: str, within: tuple[float, float], peers: str, reject: Callable[..., float], *shape: float
) -> Figure:
    """Of looks, units per look, and the true rates of both arms."""
    return Figure(name, demand, within, peers, lambda runs, rng: reject(runs, rng, *shape))


def _false_positives(looks: int, units: int) -> Figure:
    name = f"false positives at any look, anytime, {looks} looks × {units:,} per arm"
    return _rejections(name, "≤ 5 %", (0.0, 0.05), PEEKED, anytime_rejections, looks, units, 0.05, 0.05)


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
    _rejections(
        "false positives at any look, planned, 4 looks",
        "≤ 5 %",
        (0.0, 0.05),
        "four-look bounds read daily 6.4-9 %, read on after the end 9.3 %",
        planned_rejections,
        4,
        17_500,
        0.05,
        0.05,
    ),
    _rejections(  # 28 days of 2,500 units per arm; a planned test looks at them four times
        "power at +10 % on 5 %, anytime, 28 looks",
        "≥ 0.90",
        (0.90, 1.0),
        POWERED,
        anytime_rejections,
        28,
        2500,
        0.05,
        0.055,
    ),
    _rejections(
        "power at +10 % on 5 %, planned, 4 looks",
        "≥ 0.975",
        (0.975, 1.0),
        POWERED,
        planned_rejections,
        4,
        17_500,
        0.05,
        0.055,
    ),
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
