"""A readout that is known already is answered at once, whatever else is being computed."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALLEST_DEFINITIONS
from event_log import received, write_log
from service import write_definitions

from app.analysis_calls import calls
from app.analysis_state import Analysis
from app.settings import Settings
from events.records import EXPOSURE, Record
from experiments.catalog_store import CatalogKeeper

pytestmark = pytest.mark.anyio
BANNER = "free-shipping-banner"


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
        experiment=BANNER, variant=variant, phase=1, exposure_source="ofrep",
    )  # fmt: skip


async def ask(analysis: Analysis, name: str = "results", **arguments: Any) -> dict[str, Any]:
    answer = await calls(analysis)[name]({"key": BANNER, **arguments})
    return json.loads(answer.body)


async def test_a_known_readout_does_not_wait_behind_one_that_is_computed(analysis: Analysis) -> None:
    known = await ask(analysis)
    go = threading.Event()
    long = asyncio.create_task(analysis.readout_jobs.answer("a long readout", lambda: go.wait(20)))
    try:
        assert await asyncio.wait_for(ask(analysis), 5) == known
        new = asyncio.create_task(ask(analysis, dimension="device"))
        await asyncio.sleep(0.2)
        assert not new.done()
        assert "metrics" in await asyncio.wait_for(ask(analysis, "timeseries"), 5)
    finally:
        go.set()
    await asyncio.gather(long, new)


async def test_what_arrived_meanwhile_is_read_anew(analysis: Analysis, tmp_path: Path) -> None:
    await ask(analysis)
    assert await asyncio.to_thread(analysis.readouts.remembered, BANNER) is not None
    write_log(tmp_path, received([exposure(30)]), shard=1)
    assert await asyncio.to_thread(analysis.readouts.remembered, BANNER) is None
