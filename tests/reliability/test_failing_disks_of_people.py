"""What forms of pages, links of surveys, a training and the analysis write, where a disk refuses it at each step."""

import itertools
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from conftest import SMALLEST_DEFINITIONS
from servers.failing_disk import ERRORS, STEPS, failing
from servers.one_worker import SECRET, OneWorker
from servers.people import TESTS, Visitor, people_of, signed_in_visitor
from servers.service import write_definitions
from worlds.event_log import received, write_log
from worlds.swarm import swarm, told

from app.analysis.calls import answer
from app.analysis.client import AnalysisError
from app.analysis.queries import ErasureQuery
from app.analysis.server import answer_query
from app.analysis.state import Analysis
from app.keys.scopes import PAGES
from app.processes.entry import train_once
from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings
from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper
from kit.files import UNWRITTEN

REASON = {"reason": "because of this test"}
EXPERIMENT = "/dashboard/experiments/{}"
_numbers = itertools.count()


def somebody() -> str:
    return f"p-{next(_numbers)}@shop.example"


# What a form that writes is sent, and to whose page. `ada` is there, as are `banner` (running) and `paused`.
Fields = Callable[[], dict[str, str]]
WRITING: dict[str, tuple[str, Fields]] = {
    "/dashboard/experiments/{key}/pause": ("banner", lambda: REASON),
    "/dashboard/experiments/{key}/resume": ("paused", lambda: REASON),
    "/dashboard/experiments/{key}/preview": (
        "banner",
        lambda: {"variant": "threshold", "url": "https://shop.example/", "days": "7"},
    ),
    "/dashboard/settings/add-person": ("", lambda: {"email": somebody(), "role": "viewer", **REASON}),
    "/dashboard/settings/link": ("", lambda: {"email": "ada@shop.example", **REASON}),
    "/dashboard/settings/role": ("", lambda: {"email": "ada@shop.example", "role": "publisher", **REASON}),
    "/dashboard/settings/remove-person": ("", lambda: {"email": "ada@shop.example", **REASON}),
    "/dashboard/settings/new-key": (
        "",
        lambda: {"name": f"k-{next(_numbers)}", "class": "secret", "scope.track": "on", **REASON},
    ),
    "/dashboard/settings/revoke-key": ("", lambda: {"name": "spare", **REASON}),
    "/dashboard/shares/new": ("", lambda: {"experiment": "banner", "days": "30", **REASON}),
    "/dashboard/visitor/look": ("", lambda: {"kind": "visitor", "id": "v-1"}),
    "/dashboard/visitor/preview": ("", lambda: {"kind": "visitor", "id": "v-1"}),
    "/dashboard/visitor/erase": ("", lambda: {"kind": "visitor", "id": "v-1", "typed": "v-1", **REASON}),
    "/dashboard/recommendations/visitor": ("", lambda: {"id": "v-1"}),
    "/dashboard/events/visitor": ("", lambda: {"visitor": "v-1"}),
}
ELSEWHERE: dict[str, str] = {
    "/dashboard/experiments/{key}/start": "the same order as a pause",
    "/dashboard/experiments/{key}/stop": "the same order as a pause",
    "/dashboard/experiments/{key}/ship": "the same order as a pause, after what the analysis says",
    "/dashboard/new/check": "writes nothing",
    "/dashboard/new/save": "tests/experiments/drafts",
    "/dashboard/new/download": "writes nothing",
    "/dashboard/shares/take-back": "the same file as a new link",
    "/dashboard/settings/end-session": "in the store; the line of the audit follows",
    "/dashboard/sign-out": "in the store; the line of the audit follows",
}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    root = tmp_path_factory.mktemp("worker")
    keys = root / "keys.yaml"
    keys.write_text("keys: []\n")
    keys.chmod(0o600)
    with OneWorker(root / "worker", keys=keys) as running:
        people_of(running.settings.data).add("ada@shop.example", "viewer", TESTS, 0)
        yield running


@pytest.fixture(scope="module")
def admin(worker: OneWorker) -> Iterator[Visitor]:
    with signed_in_visitor(worker.url, worker.settings.data, "admin") as visitor:
        yield visitor


