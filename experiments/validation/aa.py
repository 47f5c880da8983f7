"""A/A tests on the site's own traffic: the logged units split anew, run after run, with nothing to find."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.cube.measures import MetricRule
from experiments.cube.observations import UnitDays
from experiments.readout.inquiries import Opened
from experiments.readout.read import Readouts
from experiments.readout.study import ReadoutQuery, Studies
from experiments.statistics.arms import FEWEST_DENOMINATORS
from experiments.statistics.sequential import tuning

Floats = npt.NDArray[np.float64]
_TINY: Final = 1e-300


def crossed_fixed(sums: Floats, alpha: float, *, ratio: bool) -> npt.NDArray[np.bool_]:
    """Whether the two-sided Welch test rejects at the last day; thousands of units, so t is normal.

    `sums` are (2 arms × runs × days × [n, y, d, yy, yd, dd]).
    """
    difference, error, _ = _effect(sums[:, :, -1], ratio=ratio)
    return np.abs(difference) > NormalDist().inv_cdf(1.0 - alpha / 2.0) * error


def crossed_anytime(sums: Floats, alpha: float, planned_units: int, *, ratio: bool) -> npt.NDArray[np.bool_]:
    """Whether the confidence sequence excludes zero at any day: its p falls to alpha."""
    difference, error, units = _effect(sums, ratio=ratio)
    precision = tuning(alpha, planned_units) * units
    statistic = np.square(difference) / np.maximum(np.square(error), _TINY)
    exponent = 0.5 * np.log1p(precision) - 0.5 * statistic * precision / (precision + 1.0)
    known = (error > 0.0) & (exponent <= math.log(alpha))
    return np.asarray(known.any(axis=1))


def _effect(sums: Floats, *, ratio: bool) -> tuple[Floats, Floats, Floats]:
    """Treatment less control, its standard error (0 where there is none), and the units of both."""
    values, errors = zip(*(_value_and_error(arm, ratio=ratio) for arm in sums), strict=True)
    usable = (sums[..., 0] >= 2.0).all(axis=0)
    if ratio:
        worth = np.square(sums[..., 2]) / np.maximum(sums[..., 5], _TINY)
        usable &= (worth >= FEWEST_DENOMINATORS).all(axis=0)
    error = np.where(usable, np.sqrt(errors[0] + errors[1]), 0.0)
    return np.where(usable, values[1] - values[0], 0.0), error, sums[..., 0].sum(axis=0)


def _value_and_error(sums: Floats, *, ratio: bool) -> tuple[Floats, Floats]:
    """Value and squared standard error of one arm."""
    n = np.maximum(sums[..., 0], 2.0)
    y, d = sums[..., 1] / n, sums[..., 2] / n
    yy = np.maximum(0.0, sums[..., 3] - n * y * y) / (n - 1.0)
    if not ratio:
        return y, yy / n
    yd = (sums[..., 4] - n * y * d) / (n - 1.0)
    dd = np.maximum(0.0, sums[..., 5] - n * d * d) / (n - 1.0)
    base = np.where(d == 0.0, np.inf, d)
    value = y / base
    return value, np.maximum(0.0, yy - 2.0 * value * yd + value * value * dd) / (base * base) / n


BATCH_CELLS: Final = 24_000_000  # units × runs that are held in memory at once
FEWEST_UNITS: Final = 20


@dataclass(frozen=True, slots=True)
class AARate:
    """How often a metric found a difference where there is none; `method` anytime looks every day, fixed at the end.

    `standard_error` is that of the rate: an honest test stays below alpha + 2 of them.
    """

    metric: str
    method: str
    alpha: float
    units: int
    days: int
    runs: int
    false_positive_rate: float
    standard_error: float


def aa_rates(
    readouts: Readouts,
    key: str,
    runs: int = 1000,
    seed: int = 20260105,
    progress: Callable[[int, int], None] | None = None,
) -> list[AARate]:
    """Split the units of an experiment 50 : 50, `runs` times per metric; quantiles are left out.

    Raises what a readout raises. `progress(done, total)` is called after every batch.
    """
    query = ReadoutQuery()
    study = Studies().of(readouts.archive, key, query)
    found = readouts.observe(study, query, (), _days_by_metric)
    rates: list[AARate] = []
    for index, (rule, days) in enumerate(found):
        tally = _Tally(rule, days, study.plan.alpha)
        for split in _splits(days.units, runs, np.random.default_rng((seed, index))):
            tally.add(split)
            if progress is not None:
                progress(index * runs + tally.runs, runs * len(found))
        rates += tally.rates()
    return rates


def _days_by_metric(opened: Opened) -> list[tuple[MetricRule, UnitDays]]:
    rules = {rule.name: rule for rule in opened.cube.plan.rules if rule.metric.type != "quantile"}
    found = [(rule, opened.observer.unit_days(rule)) for rule in rules.values()]
    return [(rule, days) for rule, days in found if days.units >= FEWEST_UNITS]


def _splits(units: int, runs: int, random: np.random.Generator) -> Iterator[npt.NDArray[np.bool_]]:
    """(runs × units) in batches: who is in treatment."""
    size = max(1, min(runs, BATCH_CELLS // max(1, units)))
    for start in range(0, runs, size):
        count = min(size, runs - start)
        bits = random.integers(0, 256, size=(count, (units + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(bits, axis=1, count=units).astype(np.bool_)


@dataclass(slots=True)
class _Tally:
    """How many runs of one metric found a difference, by method."""

    rule: MetricRule
    days: UnitDays
    alpha: float
    runs: int = 0
    fixed: int = 0
    anytime: int = 0

    def add(self, split: npt.NDArray[np.bool_]) -> None:
        size = len(self.days.calendar)
        sums = np.zeros((2, len(split), size, 6))  # at the close of each day, once they are added up over the days
        whole = np.zeros((size, 6))
        for day in range(size):
            entered, active, steps = self.days.of(day)
            sums[1, :, day, 0] = split[:, entered].sum(axis=1)
            sums[1, :, day, 1:] = split[:, active].astype(np.float64) @ steps
            whole[day, 0] = len(entered)
            whole[day, 1:] = steps.sum(axis=0)
        sums[0] = whole - sums[1]
        sums, ratio = sums.cumsum(axis=2), self.rule.is_ratio
        self.fixed += int(crossed_fixed(sums, self.alpha, ratio=ratio).sum())
        self.anytime += int(crossed_anytime(sums, self.alpha, self.days.units, ratio=ratio).sum())
        self.runs += len(split)

    def rates(self) -> list[AARate]:
        found: list[AARate] = []
        for method, crossed in (("fixed", self.fixed), ("anytime", self.anytime)):
            rate, days = crossed / self.runs, len(self.days.calendar)
            error = math.sqrt(rate * (1.0 - rate) / self.runs)
            found.append(AARate(self.rule.name, method, self.alpha, self.days.units, days, self.runs, rate, error))
        return found
