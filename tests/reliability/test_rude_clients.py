"""Clients that are slow, idle or too eager hurt themselves and nobody else.

Hostile bytes and the five-second deadlines of one worker are proved in tests/app/http/test_hostile_probes.py.
"""

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.faults import assign, track
from servers.patience import patience
from servers.service import SECRET_KEY, Service, running

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: they measure time

EAGER_KEY = "pk_eager_0123456789"
CALM_KEY = "pk_calm_0123456789"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("rude"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="2") as service:
        yield service


def seconds_of_answers(client: httpx.Client, count: int) -> list[float]:
    """How long each of some assignments took; all must be right."""
    took: list[float] = []
    for number in range(count):
        began = time.monotonic()
        assert assign(client, f"v-{number}").status_code == 200
        took.append(time.monotonic() - began)
    return took


def percentile_99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def test_a_thousand_silent_connections_do_not_hurt_others_and_are_dropped(shop: Service) -> None:
    with shop.client(timeout=20) as client, contextlib.ExitStack() as silent:
        alone = percentile_99(seconds_of_answers(client, 300))
        connections = [
            silent.enter_context(socket.create_connection(("127.0.0.1", shop.port), timeout=10)) for _ in range(1_000)
        ]
        began = time.monotonic()
        beside = percentile_99(seconds_of_answers(client, 300))
        assert beside < patience(2 * alone + 0.2)  # p99 of a busy machine; benchmarks/soak.py measures it
        dropped = [connection.recv(1) for connection in connections]
        assert time.monotonic() - began < patience(7)
    assert dropped == [b""] * 1_000


SLOW: dict[str, list[bytes]] = {
    "header": [b"POST /v1/track HTTP/1.1\r\n", b"host: a\r\n", b"x-a: b\r\n"],
    "body": [
        f"POST /v1/track HTTP/1.1\r\nhost: a\r\nx-api-key: {SECRET_KEY}\r\ncontent-length: 90\r\n\r\n".encode(),
        *[b" "] * 9,
    ],
}


@pytest.mark.parametrize("kind", SLOW)
def test_fifty_slow_clients_are_dropped_in_six_seconds_while_others_are_served(shop: Service, kind: str) -> None:
    took: list[float] = []

    def crawl() -> None:
        began = time.monotonic()
        address = ("127.0.0.1", shop.port)
        with socket.create_connection(address, timeout=15) as connection, contextlib.suppress(ConnectionError):
            for piece in SLOW[kind]:
                connection.sendall(piece)
                time.sleep(0.7)
            while connection.recv(65_536):
                pass
        took.append(time.monotonic() - began)

    with together(crawl, 50), shop.client(timeout=20) as client:
        assert max(seconds_of_answers(client, 100)) < patience(2)
    assert len(took) == 50  # dropped by the server, not by their own patience of 15 s
    assert max(took) < patience(2)


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
    limits = {"RESONATE_RATE_LIMIT_PER_SECOND": "50", "RESONATE_RATE_LIMIT_BURST": "50"}
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_PUBLISHABLE_KEYS=keys, **limits)
    statuses: list[int] = []

    def burst() -> None:
        with service.client(EAGER_KEY, timeout=20) as client:
            for number in range(125):
                answer = track(client, f"eager-{number}")
                statuses.append(answer.status_code)
                if answer.status_code == 429:
                    assert int(answer.headers["retry-after"]) >= 1

    with service.client(CALM_KEY, timeout=20) as calm:
        alone = statistics.median(seconds_of_answers(calm, 30))
        with together(burst, 4):
            time.sleep(0.2)
            beside = statistics.median(seconds_of_answers(calm, 20))
    assert beside < patience(2 * alone + 0.1)  # four eager clients take their share of the cores
    assert set(statuses) == {200, 429}
    assert statuses.count(429) > 100
    assert Path(service.log).read_text().count(EAGER_KEY) == 0
