"""Simulated experiments, many at a time: who comes, what they bring, and at which looks the service would decide."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from experiments.readout.health import CHANGED_ALPHA, LOST_ALPHA, UNEQUAL_ALPHA
from experiments.statistics.arms import FEWEST_DENOMINATORS, NEEDED, Arm, Pair, pair, proportion_arm
from experiments.statistics.effect import Effect, effect
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.fixed import FEW, fisher_p, welch_critical, welch_p
from experiments.statistics.interaction import changed_lift
from experiments.statistics.sample_ratio import homogeneity
from experiments.statistics.sequential import anytime_critical, looks_so_far, planned_critical, tuning

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Arrivals = npt.NDArray[np.int64]
Rule = Literal["anytime", "planned", "fixed"]
MOST_UNITS: Final = 100_000_000  # of the runs that are drawn together: of a few percent of them a single amount


@dataclass(frozen=True, slots=True)
class Arrived:
    """What has come by each look, as (runs × 2 arms × looks); `units` of each arm are the same in every run.

    The fields are those of `experiments.statistics.arms.Arm`, which has the value's variance per unit.
    """

    units: Arrivals
    value: Array
    variance: Array
    events: Array
    conversions: bool = False
    denominators: Array | None = None

    def pair(self, run: int, look: int) -> Pair:
        """The arms of one run at one look, as the service has them."""
        control, treatment = (self._arm(run, arm, look) for arm in (0, 1))
        return Pair(control, treatment)

    def _arm(self, run: int, arm: int, look: int) -> Arm:
        events = round(float(self.events[run, arm, look]))
        return Arm(
            int(self.units[arm, look]),
            float(self.value[run, arm, look]),
            float(self.variance[run, arm, look]),
            events if self.conversions else None,
            None if self.denominators is None else float(self.denominators[run, arm, look]),
            events,
            never_negative=self.conversions,
        )


Outcome = Callable[[int, np.random.Generator, Arrivals], Arrived]
"""What the units bring who come between looks (2 arms × looks), in so many runs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One kind of experiment: what its units bring, how many come to control and treatment until each look.

    `planned` is how many units the plan expected in all; None: as many as come. `floored` False leaves the variance
    floor out, to show what it costs.
    """

    outcome: Outcome
    control: tuple[int, ...]
    treatment: tuple[int, ...]
    planned: int | None = None
    floored: bool = True

    @classmethod
    def steady(cls, outcome: Outcome, looks: int, control: int, treatment: int) -> "Trial":
        """As many units at every look."""
        return cls(outcome, (control,) * looks, (treatment,) * looks)

    @property
    def planned_units(self) -> int:
        return self.planned or sum(self.control) + sum(self.treatment)

    def decisions(self, runs: int, rng: np.random.Generator, rule: Rule, alpha: float) -> float:
        """Share of the runs in which the rule decides at any look; `fixed` looks at its last one only."""
        decided = 0
        for arrived in self.arrivals(runs, rng):
            decided += int(decides(arrived, rule, alpha, self.planned_units, floored=self.floored).any(axis=1).sum())
        return decided / runs

    def arrivals(self, runs: int, rng: np.random.Generator) -> Iterator[Arrived]:
        """The runs, a few at a time where they would not fit into memory together."""
        coming = np.array([self.control, self.treatment])
        size = max(1, min(runs, 1000, MOST_UNITS // int(coming.sum())))
        for begun in range(0, runs, size):
            yield self.outcome(min(size, runs - begun), rng, coming)


def rate(control: float, treatment: float) -> Outcome:
    """Every unit converts or not."""

    def arrive(runs: int, rng: np.random.Generator, coming: Arrivals) -> Arrived:
        chances = np.array([control, treatment])[:, None]
        converted = rng.binomial(coming, chances, (runs, *coming.shape)).cumsum(axis=2).astype(np.float64)
        units = coming.cumsum(axis=1)
        value = converted / units
        return Arrived(units, value, value * (1.0 - value) * units / (units - 1), converted, conversions=True)

    return arrive


def revenue(control: float, treatment: float, sigma: float) -> Outcome:
    """A share of the units buys, for a log-normal amount."""

    def arrive(runs: int, rng: np.random.Generator, coming: Arrivals) -> Arrived:
        bought = rng.binomial(coming, np.array([control, treatment])[:, None], (runs, *coming.shape))
        cell = np.repeat(np.arange(bought.size), bought.ravel())
        amounts = rng.lognormal(0.0, sigma, cell.size)
        total = np.bincount(cell, amounts, bought.size).reshape(bought.shape).cumsum(axis=2)
        squares = np.bincount(cell, amounts * amounts, bought.size).reshape(bought.shape).cumsum(axis=2)
        units = coming.cumsum(axis=1)
        variance = np.maximum(0.0, squares - total * total / units) / (units - 1)
        return Arrived(units, total / units, variance, bought.cumsum(axis=2).astype(np.float64))

    return arrive


def refund_rate(orders: float, refunded: float) -> Outcome:
    """A share of the units orders once, and a share of the orders is refunded: a ratio over orders."""

    def arrive(runs: int, rng: np.random.Generator, coming: Arrivals) -> Arrived:
        ordered = rng.binomial(coming, orders, (runs, *coming.shape))
        returned = rng.binomial(ordered, refunded).cumsum(axis=2).astype(np.float64)
        ordered = ordered.cumsum(axis=2).astype(np.float64)
        units = coming.cumsum(axis=1)
        ratio = returned / np.maximum(ordered, 1.0)
        residuals = returned * (1.0 - 2.0 * ratio) + ratio * ratio * ordered  # Σ(num − R·den)², whose mean is 0
        variance = residuals / (units - 1) / np.square(np.maximum(ordered, 1.0) / units)
        return Arrived(units, ratio, variance, returned, denominators=ordered)

    return arrive


def decides(arrived: Arrived, rule: Rule, alpha: float, planned_units: int, *, floored: bool = True) -> Flags:
    """(runs × looks): whether the gate is open and p of this look at most alpha, as a readout has it.

    The formulas of `compare` for whole arrays; a test holds them against it, run by run.
    """
    opened = gates(arrived)
    error = (arrived.variance / arrived.units).sum(axis=1) * (floors(arrived) if floored else 1.0)
    difference = arrived.value[:, 1] - arrived.value[:, 0]
    statistic = np.abs(np.divide(difference, np.sqrt(error), out=np.zeros_like(difference), where=error > 0.0))
    if rule == "anytime":
        units, rho_squared = arrived.units.sum(axis=0), tuning(alpha, planned_units)
        return opened & (statistic >= np.array([anytime_critical(alpha, rho_squared * count) for count in units]))
    freedom = degrees_of_freedom(arrived)
    if rule == "planned":
        return _planned(opened, statistic, freedom, arrived.units.sum(axis=0), (alpha, planned_units))
    decided = np.zeros_like(opened)
    decided[:, -1] = statistic[:, -1] >= np.array([welch_critical(alpha, found) for found in freedom[:, -1]])
    if arrived.conversions:
        others = arrived.units - arrived.events
        few = np.minimum(arrived.events, others)[:, :, -1].min(axis=1) < FEW
        for run in np.flatnonzero(few & opened[:, -1]):
            decided[run, -1] = fisher_p(arrived.pair(int(run), -1)) <= alpha
    return opened & decided


def gates(arrived: Arrived) -> Flags:
    """`gate_of` at every look of every run."""
    smaller, units = arrived.units.min(axis=0), arrived.units.sum(axis=0)
    events = arrived.events.sum(axis=1)
    scarce = np.minimum(events, units - events) if arrived.conversions else events
    opened = smaller * scarce / units >= NEEDED
    if arrived.denominators is not None:
        opened &= arrived.denominators.min(axis=1) >= FEWEST_DENOMINATORS
    return np.asarray(opened)


def floors(arrived: Arrived) -> Array:
    """`variance_floor` at every look of every run."""
    control, treatment = arrived.units
    units = control + treatment
    error = (arrived.variance / arrived.units).sum(axis=1)
    spread = arrived.variance[:, 0] - arrived.variance[:, 1]
    excess = (control - treatment) * spread * ((units - 1) / (units - 2)) / (control * treatment)
    return np.maximum(1.0, 1.0 + np.divide(excess, error, out=np.zeros_like(error), where=error > 0.0))


def degrees_of_freedom(arrived: Arrived) -> Array:
    """Welch's, at every look of every run; 1 where nothing varies."""
    errors = arrived.variance / arrived.units
    whole = errors.sum(axis=1, keepdims=True)
    shares = np.divide(errors, whole, out=np.full_like(errors, 0.5), where=whole > 0.0)
    return 1.0 / (np.square(shares) / (arrived.units - 1)).sum(axis=1)


