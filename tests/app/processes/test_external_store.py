"""The service on a store of the operator's own: used where it is safe, refused where it would lose events."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from redis import Redis
from servers.patience import HUNG_SECONDS, until
from servers.service import Service
from servers.stores import start_cluster

from app.processes.design_freeze import DesignMirror
from app.runtime.settings import Settings
from events.store.keys import OWNER
from events.store.process import store_binary
from experiments.catalog.phases import FrozenDesign
from experiments.definitions.model import Experiment


@pytest.fixture
def external(tmp_path: Path) -> Iterator[str]:
    """The address of a server that the service did not start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "external"
    folder.mkdir()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes"]
    command = [str(store_binary()), *options, "--appendfsync", "always", "--save", "", "--logfile", "log"]
    server = subprocess.Popen(command)
    until(lambda: listening(port), "the store listens")
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()
    shutil.rmtree(folder)


def listening(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_events_go_through_an_external_store_and_none_is_embedded(start_service: StartService, external: str) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=external)
    with service.client() as client:
        context = {"context": {"targetingKey": "v-1"}}
        answer = client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json=context).json()
        assert answer["metadata"]["exposure"] == "logged"
    assert sum(service.results("free-shipping-banner")["health"]["srm"]["observed"]) == 1
    assert "store" not in service.processes()
    assert "external at" in service.log_text()


def test_a_design_is_kept_in_the_external_store_and_completed_there(external: str, tmp_path: Path) -> None:
    mirror = DesignMirror(Settings(redis_url=external, data=tmp_path))
    began = FrozenDesign.model_validate(DESIGN)
    completed = began.model_copy(update={"traffic_awaited": False, "planned_units": 500})
    other = completed.model_copy(update={"fingerprint": "other", "planned_units": 1})
    assert [mirror(design) for design in (began, other, completed, began)] == [began, began, completed, completed]


DESIGN = {
    "key": "banner",
    "phase": 0,
    "fingerprint": "first",
    "frozen_at": datetime(2026, 1, 10, tzinfo=UTC),
    "planned_units": 20_000,
    "traffic_awaited": True,
    "experiment": Experiment(key="banner", name="banner", variants=(), goals=()),
    "metrics": {},
    "segments": {},
    "holdouts": {},
}


def assign_expose_convert(service: Service, visitors: int) -> dict[str, Any]:
    """Every visitor is assigned and exposed, every other one buys; the readout of it."""
    with service.client() as client:
        for number in range(visitors):
            visitor = f"v-{number}"
            context = {"context": {"targetingKey": visitor}}
            answer = client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json=context).json()
            assert answer["metadata"]["exposure"] == "logged"
            if number % 2:
                order = {"anonymousId": visitor, "event": "Order Completed", "messageId": f"o-{number}"}
                properties = {"order_id": f"o-{number}", "value": 20, "currency": "EUR"}
                assert client.post("/v1/track", json={**order, "properties": properties}).status_code == 200
    return service.results("free-shipping-banner")


@pytest.mark.slow
def test_a_cluster_carries_the_whole_journey(start_service: StartService, tmp_path: Path) -> None:
    cluster = start_cluster(tmp_path / "cluster")
    try:
        service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=cluster.url)
        readout = assign_expose_convert(service, 40)
        assert sum(readout["health"]["srm"]["observed"]) == 40
        arms = readout["metrics"][0]["arms"]
        assert sum(round(arm["units"] * arm["value"]) for arm in arms) == 20
        assert service.stop() == 0
    finally:
        for node in cluster.nodes:
            node.kill()


def test_a_second_data_directory_on_the_same_store_is_refused_until_the_first_has_gone(
    start_service: StartService, external: str
) -> None:
    variables = {"RESONATE_WORKERS": "1", "RESONATE_REDIS_URL": external}
    first = start_service(SMALLEST_DEFINITIONS, **variables)
    until(lambda: owner_of(external), "the store has an owner")
    second = start_service(SMALLEST_DEFINITIONS, launch_only=True, **variables)
    assert second.process is not None
    assert second.process.wait(HUNG_SECONDS) == 1
    assert f"belongs to the service of {first.data} (pid {first.pid} on " in second.log_text()
    assert "Traceback" not in second.log_text()
    assert first.stop() == 0
    assert owner_of(external) is None
    second.start()


def owner_of(url: str) -> bytes | None:
    with Redis.from_url(url) as client:
        return client.get(OWNER)


def test_a_cluster_that_is_away_at_the_start_degrades_the_service_until_it_comes(
    start_service: StartService, tmp_path: Path
) -> None:
    cluster = start_cluster(tmp_path / "cluster")
    for node in cluster.nodes:
        node.kill()
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=cluster.url)
    with service.client(timeout=20) as client:
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["degraded"]) == (200, ["store_down"])
        context = {"context": {"targetingKey": "v-1"}}
        answer = client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json=context)
        assert (answer.status_code, answer.json()["metadata"]["exposure"]) == (200, "unlogged")
        assert client.post("/v1/recommendations", json={"visitor_id": "v-1", "limit": 3}).status_code == 200
        event = {"event": "Product Viewed", "anonymousId": "v-1"}
        refused = client.post("/v1/track", json=event)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_down")
        assert int(refused.headers["retry-after"]) >= 1
        with contextlib.ExitStack() as stack:
            for node in cluster.nodes:
                node.start()
                stack.callback(node.kill)
            until(cluster.is_whole, "the cluster is whole")
            until(lambda: client.post("/v1/track", json=event).status_code == 200, "events are taken")
            until(lambda: client.get("/readyz").json()["degraded"] == [], "nothing is degraded any more")
            assert service.stop() == 0
    assert "Traceback" not in service.log_text()


def test_a_store_that_evicts_is_refused_at_the_start(start_service: StartService, external: str) -> None:
    port = int(external.rsplit(":", 1)[1].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(b"CONFIG SET maxmemory-policy allkeys-lru\r\n")
        assert server.recv(100) == b"+OK\r\n"
    service = start_service(SMALLEST_DEFINITIONS, launch_only=True, RESONATE_REDIS_URL=external)
    assert service.process is not None
    assert service.process.wait(HUNG_SECONDS) == 1
    assert "RESONATE_REDIS_URL" in service.log_text()
    assert "set it to volatile-lru" in service.log_text()


def test_assignments_are_answered_while_the_external_store_is_not_there(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL="redis://127.0.0.1:1/0")
    with service.client() as client:
        context = {"context": {"targetingKey": "v-1"}}
        answer = client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json=context)
        assert answer.json()["metadata"]["exposure"] == "unlogged"
        tracked = client.post("/v1/track", json={"anonymousId": "v-1", "event": "Product Viewed"})
    assert tracked.status_code == 503
    assert int(tracked.headers["retry-after"]) >= 1


def test_a_frozen_design_outlives_the_data_directory(start_service: StartService, external: str) -> None:
    first = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=external)
    assert first.stop() == 0
    changed = {name: text.replace("threshold", "bundle") for name, text in SMALLEST_DEFINITIONS.items()}
    service = start_service(changed, launch_only=True, RESONATE_WORKERS="1", RESONATE_REDIS_URL=external)
    assert service.process is not None
    assert service.process.wait(HUNG_SECONDS) == 1
    assert "free-shipping-banner.yaml" in service.log_text()
    assert "phase" in service.log_text()
