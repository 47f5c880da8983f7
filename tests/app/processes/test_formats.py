"""The service on data in a format that it does not know: it writes nothing, and says which release to install."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from redis import Redis
from servers.patience import HUNG_SECONDS, until
from servers.service import Service
from servers.stores import StoreServer, free_port

from events.store.keys import FORMAT, SHARDS

TOO_NEW = {"format": 3, "min_reader": 1, "min_writer": 3, "written_by": "0.9.0"}
EVENT = {"event": "Product Viewed", "anonymousId": "v-1"}
INSTALL = "Install 0.9.0 or newer to write it, or restore a backup made before the upgrade"


@pytest.fixture
def external(tmp_path: Path) -> Iterator[StoreServer]:
    """A server that is not started yet."""
    server = StoreServer(tmp_path / "external")
    yield server
    if server.process is not None:
        server.kill()


def test_a_data_directory_that_is_too_new_stops_the_start_and_stays_as_it_is(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS)
    assert service.stop() == 0
    assert json.loads((service.data / "format").read_text())["format"] == 1
    (service.data / "format").write_text(json.dumps(TOO_NEW))
    before = {path: path.stat().st_mtime_ns for path in service.data.rglob("*")}
    assert service.launch().wait(HUNG_SECONDS) == 1
    assert INSTALL in service.log_text()
    assert {path: path.stat().st_mtime_ns for path in service.data.rglob("*")} == before


def test_a_store_that_is_too_new_stops_the_start(start_service: StartService, external: StoreServer) -> None:
    with Redis(port=external.start().port) as store:
        store.hset(FORMAT, mapping=TOO_NEW)
        service = start_service(SMALLEST_DEFINITIONS, launch_only=True, RESONATE_REDIS_URL=external.url)
        assert service.process is not None
        assert service.process.wait(HUNG_SECONDS) == 1
        assert "RESONATE_REDIS_URL: the store is in format 3, written by Resonate 0.9.0" in service.log_text()
        assert (store.keys(), store.function_list()) == ([FORMAT.encode()], [])


def test_a_store_that_is_too_new_and_comes_later_takes_no_event_and_assignments_go_on(
    start_service: StartService, external: StoreServer
) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=external.url)
    with service.client() as client:
        with Redis(port=external.start().port) as store:
            store.hset(FORMAT, mapping=TOO_NEW)
            refused(service, client)
            assert (store.keys(), store.function_list()) == ([FORMAT.encode()], [])
            [worker] = service.processes()["worker"]
            worker.kill()
            until(lambda: worker not in service.processes().get("worker", []), "the worker is gone")
            until(lambda: answers(client), "its successor answers")
            refused(service, client)
            store.delete(FORMAT)
        taken(client)
    assert service.log_text().count(INSTALL) <= 8  # once a process, not twice a second
    assert service.stop() == 0


def test_a_store_that_takes_the_place_of_another_is_looked_at_again(
    start_service: StartService, external: StoreServer
) -> None:
    external.start()
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=external.url)
    with service.client() as client:
        taken(client)
        external.kill()
        until(lambda: client.post("/v1/track", json=EVENT).status_code == 503, "the store is away")
        external.folder, port = external.folder.with_name("other"), external.port
        external.port = free_port()
        with Redis(port=external.start().port) as store:
            store.hset(FORMAT, mapping=TOO_NEW)
            store.set(SHARDS, 1)
        external.kill()
        external.port = port
        external.start()
        refused(service, client)


def refused(service: Service, client: httpx.Client) -> None:
    """Events are 503 over the store, which `/readyz` names; assignments are answered."""

    def is_named() -> bool:
        return client.get("/readyz").json()["degraded"] == ["store_refused"]

    until(is_named, "the store is refused", tell=service.told)
    answer = client.post("/v1/track", json=EVENT)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_refused")
    context = {"context": {"targetingKey": "v-1"}}
    assigned = client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json=context)
    assert (assigned.status_code, assigned.json()["metadata"]["exposure"]) == (200, "unlogged")


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def taken(client: httpx.Client) -> None:
    until(lambda: client.post("/v1/track", json=EVENT).status_code == 200, "events are taken")
    until(lambda: client.get("/readyz").json()["degraded"] == [], "nothing is degraded")
