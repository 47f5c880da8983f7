"""Drawn experiments in memory: what an engine would observe of them at a moment, and the answer that is given of it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from experiments.answers.health import Excluded, Health, MultiExposure
from experiments.answers.readout import PlanReadout, Readout, Worth
from experiments.catalog.calendar import Calendar, metric_window
from experiments.catalog.phases import Pause
from experiments.cube.measures import SURVEYS, MetricRule, cube_plan
from experiments.cube.observations import MetricObservation, QuantileSample
from experiments.cube.shop_days import shop_days
from experiments.cube.sources import Caps
from experiments.cube.sums import COLUMNS, Looks
from experiments.definitions.model import Experiment, Guardrail, Method, Plan, Variant
from experiments.definitions.shop import Metric, RatioPart, Shop
from experiments.readout.days import ClosedDays
from experiments.readout.decision import decision_of
from experiments.readout.health import changed_checks, unequal_checks
from experiments.readout.metrics import explored, metric_readout, settled
from experiments.readout.samples import Judge
from experiments.readout.study import StudiedMetric, Study
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import Histogram
from experiments.statistics.sample_ratio import balance
from experiments.wording.sentences import priced, worded
from experiments.wording.worth import Traffic, worth_of
from kit.time import DAY_US, moment_of

DAY: Final = 86_400
START: Final = 1_767_571_200_000_000  # 2026-01-05
HOUR_US: Final = DAY_US // 24
LOOKBACK: Final = 14 * DAY
ORDER: Final = "Order Completed"
Floats = npt.NDArray[np.float64]

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(name="rate", type="proportion", event=ORDER, window_seconds=3 * DAY),
        Metric(name="bounced", type="proportion", event="Bounced", window_seconds=DAY, want="down"),
        Metric(name="orders", type="count", event=ORDER, window_seconds=7 * DAY),
        Metric(name="revenue", type="mean", event=ORDER, value="revenue", window_seconds=7 * DAY),
        Metric(name="balance", type="mean", event="Booked", value="value", window_seconds=2 * DAY),
        Metric(name="returned", type="retention", event="page", from_seconds=DAY, to_seconds=3 * DAY),
        Metric(name="nps", type="nps", event="Survey Answered", window_seconds=2 * DAY),
        Metric(name="engaged", type="quantile", event="engagement", value="engaged_seconds", q=0.5, window_seconds=DAY),
        Metric(
            name="order_value",
            type="ratio",
            numerator=RatioPart(event=ORDER, sum="revenue"),
            denominator=RatioPart(event=ORDER),
            window_seconds=5 * DAY,
        ),
        Metric(
            name="refund_rate",
            type="ratio",
            numerator=RatioPart(event="Order Refunded"),
            denominator=RatioPart(event=ORDER),
            window_seconds=3 * DAY,
            want="down",
        ),
    )
}
RULES: Final = {rule.name: rule for rule in cube_plan(METRICS.values(), LOOKBACK).rules}
BASE_RATES: Final = {"rate": 0.3, "bounced": 0.5, "returned": 0.4, "refund_rate": 0.3}


@dataclass(frozen=True)
class Drawn:
    """One world. `units` are drawn one by one, each then stands for `copies`; `effect` is relative, from the day
    `turns` on it is `later`. Moments are days since the start, with fractions."""

    seed: int
    weights: tuple[int, ...]
    units: int
    copies: int
    plan: Plan
    goals: tuple[str, ...]
    secondary: tuple[str, ...]
    guardrails: tuple[tuple[str, bool, bool], ...]
    scarcity: float
    effect: float
    later: float
    turns: int
    delay: int
    at: float
    enrols: int
    status: Any
    start: float | None
    stop: float | None
    paused: float | None
    empty: int | None
    alike: bool
    shrink: float

    @cached_property
    def study(self) -> Study:
        """The definition, frozen."""
        arms = ("control", "b", "c")[: len(self.weights)]
        limits = tuple(
            Guardrail(metric=name, max_harm=0.1 if relative else 0.02, relative=relative, require_safe=strict)
            for name, relative, strict in self.guardrails
        )
        experiment = Experiment(
            key="drawn",
            name="drawn",
            status=self.status,
            variants=tuple(
                Variant(key=key, weight=weight / sum(self.weights), payload=None)
                for key, weight in zip(arms, self.weights, strict=True)
            ),
            goals=self.goals,
            secondary=self.secondary,
            guardrails=limits,
            plan=self.plan,
        )
        roles = [(name, "goal") for name in self.goals] + [(name, "secondary") for name in self.secondary]
        roles += [(limit.metric, "guardrail") for limit in limits]
        chance = random.Random(f"margins of {self.seed}")  # a goal in four must only be no worse than by a margin
        margins = [chance.choice([0.05, 0.3]) if chance.random() < 0.25 else None for _ in self.goals]
        margins += [None] * (len(roles) - len(margins))
        metrics = tuple(
            StudiedMetric(METRICS[name], role, post_hoc=False, margin=margin)  # pyright: ignore[reportArgumentType]
            for (name, role), margin in zip(roles, margins, strict=True)
        )
        longest = max(metric_window(each.metric) for each in metrics)
        pauses = () if self.paused is None else (Pause(since=moment(self.paused), until=moment(self.paused + 1)),)
        start, stop = (None if day is None else moment(day) for day in (self.start, self.stop))
        planned = max(2, self.units * self.copies)
        return Study(experiment, Shop(), metrics, "drawn", planned, Calendar(self.status, start, stop, pauses, longest))

    @cached_property
    def judge(self) -> Judge:
        study = self.study
        return Judge(study.plan, self.days, study.planned_units, study.arms, study.weights, study.family)

    @cached_property
    def now(self) -> int:
        return START + round(self.at * DAY_US)

    @cached_property
    def days(self) -> ClosedDays:
        """Which days have closed, as `Readouts.observe` finds it."""
        days = shop_days("UTC", START - 100 * DAY_US, START + 200 * DAY_US)
        first = None if not self.exposed.size else days.day(int(self.exposed.min()))
        stopped = self.study.calendar.stopped_by(moment_of(self.now))
        last = None if stopped is None else days.day(round(stopped.timestamp() * 1e6) - 1)
        return ClosedDays(days, first, days.day(self.now), last)

    def chance(self, name: str = "") -> np.random.Generator:
        """What is drawn of a metric, or of the exposures, is the same each time."""
        return np.random.default_rng([self.seed, sorted(METRICS).index(name) + 1 if name else 0])

    @cached_property
    def _exposures(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """When each unit that has been seen by now was exposed, and its arm."""
        chance = self.chance()
        times = START + chance.integers(0, self.enrols * 24, self.units) * HOUR_US
        times -= times // HOUR_US % 24 // 20 * 4 * HOUR_US  # nobody late in the evening
        shares = np.array(self.weights) / sum(self.weights)
        quotas = np.diff(np.round(np.cumsum([0.0, *shares]) * self.units)).astype(int)
        arms = chance.permutation(np.repeat(np.arange(len(shares)), quotas))
        stop = self.now + 1 if self.stop is None else START + round(self.stop * DAY_US)
        kept = (times <= self.now) & (times < stop) & (arms != (-1 if self.empty is None else self.empty))
        return times[kept], arms[kept]

    @property
    def exposed(self) -> npt.NDArray[np.int64]:
        return self._exposures[0]

    @property
    def arm(self) -> npt.NDArray[np.int64]:
        return self._exposures[1]


def moment(day: float) -> datetime:
    return moment_of(START) + timedelta(days=day)


@dataclass(frozen=True)
class Brought:
    """What each unit brought to a metric: on each day after its exposure, and before it; h says whether it was seen
    before. `responds` are the units that answered a survey."""

    y: Floats
    d: Floats
    x: Floats
    e: Floats
    h: Floats

    def until(self, offsets: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Value and denominator of each unit after so many whole days (its own day is the first)."""
        days = np.arange(self.y.shape[1])[None, :] < offsets[:, None]
        return (self.y * days).sum(axis=1), (self.d * days).sum(axis=1)


