"""How the analysis answers each query: from the catalogue, from readouts one at a time, or from the log beside them."""

from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final

import msgspec

from app.analysis.client import AnalysisAnswer
from app.analysis.metrics import metrics_told
from app.analysis.overview import COLUMNS as COLUMNS_OF_LIST
from app.analysis.privacy import privacy_report
from app.analysis.queries import (
    AllResultsQuery,
    ArrivalsQuery,
    AttributionQuery,
    ComputedQuery,
    DiagnosisQuery,
    DraftCheckQuery,
    ErasureQuery,
    EventNamesQuery,
    EventsQuery,
    ExperienceAsked,
    ExperimentQuery,
    ExperimentsQuery,
    Form,
    HoldoutResultsQuery,
    HoldoutsQuery,
    LoggedPlanQuery,
    LookQuery,
    MetricsQuery,
    NewPlanQuery,
    PersonQuery,
    PlanQuery,
    PrivacyQuery,
    ProgramReportQuery,
    Query,
    ReadableQuery,
    ReportQuery,
    ResultsQuery,
    TimeseriesQuery,
    UnitsQuery,
)
from app.analysis.responses import JSON, json_answer, object_etag, person_json, rows_answer, table_answer, weak
from app.analysis.site_history import logged, site_history
from app.analysis.state import Analysis
from app.glossary.columns import column_notes, unit_notes
from app.glossary.operations import BRIEF
from events.engines.tables import Table
from events.privacy.erasure import SeveralPeople, erase
from events.privacy.person import held
from experiments.answers.brief import brief
from experiments.answers.encoding import plain
from experiments.answers.readout import Readout
from experiments.arrivals.diagnosis import diagnosed
from experiments.arrivals.names import events_lately, newest_rows, newest_rows_of
from experiments.catalog.check import served_in
from experiments.cx.asked import ExperienceQuery
from experiments.cx.report import COLUMNS as EXPERIENCE_COLUMNS
from experiments.cx.report import customer_experience, experience_rows
from experiments.definitions.folder import meant_metric
from experiments.drafts.checking import Surroundings, check_draft
from experiments.planning.assumptions import InvalidPlan, plan_request
from experiments.planning.plan import plan_json
from experiments.program.holdout import COLUMNS as HOLDOUT_COLUMNS
from experiments.program.holdout import HoldoutQuery, holdout_rows
from experiments.program.report import COLUMNS as PROGRAM_COLUMNS
from experiments.program.report import ProgramQuery, program_report
from experiments.readout.read import Readouts
from experiments.readout.study import ReadoutQuery, parsed_at
from experiments.readout.tables import flat_row, flat_rows
from kit.time import now_utc
from recommender.evaluation.attribution import attribution

MOST_ROWS: Final = 10_000  # of one export page


async def answer(analysis: Analysis, query: Query) -> AnalysisAnswer:
    """The answer to a query, of what is stored when it is asked; raises what `app.analysis.server` refuses with."""
    match query:
        case ExperimentsQuery(read="known"):
            return _listed(analysis, query)
        case ExperimentQuery():
            return json_answer(analysis.overview.whole(query.key, analysis.readouts.now()))
        case MetricsQuery():
            return json_answer({"metrics": metrics_told(analysis.catalogs.latest(), analysis.settings.definitions)})
        case NewPlanQuery():
            return json_answer(plan_json(query.request))
        case DraftCheckQuery():
            jobs = analysis.readout_jobs if query.history else analysis.log_jobs
            return await jobs.answer(query, partial(draft_checked, analysis, query))
        case EventsQuery():
            written = await analysis.written()  # counted before the scan, so that "drained" is never said too early
            read = partial(analysis.exporter.page, query.cursor, min(query.limit, MOST_ROWS))
            page = await analysis.log_jobs.answer((query, written), read)
            body = b"".join(msgspec.json.encode(row) + b"\n" for row in page.rows)
            left = "unknown" if written.pending is None else str(written.pending)
            headers = {"x-resonate-next-cursor": page.cursor, "x-resonate-pending": left}
            return AnalysisAnswer(200, "application/x-ndjson", body, headers)
        case PersonQuery() | ErasureQuery():
            return await _person(analysis, query)
        case _:
            return await _readable(analysis, query)


