"""What is asked of the log at one moment, and the cube that answers it, for one study or for several together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final

from events.engines.duckdb import Engine
from events.log.reader import Snapshot
from experiments.cube.cube import Cube
from experiments.cube.measures import CubePlan, cube_plan
from experiments.cube.observations import Observer
from experiments.cube.scope import CubeScope, Enrolment, Site, enrolled
from experiments.cube.shop_days import shop_days
from experiments.cube.statements import Properties, statement
from experiments.definitions.model import Experiment
from experiments.definitions.shop import Metric
from experiments.readout.days import WAITING, ClosedDays
from experiments.readout.samples import Judge
from experiments.readout.study import ReadoutQuery, Study
from experiments.wording.worth import MONTH_DAYS, Traffic
from kit.time import DAY_US, microseconds, moment_of

MARGIN_US: Final = 400 * DAY_US  # how far before and after the exposures events may count
SMALL: Final = 20_000  # exposures of an experiment that is computed together with others


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A study as of a moment. What is remembered of a `question` holds as long as the snapshot is the same."""

    study: Study
    query: ReadoutQuery
    as_of: datetime
    snapshot: Snapshot
    dimensions: tuple[str, ...] = ()
    question: tuple[object, ...] = ()
    site: Site | None = None

    @property
    def mark(self) -> tuple[object, ...]:
        """Equal marks have equal answers."""
        return self.question, self.snapshot.identity

    @property
    def received_until(self) -> int | None:
        """A past inquiry reads what had been received by then (µs)."""
        return None if self.query.at is None else microseconds(self.as_of)


