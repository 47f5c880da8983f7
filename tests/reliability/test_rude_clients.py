"""Clients that are slow, idle or too eager hurt themselves and nobody else.

Hostile bytes and the five-second deadlines of one worker are proved in tests/app/http/test_hostile_probes.py.
"""

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.faults import assign, track
from servers.patience import until
from servers.service import SECRET_KEY, Service, running
from servers.slow_client import told

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

EAGER_KEY = "pk_eager_0123456789"
CALM_KEY = "pk_calm_0123456789"
LEAVES_SECONDS = 15  # three times what a request head and a body are given to arrive
PAUSE_SECONDS = 0.7
SLOW_PIECES = round(LEAVES_SECONDS / PAUSE_SECONDS)
SLOW: dict[str, tuple[bytes, bytes]] = {
    "header": (b"POST /v1/track HTTP/1.1\r\nhost: a\r\n", b"x-a: b\r\n"),
    "body": (
        f"POST /v1/track HTTP/1.1\r\nhost: a\r\nx-api-key: {SECRET_KEY}\r\ncontent-length: 90\r\n\r\n".encode(),
        b" ",
    ),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    crowd = {"RESONATE_MAX_CONNECTIONS_PER_NETWORK": "4000"}  # rude or not, they all come from one
    with running(tmp_path_factory.mktemp("rude"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="2", **crowd) as service:
        yield service


def are_served(client: httpx.Client, count: int) -> bool:
    """Whether so many assignments are right; each is waited for as long as the client does."""
    return all(assign(client, f"v-{number}").status_code == 200 for number in range(count))


def test_a_thousand_silent_connections_do_not_hurt_others_and_are_dropped(shop: Service) -> None:
    """How little they hurt, benchmarks/soak.py prints."""
    with shop.client(timeout=20) as client, contextlib.ExitStack() as silent:
        connections = [
            silent.enter_context(socket.create_connection(("127.0.0.1", shop.port), timeout=LEAVES_SECONDS))
            for _ in range(1_000)
        ]
        assert are_served(client, 300)
        assert [connection.recv(1) for connection in connections] == [b""] * 1_000


@pytest.mark.parametrize("kind", SLOW)
def test_fifty_slow_clients_are_dropped_in_six_seconds_while_others_are_served(shop: Service, kind: str) -> None:
    dropped: list[bytes] = []
    head, piece = SLOW[kind]

    def crawl() -> None:
        with socket.create_connection(("127.0.0.1", shop.port), timeout=LEAVES_SECONDS) as connection:
            connection.sendall(head)
            dropped.append(told(connection, itertools.repeat(piece, SLOW_PIECES), PAUSE_SECONDS))

    with together(crawl, 50), shop.client(timeout=20) as client:
        assert are_served(client, 100)
    assert len(dropped) == 50  # by the server: none has sent all its pieces and waited for the answer in vain


@contextlib.contextmanager
def together(work: Callable[[], None], threads: int) -> Iterator[None]:
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    yield
    for thread in running:
        thread.join()


def test_a_burst_on_one_key_is_turned_away_and_another_key_does_not_feel_it(start_service: StartService) -> None:
    keys = f"{EAGER_KEY},{CALM_KEY}"
    limits = {"RESONATE_RATE_LIMIT_PER_SECOND": "1", "RESONATE_RATE_LIMIT_BURST": "50"}  # soon over, however slow
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_PUBLISHABLE_KEYS=keys, **limits)
    statuses: list[int] = []

    def burst() -> None:
        with service.client(EAGER_KEY, timeout=20) as client:
            for number in range(125):
                answer = track(client, f"eager-{number}")
                statuses.append(answer.status_code)
                if answer.status_code == 429:
                    assert int(answer.headers["retry-after"]) >= 1

    with service.client(CALM_KEY, timeout=20) as calm, together(burst, 4):
        until(lambda: 429 in statuses, "the eager key is turned away")
        assert are_served(calm, 20)
    assert set(statuses) == {200, 429}
    assert statuses.count(429) > 100
    assert Path(service.log).read_text().count(EAGER_KEY) == 0