async def _person(analysis: Analysis, query: PersonQuery | ErasureQuery) -> AnalysisAnswer:
    """What is held about a person or was erased of one; 409 with how much of whom where several may be meant."""
    if isinstance(query, ErasureQuery):
        try:
            log, journal = analysis.log.reader, analysis.journal
            found = await erase(analysis.connection, log, query.kind, query.id, query.only, journal)
            return AnalysisAnswer(202, JSON, msgspec.json.encode(person_json(found)))
        except SeveralPeople:
            query = PersonQuery(query.kind, query.id)
    await analysis.written()
    find = partial(held, analysis.log.reader, query.kind, query.id, query.only)
    holds = await analysis.log_jobs.answer(query, find)
    who, count = person_json(holds.found), len(holds.events)
    if holds.found.is_several:
        return AnalysisAnswer(409, JSON, msgspec.json.encode({**who, "events": count}))
    return json_answer({**who, "events": count if query.counted else holds.events})


async def _readable(analysis: Analysis, query: ComputedQuery) -> AnalysisAnswer:
    """Computed on the readout thread, once for all who ask the same at the same state of the log.

    What is made of one readout that is remembered does not queue behind those that are computed.
    """
    written = await analysis.written()
    look = ReadoutQuery(pending=written.missed, watermark=written.watermark)
    if isinstance(query, ReadableQuery | UnitsQuery | HoldoutResultsQuery):
        look = replace(look, at=parsed_at(query.at) if query.at else None)
    if isinstance(query, ResultsQuery | TimeseriesQuery):
        look = replace(look, metric=query.metric)
    if isinstance(query, ReadableQuery | UnitsQuery):
        look = replace(look, phase=query.phase)
    if isinstance(query, ResultsQuery):
        look = replace(look, dimension=query.dimension, include_sql=query.include == "sql")
    with analysis.telling_health():
        if isinstance(query, ReadableQuery):
            known = await analysis.recall_jobs.answer((query, written), partial(_remembered, analysis, query, look))
            if known is not None:
                return known
        return await analysis.readout_jobs.answer((query, written), partial(_computed, analysis, query, look))


def _remembered(analysis: Analysis, query: ReadableQuery, look: ReadoutQuery) -> AnalysisAnswer | None:
    readout = analysis.readouts.remembered(query.key, look)
    return readout and _shown(analysis, query, readout)


def _computed(analysis: Analysis, query: ComputedQuery, look: ReadoutQuery) -> AnalysisAnswer:
    readouts = analysis.readouts
    match query:
        case ResultsQuery() | TimeseriesQuery() | ReportQuery() | LookQuery():
            readout = readouts.read(query.key, look)
            if (look.at, look.phase, look.metric, look.dimension) == (None, None, None, None):
                analysis.overview.learn(readout)
            return _shown(analysis, query, readout)
        case ExperimentsQuery():
            analysis.overview.read(look)
            return _listed(analysis, query)
        case PlanQuery() | LoggedPlanQuery():
            logged = isinstance(query, LoggedPlanQuery)
            told = logged_plan(readouts, query) if logged else readouts.plan(query.key, query.said)
            return json_answer(told)
        case UnitsQuery():
            return _units_shown(readouts.units(query.key, look), query.format)
        case AllResultsQuery():
            rows = readouts.results(look.pending, look.watermark, every_status=query.status == "all")
            return rows_answer(rows, list(rows[0]) if rows else [], query.format, "ComparisonRow")
        case ExperienceAsked() | ProgramReportQuery() | HoldoutsQuery() | HoldoutResultsQuery():
            return _reported(analysis, query, look)
        case _:
            told = _told(analysis, query)
            return json_answer(told, object_etag(told))


def _units_shown(table: Table, form: Form) -> AnalysisAnswer:
    if form == "json":
        return json_answer({"rows": table.rows()})
    return table_answer(table, form, unit_notes(table.columns))


def _told(
    analysis: Analysis, query: AttributionQuery | PrivacyQuery | EventNamesQuery | ArrivalsQuery | DiagnosisQuery
) -> dict[str, Any]:
    """What is of the whole log."""
    match query:
        case AttributionQuery():
            return {"strategies": attribution(analysis.log)}
        case PrivacyQuery():
            return privacy_report(analysis)
        case EventNamesQuery() | ArrivalsQuery() | DiagnosisQuery():
            catalog, now = analysis.catalogs.latest(), analysis.readouts.now()
            with analysis.log.open(analysis.log.snapshot()) as engine:
                if isinstance(query, DiagnosisQuery):
                    return diagnosed(engine, catalog, analysis.tallies, now)
                if isinstance(query, ArrivalsQuery):
                    return newest_rows_of(engine, query.visitor, now, query.days)
                if query.event is not None:
                    return newest_rows(engine, query.event, now, query.days)
                return events_lately(engine, catalog.metrics.values(), now, query.days)


