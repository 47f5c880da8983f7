"""A report that takes longer than people wait: that of the last minutes is shown, and nothing is computed twice."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from app.analysis.client import AnalysisAnswer, AnalysisError
from app.analysis.queries import ReportQuery
from app.http.errors import Problem
from app.reports import routes
from app.reports.routes import reported_soon
from app.worker.reads import Reads
from kit.tasks import Tasks

pytestmark = pytest.mark.anyio
BANNER = ReportQuery("banner")


class Analysis:
    """It answers by number while `lets` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lets = asyncio.Event()

    async def ask(self, query: ReportQuery, asker: str) -> AnalysisAnswer:
        self.asked.append(asker)
        number = len(self.asked)
        await self.lets.wait()
        if query.key != "banner":
            raise AnalysisError(404, "unknown_experiment", "there is none")
        return AnalysisAnswer(200, "application/json", b"%d" % number)


@pytest.fixture
async def worker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """What of a worker a report asks, whose people wait no time at all."""
    monkeypatch.setattr(routes, "PATIENCE_SECONDS", (0.0, 0.0))
    async with Tasks() as background:
        yield SimpleNamespace(
            analysis=Analysis(),
            reads=Reads(background),
            background=background,
            catalogs=SimpleNamespace(catalog=SimpleNamespace(version="first")),
        )


async def test_who_reloads_a_slow_report_gets_that_which_was_computed_meanwhile(worker: Any) -> None:
    for asker in ("share a", "share b", "ada@shop.example"):
        assert await reported_soon(asker, worker, BANNER) is None
    assert worker.analysis.asked == ["share a"]
    worker.analysis.lets.set()
    await worker.background.finish()
    worker.analysis.lets.clear()
    answer = await reported_soon("share b", worker, BANNER)
    assert answer is not None
    assert answer.body == b"1"


async def test_what_the_analysis_refuses_is_told_as_its_problem(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "PATIENCE_SECONDS", (30.0, 30.0))
    worker.analysis.lets.set()
    with pytest.raises(Problem) as refused:
        await reported_soon("share a", worker, ReportQuery("none"))
    assert (refused.value.status, refused.value.code) == (404, "unknown_experiment")
