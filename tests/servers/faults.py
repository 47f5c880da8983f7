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
from typing import Any, TypeVar

import httpx
import psutil
from oracles.promise import Journal
from servers.patience import HUNG_SECONDS, ended_when_hung, stall, until
from servers.service import Service

from events.store.process import socket_path

REPOSITORY = Path(__file__).parents[2]
STALL_SECONDS = 3.0
ASSIGNED = "free-shipping-banner"  # the experiment that is asked for
_numbers = count()
Answer = TypeVar("Answer")


def pid_of(service: Service, role: str) -> int:
    """The process of a role; waits for one that is on its way back."""
    found = until(lambda: service.processes().get(role), f"there is a {role}", tell=service.told)
    return found[0].pid


def beats(service: Service, role: str) -> bool:
    """Whether a process of the role has come so far that it gives signs of life."""
    with service.client(timeout=HUNG_SECONDS) as client:
        return f'resonate_heartbeat_age_seconds{{role="{role}"}}' in client.get("/metrics").text


def all_accept(service: Service, workers: int = 2) -> bool:
    """Whether each of so many workers takes connections: a later one still imports when the first answers already."""
    found = service.processes().get("worker", [])
    with contextlib.ExitStack() as opened:
        for _ in range(4 * workers):
            opened.enter_context(service.client(timeout=HUNG_SECONDS)).get("/healthz")
        taken = {each.pid for each in found for held in each.net_connections("tcp4") if _is_open(held, service.port)}
    return len(taken) >= workers


def _is_open(held: Any, port: int) -> bool:
    return held.status == psutil.CONN_ESTABLISHED and held.laddr.port == port


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
        stall(STALL_SECONDS, "the store stands still for longer than an append waits")


def add_second_writer(service: Service) -> None:
    """Another writer works on the same store and log until it has linked a part, and is killed."""
    program = REPOSITORY / "tests" / "events" / "writer" / "writer_that_dies.py"
    command = [sys.executable, "-P", str(program), str(socket_path(service.data)), str(service.data), ""]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            with ended_when_hung(process, HUNG_SECONDS):
                assert b"after_link\n" in process.stdout, "it ended, or wrote nothing"
        finally:
            process.kill()


KILLS: Mapping[str, Callable[[Service], None]] = {
    "worker": kill_worker,
    "writer": kill_writer,
    "store": kill_store,
    "store stalled 3 s": stall_store,
    "second writer": add_second_writer,
    "all": kill_all,
}


def seconds_until_ready(service: Service, journal: Journal) -> float:
    """From now until an assignment is answered and an event is acknowledged; both are noted in the journal."""
    began = time.monotonic()
    message_id = f"probe.{next(_numbers)}"
    journal.sent.add(message_id)
    left = {"assign": assign, "track": track}

    def is_ready() -> bool:
        with contextlib.suppress(httpx.HTTPError), service.client(timeout=2) as client:
            for name, ask in list(left.items()):
                if ask(client, message_id).status_code == 200:
                    del left[name]
        return not left

    until(is_ready, "an assignment is answered and an event acknowledged", tell=service.told)
    journal.acknowledged.add(message_id)
    return time.monotonic() - began


def track(client: httpx.Client, message_id: str, visitor: str = "probe") -> httpx.Response:
    """Sends one event."""
    event = {"event": "Product Viewed", "anonymousId": visitor, "messageId": message_id}
    return client.post("/v1/track", json=event)


def assign(client: httpx.Client, visitor: str) -> httpx.Response:
    """Evaluates without exposing."""
    context = {"targetingKey": visitor, "resonate.expose": False}
    return client.post(f"/ofrep/v1/evaluate/flags/{ASSIGNED}", json={"context": context})


def personalize(client: httpx.Client, visitor: str) -> httpx.Response:
    """Assigns and exposes."""
    return client.post("/v1/personalize", json={"visitor_id": visitor, "experiments": [ASSIGNED]})


def recommend(client: httpx.Client, visitor: str) -> httpx.Response:
    """Asks for products."""
    return client.post("/v1/recommendations", json={"visitor_id": visitor, "limit": 3})


def degraded(service: Service) -> list[str]:
    """What `/readyz` complains about."""
    with service.client(timeout=20) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["degraded"])


def of_every_worker(service: Service, ask: Callable[[httpx.Client], Answer]) -> list[Answer]:
    """What each worker answers, over a connection of its own: the others stand still while it is asked."""
    workers = service.processes()["worker"]
    answers: list[Answer] = []
    for asked in workers:
        with contextlib.ExitStack() as others:
            for other in workers:
                if other != asked:
                    other.suspend()
                    others.callback(other.resume)
            answers.append(ask(others.enter_context(service.client())))
    return answers
