"""What the process knows of what went wrong reaches a reader: by name in `/metrics` or `/readyz`, and in the docs."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from msgspec.structs import fields as struct_fields
from servers.one_worker import OneWorker

from app.metrics.counted import counter_samples
from app.metrics.exposition import lines
from app.runtime.board import Board
from app.runtime.telemetry import GROWING_SECONDS, TROUBLES, Telemetry
from events.ingest.stream import StreamState
from events.store.health import StoreState
from events.writer.watermark import Watermark

ROOM = Path(__file__).parents[3] / "docs"
DOCS = "".join((ROOM / name).read_text() for name in ("reliability.md", "metrics.md"))
SHOWN: Mapping[str, Mapping[str, str]] = {  # a name of /metrics, or a path in /readyz
    "the stream": {
        "available": "resonate_store_available",
        "cause": "store.cause",
        "flush_failures": "resonate_flush_failures_total",
        "message_conflicts": "resonate_message_conflicts_total",
        "history_failures": "resonate_history_failures_total",
    },
    "the embedded store": {
        "running": "store.available",
        "cause": "store.cause",
        "detail": "store.detail",
        "restarts": "store.restarts",
        "recovery": "degraded",
    },
    "troubles": {trouble: f"resonate_{trouble}_total" for trouble in TROUBLES},
    "the writer": {"cause": "degraded"},
}
OF_READOUTS = {
    "stream_number",
    "time_us",
    "written",
    "sequence",
}  # of the writer: `pending` and `watermark` of a readout


@pytest.fixture
def client(worker: OneWorker) -> Iterator[httpx.Client]:
    with worker.client("sk_test_0123456789") as opened:
        yield opened


def test_every_field_of_what_the_process_knows_has_a_place() -> None:
    assert set(SHOWN["the stream"]) == {field.name for field in fields(StreamState)}
    assert set(SHOWN["the embedded store"]) == {field.name for field in struct_fields(StoreState)}
    assert set(SHOWN["the writer"]) | OF_READOUTS == {field.name for field in fields(Watermark)}


@pytest.mark.parametrize("place", sorted({place for places in SHOWN.values() for place in places.values()}))
def test_a_place_is_there_and_documented(place: str, client: httpx.Client) -> None:
    assert f"`{place}" in DOCS
    if place.startswith("resonate_"):
        assert f"\n{place} " in client.get("/metrics").text
        return
    found: Any = client.get("/readyz").json()
    for name in place.split("."):
        assert name in found
        found = found[name]


def test_every_name_that_is_exposed_is_documented(client: httpx.Client) -> None:
    names = {line.split()[2] for line in client.get("/metrics").text.splitlines() if line.startswith("# TYPE")}
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in DOCS] == []


def test_lost_data_is_counted_and_degrades_readiness(worker: OneWorker, client: httpx.Client) -> None:
    with redis.Redis(unix_socket_path=str(worker.store.socket)) as store:
        store.set("{h:v:unlucky}", "not a hash")
    order = {
        "event": "Order Completed",
        "properties": {"order_id": "o-1", "products": [{"product_id": "p", "price": 1}]},
    }
    for message, properties in (("m-1", {}), ("m-1", {"other": True})):
        event = {"event": "E", "anonymousId": "v", "messageId": message, "properties": properties}
        assert client.post("/v1/track", json=event).status_code == 200
    assert client.post("/v1/track", json={"anonymousId": "unlucky", **order}).status_code == 200
    counted = client.get("/metrics").text
    assert "\nresonate_message_conflicts_total 1\n" in counted
    assert "\nresonate_history_failures_total 1\n" in counted
    assert client.get("/readyz").json()["degraded"] == ["history_failures", "message_conflicts"]


def test_what_went_wrong_grows_for_a_minute_whichever_worker_saw_it() -> None:
    here, there = (Telemetry(desk, ["/x"]) for desk in Board.make(2).desks("worker"))
    there.went_wrong("history_failures", 3)
    now = there.counters.values[there.counters.place["trouble at", "history_failures"]]
    assert here.growing(now) == {"history_failures"}
    assert here.growing(now + GROWING_SECONDS) == set()
    assert "\nresonate_history_failures_total 3\n" in "".join(lines(counter_samples(here, {})))