def brought(world: Drawn, rule: MetricRule) -> Brought:  # noqa: PLR0915 - one draw a line
    """Draws what the units brought."""
    chance, size, width = world.chance(rule.name), world.exposed.size, max(1, metric_window(rule.metric) // DAY)
    lift = np.where((world.exposed - START) // DAY_US < world.turns, world.effect, world.later)
    better = 1.0 + lift * (world.arm == 1) - 0.5 * lift * (world.arm == 2)
    kind, rate = rule.metric.type, world.scarcity * BASE_RATES.get(rule.name, 0.25)
    happens = chance.random(size) < np.clip(rate * better, 0.0, 1.0)
    if kind == "retention" or world.alike:
        happens = happens if kind == "retention" else np.ones(size, dtype=bool)
    first = np.minimum(width - 1, chance.integers(0, 2, size) + world.delay * (world.arm == 1))
    y, d = np.zeros((size, width)), np.zeros((size, width))
    rows = np.arange(size)
    price = np.full(size, 20.0) if world.alike else chance.lognormal(3.0, 1.0, size)
    if rule.is_share:
        y[rows, first] = happens
    elif rule.is_ratio:
        d[rows, first] = happens * chance.integers(1, 4, size)
        if kind == "nps":
            y[rows, first] = d[rows, first] * (chance.integers(-1, 2, size) * 100.0 + 100.0 * (lift * (world.arm == 1)))
        elif rule.name == "refund_rate":
            y[rows, first] = chance.binomial(d[rows, first].astype(int), np.clip(rate * better, 0.0, 1.0))
        else:
            y[rows, first] = d[rows, first] * price * better
    elif kind == "count":
        y[rows, first] = happens * chance.integers(1, 4, size)
    elif rule.name == "balance":
        y[rows, first] = chance.normal(0.0, 10.0, size) + 10.0 * lift * (world.arm == 1)
    else:
        y[rows, first] = happens * price
        back = np.minimum(width - 1, first + 2)
        y[rows, back] -= happens * (chance.random(size) < 0.2) * price * 1.5  # a refund, and its postage
    y *= world.shrink if rule.field == "amount" and kind != "nps" else 1.0
    h = (chance.random(size) < 0.6).astype(float)
    x = h * (y.sum(axis=1) + chance.normal(0.0, 0.1 * abs(world.shrink) + np.abs(y).max(initial=0.0) / 3.0, size))
    return Brought(y, d, x, h * chance.integers(0, 3, size).astype(float), h)


def observed(world: Drawn, rule: MetricRule) -> MetricObservation:
    """What an engine would observe of a metric."""
    found = brought(world, rule)
    arms, exposed = range(len(world.weights)), world.exposed
    window, day_of = rule.window.end_us, (exposed - START) // DAY_US
    seen = (world.now - exposed - HOUR_US) // DAY_US + 1  # an event comes an hour after so many whole days
    y, d = found.until(np.maximum(0, seen))
    mature = exposed <= world.now - window
    counts = mature if rule.closed_window else np.ones(exposed.size, dtype=bool)
    if rule.metric.type == "quantile":
        return _quantile(world, rule, found, mature)

    def by_arm(kept: npt.NDArray[np.bool_], y: Floats, d: Floats) -> tuple[JointMoments, ...]:
        return tuple(_moments(world, found, kept & (world.arm == arm), y, d) for arm in arms)

    entered = day_of + (window // DAY_US if rule.closed_window else 0)
    today = (world.now - START) // DAY_US
    acted = {int(day) for offset in range(found.y.shape[1]) for day in day_of + offset if day <= today}
    looks = sorted({int(day) for day in entered[counts]} | (set() if rule.closed_window else acted))
    cumulative: list[tuple[JointMoments, ...]] = []
    daily: list[tuple[JointMoments, ...]] = []
    for day in looks:
        kept = counts & (entered <= day)
        so_far, base = found.until(np.minimum(seen, day - day_of + 1))
        before, base_before = found.until(np.minimum(seen, day - day_of))
        if rule.closed_window:
            so_far, base, before, base_before = y, d, y * (entered < day), d * (entered < day)
        cumulative.append(by_arm(kept, so_far, base))
        daily.append(by_arm(kept, so_far - before, base - base_before))
    responders = tuple(world.copies * int(((d > 0) & (world.arm == arm)).sum()) for arm in arms)
    return MetricObservation(
        rule=rule,
        cap=Caps(),
        arms=by_arm(counts, y, d),
        immature=tuple(world.copies * int((~mature & (world.arm == arm)).sum()) for arm in arms),
        levels={"device": {str(part): by_arm(counts & (exposed % 2 == part), y, d) for part in (0, 1)}},
        looks=Looks(tuple(START + day * DAY_US for day in looks), tuple(cumulative), tuple(daily)),
        cohorts={
            START + int(day) * DAY_US: by_arm(counts & (day_of == day), y, d) for day in np.unique(day_of[counts])
        },
        responders=responders if rule.metric.type in SURVEYS else None,
    )


def _moments(world: Drawn, found: Brought, kept: npt.NDArray[np.bool_], y: Floats, d: Floats) -> JointMoments:
    """The moments of some units, each of which stands for several."""
    columns = {"y": y, "d": d, "x": found.x, "e": found.e, "h": found.h}
    one = JointMoments.of({name: columns[name][kept] for name in COLUMNS})
    comoments = tuple(world.copies * value for value in one.comoments)
    return JointMoments(one.columns, world.copies * one.count, one.means, comoments, world.copies * one.nonzero)


def _quantile(world: Drawn, rule: MetricRule, found: Brought, mature: npt.NDArray[np.bool_]) -> MetricObservation:
    arms, value, day_of = range(len(world.weights)), found.y.sum(axis=1), (world.exposed - START) // DAY_US

    def samples(kept: npt.NDArray[np.bool_]) -> tuple[QuantileSample, ...]:
        chosen = [np.unique(value[kept & (world.arm == arm)], return_counts=True) for arm in arms]
        histograms = [Histogram.from_columns(values, world.copies * counts) for values, counts in chosen]
        return tuple(QuantileSample(histogram, None, histogram.count) for histogram in histograms)

    everybody = np.ones(world.exposed.size, dtype=bool)
    nobody = JointMoments.of({name: [] for name in COLUMNS})
    counted = [world.copies * int((world.arm == arm).sum()) for arm in arms]
    return MetricObservation(
        rule=rule,
        cap=Caps(),
        arms=tuple(replace(nobody, count=count) for count in counted),
        immature=tuple(world.copies * int((~mature & (world.arm == arm)).sum()) for arm in arms),
        samples=samples(everybody),
        until={day: samples(START + day_of * DAY_US <= day) for day in world.judge.sample_days(rule)},
    )


def answered(world: Drawn) -> tuple[Readout, dict[str, MetricObservation]]:
    """The answer, made of what was observed as `Readouts` makes it, and what was observed."""
    study, judge, days, as_of = world.study, world.judge, world.days, moment_of(world.now)
    rules = {name: replace(rule, cuped=rule.cuped and study.plan.cuped_seconds > 0) for name, rule in RULES.items()}
    names = dict.fromkeys(each.metric.name for each in study.metrics)
    seen = {name: observed(world, rules[name]) for name in names}
    limits = {limit.metric: limit for limit in study.experiment.guardrails}
    rows = [
        metric_readout(
            judge, each, seen[each.metric.name], limits[each.metric.name] if each.role == "guardrail" else None, "unit"
        )
        for each in study.metrics
    ]
    metrics = explored(settled(judge, rows))
    checks = (*unequal_checks(judge, study, seen), *changed_checks(judge, study, seen))
    health = Health(balance(*counted(world)), MultiExposure(0.0), Excluded(), checks)
    state = study.calendar.state_at(as_of)
    decision = decision_of(judge, study, metrics, health, as_of)
    plan = PlanReadout.of(study.plan, study.planned_units, days.count)
    readout = Readout(
        "drawn", 0, "drawn", as_of, as_of, 0, state, state == "closed", plan, health, decision,
        priced(metrics, "EUR"), name="Drawn",
    )  # fmt: skip
    enrolled = world.exposed.size * world.copies
    worth = worth_of(readout, Traffic(enrolled, days.count, float(enrolled)), "EUR")
    known = {"worth": worth} if isinstance(worth, Worth) else {"worth_reason": worth}
    return worded(replace(readout, **known)), seen


def counted(world: Drawn) -> tuple[list[list[int]], Sequence[float], list[int]]:
    """Units per arm at each closed day, the weights, and units per arm now: what the sample ratio is tested on."""
    arms, days = range(len(world.weights)), (world.exposed - START) // DAY_US
    closed = [day for day in np.unique(days) if world.days.closed(START + int(day) * DAY_US)]
    by_day = [[world.copies * int(((days <= day) & (world.arm == arm)).sum()) for arm in arms] for day in closed]
    return by_day, world.study.weights, [world.copies * int((world.arm == arm).sum()) for arm in arms]


_WEIGHTS: Final = ((1, 1), (1, 1), (9, 1), (1, 9), (95, 5), (5, 95), (99, 1), (1, 99), (1, 1, 1), (90, 5, 5), (2, 1, 1))
_METHODS: Final[tuple[Method, ...]] = ("anytime", "planned", "fixed", "bayesian")


def world(seed: int) -> Drawn:
    """The world of a seed: of every kind, most of them ordinary."""
    chance = random.Random(seed)
    pick, names = chance.choice, chance.sample(sorted(METRICS), 4)

    def sometimes(share: float, low: float, high: float) -> float | None:
        return round(24 * chance.uniform(low, high)) / 24 if chance.random() < share else None

    plan = Plan(
        method=pick(_METHODS),
        alpha=pick([0.01, 0.05, 0.1, 0.2]),
        days=chance.randint(1, 12),
        min_days=chance.randint(0, 5),
        looks=chance.randint(1, 4),
        cuped_seconds=pick([0, LOOKBACK]),
        correction=pick(["holm", "bh"]),
    )
    guarded = names[3] if names[3] != "engaged" else "bounced"
    return Drawn(
        seed=seed,
        weights=pick(_WEIGHTS),
        units=pick([0, 1, 3, 30, 100, 300, 300, 600, 600, 600]),
        copies=pick([1, 1, 2, 5, 20]),
        plan=plan,
        goals=tuple(names[: pick([1, 1, 2])]),
        secondary=tuple(names[2 : pick([2, 3])]),
        guardrails=((guarded, pick([True, False]), pick([True, False])),) if chance.random() < 0.4 else (),
        scarcity=pick([0.0, 0.02, 0.2, 1.0, 1.0, 1.0, 1.0]),
        effect=pick([0.0, 0.1, 0.3, 0.5, 1.0, -0.3, -0.5, -1.0]),
        later=pick([0.0, 0.1, 0.5, -0.3, -1.0]),
        turns=pick([1, 2, 3, 5, 99, 99, 99, 99]),
        delay=pick([0, 0, 0, 1, 4]),
        at=sometimes(1.0, -1.0, 16.0) or 0.0,
        enrols=pick([1, 2, 5, 10]),
        status=pick(["running"] * 12 + ["paused", "stopped", "archived", "draft"]),
        start=sometimes(0.2, -3.0, 8.0),
        stop=sometimes(0.3, 0.0, 18.0),
        paused=sometimes(0.1, 0.0, 10.0),
        empty=pick([None] * 20 + [0, 1]),
        alike=chance.random() < 0.05,
        shrink=pick([1.0, 1.0, 1e-6, 1e6, -1.0]),
    )
