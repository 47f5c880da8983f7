"""The lame duck: probes are told at once, by every worker and on every connection, and nobody else notices."""

import json
import os
import select
import signal
import socket
from contextlib import ExitStack

import httpx
import psutil
from conftest import SMALLEST_DEFINITIONS, StartService
from hypothesis import given
from hypothesis import strategies as st
from servers.patience import HUNG_SECONDS, until
from servers.service import SECRET_KEY, Service

from app.processes.draining import LameDuck, longest_stop_seconds
from app.runtime.settings import load_settings

PROBES = ("/readyz", "/readyz/events")
DRAINING = (503, {"status": "draining"})
FOREVER = "300"  # a lame duck that a test ends by a second signal


def probed(client: httpx.Client, path: str) -> tuple[int, dict[str, str]]:
    answer = client.get(path)
    return answer.status_code, answer.json()


def kept_by_each_worker(service: Service, opened: ExitStack) -> dict[int, socket.socket]:
    """A connection that each worker holds, by its process."""
    held: dict[int, socket.socket] = {}
    workers = service.processes()["worker"]
    for _ in range(200):
        connection = opened.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=HUNG_SECONDS))
        asked(connection, "/healthz")
        port = connection.getsockname()[1]
        for worker in workers:
            ends = [end for end in worker.net_connections("tcp") if end.raddr and end.raddr.port == port]
            if ends:
                held.setdefault(worker.pid, connection)
        if len(held) == len(workers):
            return held
    raise AssertionError("one worker takes all connections")


def asked(connection: socket.socket, path: str) -> tuple[int, dict[str, object]]:
    """Status and body of an answer on a connection that is kept."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {SECRET_KEY}\r\n\r\n".encode())
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(65_536)
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return int(head[9:12]), json.loads(body)


def test_every_worker_says_it_at_once_on_kept_and_new_connections_and_serves_all_else(
    start_service: StartService,
) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="2", RESONATE_LAME_DUCK_SECONDS=FOREVER)
    until(lambda: len(service.processes().get("worker", [])) == 2, "both workers run")
    assert service.process is not None
    event = {"anonymousId": "v-1", "event": "Product Viewed"}
    with ExitStack() as opened:
        kept = kept_by_each_worker(service, opened)
        assert [asked(each, path)[0] for each in kept.values() for path in PROBES] == [200] * 4
        service.process.send_signal(signal.SIGTERM)
        for connection in kept.values():
            for path in PROBES:
                until(lambda c=connection, p=path: asked(c, p) == DRAINING, f"a kept connection hears it at {path}")
        for path in PROBES * 10:
            with service.client() as client:
                assert probed(client, path) == DRAINING
                assert client.get("/healthz").status_code == 200
                assert client.post("/v1/track", json=event).status_code == 200
        for connection in kept.values():
            assert asked(connection, "/healthz")[0] == 200
        os.kill(next(iter(kept)), signal.SIGKILL)  # its successor knows it from its first answer on
        until(lambda: next(iter(kept)) not in workers(service) and len(workers(service)) == 2, "another has started")
        new = kept_by_each_worker(service, opened)
        assert [asked(each, path) for each in new.values() for path in PROBES] == [DRAINING] * 4
        service.process.send_signal(signal.SIGTERM)  # the rest is skipped
        until(lambda: not listens(service), "nobody listens any more")
        service.process.send_signal(signal.SIGTERM)  # and this changes nothing
    assert service.process.wait(HUNG_SECONDS) == 0
    assert "the service ends: within 317 s at the latest" in service.log_text()


def workers(service: Service) -> list[int]:
    return [each.pid for each in service.processes().get("worker", []) if each.status() != psutil.STATUS_ZOMBIE]


def listens(service: Service) -> bool:
    try:
        socket.create_connection(("127.0.0.1", service.port), timeout=0.2).close()
    except OSError:
        return False
    return True


def test_a_service_without_a_lame_duck_ends_at_the_first_signal(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    assert service.stop() == 0


class Clock:
    """The time that the lame duck sees."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def told(duck: LameDuck) -> bool:
    """Whether a worker's end of the pipe has come to its end."""
    return bool(select.select([duck.told_by], [], [], 0)[0]) and os.read(duck.told_by, 1) == b""


@given(
    seconds=st.floats(0, 300),
    steps=st.lists(st.one_of(st.none(), st.floats(0, 200)), max_size=8),
    serving=st.booleans(),
)
def test_the_first_signal_begins_it_the_second_ends_it_and_others_change_nothing(
    seconds: float, steps: list[float | None], serving: bool
) -> None:
    """`steps` are signals (None), and times that pass."""
    clock = Clock()
    duck, signals, over_at = LameDuck(seconds, clock), 0, float("inf")
    for step in steps:
        if step is None:
            signals += 1
            lasts = clock.now + seconds if serving and signals == 1 else clock.now
            over_at = min(over_at, lasts)
            duck.signal(serving=serving)
        else:
            clock.now += step
        assert (duck.begun, told(duck), duck.over) == (signals > 0, signals > 0, clock.now >= over_at)
        assert 0.0 <= duck.patience(0.25) <= 0.25
        assert duck.patience(1e9) == (1e9 if not signals else max(0.0, over_at - clock.now))
    duck.close()


def test_the_longest_stop_is_what_the_parts_of_it_take() -> None:
    assert longest_stop_seconds(load_settings({}, lame_duck_seconds=10)) == 10 + 7 + 0.5 + 1.5 + 8
