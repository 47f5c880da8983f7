"""A question waits for what was written before it, and leaves nothing behind in the process that answers it."""

from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from conftest import SMALLEST_DEFINITIONS
from servers.service import write_definitions

from app.analysis.state import Analysis
from app.runtime.settings import Settings
from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper

pytestmark = pytest.mark.anyio


async def test_a_hundred_questions_of_the_command_line_leave_no_connection_open(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    store.start()
    CatalogKeeper(
        write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS), tmp_path, lambda: datetime.now(UTC)
    ).boot()
    analysis = await Analysis.open(Settings(data=tmp_path))
    first = await analysis.written()
    before = psutil.Process().num_fds()
    answers = [await analysis.written() for _ in range(100)]
    after = psutil.Process().num_fds()
    await analysis.close()
    store.stop()
    assert (answers, first.pending) == ([first] * 100, 0)
    assert after == before
