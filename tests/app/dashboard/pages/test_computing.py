"""What a page shows while its numbers are still computed, which look it is of, and what stands where nothing is yet."""

import asyncio
import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from servers.one_worker import OneWorker
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import Service, running

from app.analysis import calls
from app.analysis.client import AnalysisAnswer
from app.analysis.queries import LookQuery, Query
from app.analysis.server import AnalysisServer
from app.analysis.state import Analysis
from app.dashboard import rendering
from app.runtime.data_directory import DataDirectory
from app.serving.sockets import listen_unix

BANNER = "/dashboard/experiments/banner"
FILES = {"banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"}


class Gate:
    """The analysis of one worker, in a thread: it answers results while it is `open`."""

    def __init__(self, worker: OneWorker) -> None:
        self.open = threading.Event()
        self.asked = 0
        self._settings = worker.settings
        self._listener = listen_unix(DataDirectory(worker.settings.data).analysis_socket)
        self._ready = threading.Event()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        analysis = await Analysis.open(self._settings)
        try:
            await AnalysisServer(partial(self._answer, analysis)).serve(self._listener, self._ready.set, self._stop)
        finally:
            await analysis.close()

    async def _answer(self, analysis: Analysis, query: Query) -> AnalysisAnswer:
        if isinstance(query, LookQuery):
            self.asked += 1
            await asyncio.to_thread(self.open.wait)
        return await calls.answer(analysis, query)

    @contextmanager
    def serving(self) -> Iterator["Gate"]:
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        try:
            until(self._ready.is_set, "the analysis answers")
            yield self
        finally:
            self.open.set()
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Gate, Visitor]]:
    """A worker whose results are computed for as long as a test likes, and whose pages do not wait for them."""
    with (
        OneWorker(tmp_path, FILES) as worker,
        Gate(worker).serving() as gate,
        signed_in_visitor(worker.url, worker.settings.data, "publisher") as publisher,
    ):
        monkeypatch.setattr(rendering, "PATIENCE_SECONDS", 0.0)
        yield gate, publisher


def test_what_is_still_computed_is_said_with_all_that_is_known_and_one_may_do(slow: tuple[Gate, Visitor]) -> None:
    gate, publisher = slow
    page = publisher.at_once(f"{BANNER}?metric=purchase_rate")
    assert page.status_code == 200
    assert "Still computing" in page.text
    assert "takes longer than two seconds" in page.text
    reload = re.search(r'<a href="([^"]+)">Reload this page</a>', page.text)
    assert reload is not None
    assert html.unescape(reload[1]) == f"{BANNER}?metric=purchase_rate"
    assert f'action="{BANNER}/pause"' in page.text
    assert "Phases and history" in page.text
    assert '<svg role="img"' not in page.text
    for _ in range(3):
        assert "Still computing" in publisher.at_once(html.unescape(reload[1])).text
    assert gate.asked == 1
    gate.open.set()
    until(lambda: "Still computing" not in publisher.at_once(html.unescape(reload[1])).text, "the result is shown")
    assert "nobody has been exposed yet" in publisher.get(BANNER).text


def test_an_order_that_is_refused_says_why_while_the_result_is_still_computed(slow: tuple[Gate, Visitor]) -> None:
    _, publisher = slow
    refused = publisher.post(f"{BANNER}/pause", page="/dashboard/settings", reason="x")
    assert refused.status_code == 400
    assert "Still computing" in refused.text
    assert "Nothing was done" in refused.text


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("looks"), FILES, RESONATE_WORKERS="1") as service:
        service.results("banner")
        yield service


@pytest.fixture(scope="module")
def viewer(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "viewer") as visitor:
        yield visitor


def test_a_look_of_the_past_is_shown_as_of_then(shop: Service, viewer: Visitor) -> None:
    with shop.client() as client:
        at = client.get("/v1/experiments/banner/results").raise_for_status().json()["as_of"]
    until(lambda: "Still computing" not in viewer.at_once(BANNER, params={"at": at}).text, "the look was computed")
    page = viewer.get(BANNER, params={"at": at}).text
    told = client_answer(shop, at)
    assert told["sentence"] in html.unescape(page).replace("\u00a0", " ")
    assert f"at={at.replace(':', '%3A')}" in page  # what leads on stays with this look
    assert "as of" in page.casefold()


def client_answer(shop: Service, at: str) -> dict[str, str]:
    with shop.client() as client:
        return client.get("/v1/experiments/banner/results", params={"at": at}).raise_for_status().json()


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("9000-01-01T00:00:00Z", "lies in the future"),
        ("1999-12-31", "before every log"),
        ("0001-01-01", "before every log"),
        ("yesterday", "is not a moment; write 2026-01-20T09:00:00Z"),
        ("2026-02-30", "is not a moment"),
        ("<b>", "is not a moment"),
        ("x" * 300, "at most"),
    ],
)
def test_a_look_that_cannot_be_is_said_on_a_page(at: str, told: str, viewer: Visitor) -> None:
    answer = viewer.get(BANNER, params={"at": at})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert told in html.unescape(answer.text)
    assert "<b>" not in answer.text.partition("<main")[2]


def test_where_there_is_no_experiment_the_list_says_how_to_write_the_first(tmp_path: Path) -> None:
    with (
        running(tmp_path, {"metrics.yaml": "margin: {type: mean, event: Order Completed, value: margin}\n"},
                RESONATE_WORKERS="1") as service,
        signed_in_visitor(service.url, service.data, "viewer") as viewer,
    ):  # fmt: skip
        page = viewer.get("/dashboard").text
        assert "Write the first experiment" in page
        assert 'role="search"' not in page
        assert '<ul class="list"' not in page
        example = re.search(r"<pre[^>]*><code>(key: .*?)</code></pre>", page, re.DOTALL)
        assert example is not None
        (service.definitions / "free-shipping-banner.yaml").write_text(html.unescape(example[1]) + "\n")
        place = "/dashboard/experiments/free-shipping-banner"
        until(lambda: place in viewer.get("/dashboard").text, "what was copied from the page is there")
        page = viewer.get("/dashboard").text
        assert "Write the first experiment" not in page
        assert "The definition files have mistakes" not in page
        nothing = viewer.get("/dashboard", params={"text": "no such"}).text
        assert "None of the" in nothing
