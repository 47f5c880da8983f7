"""Whatever pages send: every order of a backend is taken, with the least memory that a store may have."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Event
from typing import Any

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import exported
from redis import Redis
from servers.faults import assign, degraded, frozen
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service

from app.runtime.settings import Settings
from events.store.process import socket_path

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

ORDERS = 100


def least_memory() -> str:
    """What the settings allow."""
    return str(next(each.ge for each in Settings.model_fields["store_memory_mb"].metadata if hasattr(each, "ge")))


def kinds(number: int) -> Iterator[dict[str, Any]]:
    """What fills a store: heavy events, very many ids, and orders of visitors whom nobody saw."""
    yield from ({"event": "Note", "anonymousId": "v", "properties": {"note": "x" * 30_000}} for _ in range(10))
    yield from ({"event": "N", "anonymousId": "v"} for _ in range(600))
    for each in range(400):
        lines = [{"product_id": f"p-{'9' * 100}-{line}"} for line in range(12)]
        properties = {"order_id": f"o-{number}-{each}", "products": lines}
        yield {"event": "Order Completed", "anonymousId": f"v-{number}-{each}", "properties": properties}


def flood(service: Service, numbers: Iterator[int], over: Event) -> Counter[str]:
    """Sends what fills a store until it is over; how often each answer came."""
    told = Counter[str]()
    with service.client(PUBLISHABLE_KEY) as page:
        while not over.is_set():
            number = next(numbers)
            events = list(kinds(number))
            for start in range(0, len(events), 250):
                batch = [{"type": "track", **each} for each in events[start : start + 250]]
                answer = page.post("/v1/batch", content=json.dumps({"batch": batch}))
                told["taken" if answer.status_code == 200 else str(answer.json()["code"])] += 1
    return told


@contextmanager
def flooded(service: Service) -> Iterator[list[Future[Counter[str]]]]:
    """Four pages send without end meanwhile."""
    over, numbers = Event(), count()
    with ThreadPoolExecutor(4) as pages:
        try:
            yield [pages.submit(flood, service, numbers, over) for _ in range(4)]
        finally:
            over.set()


def order(client: httpx.Client, number: int) -> int:
    properties = {"order_id": f"b-{number}", "revenue": 10.0, "currency": "EUR", "products": [{"product_id": "p-1"}]}
    event = {"event": "Order Completed", "userId": f"u-{number}", "messageId": f"b-{number}", "properties": properties}
    return client.post("/v1/track", json=event).status_code


def test_every_order_of_a_backend_is_taken_while_pages_send_all_they_can(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="2", RESONATE_STORE_MEMORY_MB=least_memory())
    with service.client() as backend, Redis(unix_socket_path=str(socket_path(service.data))) as store:
        with flooded(service) as floods:
            with frozen(service, "writer"):  # so that nothing of it goes
                until(lambda: "page_events_refused" in degraded(service), "pages are refused")
                assert {order(backend, number) for number in range(ORDERS // 2)} == {200}
                assert assign(backend, "v-1").status_code == 200
            until(lambda: int(store.info("stats")["evicted_keys"]) > 100, "histories are evicted")
            assert {order(backend, number) for number in range(ORDERS // 2, ORDERS)} == {200}
        told = sum((each.result() for each in floods), Counter[str]())
        assert told["taken"] > 0 < told["page_share_full"]
        assert set(told) <= {"taken", "page_share_full", "store_memory_high", "overloaded"}
        until(lambda: degraded(service) == [], "nothing is degraded any more")
    assert {row["message_id"] for row in exported(service)} >= {f"b-{number}" for number in range(ORDERS)}
