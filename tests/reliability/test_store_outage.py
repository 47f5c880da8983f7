"""The store is away, stands still or is full: assignments and products go on, tracking says so and heals by itself."""

from pathlib import Path

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import Journal, exported, restless, verdict
from servers.faults import assign, degraded, frozen, kill_store, recommend, seconds_until_ready, track
from servers.patience import until
from servers.service import Service
from servers.stores import StoreServer, free_port

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

LEAVES_SECONDS = 8  # how long a client waits for an answer; the store is given one second


def refused(client: httpx.Client, message_id: str) -> str:
    """An event is refused as it must be, before its client goes away; the cause."""
    answer = track(client, message_id)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    return str(answer.json()["code"])


def is_served_beside(client: httpx.Client, word: str) -> None:
    """Assignments and products are answered as ever, and an exposure that could not be stored is said."""
    for request in (assign, recommend):
        answer = request(client, word)
        assert answer.status_code == 200, answer.text
    body = {"visitor_id": word, "experiments": ["free-shipping-banner"], "recommendations": [{"slot": "home"}]}
    told = client.post("/v1/personalize", json=body).json()
    assert told["experiments"]["free-shipping-banner"]["exposure"] == "unlogged"
    assert told["recommendations"]["home"]["recommendation_id"]


def test_a_store_that_stands_still_costs_no_assignment_and_refuses_events_in_time(service: Service) -> None:
    journal = Journal()
    with service.client(timeout=LEAVES_SECONDS) as client:
        assert track(client, "before").status_code == 200
        with frozen(service, "store"):
            for number in range(10):
                is_served_beside(client, f"v-{number}")
                assert refused(client, f"during-{number}") == "store_timeout"
            assert [degraded(service) for _ in range(2)] == [["store_timeout"]] * 2  # whichever worker is asked
        seconds_until_ready(service, journal)
        until(lambda: degraded(service) == [], "nothing is degraded any more")
    rows = {row["message_id"] for row in exported(service)}
    assert rows >= {"before", *journal.acknowledged}


def test_a_store_killed_again_and_again_is_back_in_time(service: Service) -> None:
    journal = Journal()
    with service.client(timeout=LEAVES_SECONDS) as client:
        for number in range(4):
            kill_store(service)
            assert assign(client, f"v-{number}").status_code == 200
            assert recommend(client, f"v-{number}").status_code == 200
            seconds_until_ready(service, journal)
    assert {row["message_id"] for row in exported(service)} >= journal.acknowledged


def test_a_store_that_is_absent_at_the_start_is_used_as_soon_as_it_is_there(
    start_service: StartService, tmp_path: Path
) -> None:
    port = free_port()
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=f"redis://127.0.0.1:{port}")
    with service.client(timeout=LEAVES_SECONDS) as client:
        is_served_beside(client, "v-1")
        assert refused(client, "m-1") == "store_down"
        assert degraded(service) == ["store_down"]
        store = StoreServer(tmp_path / "store", port=port).start()
        try:
            journal = Journal()
            seconds_until_ready(service, journal)
            until(lambda: degraded(service) == [], "nothing is degraded any more")
            assert {row["message_id"] for row in exported(service)} == journal.acknowledged
            assert service.stop() == 0
        finally:
            store.kill()


def test_a_store_without_memory_refuses_events_and_takes_them_again_after_the_drain(
    start_service: StartService,
) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_STORE_MEMORY_MB="16")
    journal = Journal()
    with service.client(timeout=LEAVES_SECONDS) as client:
        with frozen(service, "writer"):
            refusal = fill_the_store(client, journal)
            assert refusal.json()["code"] == "store_out_of_memory"
            assert int(refusal.headers["retry-after"]) >= 1
            everything = {"store_out_of_memory", "store_memory_high", "page_events_refused"}
            until(lambda: set(degraded(service)) == everything, "what there is little of is named")
            assert assign(client, "v-1").status_code == 200
        until(lambda: heavy_batch(client, journal, "after").status_code == 200, "the store takes events again")
    assert len(journal.acknowledged) > 150
    verdict(service, journal).hold()


def fill_the_store(client: httpx.Client, journal: Journal) -> httpx.Response:
    """Sends heavy batches until one is refused; its answer."""
    for number in range(200):
        answer = heavy_batch(client, journal, str(number))
        if answer.status_code != 200:
            assert answer.status_code == 503
            return answer
    raise AssertionError("the store never had enough")


def heavy_batch(client: httpx.Client, journal: Journal, name: str) -> httpx.Response:
    """Half a megabyte of events."""
    ids = [f"m-{name}-{index}" for index in range(15)]
    what = {"type": "track", "event": "Note", "anonymousId": "v", "properties": {"note": "x" * 30_000}}
    journal.sent.update(ids)
    answer = client.post("/v1/batch", json={"batch": [{**what, "messageId": each} for each in ids]})
    journal.acknowledged.update(ids if answer.status_code == 200 else [])
    return answer


def test_a_crowd_behind_a_store_that_stands_still_is_refused_and_leaves_no_memory_behind(service: Service) -> None:
    """Back-pressure: whoever cannot be stored is told so; nothing is kept for later in a worker's memory."""
    before = max(worker.memory_info().rss for worker in service.processes()["worker"])
    with restless(service, "crowd", clients=40, events=200) as path, frozen(service, "store"):
        until(lambda: Journal().read(path).statuses[503] > 1_000, "the crowd is refused a thousand times")
    after = max(worker.memory_info().rss for worker in service.processes()["worker"])
    assert after - before < 96 << 20
    journal = Journal().read(path)
    assert journal.unanswered == 0
    verdict(service, journal).hold()


def test_a_worker_that_starts_while_the_store_stands_still_serves_assignments(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    with frozen(service, "store"):
        service.processes()["worker"][0].kill()
        until(lambda: served(service), "a new worker serves", tell=service.told)
        with service.client(timeout=LEAVES_SECONDS) as client:
            is_served_beside(client, "v-1")
            refused(client, "m-1")
    seconds_until_ready(service, Journal())


def served(service: Service) -> bool:
    try:
        with service.client(timeout=1) as client:
            return assign(client, "v").status_code == 200
    except httpx.HTTPError:
        return False