@dataclass(frozen=True)
class Opened:
    """A inquiry whose cube is built, ready to be observed; `place` is which of the cube's studies it is."""

    inquiry: Inquiry
    cube: Cube
    place: int

    @property
    def study(self) -> Study:
        return self.inquiry.study

    @property
    def arms(self) -> range:
        """The numbers of its arms in the cube."""
        return self.cube.scope.arms_of(self.place)

    @property
    def observer(self) -> Observer:
        """What reads the cube as of the moment."""
        return Observer(self.cube, microseconds(self.inquiry.as_of))

    @cached_property
    def gained(self) -> list[tuple[int, int, int]]:
        """(arm of the study, shop day, units that were exposed first then)."""
        rows, arms = self.cube.once(statement("days_of_units")), self.arms
        found = zip(rows["arm"].tolist(), rows["day"].tolist(), rows["n"].tolist(), strict=True)
        return [(arm - arms.start, day, n) for arm, day, n in found if arm in arms]

    @property
    def traffic(self) -> Traffic:
        """Who was enrolled on the newest closed days of enrolment, as many as a month of all units is reckoned from."""
        days, experiment = self.days, self.study.experiment
        newest = days.newest if days.last is None else min(days.last, days.today - DAY_US)
        if newest is None or days.first is None:
            return Traffic(0, 0, 0.0)
        first = max(days.first, newest - (MONTH_DAYS - 1) * DAY_US)
        count = max(0, (newest - first) // DAY_US + 1)
        found: dict[int, int] = {}
        for _, day, n in self.gained:
            if first <= day <= newest:
                found[day] = found.get(day, 0) + n
        shares = {day: experiment.traffic_share(moment_of(days.days.moment(day + DAY_US) - 1)) for day in found}
        everybody = sum(n / shares[day] for day, n in found.items() if shares[day] > 0.0)
        return Traffic(sum(found.values()), count, everybody)

    @property
    def units(self) -> int:
        """How many units it has."""
        return sum(n for _, _, n in self.gained)

    @cached_property
    def days(self) -> ClosedDays:
        """Its days as of the moment."""
        days, stopped = self.cube.scope.days, self.study.calendar.stopped_by(self.inquiry.as_of)
        last = None if stopped is None else days.day(microseconds(stopped) - 1)
        first = min((day for _, day, _ in self.gained), default=None)
        return ClosedDays(days, first, days.day(microseconds(self.inquiry.as_of)), last)

    @cached_property
    def judge(self) -> Judge:
        """By what its comparisons are judged."""
        study = self.study
        return Judge(study.plan, self.days, study.planned_units, study.arms, study.weights, study.family)


def plan_of(inquiries: Sequence[Inquiry], properties: tuple[str, ...] | None = None) -> CubePlan:
    """What one cube must hold for inquiries that it can answer together; `properties` are those that the engine was
    opened with, where it serves several cubes."""
    metrics = {each.metric.name: each.metric for inquiry in inquiries for each in inquiry.study.metrics}
    plan = cube_plan(metrics.values(), round(inquiries[0].study.plan.cuped_seconds), inquiries[0].dimensions)
    return plan if properties is None else replace(plan, properties=Properties(properties))


def cube_of(engine: Engine, inquiries: Sequence[Inquiry], plan: CubePlan) -> Cube:
    """The cube of inquiries at one moment, to be built."""
    first = inquiries[0]
    shop, as_of_us = first.study.shop, microseconds(first.as_of)
    begun = min((part.min_received_at for part in first.snapshot.parts), default=as_of_us)
    scope = CubeScope(
        enrolments=tuple(_enrolment(inquiry, plan) for inquiry in inquiries),
        unit=first.study.experiment.unit,
        identity=first.study.plan.identity,
        currency=shop.currency,
        rates=shop.rates,
        days=shop_days(shop.timezone, min(begun, as_of_us) - MARGIN_US, as_of_us + MARGIN_US),
        site=first.site,
    )
    return Cube(engine, scope, plan)


def small_ones(engine: Engine, inquiries: Sequence[Inquiry]) -> list[Inquiry]:
    """Those of so few exposures that what costs is the number of statements, not of rows."""
    enrolments = [enrolment_of(inquiry.study.experiment) for inquiry in inquiries]
    found = engine.rows(statement("exposed").bind(enrolled=enrolled(enrolments)))
    counts = {(str(key), int(phase)): int(n) for key, phase, n in found}
    pairs = zip(inquiries, enrolments, strict=True)
    return [inquiry for inquiry, each in pairs if counts.get((each.experiment, each.phase), 0) <= SMALL]


def batches(inquiries: Sequence[Inquiry]) -> list[list[Inquiry]]:
    """Looks that one cube can answer: their studies attribute events alike and mean the same by a metric's name."""
    found: list[tuple[object, dict[str, Metric], list[Inquiry]]] = []
    for inquiry in inquiries:
        plan, shop = inquiry.study.plan, inquiry.study.shop
        unit, waits = inquiry.study.experiment.unit, plan.method in WAITING
        alike = (unit, plan.identity, plan.cuped_seconds, inquiry.dimensions, waits, shop)
        metrics = {each.metric.name: each.metric for each in inquiry.study.metrics}
        for settings, known, batch in found:
            if settings == alike and all(known.get(name, metric) == metric for name, metric in metrics.items()):
                known |= metrics
                batch.append(inquiry)
                break
        else:
            found.append((alike, metrics, [inquiry]))
    return [batch for _, _, batch in found]


def enrolment_of(experiment: Experiment) -> Enrolment:
    """Whoever was exposed in an experiment's phase, without an end."""
    return Enrolment(experiment.key, experiment.phase, tuple(variant.key for variant in experiment.variants))


def _enrolment(inquiry: Inquiry, plan: CubePlan) -> Enrolment:
    stopped, own = inquiry.study.calendar.stopped_by(inquiry.as_of), enrolment_of(inquiry.study.experiment)
    if stopped is None:
        return own
    windows = (plan.rule(each.metric.name).window.end_us for each in inquiry.study.metrics)
    stop_us = microseconds(stopped)
    return replace(own, stop_us=stop_us, known_until_us=stop_us + max(windows, default=0))
