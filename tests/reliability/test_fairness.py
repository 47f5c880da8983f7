"""Beside callers who repeat the costliest legal request, other networks and backends are answered nearly as ever."""

import http.client
import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from worlds.costly_requests import COSTLIEST, DEFINITIONS, Costly

pytestmark = pytest.mark.slow

EAGER = 8  # connections
SECONDS = 4.0
DEFAULTS = {"RESONATE_BUDGET_CPU_MS": "250", "RESONATE_BUDGET_BYTES_KB": "256", "RESONATE_BUDGET_EVENTS": "500"}
FLAG = "/ofrep/v1/evaluate/flags/experiment-0"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("fair"), DEFINITIONS, RESONATE_WORKERS="1", **DEFAULTS) as service:
        yield service


def client(service: Service, network: str, key: str | None) -> httpx.Client:
    """Whoever calls from this network."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    transport = httpx.HTTPTransport(local_address=network)
    return httpx.Client(base_url=service.url, headers=headers, timeout=20, transport=transport)


@contextmanager
def repeating(service: Service, costly: Costly) -> Iterator[None]:
    """Eight connections of one network that ask for nothing else, in a process of their own."""
    asking = multiprocessing.get_context("spawn").Process(target=repeat, args=(service.port, costly), daemon=True)
    asking.start()
    try:
        yield
    finally:
        asking.terminate()
        asking.join()


def repeat(port: int, costly: Costly) -> None:
    """The same request on each connection, as soon as the one before is answered, until the process ends."""
    method = "GET" if costly.body is None else "POST"
    lines = [f"{method} {costly.path} HTTP/1.1", "Host: x", f"Content-Length: {len(costly.body or b'')}"]
    lines += [f"{name}: {value}" for name, value in costly.headers.items()]
    lines += [f"Authorization: Bearer {PUBLISHABLE_KEY}"] if costly.keyed else []
    whole = "\r\n".join([*lines, "", ""]).encode() + (costly.body or b"")

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, source_address=("127.0.0.66", 0))
        connection.connect()
        while True:
            connection.sock.sendall(whole)
            answer = http.client.HTTPResponse(connection.sock, method=method)
            answer.begin()
            answer.read()

    crowd = [threading.Thread(target=ask) for _ in range(EAGER)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()


def seconds_each(service: Service, network: str, key: str) -> list[float]:
    """How long each of a caller's assignments took, one after the other with a pause as people make; all are served."""
    took: list[float] = []
    with client(service, network, key) as honest:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            began = time.perf_counter()
            answer = honest.post(FLAG, json={"context": {"targetingKey": "v", "resonate.expose": False}})
            took.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text
            time.sleep(0.005)
    return took


@pytest.fixture(scope="module")
def usual(shop: Service) -> dict[str, list[float]]:
    """What they take while nobody else calls."""
    return {key: seconds_each(shop, "127.0.0.3", key) for key in (PUBLISHABLE_KEY, SECRET_KEY)}


def p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]


@pytest.mark.parametrize("costly", COSTLIEST, ids=[costly.name for costly in COSTLIEST])
def test_the_costliest_request_is_paid_by_who_sends_it(
    shop: Service, usual: dict[str, list[float]], costly: Costly
) -> None:
    with repeating(shop, costly):
        with client(shop, "127.0.0.66", PUBLISHABLE_KEY if costly.keyed else None) as same:
            until(lambda: same.post("/v1/track", content=b"").status_code == 429, "they are refused", 60)
        page, backend = (seconds_each(shop, "127.0.0.3", key) for key in (PUBLISHABLE_KEY, SECRET_KEY))
        with client(shop, "127.0.0.4", None) as probe:
            health = [probe.get("/healthz").elapsed.total_seconds() for _ in range(20)]
    median, tail = (
        statistics.median(page) / statistics.median(usual[PUBLISHABLE_KEY]),
        p99(page) / p99(usual[PUBLISHABLE_KEY]),
    )
    secret = statistics.median(backend) / statistics.median(usual[SECRET_KEY])
    told = f"p50 {median:.1f} x, p99 {tail:.1f} x, backend {secret:.1f} x, /healthz {max(health):.3f} s"
    print(f"{costly.name}: {told}")
    assert median <= 8, told
    assert tail <= 20, told
    assert secret <= 4, told
    assert max(health) < 1, told
