"""The analysis process reads catalogue and log by one reader each, whatever it is asked."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.writing import record
from servers.service import write_definitions
from worlds.event_log import received, write_log

from app.analysis.calls import answer
from app.analysis.client import Request, frame
from app.analysis.queries import (
    AllResultsQuery,
    ArrivalsQuery,
    AttributionQuery,
    DiagnosisQuery,
    DraftCheckQuery,
    ErasureQuery,
    EventNamesQuery,
    EventsQuery,
    ExperienceAsked,
    ExperimentQuery,
    ExperimentsQuery,
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
    ReportQuery,
    ResultsQuery,
    TimeseriesQuery,
    UnitsQuery,
)
from app.analysis.state import Analysis
from app.runtime.settings import Settings
from events.deletes.hidden import HiddenRows
from events.log.reader import LogReader
from events.parts.part import PartListing
from experiments.catalog import reader
from experiments.catalog.publisher import CatalogKeeper
from experiments.catalog.reader import CatalogReader
from experiments.planning.assumptions import Assumptions, PlanRequest

pytestmark = pytest.mark.anyio
BANNER = "free-shipping-banner"
EVERY_READ: tuple[Query, ...] = (
    ExperimentsQuery(), ExperimentQuery(BANNER), MetricsQuery(), ResultsQuery(BANNER), TimeseriesQuery(BANNER),
    PlanQuery(BANNER), UnitsQuery(BANNER), AllResultsQuery(), ExperienceAsked(), AttributionQuery(), EventsQuery(),
    PrivacyQuery(), PersonQuery("visitor", "v-1"), ProgramReportQuery(), HoldoutsQuery(), HoldoutResultsQuery("q1"),
    NewPlanQuery(PlanRequest(units_a_day=1000.0, baseline=0.03, lift=0.05)), EventNamesQuery(), DiagnosisQuery(),
    ArrivalsQuery("v-1"),
    ReportQuery(BANNER), LookQuery(BANNER),
    LoggedPlanQuery("purchase_rate", Assumptions(units_a_day=1000.0, baseline=0.03)),
    DraftCheckQuery("new.yaml", "key: new\nvariants: [control, b]\ngoal: purchase_rate\n", history=True),
)  # fmt: skip


async def test_there_is_one_of_each_and_a_catalogue_is_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = write_definitions(
        tmp_path / "definitions", {**SMALLEST_DEFINITIONS, "holdouts.yaml": "q1: {share: 5%}\n"}
    )
    CatalogKeeper(definitions, tmp_path, lambda: datetime.now(UTC)).boot()
    write_log(tmp_path, received([record("m-1"), record("m-2", "v-2")]))
    made: Counter[str] = Counter()
    for owner, name in (
        (CatalogReader, "__init__"), (LogReader, "__init__"), (PartListing, "__init__"), (HiddenRows, "__init__"),
        (reader, "catalog_of"),
    ):  # fmt: skip
        count(monkeypatch, owner, name, made)
    analysis = await Analysis.open(Settings(data=tmp_path))
    for query in EVERY_READ:
        assert (await answer(analysis, query)).status == 200
    assert {type(query) for query in EVERY_READ} == set(get_args(Query)) - {ErasureQuery}
    assert made == {"CatalogReader": 1, "LogReader": 1, "PartListing": 1, "HiddenRows": 1, "catalog_of": 1}
    await analysis.close()


def count(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, made: Counter[str]) -> None:
    """Count the calls of a function, or the instances of a class."""
    function, told = getattr(owner, name), owner.__name__ if name == "__init__" else name

    def counting(*arguments: Any) -> Any:
        made[told] += 1
        return function(*arguments)

    monkeypatch.setattr(owner, name, counting)


@pytest.mark.parametrize("query", [*EVERY_READ, ErasureQuery("user", "ž")], ids=str)
def test_every_query_reaches_the_server_as_it_was_asked(query: Query) -> None:
    assert msgspec.json.decode(frame(Request(query, 2.5))[4:], type=Request) == Request(query, 2.5)


def test_a_worker_loads_of_the_analysis_the_client_and_the_queries_alone() -> None:
    code = "import sys, app.main; print(*(name for name in sys.modules if name.startswith('app.analysis.')))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert set(loaded.split()) == {"app.analysis.client", "app.analysis.queries"}
