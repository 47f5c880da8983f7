"""Reads what came of an experiment: one cube, moments, tests, corrections, decision; cached until the log changes."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from events.engines.duckdb import EventLog
from events.engines.tables import Table
from events.log.reader import Snapshot
from experiments.answers.encoding import plain
from experiments.answers.health import Check
from experiments.answers.readout import MetricReadout, PlanReadout, Readout, Worth
from experiments.arrivals.checks import Arrivals, ReadPhase, compiled_phases
from experiments.assignment.assign import CompiledExperiment
from experiments.catalog.calendar import State
from experiments.cube.observations import MetricObservation
from experiments.cube.scope import Site
from experiments.planning.assumptions import Assumptions
from experiments.readout.decision import decision_of
from experiments.readout.health import (
    changed_checks,
    engaged_time_checks,
    health_of,
    interaction_checks,
    lost_events,
    neighbours_of,
    unequal_checks,
)
from experiments.readout.inquiries import (
    Inquiry,
    Opened,
    batches,
    cube_of,
    enrolment_of,
    plan_of,
    small_ones,
)
from experiments.readout.metrics import explored, metric_readout, settled
from experiments.readout.planning import NOTHING_SAID, empty_plan, supposed, traffic_plan
from experiments.readout.study import Archive, InvalidDate, ReadoutQuery, Studies, Study, UnknownDimension
from experiments.readout.tables import analyst_sql, comparison_rows, unit_table
from experiments.wording.sentences import priced, worded
from experiments.wording.worth import worth_of
from kit.time import DAY_US, SECOND_US, microseconds, moment_of, now_utc

Found = TypeVar("Found")
FRESH_US: Final = 60 * SECOND_US  # how long an answer stands while nothing arrives: units grow mature, days close
MAX_DIMENSIONS: Final = 8
TOGETHER: Final = 50  # at most so many on one engine, which answers within the time of one analysis


@dataclass(slots=True)
class Readouts:
    """Every readout of one log. Computed by one thread; `now` is the clock."""

    log: EventLog
    archive: Archive
    now: Callable[[], datetime] = field(default=now_utc)
    cache_entries: int = 256
    _cache: OrderedDict[tuple[object, ...], Readout] = field(default_factory=OrderedDict[tuple[object, ...], Readout])
    _kept: OrderedDict[tuple[object, ...], tuple[object, Readout]] = field(default_factory=OrderedDict[Any, Any])
    _studies: Studies = field(default_factory=Studies)
    _switch: threading.Lock = field(default_factory=threading.Lock)
    _arrivals: Arrivals = field(init=False)

    def __post_init__(self) -> None:
        self._arrivals = Arrivals.at(self.log.reader.data)

    def read(self, key: str, query: ReadoutQuery = ReadoutQuery()) -> Readout:  # noqa: B008 - frozen
        """The readout of an experiment; raises the `NotFound`s, `InvalidDate`, `DataDamaged` and `QueryTimeout`."""
        inquiry = self._inquiry(key, query)
        readout = self._recalled(inquiry.mark)
        return replace(readout or self._computed(inquiry), pending=query.pending)

    def remembered(self, key: str, query: ReadoutQuery = ReadoutQuery()) -> Readout | None:  # noqa: B008 - frozen
        """What `read` would answer without computing, None where it would have to; another thread may ask this."""
        mark = self._inquiry(key, query).mark
        readout = self._recalled(mark)
        if readout is None and query.metric and query.dimension is None and not query.include_sql:
            whole = self._recalled(self._inquiry(key, replace(query, metric=None)).mark)
            readout = whole and _named(replace(whole, metrics=_asked(whole.metrics, query)))
            if readout is not None:
                self._remember(mark, readout)
        return readout and replace(readout, pending=query.pending)

    def not_begun(self, key: str, now: datetime) -> str | None:
        """Why nobody could be assigned yet to an experiment; None once somebody could. Another thread may ask this."""
        return self._studies.of(self.archive, key, ReadoutQuery()).not_started(now)

    def etag(self, readout: Readout) -> str:
        """What a readout says and what it lacks, as a name: the moments it was made at and reaches to are not in it."""
        return readout.etag if readout.pending == 0 else f"{readout.etag}-{readout.pending}"

    def several(self, asked: Sequence[tuple[str, ReadoutQuery]]) -> list[Readout]:
        """The readouts of several experiments or phases, at one moment: all queries name the same.

        What is small is computed together, on one cube; what rests on nothing new is not computed again.
        """
        return [readout for _, readout in self._several(asked)]

    def results(
        self, pending: int | None = 0, watermark: datetime | None = None, *, every_status: bool = False
    ) -> list[dict[str, Any]]:
        """One row per comparison of all running experiments, or of all that ever ran."""
        query = ReadoutQuery(pending=pending, watermark=watermark)
        defined = self.archive.latest().experiments
        keys = sorted(
            e.key for e in defined.values() if e.status == "running" or (every_status and e.status != "draft")
        )
        rows: list[dict[str, Any]] = []
        for inquiry, readout in self._several([(key, query) for key in keys]):
            rows += comparison_rows(readout, defined[readout.experiment], inquiry.study.calendar)
        return rows

    def units(self, key: str, query: ReadoutQuery = ReadoutQuery()) -> Table:  # noqa: B008 - frozen
        """One row per unit."""
        study = self._studies.of(self.archive, key, query)
        return self.observe(
            study,
            query,
            study.plan.dimensions[:MAX_DIMENSIONS],
            lambda opened: unit_table(opened.cube, opened.observer),
        )

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
        as_of, snapshot = self.as_of(query), snapshot or self.log.snapshot()
        inquiry = Inquiry(study, query, as_of, snapshot, tuple(dimensions), site=site)
        with self._opened(inquiry) as opened:
            return answer(opened)

    def _inquiry(self, key: str, query: ReadoutQuery, moment: tuple[datetime, Snapshot] | None = None) -> Inquiry:
        as_of = moment[0] if moment else self.as_of(query)
        study = self._studies.of(self.archive, key, query)  # what there is not is said also of a damaged log
        identity = study.identity
        snapshot = moment[1] if moment else self.log.snapshot()
        asked = (query.at, query.metric, query.dimension, query.include_sql)
        question = (key, identity, asked, query.at or microseconds(as_of) // FRESH_US, snapshot.lost)
        dimension = () if query.dimension is None else (query.dimension,)
        dimensions = tuple(dict.fromkeys((*study.experiment.plan.dimensions, *dimension)))[:MAX_DIMENSIONS]
        return Inquiry(study, query, as_of, snapshot, dimensions, question)

    @contextmanager
    def _opened(self, inquiry: Inquiry) -> Generator[Opened]:
        plan = plan_of([inquiry])
        with self.log.open(inquiry.snapshot, inquiry.received_until, plan.properties.names) as engine:
            cube = cube_of(engine, [inquiry], plan)
            cube.build()
            yield Opened(inquiry, cube, 0)

    def _computed(self, inquiry: Inquiry) -> Readout:
        with self._opened(inquiry) as opened:
            (readout,) = self._readouts([opened])
        self._remember(inquiry.mark, readout)
        return readout

    def _several(self, asked: Sequence[tuple[str, ReadoutQuery]]) -> list[tuple[Inquiry, Readout]]:
        if not asked:
            return []
        moment = self.as_of(asked[0][1]), self.log.snapshot()
        inquiries = [self._inquiry(key, query, moment) for key, query in asked]
        known = {inquiry.mark: self._recalled(inquiry.mark) for inquiry in inquiries}
        unknown = [inquiry for inquiry in inquiries if known[inquiry.mark] is None]
        for start in range(0, len(unknown) if len(unknown) > 1 else 0, TOGETHER):
            for inquiry, readout in self._together(unknown[start : start + TOGETHER]):
                known[inquiry.mark] = readout
                self._remember(inquiry.mark, readout)
        found = [(inquiry, known[inquiry.mark] or self._computed(inquiry)) for inquiry in inquiries]
        return [(inquiry, replace(readout, pending=inquiry.query.pending)) for inquiry, readout in found]

    def _together(self, inquiries: Sequence[Inquiry]) -> Generator[tuple[Inquiry, Readout]]:
        """The small ones among inquiries at one moment, with their readouts, on as few cubes as hold them.

        What rests on the same rows as when it was computed last is not computed again.
        """
        names = tuple(dict.fromkeys(name for each in inquiries for name in plan_of([each]).properties.names))
        with self.log.open(inquiries[0].snapshot, inquiries[0].received_until, names) as engine:
            for batch in batches(small_ones(engine, inquiries)):
                cube = cube_of(engine, batch, plan_of(batch, names))
                cube.expose()
                rests = cube.evidence()
                known = [self._unchanged(inquiry, rests.get(place)) for place, inquiry in enumerate(batch)]
                yield from ((inquiry, found) for inquiry, found in zip(batch, known, strict=True) if found)
                changed = [place for place, found in enumerate(known) if found is None]
                if not changed:
                    continue
                if len(changed) < len(batch):
                    rest = [batch[place] for place in changed]
                    cube = cube_of(engine, rest, plan_of(rest, names))
                cube.build()
                opened = [Opened(batch[place], cube, number) for number, place in enumerate(changed)]
                for place, readout in zip(changed, self._readouts(opened), strict=True):
                    self._kept[batch[place].question] = rests.get(place), readout
                    while len(self._kept) > self.cache_entries:
                        self._kept.popitem(last=False)
                    yield batch[place], readout

    def _unchanged(self, inquiry: Inquiry, rests_on: object) -> Readout | None:
        """The readout that was computed last of the same rows, within the same minute; its watermark is of now."""
        rested_on, readout = self._kept.get(inquiry.question, (None, None))
        if readout is None or rested_on != rests_on:
            return None
        as_of, watermark = self.moments(inquiry.query, inquiry.snapshot, inquiry.as_of)
        return replace(readout, as_of=as_of, watermark=watermark)

    def _readouts(self, opened: Sequence[Opened]) -> list[Readout]:
        """The readouts of the studies of one cube."""
        cube, observer, query = opened[0].cube, opened[0].observer, opened[0].inquiry.query
        if query.at is None:
            others = {other.key: other for each in opened for other in neighbours_of(each.study, self.archive.latest())}
            cube.overlap([enrolment_of(other) for other in others.values()])
        observed: list[dict[str, MetricObservation]] = [{} for _ in opened]
        texts: dict[str, str] = {}
        for rule in cube.plan.rules:
            asking = [
                place
                for place, each in enumerate(opened)
                if any(own.metric.name == rule.name for own in each.study.metrics)
            ]
            found = observer.observe_each(
                rule,
                cube.plan.dimensions,
                {place: opened[place].judge.sample_days(rule) for place in asking},
                whole_windows=opened[0].judge.waits_for_looks,
                overlaps=any(opened[place].study.goals[0] == rule.name for place in asking),
            )
            for place in asking:
                observed[place][rule.name] = found[place]
            if query.include_sql:
                texts[rule.name] = analyst_sql(cube, observer, rule)
        return [self._readout(each, own, texts) for each, own in zip(opened, observed, strict=True)]

    def _readout(self, opened: Opened, observed: Mapping[str, MetricObservation], texts: dict[str, str]) -> Readout:
        inquiry, study, judge = opened.inquiry, opened.study, opened.judge
        query, as_of = inquiry.query, inquiry.as_of
        rows: list[MetricReadout] = []
        for studied in study.metrics:
            name = studied.metric.name
            limit = next((g for g in study.experiment.guardrails if g.metric == name), None)
            limit = limit if studied.role == "guardrail" else None
            row = metric_readout(judge, studied, observed[name], limit, study.experiment.unit)
            rows.append(replace(row, sql=texts.pop(name, None)))
        metrics = explored(settled(judge, rows))
        checks: list[Check] = []
        if not study.not_started(as_of) and not opened.units:
            nobody = "nobody has been exposed yet: evaluating is not seeing, an exposure must be sent"
            checks.append(Check("no_exposures", nobody))
        if query.at is None:
            checks += interaction_checks(opened, observed, self.archive.latest())
        checks += [*unequal_checks(judge, study, observed), *changed_checks(judge, study, observed)]
        checks += [*lost_events(inquiry.snapshot.lost), *engaged_time_checks(observed)]
        state = study.calendar.state_at(as_of)
        checks += [Check(*each) for each in self._arrivals.findings(opened.cube, self._asked_of(opened, state))]
        health = health_of(opened, opened.cube.plan.dimensions, checks)
        shown, watermark = self.moments(query, inquiry.snapshot, as_of)
        readout = Readout(
            experiment=study.experiment.key,
            phase=study.experiment.phase,
            fingerprint=study.fingerprint,
            as_of=shown,
            watermark=watermark,
            pending=None,
            name=study.experiment.name,
            state=state,
            closed=state == "closed",
            plan=PlanReadout.of(study.plan, study.planned_units, opened.days.count),
            health=health,
            decision=decision_of(judge, study, metrics, health, as_of),
            units_a_day=opened.traffic.units_a_day,
            metrics=priced(metrics, study.shop.currency),
        )
        worth = worth_of(readout, opened.traffic, study.shop.currency)
        known = {"worth": worth} if isinstance(worth, Worth) else {"worth_reason": worth}
        readout = worded(replace(readout, **known))
        return _named(replace(readout, metrics=_asked(readout.metrics, query)))

    def _asked_of(self, opened: Opened, state: State) -> ReadPhase:
        """Of which phase it is told what arrived."""
        experiment, days = opened.study.experiment, opened.days
        last = days.today if days.last is None else min(days.today, days.last)

        def phases() -> Sequence[CompiledExperiment]:
            return compiled_phases(experiment, self.archive.latest(), self.archive.phases(experiment.key))

        live = state == "enrolling" and opened.inquiry.query.at is None
        as_of_us = microseconds(opened.inquiry.as_of)
        return ReadPhase(experiment.key, experiment.phase, as_of_us, days.first, last, live, phases)

    def moments(self, query: ReadoutQuery, snapshot: Snapshot, as_of: datetime) -> tuple[datetime, datetime | None]:
        """`as_of` and `watermark` as they are shown (UTC): when was looked, and how far the log was written by then.

        What came later than the watermark is pending. A look can be repeated from it, so it is never cut, and `as_of`,
        which is cut to the second, never lies before it.
        """
        now, known = as_of.astimezone(UTC), query.watermark
        if known is None and snapshot.watermark_us is not None:
            known = moment_of(snapshot.watermark_us)
        if known is None:
            return now.replace(microsecond=0), None
        watermark = min(known, now)
        return max(now.replace(microsecond=0), watermark), watermark

    def _recalled(self, mark: tuple[object, ...]) -> Readout | None:
        with self._switch:
            found = self._cache.get(mark)
            if found is not None:
                self._cache.move_to_end(mark)
            return found

    def _remember(self, mark: tuple[object, ...], readout: Readout) -> None:
        with self._switch:
            self._cache[mark] = readout
            while len(self._cache) > self.cache_entries:
                self._cache.popitem(last=False)


def _named(readout: Readout) -> Readout:
    """With its ETag: equal for readouts that say the same of the same definition, whatever arrived in between that does
    not matter."""
    said = (readout.experiment, readout.phase, readout.fingerprint, readout.state, readout.plan, readout.health)
    told = (readout.name, readout.sentence, readout.worth, readout.worth_reason, readout.units_a_day)
    series = [metric.series for metric in readout.metrics]
    content = msgspec.json.encode(plain([*said, readout.decision, *told, readout.metrics, series]))
    return replace(readout, etag=hashlib.sha256(content).hexdigest()[:32])


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
        raise UnknownDimension(query.dimension, sorted({*named, "device", "country", "site"} - {query.dimension}))
    return tuple(levels)
