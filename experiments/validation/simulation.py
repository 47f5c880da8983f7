"""The simulations behind `resonate simulate`: error rates that the statistics promise, measured with their own code."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import median
from typing import Final
from zlib import crc32

import numpy as np

from experiments.statistics.arms import Pair, pair, proportion_arm
from experiments.statistics.comparison import Question, compare, fixed_answer
from experiments.statistics.cuped import adjust_means
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.sample_ratio import ALARM_ALPHA, log_bayes_factor, sequential_p
from experiments.statistics.sequential import Look
from experiments.validation.estimates import ADJUSTED_LIFTS
from experiments.validation.forged_worlds import ForgedWorld, share_named
from experiments.validation.programmes import PROGRAMMES
from experiments.validation.trials import (
    UNCHANGED,
    WORN_OFF,
    Rule,
    Trial,
    changed_alarms,
    rate,
    refund_rate,
    revenue,
    withheld_ships,
)

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


RUNS: Final = 4000
SEED: Final = 20260101
PEEKED: Final = "GrowthBook relative 1.6 / 3.7 / 7.5 %; fixed z peeked 28-39 %"
POWERED: Final = "GrowthBook 0.80, Eppo 0.83"
COVERED: Final = "delta 0.936-0.947, Spotify 0.83-0.95"
ADJUSTED: Final = "gbstats 0.945-0.957, without the common mean's error 0.83-0.95"

Measure = Callable[[int, np.random.Generator], float]
Progress = Callable[[str, int, int], None]  # figure, figures done, figures in all


@dataclass(frozen=True, slots=True)
class Figure:
    """One promise: the range that is demanded, what was measured of peers, and how ours is measured.

    `by_chance` says that the value is a share of the runs, with a binomial standard error. `beside` is the figure on
    whose draws it is measured, None: on its own.
    """

    name: str
    demand: str
    range: tuple[float, float]
    peers: str
    measure: Measure
    by_chance: bool = True
    beside: str | None = None


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

    The stream is that of the name, so that a new figure moves no other. `runs` is the number of simulated experiments
    per figure. The same seed gives the same table.
    """
    chosen = [figure for figure in FIGURES if figures is None or any(word in figure.name for word in figures)]
    rows: list[ErrorRate] = []
    for done, figure in enumerate(chosen):
        if progress is not None:
            progress(figure.name, done, len(chosen))
        ours = figure.measure(runs, np.random.default_rng([seed, crc32((figure.beside or figure.name).encode())]))
        error = math.sqrt(ours * (1.0 - ours) / runs) if figure.by_chance else 0.0
        low, high = figure.range
        met = low - 2.0 * error <= ours <= high + 2.0 * error
        rows.append(ErrorRate(figure.name, figure.demand, ours, error, figure.peers, met))
    if progress is not None:
        progress("", len(chosen), len(chosen))
    return rows


def _decisions(
    name: str, demand: str, within: tuple[float, float], trial: Trial, rule: Rule, peers: str = ""
) -> Figure:
    """How often something is decided."""
    return Figure(name, demand, within, peers, lambda runs, rng: trial.decisions(runs, rng, rule, ALPHA))


def _false_positives(name: str, trial: Trial, rule: Rule, peers: str = "") -> Figure:
    return _decisions(f"false positives{name}", "≤ 5 %", (0.0, 0.05), trial, rule, peers)


