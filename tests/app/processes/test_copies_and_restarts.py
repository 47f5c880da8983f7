"""A data directory on an external store: its next run goes on at once, a copy of it is refused while it lives.

The lease is made one that does not end, so that nothing is gained by waiting.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from redis import Redis
from servers.patience import HUNG_SECONDS, until
from servers.service import Service, write_definitions
from servers.stores import StoreServer

from events.store.keys import OWNER

EVENT = {"event": "Product Viewed", "anonymousId": "v-1"}
NEVER_MS = 1 << 52
UNSHARED = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Redis]:
    server = StoreServer(tmp_path / "external").start()
    with Redis(port=server.port) as client:
        yield client
    server.kill()


def variables(store: Redis) -> dict[str, str]:
    port = store.connection_pool.connection_kwargs["port"]
    return {"RESONATE_WORKERS": "1", "RESONATE_REDIS_URL": f"redis://127.0.0.1:{port}"}


def holder(store: Redis) -> dict[str, Any] | None:
    held: Any = store.get(OWNER)
    return json.loads(held) if held else None


def left_behind(store: Redis, **changed: Any) -> str:
    """The lease of a service that was killed, so changed, and without an end; the run that left it."""
    held = holder(store)
    assert held is not None
    store.set(OWNER, json.dumps({**held, "until": NEVER_MS, **changed}))
    return held["run"]


def killed(service: Service, store: Redis) -> Service:
    """A service that held the lease and was killed with all that it had started."""
    until(lambda: holder(store), "the store has an owner")
    processes = [each for own in service.processes().values() for each in own]
    assert service.process is not None
    service.process.kill()
    service.process.wait()
    until(lambda: not any(each.is_running() for each in processes), "nothing of it is left")
    return service


def goes_on(service: Service, store: Redis, run: str) -> None:
    """It takes the lease, and what is sent to it comes into its log."""
    with service.client() as client:
        assert client.post("/v1/track", json=EVENT).status_code == 200
    assert service.results("free-shipping-banner")["pending"] == 0
    held = holder(store)
    assert held is not None
    assert (held["run"] != run, held["data"]) == (True, str(service.data))


def test_the_directory_of_a_killed_service_goes_on(start_service: StartService, store: Redis) -> None:
    service = killed(start_service(SMALLEST_DEFINITIONS, **variables(store)), store)
    run = left_behind(store)
    goes_on(service.start(), store, run)


def test_so_it_does_after_a_restart_of_the_machine(start_service: StartService, store: Redis) -> None:
    service = killed(start_service(SMALLEST_DEFINITIONS, **variables(store)), store)
    run = left_behind(store, boot="the start before")
    goes_on(service.start(), store, run)


def test_so_it_does_as_pid_1_of_one_container_after_another(tmp_path: Path, store: Redis) -> None:
    if subprocess.run([*UNSHARED, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make a process that has pid 1")
    definitions = write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    container = InContainer(tmp_path / "data", definitions, variables(store))
    try:
        container.start()
        held = until(lambda: holder(store), "the store has an owner")
        assert held["pid"] == 1
        container.end_at_once()
        run = left_behind(store)
        goes_on(container.start(), store, run)
    finally:
        container.end_at_once()


class InContainer(Service):
    """A service that is pid 1, as in a container; nothing of it outlives its process."""

    within = UNSHARED

    @property
    def pid(self) -> int:
        return 1

    def end_at_once(self) -> None:
        assert self.process is not None
        alive = self.process.poll() is None
        inside = psutil.Process(self.process.pid).children(recursive=True) if alive else []
        self.process.kill()
        self.process.wait()
        until(lambda: not any(each.is_running() for each in inside), "nothing of it is left")


def test_a_copy_is_refused_while_the_original_lives_and_goes_on_when_it_is_gone(
    start_service: StartService, store: Redis
) -> None:
    service = start_service(SMALLEST_DEFINITIONS, **variables(store))
    until(lambda: holder(store), "the store has an owner")
    copy = Service(service.data.with_name("copy"), service.definitions, service.variables)
    subprocess.run(["cp", "-a", service.data, copy.data], check=True)
    assert copy.launch().wait(HUNG_SECONDS) == 1
    held = holder(store)
    assert held is not None
    said = copy.log_text()
    assert f"belongs to the service of {service.data} (pid {service.pid} on {held['host']})" in said
    assert f"{copy.data} is a copy of that directory" in said
    assert "Traceback" not in said
    killed(service, store)
    left_behind(store)
    assert copy.launch().wait(HUNG_SECONDS) == 1
    run = left_behind(store, until=0)  # as ten seconds after the last renewal
    try:
        goes_on(copy.start(), store, run)
        assert copy.stop() == 0
        assert holder(store) is None
    finally:
        copy.end()
        shutil.rmtree(copy.data)
