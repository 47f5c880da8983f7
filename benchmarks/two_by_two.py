"""How often the safe two-by-two e-test of rates finds an effect, beside the anytime test that decides.

    python -m benchmarks.two_by_two [--runs 4000]

Turner & Grünwald (2023): every block of units of two arms bets on an alternative (θ_c, θ_t) against the point of the
null next to it, the weighted mean (n_c·θ_c + n_t·θ_t) / (n_c + n_t) where nothing differs. The product of what the
blocks win exceeds 1/α with probability at most α at any look. Here a block is the units of a day; the alternatives are
log odds ratios around the null, with normal weights as wide as those of the anytime test (its ρ²); the baseline is the
rate of the earlier days. All tests see the same draws at 28 daily looks; beside the power of the anytime test stand the
differences from it, with paired standard errors. What came of it: docs/decisions/the-two-by-two-e-test.md.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.statistics.comparison import Question, compare
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.sequential import anytime_critical, tuning
from experiments.validation.trials import Arrived, decides, gates, rate

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ALPHA: Final = 0.05
DAYS: Final = 28
STEPS: Final = np.linspace(-4.0, 4.0, 41)
LOG_WEIGHTS: Final = -0.5 * STEPS**2 - math.log(float(np.exp(-0.5 * STEPS**2).sum()))
MISTAKEN: Final = 1.5  # a baseline that was frozen before the start, over the true one
BY_AGE: Final = np.array([0.5, *[0.5 / 7] * 7])  # of the conversions, by days since exposure: a window of a week


@dataclass(frozen=True, slots=True)
class World:
    """A rate, what treatment makes of it, and the units a day of both arms."""

    base: float
    lift: float
    control: int
    treatment: int

    @property
    def coming(self) -> npt.NDArray[np.int64]:
        return np.array([[self.control] * DAYS, [self.treatment] * DAYS])

    @property
    def planned_units(self) -> int:
        return DAYS * (self.control + self.treatment)

    @property
    def weights(self) -> str:
        share = 100 * self.control / (self.control + self.treatment)
        return f"{share:.0f}:{100 - share:.0f}"

    @property
    def frozen(self) -> tuple[float | None, ...]:
        """What may be known of the baseline before the start: nothing, all, or something wrong."""
        return None, self.base, MISTAKEN * self.base

    def spread(self, baseline: float) -> Array:
        """Log odds ratios that are bet on, from that of the null: ρ² is their variance over the variance of a unit."""
        share = self.control / (self.control + self.treatment)
        unit = share * (1.0 - share) * baseline * (1.0 - baseline)
        return math.sqrt(tuning(ALPHA, self.planned_units) / unit) * STEPS

    def __str__(self) -> str:
        return f"{self.weights} | {100 * self.base:g} % | {self.control + self.treatment:,} | {100 * self.lift:+g} %"


def winnings(units: Array, events: Array, baseline: Array, spread: Array, ratio: Array) -> Array:
    """Log of what one block wins by each bet against θ_t = ratio·θ_c, as (runs × bets).

    `units` and `events` are (runs × 2), `baseline` and `ratio` (runs × 1). The alternatives have the baseline as their
    mean; the point of the null is the one of least Kullback-Leibler divergence, which for ratio 1 is that mean.
    """
    control, treatment = units[:, :1], units[:, 1:]
    whole = control + treatment
    null = baseline * whole / (control + treatment * ratio)
    odds = ratio * (1.0 - null) / (1.0 - ratio * null) * np.exp(spread)
    a = control / whole * (odds - 1.0)
    b = control / whole + treatment / whole * odds - baseline * (odds - 1.0)
    theta_c = 2.0 * baseline / (b + np.sqrt(b * b + 4.0 * a * baseline))
    theta_t = odds * theta_c / (1.0 - theta_c + odds * theta_c)
    b = control * (1.0 + theta_c * ratio) + treatment * (ratio + theta_t)
    root = np.sqrt(np.maximum(0.0, b * b - 4.0 * ratio * whole * whole * baseline))
    null_c = 2.0 * whole * baseline / (b + root)
    return _likelihood_ratio(control, events[:, :1], theta_c, null_c) + _likelihood_ratio(
        treatment, events[:, 1:], theta_t, ratio * null_c
    )


def _likelihood_ratio(units: Array, events: Array, theta: Array, null: Array) -> Array:
    return events * np.log(theta / null) + (units - events) * np.log((1.0 - theta) / (1.0 - null))


def mixed(wealth: Array) -> Array:
    """Log of the evidence of each run: the bets by their weights."""
    top = (wealth + LOG_WEIGHTS).max(axis=1, keepdims=True)
    return (top + np.log(np.exp(wealth + LOG_WEIGHTS - top).sum(axis=1, keepdims=True)))[:, 0]


def evidence(world: World, events: Array, frozen: float | None, ratio: Array | None = None) -> Array:
    """Log of the evidence at the close of each day, (runs × days); `events` are those of each day, (runs × 2 × days).

    Day one is bet on with the baseline that was frozen before it, and not at all without. Only how wide the bets are
    spread hangs on it besides: without it they are spread as if the rate were known.
    """
    spread = world.spread(frozen or world.base)
    runs = len(events)
    against = np.ones((runs, 1)) if ratio is None else ratio[:, None]
    units = world.coming.astype(np.float64)
    wealth, found = np.zeros((runs, STEPS.size)), np.zeros((runs, DAYS))
    for day in range(DAYS):
        earlier = (events[:, :, :day].sum(axis=(1, 2)) + 0.5) / (units[:, :day].sum() + 1.0)
        baseline = earlier if day else np.full(runs, frozen or 0.0)
        if day or frozen is not None:
            wealth += winnings(units[None, :, day], events[:, :, day], baseline[:, None], spread, against)
        found[:, day] = mixed(wealth)
    return found


def evidence_by_age(world: World, events: Array) -> Array:
    """The same of blocks that need not wait for windows: those exposed on one day who convert so many days later.

    `events` are (runs × 2 × days × ages); who has not converted yet is at risk. It speaks of hazards, not of rates.
    """
    runs, ages = len(events), BY_AGE.size
    spread = world.spread(world.base)
    at_risk = np.broadcast_to(world.coming, (runs, 2, DAYS)).astype(np.float64)
    seen, converted = np.zeros((runs, ages)), np.zeros((runs, ages))
    wealth, found, against = np.zeros((runs, STEPS.size)), np.zeros((runs, DAYS)), np.ones((runs, 1))
    for day in range(DAYS):
        earlier = np.where(seen > 0.0, (converted + 0.5) / (seen + 1.0), world.base * BY_AGE)
        for age in range(min(day + 1, ages)):
            units, new = at_risk[:, :, day - age].copy(), events[:, :, day - age, age]
            wealth += winnings(units, new, earlier[:, age : age + 1], spread, against)
            seen[:, age] += units.sum(axis=1)
            converted[:, age] += new.sum(axis=1)
            at_risk[:, :, day - age] -= new
        found[:, day] = mixed(wealth)
    return found


def worlds() -> Iterator[World]:
    """Effects that the deciding test finds in half to nine tenths of the runs, and the demanded +10 % on 5 %."""
    rows = (
        (0.05, 12_600, 1400, 0.10, -0.10),
        (0.05, 12_600, 1400, 0.085, -0.08),
        (0.05, 900, 100, 0.35, -0.29),
        (0.02, 9000, 1000, 0.17, -0.15),
        (0.02, 900, 100, 0.62, -0.46),
        (0.005, 9000, 1000, 0.355, -0.305),
        (0.005, 900, 100, 1.50, -0.87),
        (0.05, 2500, 2500, 0.10, -0.10),
        (0.05, 500, 500, 0.20, -0.18),
        (0.02, 500, 500, 0.33, -0.275),
        (0.005, 5000, 5000, 0.20, -0.18),
        (0.05, 950, 50, 0.50, -0.41),
        (0.02, 950, 50, 0.90, -0.63),
        (0.005, 9500, 500, 0.525, -0.42),
        (0.05, 4950, 50, 0.49, -0.395),
        (0.02, 4950, 50, 0.90, -0.63),
        (0.005, 49_500, 500, 0.52, -0.415),
        (0.05, 50, 4950, 0.48, -0.405),
        (0.02, 500, 49_500, 0.25, -0.20),
        (0.005, 500, 49_500, 0.51, -0.415),
    )
    for base, control, treatment, *lifts in rows:
        for lift in lifts:
            yield World(base, lift, control, treatment)


def found(evidence: Array) -> Flags:
    """Runs in which it was strong enough at any look."""
    return np.asarray((evidence >= -math.log(ALPHA)).any(axis=1))


def decided(world: World, arrived: Arrived) -> Flags:
    """Runs in which the deciding test found something at any look, with its gate and its floor."""
    return np.asarray(decides(arrived, "anytime", ALPHA, world.planned_units).any(axis=1))


def by_likelihood(world: World, arrived: Arrived) -> Flags:
    """The anytime test with the signed root of the likelihood ratio in place of d/SE: behind the gate, without a floor.

    Of all days together, so that nothing hangs on how they are cut. An approximation, as Welch's is.
    """
    units, events = arrived.units[None].astype(np.float64), arrived.events
    squared = 2.0 * (log_likelihood(units, events).sum(axis=1) - log_likelihood(units.sum(axis=1), events.sum(axis=1)))
    precisions = tuning(ALPHA, world.planned_units) * arrived.units.sum(axis=0)
    critical = np.array([anytime_critical(ALPHA, float(precision)) for precision in precisions])
    return np.asarray((gates(arrived) & (squared >= critical**2)).any(axis=1))


def log_likelihood(units: Array, events: Array) -> Array:
    """Of so many events at their own share."""
    others = units - events
    return events * np.log(np.maximum(events, 1.0) / units) + others * np.log(np.maximum(others, 1.0) / units)


def print_head(*columns: str) -> None:
    """The first two lines of a table."""
    titles = ("weights", "rate", "a day", "lift", *columns)
    print(f"\n| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")


def share(flags: Flags) -> str:
    """With its standard error."""
    mean = float(flags.mean())
    return f"{mean:.3f} ± {math.sqrt(mean * (1.0 - mean) / flags.size):.3f}"


def gain(flags: Flags, beside: Flags) -> str:
    """Difference of two shares of the same runs, with its paired standard error."""
    difference = flags.astype(np.float64) - beside
    return f"{difference.mean():+.4f} ± {difference.std() / math.sqrt(flags.size):.4f}"


def print_power(runs: int) -> None:
    """At once: whoever converts does so at once."""
    print_head("anytime", "day one not bet on", "rate known before", "taken for half as high again", "likelihood ratio")
    for world in worlds():
        arrived, events = drawn(world, runs)
        ours = decided(world, arrived)
        gains = [gain(found(evidence(world, events, baseline)), ours) for baseline in world.frozen]
        gains.append(gain(by_likelihood(world, arrived), ours))
        print(f"| {world} | {share(ours)} | {' | '.join(gains)} |", flush=True)


def print_false_positives(runs: int) -> None:
    """Nothing differs."""
    print_head("anytime", "day one not bet on", "rate known before", "taken for half as high again", "likelihood ratio")
    for control, treatment in ((500, 500), (900, 100), (950, 50), (4950, 50), (50, 4950)):
        for base in (0.05, 0.02, 0.005):
            world = World(base, 0.0, control, treatment)
            arrived, events = drawn(world, runs)
            ours = decided(world, arrived)
            shares = [share(found(evidence(world, events, baseline))) for baseline in world.frozen]
            shares.append(share(by_likelihood(world, arrived)))
            print(f"| {world} | {share(ours)} | {' | '.join(shares)} |", flush=True)


def print_windows(runs: int) -> None:
    """At 90:10 with a window of a week: the deciding test reads what everybody has brought by now."""
    print_head("anytime", "closed windows", "by days since exposure", "likelihood ratio")
    for world in (world for world in worlds() if world.weights == "90:10"):
        rng = np.random.default_rng(2)
        chances = np.array([world.base, world.base * (1.0 + world.lift)])[:, None]
        events = rng.multinomial(rng.binomial(world.coming, chances, (runs, 2, DAYS)), BY_AGE).astype(np.float64)
        brought = np.zeros((runs, 2, DAYS))
        for age in range(BY_AGE.size):
            brought[:, :, age:] += events[:, :, : DAYS - age, age]
        units, so_far = world.coming.cumsum(axis=1), brought.cumsum(axis=2)
        value = so_far / units
        arrived = Arrived(units, value, value * (1.0 - value) * units / (units - 1), so_far, conversions=True)
        ours = decided(world, arrived)
        closed = evidence(world, events.sum(axis=3), world.base)[:, : DAYS + 1 - BY_AGE.size]
        others = (found(closed), found(evidence_by_age(world, events)), by_likelihood(world, arrived))
        gains = [gain(flags, ours) for flags in others]
        print(f"| {world} | {share(ours)} | {' | '.join(gains)} |", flush=True)


def print_intervals(runs: int) -> None:
    """At 90:10 on the last day: lifts whose evidence is too weak to rule them out, beside the anytime interval."""
    print_head("coverage", "anytime's", "width to anytime's", "contradict their p")
    cases = ((0.05, 0.0, 12_600), (0.05, 0.1, 12_600), (0.05, 1.0, 12_600), (0.02, 0.62, 900), (0.02, -0.46, 900))
    for world in (World(base, lift, control, control // 9) for base, lift, control in cases):
        arrived, events = drawn(world, runs)
        low, high = interval(world, events)
        excludes = (low > 1.0) | (high < 1.0)
        contradictions = int((excludes != (evidence(world, events, world.base)[:, -1] >= -math.log(ALPHA))).sum())
        truth, question = 1.0 + world.lift, Question(planned_units=world.planned_units)
        ours = [compare(arrived.pair(run, DAYS - 1), question).anytime.ci for run in range(runs)]
        known = [(run, ci) for run, ci in enumerate(ours) if not isinstance(ci, NoEstimate)]
        width = np.median([(high[run] - low[run]) / (ci.high - ci.low) for run, ci in known])
        covered = np.array([ci.contains(world.lift) for _, ci in known])
        coverage = (low <= truth) & (truth <= high)
        print(f"| {world} | {share(coverage)} | {share(covered)} | {width:.3f} | {contradictions} |", flush=True)


def interval(world: World, events: Array) -> tuple[Array, Array]:
    """The ratios of the rates at both ends, by bisection outwards from the estimate."""
    totals = (events.sum(axis=2) + 0.5) / world.coming.sum(axis=1)
    estimate = totals[:, 1] / totals[:, 0]
    ends: list[Array] = []
    for outside in (0.01, 9.0):
        inner, outer = np.log(estimate), np.full(len(events), math.log(outside))
        for _ in range(24):
            middle = (inner + outer) / 2.0
            held = evidence(world, events, world.base, np.exp(middle))[:, -1] < -math.log(ALPHA)
            inner, outer = np.where(held, middle, inner), np.where(held, outer, middle)
        ends.append(np.exp(inner))
    return ends[0], ends[1]


def drawn(world: World, runs: int) -> tuple[Arrived, Array]:
    """What has come by each look, and the conversions of each day."""
    arrived = rate(world.base, world.base * (1.0 + world.lift))(runs, np.random.default_rng(1), world.coming)
    return arrived, np.diff(arrived.events, axis=2, prepend=0.0)


def main() -> None:
    """Prints the four tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4000, help="simulated experiments per row")
    runs: int = parser.parse_args().runs
    tables: tuple[Callable[[int], None], ...] = (print_power, print_false_positives, print_windows)
    for table in tables:
        table(runs)
    print_intervals(max(100, runs // 10))


if __name__ == "__main__":
    main()
