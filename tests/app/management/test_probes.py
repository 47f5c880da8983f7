"""What a probe hears: whether assignments can be served, and whether an event would be stored now."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.one_worker import SECRET, OneWorker
from servers.patience import until

from events.authority import Authority
from events.causes import StoreCause
from events.ingest.group_commit import GroupCommit
from events.store.availability import StoreUnavailable
from events.store.connection import Connection

EVENTS = "/readyz/events"
EVENT = {"anonymousId": "v", "event": "E"}


@pytest.fixture
def client(worker: OneWorker) -> Iterator[httpx.Client]:
    with worker.client(None) as without_a_key:
        yield without_a_key


def refused(answer: httpx.Response) -> list[StoreCause]:
    """The causes of a refusal, which is as it should be."""
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["causes"]


def test_while_events_are_stored_it_says_so(client: httpx.Client) -> None:
    answer = client.get(EVENTS)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "causes": []})


def test_a_store_that_is_away_takes_the_events_and_not_the_assignments(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client(None) as anybody, worker.client() as page:
        assert anybody.get(EVENTS).status_code == 200
        worker.store.stop()
        assert refused(anybody.get(EVENTS)) == ["store_stopped"]
        assert anybody.get("/readyz").status_code == 200
        assert page.post("/ofrep/v1/evaluate/flags/banner", json={"context": {"targetingKey": "v"}}).status_code == 200
        worker.store.start()
        until(lambda: anybody.get(EVENTS).status_code == 200, "events are stored again")
        assert page.post("/v1/track", json=EVENT).status_code == 200


def test_a_store_that_is_known_to_be_away_is_not_asked(worker: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by the first refusal, of whatever kind but slowness, and not by anybody's event."""
    asked: list[str] = []

    async def gone(self: Connection, function: str, *arguments: Any, **options: Any) -> Any:
        asked.append(function)
        raise StoreUnavailable("store_login_refused")

    with worker.client(None) as anybody, worker.client() as page:
        assert page.post("/v1/track", json=EVENT).status_code == 200
        with monkeypatch.context() as patched:
            patched.setattr("events.store.availability.PROBE_SECONDS", 1e6)
            for commit in commits(worker):
                patched.setattr(commit.breaker, "_probe_seconds", 1e6)  # so that nobody else asks meanwhile
                patched.setattr(commit, "_probe", lambda **options: gone(worker_connection(worker), "probe"))
            until(lambda: anybody.get(EVENTS).status_code == 503, "what was found before is over")
            assert asked == ["probe"]
            assert [refused(anybody.get(EVENTS)) for _ in range(5)] == [["store_login_refused"]] * 5
            assert asked == ["probe"]
        for commit in commits(worker):
            commit.breaker.cause = None
        until(lambda: anybody.get(EVENTS).status_code == 200, "what was found before is over")


def commits(worker: OneWorker) -> list[GroupCommit]:
    return worker.app.cold.state.resources.stream._commits


def worker_connection(worker: OneWorker) -> Connection:
    return worker.app.cold.state.resources.connection


@pytest.mark.parametrize(
    ("least", "status", "word"),
    [(Authority.PAGE, 200, "degraded"), (Authority.BACKEND, 503, "unavailable")],
)
def test_where_pages_alone_are_refused_it_is_degraded_and_where_all_are_unavailable(
    worker: OneWorker, least: Authority, status: int, word: str
) -> None:
    pressure = worker.app.cold.state.resources.access.pressure
    with worker.client(None) as anybody, worker.client(SECRET) as backend:
        floors = {Authority.PAGE: 0.9, Authority.BACKEND: 0.1}[least]

        def is_short() -> httpx.Response | None:
            worker.loop.call_soon_threadsafe(pressure.measure, 0.0, floors)  # the worker measures too, now and then
            return told(anybody, word)

        answer = until(is_short, "it is told")
        assert answer is not None
        assert answer.json() == {"status": word, "causes": ["disk_low"]}
        assert answer.status_code == status
        until(lambda: is_short() and backend.post("/v1/track", json=EVENT).status_code == status, "so it is")
        worker.loop.call_soon_threadsafe(pressure.measure, 0.0, 9.0)
        until(lambda: told(anybody, "ready"), "it is over")


def told(client: httpx.Client, word: str) -> httpx.Response | None:
    answer = client.get(EVENTS)
    return answer if answer.json()["status"] == word else None


def test_who_drains_says_it_in_two_words_and_goes_on_serving(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client(None) as anybody, worker.client() as page:
        worker.loop.call_soon_threadsafe(worker.app.drain)
        for path in ("/readyz", EVENTS):
            until(lambda path=path: anybody.get(path).status_code == 503, "it is told")
            answer = anybody.get(path)
            assert (answer.json(), answer.headers["retry-after"]) == ({"status": "draining"}, "1")
        assert page.post("/v1/track", json=EVENT).status_code == 200
        assert anybody.get("/healthz").status_code == 200


def test_a_cause_that_two_processes_see_is_named_once(worker: OneWorker) -> None:
    """The supervisor names the process that stands still, a worker the store that does not answer."""
    supervisor, store = worker.board.desk("supervisor"), worker.board.desk("store")
    try:
        supervisor.note("store_timeout", "4711")
        store.note("store_timeout")
        with worker.client(None) as anybody, worker.client(SECRET) as backend:
            assert stalls(anybody) == ["store_timeout"]
            assert stalls(backend) == ["store_timeout: 4711"]
            store.note("store_timeout", "4712")
            assert stalls(anybody) == ["store_timeout"]
            assert stalls(backend) == ["store_timeout: 4711", "store_timeout: 4712"]
    finally:
        supervisor.note("store_timeout", None)
        store.note("store_timeout", None)


def stalls(client: httpx.Client) -> list[str]:
    return [each for each in client.get("/readyz").json()["degraded"] if each.startswith("store_timeout")]