def _planned(opened: Flags, statistic: Array, freedom: Array, units: Arrivals, plan: tuple[float, int]) -> Flags:
    """The bounds of the looks that were open, run by run: all runs in which the same were open have the same."""
    alpha, planned_units = plan
    decided = np.zeros_like(opened)
    for pattern in np.unique(opened, axis=0):
        runs = (opened == pattern).all(axis=1)
        reached: list[tuple[int, int]] = []
        for look in np.flatnonzero(pattern):
            reached.append((int(look) + 1, int(units[look])))
            so_far = looks_so_far(reached, planned_units, len(units))
            bounds = [planned_critical(alpha, so_far, found) for found in freedom[runs, look]]
            decided[runs, look] = statistic[runs, look] >= np.array(bounds)
    return decided


DAYS: Final = 28
WORN_OFF: Final = ((0.30, 0.55, 7), (0.30, 0.22, 21))
"""Rates of control and treatment, and for how many days: a week of novelty, then three weeks of harm."""
UNCHANGED: Final = ((0.05, 0.055, DAYS),)


def changed_alarms(
    runs: int, rng: np.random.Generator, units_per_day: int, stretches: tuple[tuple[float, float, int], ...]
) -> float:
    """Share of runs in which the alarm rings at any close of a day, of one goal and one variant.

    `units_per_day` are those of one arm, all of them mature.
    """
    rates = np.array([[control, treatment] for control, treatment, days in stretches for _ in range(days)]).T
    alarms = 0
    for _ in range(runs):
        conversions = np.pad(rng.binomial(units_per_day, rates).cumsum(axis=1), ((0, 0), (1, 0)))
        alarms += any(_rings(conversions, day, units_per_day) for day in range(2, DAYS + 1))
    return alarms / runs


