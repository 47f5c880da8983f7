"""What a remembered readout costs, counted: round trips to the store, and how often a study is named."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.writing import messages, write_all
from redis.asyncio.connection import AbstractConnection
from servers.service import write_definitions

from app.analysis.calls import answer
from app.analysis.queries import ResultsQuery
from app.analysis.state import Analysis
from app.runtime.settings import Settings
from events.ingest.stream import Stream
from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper
from experiments.readout.study import Study

pytestmark = pytest.mark.anyio
BANNER = "free-shipping-banner"
Counted = Counter[str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    embedded = EmbeddedStore(tmp_path)
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def analysis(tmp_path: Path, store: EmbeddedStore) -> AsyncIterator[Analysis]:
    """The analysis of a small log that the writer has written from the store."""
    definitions = write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    CatalogKeeper(definitions, tmp_path, lambda: datetime.now(UTC)).boot()
    opened = await Analysis.open(Settings(data=tmp_path))
    stream = Stream(opened.connection)
    await stream.append(messages(*range(20)))
    await write_all(opened.connection, tmp_path)
    await stream.close()
    yield opened
    await opened.close()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How often something was sent to the store, and a study was written out to be named."""
    counter: Counted = Counter()
    for owner, name in ((AbstractConnection, "send_packed_command"), (Study, "__repr__")):
        monkeypatch.setattr(owner, name, counting(getattr(owner, name), counter, name))
    return counter


def counting(function: Any, counter: Counted, name: str) -> Any:
    def called(*arguments: Any, **named: Any) -> Any:
        counter[name] += 1
        return function(*arguments, **named)

    return called


async def test_a_remembered_readout_asks_the_store_once_and_names_no_study_again(
    analysis: Analysis, counted: Counted
) -> None:
    first = await answer(analysis, ResultsQuery(BANNER))
    assert counted["__repr__"] == 1
    counted.clear()
    assert (await answer(analysis, ResultsQuery(BANNER))).headers == first.headers
    assert counted == {"send_packed_command": 1}


async def test_a_change_of_the_catalogue_names_the_study_anew(
    analysis: Analysis, counted: Counted, tmp_path: Path
) -> None:
    await answer(analysis, ResultsQuery(BANNER))
    text = SMALLEST_DEFINITIONS["free-shipping-banner.yaml"]
    write_definitions(
        tmp_path / "definitions", {"free-shipping-banner.yaml": text + "secondary: [revenue_per_visitor]\n"}
    )
    assert CatalogKeeper(tmp_path / "definitions", tmp_path, lambda: datetime.now(UTC)).boot() is not None
    shown = await answer(analysis, ResultsQuery(BANNER))
    assert b"revenue_per_visitor" in shown.body
    assert counted["__repr__"] == 2
