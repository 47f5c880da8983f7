"""Markers of all that may not be stored go through every door in every spelling, and stand in no byte that is kept."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pyarrow.parquet
import pytest
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service, running

from app.intake.paths import paths_of
from app.main import path_table

FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n",
    "shop.yaml": "privacy: {deny: [nickname], keep: [dclid]}\n",
}
MARKS = ("canary", "203.0.113.77", "2001:db8:ca:77")
NAMES = ("ip", "IP", "Ip_Address", "remote-addr", "X-Forwarded-For", "clientIp", "advertisingId", "IDFA", "gaid",
         "Aaid", "gclid", "FBCLID", "nick_name", "NickName")  # fmt: skip
TEXTS = (
    "203.0.113.77", "203.0.113.77:80", "2001:db8:ca:77::1", "[2001:db8:ca:77::1]:443", "::ffff:203.0.113.77",
    "https://canary:canary@shop.example/p", "https://shop.example/p#canary", "/p?token=canary", "?Session_ID=canary",
    "shop.example/p?apiKey=canary&page=1", "/p?to=https%3A%2F%2Fx%2F%3Fcode%3Dcanary", "/u/canary%40shop.example",
    "https://shop.example/u/canary@shop.example", "/p;jsessionid=canary", "see https://x/?e-mail=canary or not",
    "/p?gclid=canary&nickname=canary&ip=203.0.113.77",
)  # fmt: skip
# By name alone, with no text that would be noticed; then with all of it.
NAMED: dict[str, Any] = {
    **{name: "canary" for name in NAMES},
    "deep": [{"a": {name: {"b": "canary"} for name in NAMES}}],
    "dclid": "kept",
}
ALL: dict[str, Any] = {
    **NAMED,
    **{f"text {number}": text for number, text in enumerate(TEXTS)},
    "list": list(TEXTS),
    **{text: number for number, text in enumerate(TEXTS[:6])},
    "device": TEXTS[0],
    "country": TEXTS[2],
    "url": TEXTS[5],
    "path": TEXTS[11],
}
IDS = {"anonymousId": "v-1", "userId": "u-1", "previousId": "v-0", "groupId": "g-1"}


def segment(kind: str, members: dict[str, Any]) -> dict[str, Any]:
    """A call of Segment's with markers wherever it takes something."""
    page = {name: members for name in ("page", "device", "library", "location")}
    told = {**members, "products": [{"product_id": "p-1", **members}]}
    context, name = {**members, **page}, members.get("text 8", "Seen")
    return {**IDS, **members, "type": kind, "event": name, "name": name, "properties": told, "traits": told,
            "context": context}  # fmt: skip


def bodies(members: dict[str, Any]) -> dict[str, list[Any]]:
    """What is posted to every door that stores something, by its path."""
    kinds = ("track", "page", "screen", "identify", "group", "alias")
    beat = {**members, "anonymousId": "v-1", "pageViewId": "pv-1", "seq": 1, "engagedMs": 5}
    asked = {"visitor_id": "v-1", "experiments": ["banner"], "attributes": members}
    batch = {"batch": [segment(kind, members) for kind in kinds] + [{"type": "engagement", **beat, "seq": 2}]}
    viewed = {"experiment_id": "banner", "variation_id": "control", **members}
    seen = [{"type": "track", "event": "Seen", "anonymousId": "v-1"},
            {"type": "track", "event": "Experiment Viewed", "anonymousId": "v-1", "properties": viewed}]  # fmt: skip
    exposed = {"experimentId": "banner", "variationId": 0, "hashValue": "v-1", **members}
    by_growthbook = [
        {**members, "event_name": members.get("text 8", "Seen"), "device_id": "v-1", "properties_json": members},
        {"event_name": "Experiment Viewed", "properties_json": exposed, "context_json": json.dumps(members)},
    ]
    by_google = [
        {"name": name, "params": members} for name in (members.get("text 8", "seen"), "begin_checkout", "page_view")
    ]
    return {
        "/mp/collect": [{"client_id": "v-1", "user_id": "u-1", "events": by_google}],
        **{path: [segment(kind, members)] for kind in kinds for path in paths_of(kind)},
        **{path: [batch, {"batch": seen, "context": members}] for path in paths_of("batch")},
        "/v1/engagement": [beat],
        "/track": [by_growthbook, {"events": by_growthbook}],
        "/ofrep/v1/evaluate/flags/{key}": [{"context": {"targetingKey": "v-1", **members}}],
        "/v1/personalize": [asked, {**asked, "recommendations": [{"slot": TEXTS[0], "items": list(TEXTS)}]}],
    }


