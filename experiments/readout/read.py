"""Reads what came of an experiment: one cube, moments, tests, corrections, decision; cached until the log changes."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from events.engines.duckdb import EventLog
from events.engines.tables import Table
from events.log.reader import Snapshot
from experiments.cube.cube import FOREVER_US, Cube, CubeScope, Site
from experiments.cube.measures import CubePlan, cube_plan
from experiments.cube.observations import MetricObservation, Observer
from experiments.cube.shop_days import ShopDays, shop_days
from experiments.cube.statements import statement
from experiments.planning.assumptions import Assumptions
from experiments.readout import satisfaction
from experiments.readout.days import ClosedDays
from experiments.readout.decision import decision_of
from experiments.readout.encoding import Check, MetricReadout, PlanReadout, Readout, plain
from experiments.readout.health import (
    changed_checks,
    engaged_time_checks,
    health_of,
    interaction_checks,
    lost_events,
    unequal_checks,
)
from experiments.readout.metrics import explored, metric_readout, settled
from experiments.readout.planning import NOTHING_SAID, empty_plan, supposed, traffic_plan
from experiments.readout.samples import Judge
from experiments.readout.study import Archive, InvalidDate, Opened, ReadoutQuery, Studies, Study, UnknownDimension
from experiments.readout.tables import analyst_sql, comparison_rows, unit_table
from kit.time import DAY_US, SECOND_US, microseconds, moment_of

Found = TypeVar("Found")
FRESH_US: Final = 60 * SECOND_US  # how long an answer stands while nothing arrives: units grow mature, days close
MARGIN_US: Final = 400 * DAY_US  # how far before and after the exposures events may count
MAX_DIMENSIONS: Final = 8


@dataclass(slots=True)
class Readouts:
    """Every readout of one log. Computed by one thread; `now` is the clock."""

    log: EventLog
    archive: Archive
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    cache_entries: int = 256
    _cache: OrderedDict[tuple[object, ...], Readout] = field(default_factory=OrderedDict[tuple[object, ...], Readout])
    _studies: Studies = field(default_factory=Studies)
    _switch: threading.Lock = field(default_factory=threading.Lock)

    def read(self, key: str, query: ReadoutQuery = ReadoutQuery()) -> Readout:  # noqa: B008 - frozen
        """The readout of an experiment; raises the `NotFound`s, `InvalidDate`, `DataDamaged` and `QueryTimeout`."""
        look = self._look(key, query)
        readout = self._recalled(look.mark)
        if readout is None:
            dimensions = _dimensions(look.study, query)
            readout = self.observe(
                look.study, query, dimensions, lambda opened: self._readout(opened, query, look), look.snapshot
            )
            with self._switch:
                self._cache[look.mark] = readout
                while len(self._cache) > self.cache_entries:
                    self._cache.popitem(last=False)
        return replace(readout, pending=query.pending)

    def remembered(self, key: str, query: ReadoutQuery = ReadoutQuery()) -> Readout | None:  # noqa: B008 - frozen
        """What `read` would answer without computing, None where it would have to; another thread may ask this."""
        look = self._look(key, query)
        readout = self._recalled(look.mark)
        return readout and replace(readout, pending=query.pending)

    def etag(self, readout: Readout) -> str:
        """What a readout says and what it lacks, as a name: the moments it was made at and reaches to are not in it."""
        return readout.etag if readout.pending == 0 else f"{readout.etag}-{readout.pending}"

    def results(self, pending: int | None = 0, watermark: datetime | None = None) -> list[dict[str, Any]]:
        """All running experiments, one row per comparison."""
        query = ReadoutQuery(pending=pending, watermark=watermark)
        running = [e.key for e in self.archive.latest().experiments.values() if e.status == "running"]
        return [row for key in sorted(running) for row in comparison_rows(self.read(key, query))]

    def units(self, key: str, query: ReadoutQuery = ReadoutQuery()) -> Table:  # noqa: B008 - frozen
        """One row per unit."""
        study = self._studies.of(self.archive, key, query)
        dimensions = _dimensions(study, query)
        return self.observe(study, query, dimensions, lambda opened: unit_table(opened.cube, opened.observer))

    def plan(self, key: str, said: Assumptions = NOTHING_SAID) -> dict[str, Any]:
        """Units a day, detectable effects, days to the wanted ones: from the experiment's traffic, else the site's.

        What was said outranks the log and the files. Raises InvalidPlan where it does not fit.
        """
        query = ReadoutQuery()
        study = self._studies.of(self.archive, key, query)
        told = supposed(study, said)
        planned = self.observe(study, query, (), traffic_plan(told, "exposures", said))
        if planned is None:
            since = microseconds(self.as_of(query)) - study.plan.days * DAY_US
            planned = self.observe(study, query, (), traffic_plan(told, "site", said), site=Site(since))
        return plain(planned or empty_plan(told, said))

    def cx(self, query: ReadoutQuery = ReadoutQuery()) -> dict[str, Any]:  # noqa: B008 - frozen
        """CSAT, NPS, CES and retention of the whole site per day."""
        as_of = self.as_of(query)
        snapshot, now_us = self.log.snapshot(), microseconds(as_of)
        shop = self.archive.latest().shop
        days = shop_days(shop.timezone, now_us - MARGIN_US, now_us + MARGIN_US)
        with self.log.open(snapshot, None if query.at is None else now_us, satisfaction.PROPERTIES.names) as engine:
            rows = satisfaction.customer_experience(engine, days, now_us)
        watermark = self.watermark(query, snapshot, as_of)
        return plain({"as_of": as_of, "watermark": watermark, "pending": query.pending, "days": rows})

    def metrics(self) -> list[dict[str, Any]]:
        """Every metric that is defined, with its definition."""
        known = self.archive.latest().metrics
        return [known[name].model_dump(mode="json", exclude_none=True) for name in sorted(known)]

    def as_of(self, query: ReadoutQuery) -> datetime:
        """The moment that a query looks from."""
        now = self.now()
        if query.at is not None and query.at > now:
            raise InvalidDate(f"at: {query.at:%Y-%m-%dT%H:%M:%SZ} lies in the future; it is {now:%Y-%m-%dT%H:%M:%SZ}")
        return query.at or now

    def observe(
        self,
        study: Study,
        query: ReadoutQuery,
        dimensions: Sequence[str],
        answer: Callable[[Opened], Found],
        snapshot: Snapshot | None = None,
        site: Site | None = None,
    ) -> Found:
        """Build the cube of a study and answer from it; the engine lives as long as that takes."""
        as_of = self.as_of(query)
        snapshot = snapshot or self.log.snapshot()
        as_of_us = microseconds(as_of)
        first = min((part.min_received_at for part in snapshot.parts), default=as_of_us)
        days = shop_days(study.shop.timezone, min(first, as_of_us) - MARGIN_US, as_of_us + MARGIN_US)
        plan = cube_plan((item.metric for item in study.metrics), round(study.plan.cuped_seconds), dimensions)
        received_until = None if query.at is None else as_of_us
        with self.log.open(snapshot, received_until, plan.properties.names) as engine:
            scope = replace(_scope(study, plan, days, as_of), site=site)
            cube = Cube(engine, scope, plan)
            cube.build()
            exposed = engine.rows(statement("span"))[0][0]
            first_day = None if exposed is None else days.day(int(exposed))
            stopped = study.calendar.stopped_by(as_of)
            last = None if stopped is None else days.day(microseconds(stopped) - 1)
            closed_days = ClosedDays(days, first_day, days.day(as_of_us), last)
            return answer(Opened(study, cube, closed_days, Observer(cube, as_of_us)))

    def _look(self, key: str, query: ReadoutQuery) -> "_Look":
        as_of = self.as_of(query)
        study, snapshot = self._studies.of(self.archive, key, query), self.log.snapshot()
        asked = (query.at, query.metric, query.dimension, query.include_sql)
        mark = (key, study.identity, snapshot.identity, asked, query.at or microseconds(as_of) // FRESH_US)
        return _Look(study, snapshot, as_of, mark)

    def _readout(self, opened: Opened, query: ReadoutQuery, look: "_Look") -> Readout:
        study, cube, as_of = opened.study, opened.cube, look.as_of
        judge = Judge(study.plan, opened.days, study.planned_units, study.arms, study.weights, study.family)
        observed, texts = self._observed(opened, judge, query)
        rows: list[MetricReadout] = []
        for studied in study.metrics:
            name = studied.metric.name
            limit = next((g for g in study.experiment.guardrails if g.metric == name), None)
            limit = limit if studied.role == "guardrail" else None
            row = metric_readout(judge, studied, observed[name], limit, study.experiment.unit)
            rows.append(replace(row, sql=texts.pop(name, None)))
        metrics = explored(settled(judge, rows))
        checks: list[Check] = []
        if not study.not_started(as_of) and not cube.engine.rows(statement("count_units"))[0][0]:
            told = "nobody has been exposed yet: evaluating is not seeing, an exposure must be sent"
            checks.append(Check("no_exposures", told))
        if query.at is None:
            checks += interaction_checks(study, cube, opened.observer, self.archive.latest())
        checks += [*unequal_checks(judge, study, observed), *changed_checks(judge, study, observed)]
        checks += [*lost_events(look.snapshot.lost), *engaged_time_checks(observed)]
        health = health_of(cube, study, opened.days, cube.plan.dimensions, checks)
        state = study.calendar.state_at(as_of)
        readout = Readout(
            experiment=study.experiment.key,
            phase=study.experiment.phase,
            fingerprint=study.fingerprint,
            as_of=as_of.astimezone(UTC).replace(microsecond=0),
            watermark=self.watermark(query, look.snapshot, as_of),
            pending=None,
            state=state,
            closed=state == "closed",
            plan=PlanReadout.of(study.plan, study.planned_units, opened.days.count),
            health=health,
            decision=decision_of(judge, study, metrics, health, as_of),
            metrics=_asked(metrics, query),
        )
        # equal for readouts that say the same of the same definition, whatever arrived in between that does not matter
        said = (readout.experiment, readout.phase, readout.fingerprint, state, readout.plan, health, readout.decision)
        series = [metric.series for metric in readout.metrics]
        content = msgspec.json.encode(plain([*said, readout.metrics, series]))
        return replace(readout, etag=hashlib.sha256(content).hexdigest()[:32])

    def _observed(
        self, opened: Opened, judge: Judge, query: ReadoutQuery
    ) -> tuple[dict[str, MetricObservation], dict[str, str]]:
        """What the log says of each metric, and the SQL that says so where it was asked for."""
        plan = opened.cube.plan
        found: dict[str, MetricObservation] = {}
        texts: dict[str, str] = {}
        for name in dict.fromkeys(studied.metric.name for studied in opened.study.metrics):
            rule = plan.rule(name)
            found[name] = opened.observer.observe(
                rule, plan.dimensions, judge.sample_days(rule), whole_windows=judge.waits_for_looks
            )
            if query.include_sql:
                texts[name] = analyst_sql(opened.cube, opened.observer, rule)
        return found, texts

    def watermark(self, query: ReadoutQuery, snapshot: Snapshot, as_of: datetime) -> datetime | None:
        """How far the log was written, as far as the answer looks: what came later is pending."""
        known = query.watermark
        if known is None and snapshot.watermark_us is not None:
            known = moment_of(snapshot.watermark_us)
        return known and min(known, as_of.astimezone(UTC).replace(microsecond=0))

    def _recalled(self, mark: tuple[object, ...]) -> Readout | None:
        with self._switch:
            found = self._cache.get(mark)
            if found is not None:
                self._cache.move_to_end(mark)
            return found


@dataclass(frozen=True, slots=True)
class _Look:
    """What a question is answered from; equal `mark`s have equal answers."""

    study: Study
    snapshot: Snapshot
    as_of: datetime
    mark: tuple[object, ...]


def _dimensions(study: Study, query: ReadoutQuery) -> tuple[str, ...]:
    asked = () if query.dimension is None else (query.dimension,)
    return tuple(dict.fromkeys((*study.plan.dimensions, *asked)))[:MAX_DIMENSIONS]


def _scope(study: Study, plan: CubePlan, days: ShopDays, as_of: datetime) -> CubeScope:
    stopped = study.calendar.stopped_by(as_of)
    stop_us = FOREVER_US if stopped is None else microseconds(stopped)
    closes_us = stop_us + plan.boundaries[-1] if stop_us != FOREVER_US else FOREVER_US
    return CubeScope(
        experiment=study.experiment.key,
        phase=study.experiment.phase,
        arms=study.arms,
        unit=study.experiment.unit,
        identity=study.plan.identity,
        currency=study.shop.currency,
        rates=study.shop.rates,
        days=days,
        stop_us=stop_us,
        known_until_us=closes_us,
    )


def _asked(rows: Sequence[MetricReadout], query: ReadoutQuery) -> tuple[MetricReadout, ...]:
    chosen = [row for row in rows if query.metric in (None, row.metric)]
    if query.dimension is None:
        return tuple(chosen)
    levels = [
        replace(row, dimensions=tuple(level for level in row.dimensions if level.dimension == query.dimension))
        for row in chosen
    ]
    known = {level.level for row in levels for level in row.dimensions}
    if known == {""}:
        named = (level.dimension for row in rows for level in row.dimensions if level.dimension != query.dimension)
        raise UnknownDimension(query.dimension, sorted({*named, "device", "country"} - {query.dimension}))
    return tuple(levels)