def _rings(conversions: np.ndarray[tuple[int, ...], np.dtype[np.int64]], day: int, units_per_day: int) -> bool:
    halves: list[Pair | NoEstimate] = []
    for first, last in ((0, day // 2), (day // 2, day)):
        found = (conversions[:, last] - conversions[:, first]).tolist()
        units = units_per_day * (last - first)
        halves.append(pair(proportion_arm(units, found[0]), proportion_arm(units, found[1])))
    p = changed_lift(halves[0], halves[1])
    return isinstance(p, float) and p < CHANGED_ALPHA


def withheld_ships(runs: int, rng: np.random.Generator, units_per_day: int) -> float:
    """Share of honest tests in which a check withholds a ship at any close of a day, of one goal and one variant that
    leads to another page: the effect changed over time, the arms differed beforehand, or visitors were lost on the way.

    `units_per_day` are those of one arm, all of them mature; 5 % convert, before and after, and 97 % arrive.
    """
    withheld = 0
    for _ in range(runs):
        drawn = {name: rng.binomial(units_per_day, share, (2, DAYS)).cumsum(axis=1) for name, share in _HONEST.items()}
        after = np.pad(drawn["after"], ((0, 0), (1, 0)))
        withheld += any(
            (day > 1 and _rings(after, day, units_per_day) and not _favours(after, day))
            or _unlike(drawn["before"][:, day - 1].tolist(), units_per_day * day)
            or _lost(drawn["arrived"][:, day - 1].tolist(), units_per_day * day)
            for day in range(1, DAYS + 1)
        )
    return withheld / runs


_HONEST: Final = {"after": 0.05, "before": 0.05, "arrived": 0.97}


def _favours(conversions: np.ndarray[tuple[int, ...], np.dtype[np.int64]], day: int) -> bool:
    """Whether the later half of the days favours the variant."""
    control, treatment = (conversions[:, day] - conversions[:, day // 2]).tolist()
    return treatment > control


def _unlike(conversions: Sequence[int], units: int) -> bool:
    arms = pair(proportion_arm(units, conversions[0]), proportion_arm(units, conversions[1]))
    found = effect(arms) if isinstance(arms, Pair) else arms
    p = welch_p(found) if isinstance(found, Effect) else None
    return isinstance(p, float) and p < UNEQUAL_ALPHA


def _lost(arrived: Sequence[int], units: int) -> bool:
    p = homogeneity([(each, units - each) for each in arrived])
    return isinstance(p, float) and p < LOST_ALPHA