def test_each_form_is_sent_to_a_failing_disk_or_says_where_that_is_done() -> None:
    forms = {name.removeprefix("POST ") for name in PAGES if name.startswith("POST ")}
    assert forms == WRITING.keys() | ELSEWHERE.keys()
    assert not WRITING.keys() & ELSEWHERE.keys()


@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize("path", WRITING)
@pytest.mark.drawn(20)
def test_who_sends_a_form_is_told_503_in_words_and_when_to_come_again(
    worker: OneWorker, admin: Visitor, path: str, number: int
) -> None:
    key, fields = WRITING[path]
    token, met = admin.form_token(), set[str]()
    for step in STEPS:
        (worker.settings.data / "secrets" / "previews.key").unlink(missing_ok=True)
        with failing(number, step, worker.settings.data.parent.parent) as refused:
            told = admin.post_as_is(path.format(key=key), form_token=token, **fields())
        met |= {step} if refused else set()
        assert told.status_code != 500, told.text
        if told.status_code == 503 and refused:
            assert int(told.headers["retry-after"]) >= 1
            assert told.headers["content-type"].startswith("text/html")
            assert not {"unexpected_error", "analysis_failed"} & set(told.text.split('"'))
    assert met, "nothing of it is written"


@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize("step", STEPS)
def test_who_makes_a_link_of_a_survey_is_told_503(worker: OneWorker, step: str, number: int) -> None:
    DataDirectory(worker.settings.data).survey_key_file.unlink(missing_ok=True)
    with worker.client(SECRET) as client, failing(number, step, worker.settings.data) as refused:
        answered = client.post("/v1/surveys/links", json={"survey": "nps", "kind": "nps", "user_id": "u-1"})
    if refused:
        assert (answered.status_code, int(answered.headers["retry-after"]) >= 1) == (503, True)
        assert answered.json()["code"] not in {"unexpected_error", "analysis_failed"}
    else:
        assert answered.status_code < 300, answered.text


@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("damaged", [False, True], ids=["a log", "a damaged log"])
def test_a_training_that_cannot_be_kept_ends_with_1_and_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step: str, number: int, damaged: bool
) -> None:
    parts = write_log(tmp_path, received(told(swarm()[:40], 2)))
    if damaged:
        parts[0].path.write_bytes(b"")
    with failing(number, step, tmp_path) as refused:
        ended = train_once(tmp_path)
    assert (ended, bool(refused)) in {(1, True), (int(damaged), False)}
    assert not refused or "the former model serves" in caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize("step", STEPS)
async def test_what_the_analysis_cannot_write_is_told_as_what_a_worker_cannot(
    store_of_all: EmbeddedStore, step: str, number: int
) -> None:
    """An erasure, of which no half may count: it is told as not done, and is done when it is sent again."""
    data = store_of_all.socket.parent.parent
    journal = data.parent / "erasures.ndjson"
    journal.touch(0o600)
    analysis = await Analysis.open(Settings(data=data, erasure_journal=journal))
    query = ErasureQuery("visitor", f"v-{step}-{number}")

    async def erase(asked: ErasureQuery) -> object:
        return await answer(analysis, asked)

    try:
        with failing(number, step, data.parent) as refused:
            told = await refusal(answer_query(erase, query))
        assert (told is not None) == bool(refused)
        if told is not None:
            assert (told.status, bool(told.retry_after_seconds)) == (503, True)
            assert told.code not in {"unexpected_error", "analysis_failed"}
        assert msgspec.json.decode((await answer_query(erase, query)).body)
    finally:
        await analysis.close()


async def refusal(answering: Awaitable[object]) -> AnalysisError | None:
    try:
        await answering
    except AnalysisError as error:
        return error
    return None


@pytest.fixture(scope="module")
def store_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    root = tmp_path_factory.mktemp("analysis")
    data = root / "data"
    CatalogKeeper(write_definitions(root / "definitions", SMALLEST_DEFINITIONS), data, lambda: datetime.now(UTC)).boot()
    write_log(data, received(told(swarm()[:4], 2)))
    store = EmbeddedStore(data)
    store.start()
    yield store
    store.stop()


def test_what_is_raised_is_what_has_words() -> None:
    assert set(ERRORS) == set(UNWRITTEN)