def _reported(
    analysis: Analysis,
    query: ExperienceAsked | ProgramReportQuery | HoldoutsQuery | HoldoutResultsQuery,
    look: ReadoutQuery,
) -> AnalysisAnswer:
    """What is of no single experiment: an object, or its rows."""
    match query:
        case ExperienceAsked():
            wanted = ExperienceQuery(
                query.since, query.until, query.window, query.kpi, query.survey, query.by, query.segment, query.compare,
                look,
            )  # fmt: skip
            found = customer_experience(analysis.readouts, analysis.catalogs.latest(), wanted)
            names, kind, rows = EXPERIENCE_COLUMNS, "KpiReadout", list(experience_rows(found))
        case ProgramReportQuery():
            asked = ProgramQuery(query.since, query.until, query.metric, look)
            found = plain(program_report(analysis.readouts, analysis.catalogs, asked))
            names, kind = PROGRAM_COLUMNS, "ProgramRow"
            rows = [flat_row(names, row) for row in found["rows"]]
        case HoldoutsQuery():
            return json_answer({"holdouts": analysis.holdouts.listed()})
        case HoldoutResultsQuery():
            wanted = HoldoutQuery(query.since, query.until, query.metric, look)
            found = analysis.holdouts.report(query.key, wanted)
            names, kind = HOLDOUT_COLUMNS, "MetricReadout"
            rows = [flat_row(names, row) for row in holdout_rows(found)]
    if query.format == "json":
        return json_answer(found, object_etag(found))
    return rows_answer(rows, names, query.format, kind)


def _listed(analysis: Analysis, query: ExperimentsQuery) -> AnalysisAnswer:
    """Every experiment, as it is known."""
    now = analysis.readouts.now()
    if query.format == "json":
        return json_answer(analysis.overview.listed(now))
    return rows_answer(analysis.overview.rows(now), COLUMNS_OF_LIST, query.format, "ExperimentSummary")


def _shown(analysis: Analysis, query: ReadableQuery, readout: Readout) -> AnalysisAnswer:
    etag = weak(analysis.readouts.etag(readout))
    if isinstance(query, TimeseriesQuery):
        return AnalysisAnswer(200, "application/json", analysis.bodies.timeseries(readout), {"etag": etag})
    if isinstance(query, ReportQuery):
        return _reported_whole(analysis, readout)
    if isinstance(query, LookQuery):
        known = msgspec.json.encode(analysis.overview.whole(query.key, analysis.readouts.now()))
        results, days = analysis.bodies.results(readout), analysis.bodies.days(readout, query.metric)
        return AnalysisAnswer(200, JSON, b'{"experiment":%b,"results":%b,"days":%b}' % (known, results, days))
    if query.detail == "brief":
        return AnalysisAnswer(200, BRIEF, msgspec.json.encode(plain(brief(readout))), {"etag": etag})
    if query.format == "json":
        return AnalysisAnswer(200, "application/json", analysis.bodies.results(readout), {"etag": etag})
    table = flat_rows(readout)
    return table_answer(table, query.format, column_notes(table.columns, "ComparisonReadout"), etag)


def _reported_whole(analysis: Analysis, readout: Readout) -> AnalysisAnswer:
    """What the routes of results and of series answer, of one and the same look, with the definition of that phase."""
    key, catalogs = readout.experiment, analysis.catalogs
    design = catalogs.design(key, readout.phase)
    experiment = design.experiment if design else catalogs.latest().experiments[key]
    definition = msgspec.json.encode(experiment.model_dump(mode="json"))
    results, series = analysis.bodies.results(readout), analysis.bodies.timeseries(readout)
    body = b'{"results":%b,"timeseries":%b,"definition":%b}' % (results, series, definition)
    return AnalysisAnswer(200, JSON, body)


def draft_checked(analysis: Analysis, query: DraftCheckQuery) -> AnalysisAnswer:
    """What `resonate check` would say of the folder with this file in it."""
    settings = analysis.settings
    history = site_history(analysis.readouts) if query.history else None
    around = Surroundings(settings.definitions, served_in(settings.data), history, settings.untold)
    return json_answer(asdict(check_draft(around, query.file, query.text, now_utc())))


def logged_plan(readouts: Readouts, query: LoggedPlanQuery) -> dict[str, Any]:
    """A plan of a metric; what was not said of traffic and values is the log's. Raises InvalidPlan."""
    name, said, known = query.metric, query.said, readouts.archive.latest().metrics
    if name not in known:
        raise InvalidPlan(f'metric: unknown metric "{name[:100]}"{meant_metric(name, known)}')
    if known[name].effect_scale == "points":
        raise InvalidPlan(f"metric: {name} is shown in points and has no lift; plan it in its experiment's file")
    return plan_json(logged(readouts, known[name], said) or plan_request(said))
