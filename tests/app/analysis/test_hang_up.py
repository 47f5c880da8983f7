"""Who hangs up is computed nothing: a caller who gives up and asks again keeps nobody waiting, not even itself."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from servers.one_worker import SECRET, OneWorker
from servers.patience import until

from app.analysis.client import AnalysisAnswer
from app.analysis.queries import MetricsQuery, Query
from app.analysis.server import AT_ONCE, AnalysisServer
from app.runtime.data_directory import DataDirectory
from app.serving.sockets import listen_unix

GIVES_UP = 4 * AT_ONCE  # so often somebody does, before the first question could be answered
HOUR = 3_600.0
LONG = (
    "/v1/experiments/free-shipping-banner/results",
    "/v1/experiments/free-shipping-banner/report",
    "/v1/results",
    "/v1/cx",
    "/v1/doctor",
    "/v1/export/events?limit=1",
    "/v1/visitors/v-1",
)


class Endless:
    """An analysis whose metrics are there at once, and whose other answers never are."""

    def __init__(self, worker: OneWorker) -> None:
        self.begun = self.under_way = 0
        self._listener = listen_unix(DataDirectory(worker.settings.data).analysis_socket)
        self._ready = threading.Event()

    async def answer(self, query: Query) -> AnalysisAnswer:
        if isinstance(query, MetricsQuery):
            return AnalysisAnswer(200, "application/json", b'{"metrics":[]}')
        self.begun += 1
        self.under_way += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.under_way -= 1
        raise AssertionError("nobody ends it")

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await AnalysisServer(self.answer).serve(self._listener, self._ready.set, self._stop)

    @contextmanager
    def serving(self) -> Iterator["Endless"]:
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        until(self._ready.is_set, "the analysis answers")
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()


def gives_up(worker: OneWorker, method: str, path: str) -> None:
    with worker.client(SECRET) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.request(method, path, timeout=0.2)


def metrics_are_there(worker: OneWorker) -> None:
    with worker.client(SECRET) as patient:
        assert patient.get("/v1/metrics").json() == {"metrics": []}


@pytest.mark.parametrize("path", LONG)
def test_what_nobody_waits_for_any_more_is_not_computed_and_keeps_nobody_waiting(tmp_path: Path, path: str) -> None:
    with OneWorker(tmp_path, analysis_timeout_seconds=HOUR) as worker, Endless(worker).serving() as endless:
        for _ in range(GIVES_UP):
            gives_up(worker, "GET", path)
        until(lambda: endless.under_way == 0, "nothing is computed for who hung up")
        assert 0 < endless.begun <= GIVES_UP
        metrics_are_there(worker)


def test_what_changes_something_is_done_though_its_caller_hung_up(tmp_path: Path) -> None:
    with OneWorker(tmp_path, analysis_timeout_seconds=HOUR) as worker, Endless(worker).serving() as endless:
        gives_up(worker, "DELETE", "/v1/visitors/v-1")
        until(lambda: endless.begun == 1, "the erasure is under way")
        metrics_are_there(worker)
        assert endless.under_way == 1