KEEPING_NOTHING = {"/v1/recommendations", "/v1/visitor", "/ofrep/v1/evaluate/flags", "/api/eval/{key}"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, list[dict[str, Any]], str]]:
    """A service that every door was knocked at, its export, and its metrics; it has ended, but its data are there."""
    with running(tmp_path_factory.mktemp("markers"), FILES, RESONATE_WORKERS="1") as service:
        with service.client(PUBLISHABLE_KEY) as page, service.client() as backend:
            for client, members in product((page, backend), (NAMED, ALL)):
                for path, told in bodies(members).items():
                    for body in told:
                        answer = client.post(path.replace("{key}", "banner"), json=body, params={"debug": "1"})
                        assert answer.status_code == 200, (path, answer.text)
                        assert "rejected" not in answer.json(), (path, answer.text)

            def exported() -> list[dict[str, Any]] | None:
                answer = backend.get("/v1/export/events", params={"limit": 10_000})
                drained = answer.headers["x-resonate-pending"] == "0"
                return [json.loads(line) for line in answer.text.splitlines()] if drained else None

            rows = until(exported, "all is exported") or []
            metrics = backend.get("/metrics").text
        service.stop()
        yield service, rows, metrics


def test_every_door_that_stores_something_is_knocked_at() -> None:
    table = path_table()
    doors = {route.name for route in (*table.exact.values(), *table.below.values()) if route.method == "POST"}
    assert doors - KEEPING_NOTHING == set(bodies(ALL))


def test_no_byte_of_the_data_directory_has_a_marker(kept: tuple[Service, list[dict[str, Any]], str]) -> None:
    service, rows, metrics = kept
    assert len(rows) > 50
    assert marked(json.dumps(rows)) == marked(metrics) == marked(service.log_text()) == []
    files = [path for path in service.data.rglob("*") if path.is_file()]
    parts = [path for path in files if path.suffix == ".parquet"]
    assert parts
    assert any("appendonly" in str(path) for path in files)
    for path in files:
        assert marked(path.read_bytes().decode(errors="replace")) == [], path
    for path in parts:
        assert marked(json.dumps(pyarrow.parquet.read_table(path).to_pylist(), default=str)) == [], path


def marked(text: str) -> list[str]:
    return [mark for mark in MARKS if mark in text.casefold()]


def test_an_event_keeps_what_else_it_said(kept: tuple[Service, list[dict[str, Any]], str]) -> None:
    _, rows, _ = kept
    other = [row for row in rows if '"dclid": "kept"' not in json.dumps(row)]
    assert {row["type"] for row in other} == {"engagement"}
    assert len(other) < len(rows) / 4
    assert {row["visitor_id"] for row in rows} == {"v-0", "v-1"}


def test_what_was_scrubbed_is_counted_by_name(kept: tuple[Service, list[dict[str, Any]], str]) -> None:
    _, _, metrics = kept
    counted = {line.partition('"')[2].partition('"')[0] for line in metrics.splitlines() if "scrubbed_total{" in line}
    assert counted >= {"ip", "remoteaddr", "gclid", "idfa", "denied", "in_name", "address", "user_info", "fragment",
                       "token", "session", "key", "code", "email"}  # fmt: skip
