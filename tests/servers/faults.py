"""Faults that a test does to a running service, each by the handle of that service's own processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import httpx
import psutil
from oracles.promise import Journal
from servers.service import Service

from events.store.process import socket_path

REPOSITORY = Path(__file__).parents[2]
STALL_SECONDS = 3.0
_numbers = count()


def pid_of(service: Service, role: str, timeout_seconds: float = 30) -> int:
    """The process of a role; waits for one that is on its way back."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if found := service.processes().get(role):
            return found[0].pid
        time.sleep(0.02)
    raise AssertionError(f"no {role} within {timeout_seconds:g} s:\n{service.log_text()}")


def kill(service: Service, role: str) -> None:
    """SIGKILL to one process of the role."""
    os.kill(pid_of(service, role), signal.SIGKILL)


def kill_worker(service: Service) -> None:
    kill(service, "worker")


def kill_writer(service: Service) -> None:
    kill(service, "writer")


def kill_store(service: Service) -> None:
    kill(service, "store")


def end_all(service: Service) -> None:
    """SIGKILL to the whole tree at once, as a power cut does."""
    family = psutil.Process(service.pid).children(recursive=True)
    os.kill(service.pid, signal.SIGKILL)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert service.process is not None
    service.process.wait()
    assert psutil.wait_procs(family, timeout=10)[1] == []


def kill_all(service: Service) -> None:
    """A power cut, and the service is started again."""
    end_all(service)
    service.launch()


@contextlib.contextmanager
def frozen(service: Service, role: str) -> Iterator[None]:
    """The process of the role stands still meanwhile."""
    victim = pid_of(service, role)
    os.kill(victim, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGCONT)


def stall_store(service: Service) -> None:
    """The store does not answer for three seconds."""
    with frozen(service, "store"):
        time.sleep(STALL_SECONDS)


def add_second_writer(service: Service) -> None:
    """Another writer works on the same store and log for a second, and is killed."""
    program = REPOSITORY / "tests" / "events" / "writer" / "writer_that_dies.py"
    command = [sys.executable, "-P", str(program), str(socket_path(service.data)), str(service.data), ""]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.5)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


KILLS: Mapping[str, Callable[[Service], None]] = {
    "worker": kill_worker,
    "writer": kill_writer,
    "store": kill_store,
    "store stalled 3 s": stall_store,
    "second writer": add_second_writer,
    "all": kill_all,
}


def seconds_until_ready(service: Service, journal: Journal, timeout_seconds: float = 30) -> float:
    """From now until an assignment is answered and an event is acknowledged; both are noted in the journal."""
    began = time.monotonic()
    message_id = f"probe.{next(_numbers)}"
    journal.sent.add(message_id)
    assigned = stored = False
    while not (assigned and stored):
        assert time.monotonic() - began < timeout_seconds, f"not ready again:\n{service.log_text()[-5000:]}"
        with contextlib.suppress(httpx.HTTPError), service.client(timeout=2) as client:
            stored = stored or track(client, message_id).status_code == 200
            assigned = assigned or assign(client, "probe").status_code == 200
        time.sleep(0.01)
    journal.acknowledged.add(message_id)
    return time.monotonic() - began


def track(client: httpx.Client, message_id: str, visitor: str = "probe") -> httpx.Response:
    """Sends one event."""
    event = {"event": "Product Viewed", "anonymousId": visitor, "messageId": message_id}
    return client.post("/v1/track", json=event)


def assign(client: httpx.Client, visitor: str) -> httpx.Response:
    """Evaluates without exposing."""
    context = {"targetingKey": visitor, "resonate.expose": False}
    return client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json={"context": context})


def recommend(client: httpx.Client, visitor: str) -> httpx.Response:
    """Asks for products."""
    return client.post("/v1/recommendations", json={"visitor_id": visitor, "limit": 3})


def degraded(service: Service) -> list[str]:
    """What `/readyz` complains about."""
    with service.client(timeout=20) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["degraded"])


def until(condition: Callable[[], bool], seconds: float = 30) -> float:
    """Wait for it; how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s")
