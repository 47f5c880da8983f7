"""Coverage of the lift interval, its agreement with p, what CUPED gains, and how long a comparison takes."""

import math
import time
from statistics import median

import numpy as np

from experiments.statistics.adjustment import adjust_means
from experiments.statistics.arms import Pair, pair, proportion_arm
from experiments.statistics.comparison import Question, compare, fixed_answer
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.group_sequential import Look, equal_looks
from experiments.statistics.moments import JointMoments

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
        arms = (_correlated(rng, correlation) for _ in range(2))
        adjustment = adjust_means(*arms)
        if not isinstance(adjustment, NoEstimate):
            ratios.append(adjustment.variance_ratio)
    return float(np.mean(ratios)) / (1.0 - correlation * correlation)


def milliseconds_per_comparison(exact: bool) -> float:
    """Median CPU time of one comparison by every method; `exact` with few conversions and a planned look."""
    given = _shares(7, 2000, 16, 2000) if exact else _shares(200, 2000, 250, 2000)
    question = Question(look=Look(3, equal_looks(4)) if exact else None)
    compare(given, question)
    times: list[float] = []
    for _ in range(200):
        start = time.process_time()
        compare(given, question)
        times.append(time.process_time() - start)
    return 1000.0 * median(times)


def _correlated(rng: np.random.Generator, correlation: float) -> JointMoments:
    x = rng.standard_normal(1000)
    y = correlation * x + math.sqrt(1.0 - correlation * correlation) * rng.standard_normal(1000)
    return JointMoments.of({"y": y, "x": x, "has_history": np.ones(1000)})


def _shares(x_c: int, n_c: int, x_t: int, n_t: int) -> Pair:
    arms = pair(proportion_arm(n_c, x_c), proportion_arm(n_t, x_t))
    if isinstance(arms, NoEstimate):
        raise ValueError("an arm of a simulation needs units")
    return arms


def _binomial(units: int, rate: float) -> list[tuple[int, float]]:
    """Conversions that matter and their probabilities."""
    spread = math.sqrt(units * rate * (1.0 - rate))
    low, high = max(0, int(units * rate - TAIL * spread)), min(units, int(units * rate + TAIL * spread) + 1)
    return [(x, _probability(x, units, rate)) for x in range(low, high + 1)]


def _probability(x: int, units: int, rate: float) -> float:
    """Binomial probability of x conversions."""
    logarithm = math.lgamma(units + 1.0) - math.lgamma(x + 1.0) - math.lgamma(units - x + 1.0)
    return math.exp(logarithm + x * math.log(rate) + (units - x) * math.log1p(-rate))
