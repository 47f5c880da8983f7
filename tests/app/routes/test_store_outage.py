"""While the store is down assignment goes on, tracking says so, and both are well again when it returns."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions
from servers.one_worker import OneWorker, records
from servers.patience import until

from events.store.held_connection import HeldConnection

FLAG = "/ofrep/v1/evaluate/flags/banner"


def test_an_outage_costs_no_assignment_and_no_event_is_acknowledged_from_memory(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client() as client:
        client.post(FLAG, json={"context": {"targetingKey": "before"}})
        worker.store.stop()
        for number in range(5):
            answer = client.post(FLAG, json={"context": {"targetingKey": f"down-{number}"}})
            assert (answer.status_code, answer.json()["metadata"]["exposure"]) == (200, "unlogged")
            assert answer.json()["metadata"]["exposure_id"]
            event = {"anonymousId": "down", "event": "E", "messageId": f"m{number}"}
            refused = client.post("/v1/track", json=event)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.headers["content-type"] == "application/problem+json"
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert ready.json()["degraded"] == [refused.json()["code"]]
        body = {"visitor_id": "down-9", "experiments": ["banner", "mobile-only"]}
        told = client.post("/v1/personalize", json=body).json()["experiments"]
        assert (told["banner"]["exposure"], "exposure" in told["mobile-only"]) == ("unlogged", False)

        worker.store.start()
        event = {"anonymousId": "back", "event": "E"}
        until(lambda: client.post("/v1/track", json=event).status_code == 200, "events are taken again")
        assert records(worker, visitor_id="down") == []
        assert client.get("/readyz").json()["degraded"] == []
        assert client.post(FLAG, json={"context": {"targetingKey": "after"}}).json()["metadata"]["exposure"] == "logged"


def test_whatever_the_stores_client_raises_is_a_503_with_a_wait_and_never_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if issubclass(kind, Exception)]
    failing: list[type[Exception]] = []
    execute = HeldConnection.execute

    async def execute_or_fail(self: HeldConnection, *words: Any) -> Any:
        for kind in failing:
            raise kind("12182 127.0.0.1:7001")
        return await execute(self, *words)

    monkeypatch.setattr(HeldConnection, "execute", execute_or_fail)
    event = {"anonymousId": "v-1", "event": "E"}
    with OneWorker(tmp_path) as worker, worker.client() as client:
        for kind in [*kinds, KeyError]:
            failing[:] = [kind]
            refused = client.post("/v1/track", json=event)
            assert (kind, refused.status_code) == (kind, 503)
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.json()["code"].startswith("store_")
            answer = client.post(FLAG, json={"context": {"targetingKey": "v-1"}})
            assert (answer.status_code, answer.json()["metadata"]["exposure"]) == (200, "unlogged")
            failing.clear()
            until(lambda: client.post("/v1/track", json=event).status_code == 200, f"all is well after {kind}")