def _promises() -> Iterator[Figure]:
    """At every weight, of each metric, by every method: 28 days of 1,000 units, of 5,000 where one arm has 1 %."""
    outcomes = {
        "rate 2 %": rate(0.02, 0.02),
        "rate 0.5 %": rate(0.005, 0.005),
        "revenue with 97 % zeros": revenue(0.03, 0.03, sigma=1.5),
        "ratio": refund_rate(orders=0.10, refunded=0.08),
    }
    weights = {"50:50": (500, 500), "90:10": (900, 100), "95:5": (950, 50), "99:1": (4950, 50), "1:99": (50, 4950)}
    looks: dict[Rule, int] = {"anytime": 28, "planned": 4, "fixed": 1}
    for (metric, outcome), (shares, units), (rule, count) in product(outcomes.items(), weights.items(), looks.items()):
        control, treatment = (28 // count * per_day for per_day in units)
        yield _false_positives(f", {metric}, {shares}, {rule}", Trial.steady(outcome, count, control, treatment), rule)


def _uneven(shape: str, *shares: float, planned: int | None = None, peers: str = "") -> Figure:
    """A planned test of which these shares of 140,000 units have come by its looks."""
    steps = tuple(round(70_000 * (share - before)) for share, before in zip(shares, (0.0, *shares[:-1]), strict=True))
    name = f" at any look, planned, {shape} traffic ({' '.join(f'{share:g}' for share in shares)})"
    return _false_positives(name, Trial(rate(0.05, 0.05), steps, steps, planned), "planned", peers)


def _priced(name: str, least: float, trial: Trial) -> Iterator[Figure]:
    """Power at unequal arms, and what it would be without the variance floor."""
    yield _decisions(name, f"≥ {least:.2f}", (least, 1.0), trial, "anytime")
    bare = _decisions(f"{name}, without the floor", "its price", (0.0, 1.0), replace(trial, floored=False), "anytime")
    yield replace(bare, beside=name)


def _coverage(units: int, control: float, treatment: float) -> Figure:
    name = f"coverage of the 95 % lift interval, {100 * control:g} → {100 * treatment:g} %, {units:,} per arm (exact)"
    measure: Measure = lambda _runs, _rng: coverage(units, control, treatment)  # noqa: E731
    return Figure(name, "0.945-0.955", (0.945, 0.955), COVERED, measure, by_chance=False)


def _cuped(correlation: float) -> Figure:
    name = f"CUPED variance ratio over 1 − ρ², ρ = {correlation}"
    measure: Measure = lambda runs, rng: cuped_variance_ratio(runs, rng, correlation)  # noqa: E731
    return Figure(name, "within 5 %", (0.95, 1.05), "", measure, by_chance=False)


def _forged(told: str, world: ForgedWorld) -> Iterator[Figure]:
    """How often conversions that pages tell of are said to look invented."""
    honest: Measure = lambda runs, rng: share_named(runs, rng, world)  # noqa: E731
    forged: Measure = lambda runs, rng: share_named(max(20, runs // 10), rng, replace(world, forged=True))  # noqa: E731
    name = f"conversions that look forged, {told}, {world.units:,} an arm"
    yield Figure(f"{name}, all honest", "≤ 0.2 %", (0.0, 0.002), "", honest)
    yield Figure(f"{name}, 5 % of one invented from 3 networks", "≥ 0.95", (0.95, 1.0), "", forged)


def _comparison_time(name: str, most_milliseconds: float, exact: bool) -> Figure:
    measure: Measure = lambda _runs, _rng: milliseconds_per_comparison(exact)  # noqa: E731
    peers = "tea-tasting 0.97, gbstats 0.05-1.1"
    return Figure(name, f"≤ {most_milliseconds} ms", (0.0, most_milliseconds), peers, measure, by_chance=False)


FIGURES: Final[tuple[Figure, ...]] = (
    *(
        _false_positives(
            f" at any look, anytime, {looks} looks × {units:,} per arm",
            Trial.steady(rate(0.05, 0.05), looks, units, units),
            "anytime",
            PEEKED,
        )
        for looks, units in ((28, 2500), (100, 500), (100, 50))
    ),
    _false_positives(
        " at any look, planned, 4 looks",
        Trial.steady(rate(0.05, 0.05), 4, 17_500, 17_500),
        "planned",
        "four-look bounds read daily 6.4-9 %, read on after the end 9.3 %",
    ),
    _uneven("ramping", 0.03, 0.2, 0.6, 1.0, peers="by the calendar 5.9 %"),
    _uneven("late", 0.02, 0.05, 0.2, 1.0, peers="by the calendar 6.5 %"),
    _uneven("front-loaded", 0.4, 0.7, 0.9, 1.0),
    _uneven("doubled", 0.5, 1.0, 1.5, 2.0, planned=140_000),
    *_promises(),
    _decisions(
        "power at +10 % on 5 %, anytime, 28 looks",
        "≥ 0.90",
        (0.90, 1.0),
        Trial.steady(rate(0.05, 0.055), 28, 2500, 2500),
        "anytime",
        POWERED,
    ),
    _decisions(
        "power at +10 % on 5 %, planned, 4 looks",
        "≥ 0.975",
        (0.975, 1.0),
        Trial.steady(rate(0.05, 0.055), 4, 17_500, 17_500),
        "planned",
        POWERED,
    ),
    *_priced(
        "power at +10 % on 5 %, 90:10, anytime, 28 looks", 0.88, Trial.steady(rate(0.05, 0.055), 28, 12_600, 1400)
    ),
    *_priced(
        "power at +20 % revenue by more buyers than 3 %, 90:10, anytime, 28 looks",
        0.78,
        Trial.steady(revenue(0.03, 0.036, sigma=1.5), 28, 45_000, 5000),
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
        "alarms of a changing effect at any of 28 looks, +10 % on 5 % throughout, 500 a day and arm",
        "≤ 1 %",
        (0.0, 0.01),
        "",
        lambda runs, rng: changed_alarms(runs, rng, 500, UNCHANGED),
    ),
    Figure(
        "honest shop, 28 looks, any check that withholds ship",
        "≤ 2 %",
        (0.0, 0.02),
        "",
        lambda runs, rng: withheld_ships(runs, rng, 500),
    ),
    Figure(
        "alarms of a changing effect, a week of +83 % on 30 % then three of -27 %, 100 a day and arm",
        "≥ 0.95",
        (0.95, 1.0),
        "",
        lambda runs, rng: changed_alarms(max(20, runs // 10), rng, 100, WORN_OFF),
    ),
    *_forged("pages alone tell of them", ForgedWorld(1000, backed=False)),
    *_forged("backends tell of them too", ForgedWorld(1000, backed=True)),
    _false_positives(
        " at any look, anytime, revenue of 1 in 20 with a heavy tail, 28 looks × 2,500 per arm",
        Trial.steady(revenue(0.05, 0.05, sigma=1.5), 28, 2500, 2500),
        "anytime",
    ),
    _comparison_time("milliseconds per comparison, closed forms", 0.2, exact=False),
    _comparison_time("milliseconds per comparison, exact test and quadrature", 3.0, exact=True),
    *(Figure(name, "0.945-0.955", (0.945, 0.955), ADJUSTED, measure) for name, measure in ADJUSTED_LIFTS),
    *(Figure(*row, by_chance=False) for row in PROGRAMMES),
)
