"""The calls of the analysis process, by name: what workers ask and what they are given.

| call | arguments | answer |
| --- | --- | --- |
| experiments, experiment | key | definitions with status, phases and fingerprints |
| results | key, at, metric, dimension, phase, include, format | one readout |
| timeseries | key, metric | a metric day by day |
| plan | key | traffic, detectable effect, days |
| units | key, format | one row per unit |
| all_results | format | one row per comparison of every running experiment |
| metrics, cx | format | metric definitions; satisfaction of the whole site |
| recommendations | | views, clicks and attributed revenue by strategy |
| export_events | cursor, limit | a page of the log |
| erase, held | kind (visitor or user), id | erasure; all that is held |

Calls that read the log wait for what is stored when they are asked.

What is answered about experiments themselves: their definitions, states and frozen phases.
"""

from collections.abc import Callable, Generator, Hashable, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from app.analysis.client import AnalysisAnswer
from app.analysis.responses import (
    JSON,
    is_flat,
    json_answer,
    object_etag,
    results_body,
    rows_answer,
    table_answer,
    timeseries_body,
    weak,
)
from app.analysis.server import Call
from app.analysis.state import Analysis, Written
from events.engines.tables import Table
from events.parts.part import DataDamaged
from events.privacy.erasure import erase
from events.privacy.person import Person, held
from experiments.catalog.catalog import Catalog
from experiments.catalog.phases import FrozenDesign
from experiments.catalog.reader import CatalogReader
from experiments.definitions.model import Experiment
from experiments.readout.encoding import Readout
from experiments.readout.satisfaction import COLUMNS
from experiments.readout.study import ReadoutQuery, UnknownExperiment, moment
from experiments.readout.tables import flat_rows
from recommender.evaluation.attribution import attribution


def experiments_answer(catalogs: CatalogReader) -> dict[str, Any]:
    """Every experiment in order of key, and what is wrong with the files that are not served."""
    catalog = catalogs.latest()
    return {
        "version": catalog.version,
        "errors": [str(error) for error in catalogs.errors],
        "experiments": [_summary(catalog, catalog.experiments[key], catalogs) for key in sorted(catalog.experiments)],
    }


def experiment_answer(catalogs: CatalogReader, key: str) -> dict[str, Any]:
    """One experiment with its whole definition. Raises UnknownExperiment."""
    catalog = catalogs.latest()
    experiment = catalog.experiments.get(key)
    if experiment is None:
        raise UnknownExperiment(key, catalog.experiments)
    return {**_summary(catalog, experiment, catalogs), "definition": experiment.model_dump(mode="json")}


def _summary(catalog: Catalog, experiment: Experiment, catalogs: CatalogReader) -> dict[str, Any]:
    return {
        "key": experiment.key,
        "name": experiment.name,
        "owner": experiment.owner,
        "status": experiment.status,
        "status_in_file": catalog.written.get(experiment.key, experiment.status),
        "start": experiment.start,
        "end": experiment.end,
        "phase": experiment.phase,
        "unit": experiment.unit,
        "variants": [{"key": variant.key, "weight": variant.weight} for variant in experiment.variants],
        "goals": experiment.goals,
        "secondary": experiment.secondary,
        "guardrails": [guardrail.metric for guardrail in experiment.guardrails],
        "method": experiment.plan.method,
        "decision": experiment.decision.model_dump(mode="json"),
        "phases": [_phase(design) for design in catalogs.phases(experiment.key)],
    }


def _phase(design: FrozenDesign) -> dict[str, Any]:
    return {
        "phase": design.phase,
        "fingerprint": design.fingerprint,
        "frozen_at": design.frozen_at,
        "planned_units": design.planned_units,
        "end": design.end,
        "stopped_at": design.stopped_at,
        "pauses": [{"since": pause.since, "until": pause.until} for pause in design.pauses],
    }


TRACING: Final = frozenset({"traceparent", "request_id"})  # not part of what is asked
MOST_ROWS: Final = 10_000  # of one export page

Arguments = dict[str, Any]


def calls(analysis: Analysis) -> Mapping[str, Call]:
    """The table of calls over one analysis state."""
    asked = _Calls(analysis)
    return {
        name: getattr(asked, name)
        for name in (
            "experiments", "experiment", "results", "timeseries", "plan", "units", "all_results", "metrics", "cx",
            "recommendations", "export_events", "erase", "held",
        )
    }  # fmt: skip


