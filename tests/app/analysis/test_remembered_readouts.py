"""A readout that is known already is answered at once, whatever else is being computed."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALLEST_DEFINITIONS
from servers.patience import reached
from servers.service import write_definitions
from worlds.event_log import received, write_log

from app.analysis.calls import answer
from app.analysis.queries import (
    AllResultsQuery,
    ExperienceAsked,
    ExperimentQuery,
    ExperimentsQuery,
    LookQuery,
    MetricsQuery,
    PlanQuery,
    Query,
    ResultsQuery,
    TimeseriesQuery,
    UnitsQuery,
)
from app.analysis.state import Analysis
from app.runtime.settings import Settings
from events.records import EXPOSURE, Record
from experiments.answers.encoding import readout_json, timeseries_json
from experiments.catalog.publisher import CatalogKeeper

pytestmark = pytest.mark.anyio
BANNER = "free-shipping-banner"
ALL_OF_IT = ResultsQuery(BANNER)


@pytest.fixture
async def analysis(tmp_path: Path) -> AsyncIterator[Analysis]:
    """The analysis of a small log, without a store."""
    definitions = write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    CatalogKeeper(definitions, tmp_path, lambda: datetime.now(UTC)).boot()
    write_log(tmp_path, received([exposure(number) for number in range(20)]))
    opened = await Analysis.open(Settings(data=tmp_path))
    yield opened
    await opened.close()


def exposure(number: int) -> Record:
    variant = "threshold" if number % 2 else "control"
    now = int(datetime.now(UTC).timestamp() * 1e6)
    return Record(
        message_id=f"m-{number}", visitor_id=f"v-{number}", type=EXPOSURE, time=now,
        experiment=BANNER, variant=variant, phase=0, exposure_source="ofrep", device="mobile",
    )  # fmt: skip


def unread(number: int) -> Record:
    """An event that no metric reads."""
    now = int(datetime.now(UTC).timestamp() * 1e6)
    return Record(
        message_id=f"e-{number}", visitor_id=f"stranger-{number}", type="track", event="Shelf Dusted", time=now
    )


def order(number: int) -> Record:
    now = int(datetime.now(UTC).timestamp() * 1e6)
    return Record(
        message_id=f"o-{number}", visitor_id=f"v-{number}", type="track", event="Order Completed", time=now,
        order_id=f"o-{number}", value=10.0, currency="EUR",
    )  # fmt: skip


async def ask(analysis: Analysis, query: Query = ALL_OF_IT) -> dict[str, Any]:
    return json.loads((await answer(analysis, query)).body)


async def test_a_known_readout_does_not_wait_behind_one_that_is_computed(analysis: Analysis) -> None:
    known = await ask(analysis)
    go = threading.Event()
    long = asyncio.create_task(analysis.readout_jobs.answer("a long readout", lambda: go.wait(20)))
    try:
        assert await asyncio.wait_for(ask(analysis), 30) == known
        new = asyncio.create_task(ask(analysis, ResultsQuery(BANNER, dimension="device")))
        await reached(lambda: len(analysis.readout_jobs._jobs) == 2, "the new one stands in the queue")
        assert "metrics" in await asyncio.wait_for(ask(analysis, TimeseriesQuery(BANNER)), 30)
        assert not new.done()
    finally:
        go.set()
    await asyncio.gather(long, new)


async def test_what_arrived_meanwhile_is_read_anew(analysis: Analysis, tmp_path: Path) -> None:
    await ask(analysis)
    assert await asyncio.to_thread(analysis.readouts.remembered, BANNER) is not None
    write_log(tmp_path, received([exposure(30)]), shard=1)
    assert await asyncio.to_thread(analysis.readouts.remembered, BANNER) is None


TABLES: list[Query] = [
    ResultsQuery(BANNER), ResultsQuery(BANNER, format="csv"), AllResultsQuery(), AllResultsQuery("csv"),
    UnitsQuery(BANNER), UnitsQuery(BANNER, format="csv"), TimeseriesQuery(BANNER),
]  # fmt: skip
OTHERS: list[Query] = [PlanQuery(BANNER), ExperienceAsked(), MetricsQuery(), ExperimentsQuery()]


@pytest.mark.parametrize("query", [*TABLES, *OTHERS], ids=str)
async def test_the_etag_stands_while_what_arrives_changes_no_number(
    analysis: Analysis, tmp_path: Path, query: Query
) -> None:
    first = await answer(analysis, query)
    write_log(tmp_path, received([unread(1)]), shard=1)
    analysis.readouts.now = lambda: datetime.now(UTC) + timedelta(seconds=2)
    assert (await answer(analysis, query)).headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("query", TABLES, ids=str)
async def test_the_etag_changes_with_the_numbers(analysis: Analysis, tmp_path: Path, query: Query) -> None:
    first = await answer(analysis, query)
    write_log(tmp_path, received([order(1)]), shard=1)
    assert (await answer(analysis, query)).headers["etag"] != first.headers["etag"]


async def test_a_readout_that_lacks_events_has_an_etag_of_its_own(analysis: Analysis) -> None:
    readout = await asyncio.to_thread(analysis.readouts.read, BANNER)
    names = {analysis.readouts.etag(replace(readout, pending=pending)) for pending in (0, 7, None)}
    assert len(names) == 3


async def test_a_remembered_body_is_that_of_the_readout_but_for_the_head(analysis: Analysis) -> None:
    first = await ask(analysis)
    readout = await asyncio.to_thread(analysis.readouts.remembered, BANNER)
    assert readout is not None
    later = replace(readout, watermark=datetime(2030, 1, 1, tzinfo=UTC), pending=3)
    bodies = {analysis.bodies.results: readout_json, analysis.bodies.timeseries: timeseries_json}
    for body, form in bodies.items():
        for known in (readout, later, readout):
            assert json.loads(body(known)) == json.loads(json.dumps(form(known)))
    assert list(first) == list(readout_json(readout))


@pytest.mark.parametrize("metric", [None, "no_such_metric", "last"])
async def test_a_page_is_told_in_one_answer_what_its_three_routes_say(analysis: Analysis, metric: str | None) -> None:
    results = await ask(analysis)
    names = [each["metric"] for each in results["metrics"]]
    wanted = names[-1] if metric == "last" else metric
    told = await ask(analysis, LookQuery(BANNER, metric=wanted))
    days = await ask(analysis, TimeseriesQuery(BANNER, metric=wanted if wanted in names else names[0]))
    assert told["days"] == {"metrics": days["metrics"]}
    assert {**told["results"], "watermark": None, "as_of": None} == {**results, "watermark": None, "as_of": None}
    assert told["experiment"]["key"] == (await ask(analysis, ExperimentQuery(BANNER)))["key"] == BANNER
