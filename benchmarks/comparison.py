"""How long one comparison takes from sufficient statistics, beside tea-tasting from the same aggregates.

    python -m benchmarks.comparison

Both sides answer in turns, so that a slow moment of the machine hits both. Ours judges by every method at once (Welch,
Fieller, anytime, Bayesian, with pooled z for proportions); tea-tasting answers with its one test. CPU time per call.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tea_tasting
from tea_tasting.aggr import Aggregates

from experiments.statistics.arms import Pair, mean_arm, pair, proportion_arm, ratio_arm
from experiments.statistics.comparison import Comparison, Question, compare
from experiments.statistics.cuped import Adjustment, adjust_means, adjust_ratios
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.sequential import Look

ROUNDS = 40
CALLS = 50
UNITS = 10_000

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison from its moments: ours, and the peer's where it has the same."""

    name: str
    limit_milliseconds: float
    ours: Call
    peer: Call | None


def main() -> None:
    """Prints a table: milliseconds of CPU per comparison, the limit, and how many times faster than tea-tasting."""
    gc.collect()
    gc.freeze()
    print(f"{'comparison from moments':46} {'ours ms':>9} {'limit':>7} {'tea-tasting ms':>15} {'ratio':>7}")
    for case in [*closed_forms(), *exact_ones()]:
        ours, peer = measured(case)
        beside = f"{peer:15.4f} {peer / ours:7.1f}" if peer is not None else f"{'-':>15} {'-':>7}"
        print(f"{case.name:46} {ours:9.4f} {case.limit_milliseconds:7.1f} {beside}")


def measured(case: Case) -> tuple[float, float | None]:
    """Medians over rounds in which both sides take turns."""
    ours: list[float] = []
    peers: list[float] = []
    for _ in range(ROUNDS):
        ours.append(milliseconds(case.ours))
        if case.peer is not None:
            peers.append(milliseconds(case.peer))
    return statistics.median(ours), statistics.median(peers) if peers else None


def milliseconds(call: Call) -> float:
    """CPU time of one call, averaged over a few."""
    start = time.process_time_ns()
    for _ in range(CALLS):
        call()
    return (time.process_time_ns() - start) / CALLS / 1e6


def closed_forms() -> list[Case]:
    """Means, proportions, ratios, and both with CUPED."""
    columns = drawn()
    joint = [JointMoments.of(arm) for arm in columns]
    aggregates = [aggregated(arm) for arm in columns]

    def cuped() -> Comparison:
        arms = [chosen(arm, {"y": "num", "x": "xnum"}) for arm in joint]
        return compare(means(joint), Question(), adjusted(adjust_means(arms[0], arms[1])))

    def cuped_ratio() -> Comparison:
        return compare(ratios(joint), Question(), adjusted(adjust_ratios(joint[0], joint[1])))

    return [
        Case("proportion, every method", 0.2, lambda: compare(shares(500, 560), Question()), None),
        Case("mean, every method", 0.2, lambda: compare(means(joint), Question()), peer("num", None, aggregates)),
        Case("ratio, every method", 0.2, lambda: compare(ratios(joint), Question()), peer_ratio(None, aggregates)),
        Case("mean with CUPED, every method", 0.2, cuped, peer("num", "xnum", aggregates)),
        Case("ratio with CUPED, every method", 0.2, cuped_ratio, peer_ratio(("xnum", "xden"), aggregates)),
    ]


def exact_ones() -> list[Case]:
    """Few conversions, and planned looks whose bounds and repeated p are integrated."""
    last = Question(look=Look(4, (2500, 5000, 7500, 10_000), (0.25, 0.5, 0.75, 1.0)))
    both = Question(look=Look(3, (2500, 5000, 7500), (0.25, 0.5, 0.75)))
    return [
        Case("few conversions: Fisher, Newcombe, quadrature", 3.0, lambda: compare(shares(7, 16), Question()), None),
        Case("planned, look 4 of 4, with every method", 3.0, lambda: compare(shares(500, 560), last), None),
        Case("few conversions and planned, every method", 3.0, lambda: compare(shares(7, 16), both), None),
    ]


def drawn() -> list[dict[str, np.ndarray]]:
    """Orders and baskets of two arms, before and after exposure."""
    rng, arms = np.random.default_rng(1), []
    for _ in range(2):
        taste = rng.gamma(4.0, 5.0, UNITS)
        orders, past = rng.poisson(2.0, UNITS) + 1.0, rng.poisson(2.0, UNITS) + 1.0
        known = (rng.random(UNITS) < 0.8).astype(float)
        arms.append(
            {
                "num": taste * orders + rng.normal(0, 5, UNITS),
                "den": orders,
                "xnum": taste * past * known,
                "xden": past * known,
                "has_history": known,
            }
        )
    return arms


def aggregated(arm: dict[str, np.ndarray]) -> Aggregates:
    """The peer's aggregates of the same columns."""
    names = ("num", "den", "xnum", "xden")
    covariance = np.cov([arm[name] for name in names])
    return Aggregates(
        UNITS,
        {name: float(arm[name].mean()) for name in names},
        {name: float(covariance[i, i]) for i, name in enumerate(names)},
        {(names[i], names[j]): float(covariance[i, j]) for i in range(4) for j in range(i + 1, 4)},
    )


def peer(value: str, covariate: str | None, aggregates: Sequence[Aggregates]) -> Call:
    metric = tea_tasting.Mean(value, covariate)
    return lambda: metric.analyze_aggregates(aggregates[0], aggregates[1])


def peer_ratio(covariates: tuple[str, str] | None, aggregates: Sequence[Aggregates]) -> Call:
    metric = tea_tasting.RatioOfMeans("num", "den", *(covariates or (None, None)))
    return lambda: metric.analyze_aggregates(aggregates[0], aggregates[1])


def chosen(moments: JointMoments, names: dict[str, str]) -> JointMoments:
    """Some of the columns under other names, with the history flag."""
    columns = {**names, "has_history": "has_history"}
    order = tuple(columns)
    comoments = tuple(
        moments.comoment(columns[order[i]], columns[order[j]]) for i in range(len(order)) for j in range(i, len(order))
    )
    return JointMoments(
        order, moments.count, tuple(moments.mean(columns[name]) for name in order), comoments, moments.nonzero
    )


def means(joint: Sequence[JointMoments]) -> Pair | NoEstimate:
    return pair(*(mean_arm(arm.moments("num")) for arm in joint))


def ratios(joint: Sequence[JointMoments]) -> Pair | NoEstimate:
    return pair(*(ratio_arm(arm) for arm in joint))


def shares(control: int, treatment: int) -> Pair | NoEstimate:
    return pair(proportion_arm(UNITS, control), proportion_arm(UNITS, treatment))


def adjusted(found: Adjustment | NoEstimate) -> Pair | NoEstimate:
    return found.pair if isinstance(found, Adjustment) else found


if __name__ == "__main__":
    main()