class _Calls:
    """One method per call; its name is the call's."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis

    async def experiments(self, arguments: Arguments) -> AnalysisAnswer:
        return json_answer(experiments_answer(self.analysis.catalogs))

    async def experiment(self, arguments: Arguments) -> AnalysisAnswer:
        return json_answer(experiment_answer(self.analysis.catalogs, arguments["key"]))

    async def results(self, arguments: Arguments) -> AnalysisAnswer:
        def answer(readout: Readout) -> AnalysisAnswer:
            etag = weak(self.analysis.readouts.etag(readout))
            if is_flat(arguments.get("format")):
                return table_answer(flat_rows(readout), arguments["format"], etag)
            return AnalysisAnswer(200, JSON, results_body(readout), {"etag": etag})

        return await self._of_one("results", arguments, answer)

    async def timeseries(self, arguments: Arguments) -> AnalysisAnswer:
        def answer(readout: Readout) -> AnalysisAnswer:
            etag = weak(self.analysis.readouts.etag(readout))
            return AnalysisAnswer(200, JSON, timeseries_body(readout), {"etag": etag})

        return await self._of_one("timeseries", arguments, answer)

    async def plan(self, arguments: Arguments) -> AnalysisAnswer:
        query = _query(arguments, await self.analysis.written())
        return await self._readout(
            "plan", arguments, query, lambda: json_answer(self.analysis.readouts.plan(arguments["key"]))
        )

    async def units(self, arguments: Arguments) -> AnalysisAnswer:
        query = _query(arguments, await self.analysis.written())
        return await self._readout(
            "units", arguments, query, lambda: _units(self.analysis.readouts.units(arguments["key"], query), arguments)
        )

    async def all_results(self, arguments: Arguments) -> AnalysisAnswer:
        query = _query(arguments, await self.analysis.written())

        def compute() -> AnalysisAnswer:
            rows = self.analysis.readouts.results(query.pending, query.watermark)
            return rows_answer(rows, list(rows[0]) if rows else [], arguments.get("format"))

        return await self._readout("all_results", arguments, query, compute)

    async def metrics(self, arguments: Arguments) -> AnalysisAnswer:
        return json_answer({"metrics": self.analysis.readouts.metrics()})

    async def cx(self, arguments: Arguments) -> AnalysisAnswer:
        query = _query(arguments, await self.analysis.written())

        def compute() -> AnalysisAnswer:
            found, form = self.analysis.readouts.cx(query), arguments.get("format")
            if is_flat(form):
                return rows_answer(found["days"], COLUMNS, form)
            return json_answer(found, object_etag(found))

        return await self._readout("cx", arguments, query, compute)

    async def recommendations(self, arguments: Arguments) -> AnalysisAnswer:
        query = _query(arguments, await self.analysis.written())
        return await self._readout(
            "recommendations", arguments, query, lambda: json_answer({"strategies": attribution(self.analysis.log)})
        )

    async def export_events(self, arguments: Arguments) -> AnalysisAnswer:
        """`pending` is counted before the scan, so that "drained" is never said too early."""
        written = await self.analysis.written()
        limit = min(int(arguments.get("limit") or 1000), MOST_ROWS)
        cursor = arguments.get("cursor")
        page = await self.analysis.log_jobs.answer(
            ("export", cursor, limit, written.watermark, written.pending),
            lambda: self.analysis.exporter.page(cursor, limit),
        )
        body = b"".join(msgspec.json.encode(row) + b"\n" for row in page.rows)
        left = "unknown" if written.pending is None else str(written.pending)
        headers = {"x-resonate-next-cursor": page.cursor, "x-resonate-pending": left}
        return AnalysisAnswer(200, "application/x-ndjson", body, headers)

    async def erase(self, arguments: Arguments) -> AnalysisAnswer:
        kind, identifier = arguments["kind"], arguments["id"]
        await self.analysis.written()
        erasure = await erase(self.analysis.connection, self.analysis.log.reader, kind, identifier)
        return AnalysisAnswer(202, JSON, msgspec.json.encode(_ids(erasure)))

    async def held(self, arguments: Arguments) -> AnalysisAnswer:
        await self.analysis.written()
        kind, identifier = arguments["kind"], arguments["id"]
        found = await self.analysis.log_jobs.answer(
            ("held", kind, identifier), lambda: held(self.analysis.log.reader, kind, identifier)
        )
        return json_answer({**_ids(found.person), "events": found.events})

    async def _of_one(
        self, name: str, arguments: Arguments, answer: Callable[[Readout], AnalysisAnswer]
    ) -> AnalysisAnswer:
        """The answer made of one readout; one that is remembered does not queue behind those that are computed."""
        query, key = _query(arguments, await self.analysis.written()), arguments["key"]

        def recalled() -> AnalysisAnswer | None:
            readout = self.analysis.readouts.remembered(key, query)
            return None if readout is None else answer(readout)

        with self._health():
            known = await self.analysis.recall_jobs.answer(_question(name, arguments, query), recalled)
        return known or await self._readout(
            name, arguments, query, lambda: answer(self.analysis.readouts.read(key, query))
        )

    async def _readout(
        self, name: str, arguments: Arguments, query: ReadoutQuery, compute: Callable[[], AnalysisAnswer]
    ) -> AnalysisAnswer:
        """Computed on the readout thread, once for all who ask the same at the same state of the log."""
        with self._health():
            return await self.analysis.readout_jobs.answer(_question(name, arguments, query), compute)

    @contextmanager
    def _health(self) -> Generator[None]:
        try:
            yield
        except DataDamaged as damage:
            self.analysis.note_health(damage)
            raise
        self.analysis.note_health(None)


def _question(name: str, arguments: Arguments, query: ReadoutQuery) -> Hashable:
    asked = {key: value for key, value in arguments.items() if key not in TRACING}
    return name, msgspec.json.encode(asked, order="sorted"), query.pending, query.watermark


def _query(arguments: Arguments, written: Written) -> ReadoutQuery:
    at, phase = arguments.get("at"), arguments.get("phase")
    return ReadoutQuery(
        at=moment(at) if at else None,
        metric=arguments.get("metric"),
        dimension=arguments.get("dimension"),
        phase=None if phase is None else int(phase),
        include_sql=arguments.get("include") == "sql",
        pending=written.missed,
        watermark=written.watermark,
    )


def _ids(person: Person) -> dict[str, list[str]]:
    return {"visitors": sorted(person.visitors), "users": sorted(person.users)}


def _units(table: Table, arguments: Arguments) -> AnalysisAnswer:
    form = arguments.get("format")
    return table_answer(table, arguments["format"]) if is_flat(form) else json_answer({"rows": table.rows()})
