"""Segment's calls against a real worker: success means durable, and one bad event never costs the good ones."""

import gzip
import json
from typing import Any

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records

KINDS = ["track", "page", "screen", "identify", "group", "alias"]


def event(kind: str, visitor: str) -> dict[str, Any]:
    extra = {"track": {"event": "Clicked"}, "group": {"groupId": "g"}, "alias": {"previousId": visitor, "userId": "u"}}
    return {"anonymousId": visitor, **extra.get(kind, {})}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("short", [False, True])
def test_every_call_and_its_short_form_stores_one_event(worker: OneWorker, kind: str, short: bool) -> None:
    visitor = f"{kind}-{short}"
    with worker.client() as client:
        answer = client.post(f"/v1/{kind[0] if short else kind}", json=event(kind, visitor))
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    assert [record["type"] for record in records(worker, visitor_id=visitor)] == [kind]


def test_a_bad_event_is_named_and_the_good_ones_are_stored(worker: OneWorker) -> None:
    batch = [
        {"type": "track", "event": "Good", "anonymousId": "mixed", "messageId": "mixed-0"},
        {"type": "track", "anonymousId": "mixed", "messageId": "mixed-1"},
        {"type": "track", "event": "Nobody", "messageId": "mixed-2"},
        "not an event",
        {"type": "page", "anonymousId": "mixed", "messageId": "mixed-4"},
    ]
    with worker.client() as client:
        answer = client.post("/v1/batch", json={"batch": batch}).json()
    assert answer["success"] is True
    assert [(each["index"], each["messageId"], each["code"]) for each in answer["rejected"]] == [
        (1, "mixed-1", "missing_event"),
        (2, "mixed-2", "missing_id"),
        (3, None, "unreadable_event"),
    ]
    assert [record["message_id"] for record in records(worker, visitor_id="mixed")] == ["mixed-0", "mixed-4"]


def test_the_content_type_is_ignored_and_gzip_is_read(worker: OneWorker) -> None:
    body = gzip.compress(json.dumps({"batch": [{"type": "page", "anonymousId": "zipped"}]}).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/x-www-form-urlencoded"}
    with worker.client() as client:
        assert client.post("/v1/batch", content=body, headers=headers).json() == {"success": True}
    assert len(records(worker, visitor_id="zipped")) == 1


@pytest.mark.parametrize(
    "place",
    ["bearer", "x-api-key", "basic", "body", "query"],
)
def test_a_publishable_key_is_taken_from_every_place_that_clients_put_it(worker: OneWorker, place: str) -> None:
    body: dict[str, Any] = {"anonymousId": f"key-{place}", "event": "E"}
    options: dict[str, Any] = {
        "bearer": {"headers": {"authorization": f"Bearer {PUBLISHABLE}"}},
        "x-api-key": {"headers": {"x-api-key": PUBLISHABLE}},
        "basic": {"auth": httpx.BasicAuth(PUBLISHABLE, "")},
        "query": {"params": {"writeKey": PUBLISHABLE}},
        "body": {},
    }[place]
    if place == "body":
        body["writeKey"] = PUBLISHABLE
    with worker.client(None) as client:
        assert client.post("/v1/track", json=body, **options).status_code == 200
    assert "writeKey" not in json.dumps(records(worker, visitor_id=f"key-{place}"))


def test_a_secret_key_is_refused_in_the_address(worker: OneWorker) -> None:
    with worker.client(None) as client:
        answer = client.post("/v1/track", params={"writeKey": SECRET}, json={"anonymousId": "v", "event": "E"})
    assert (answer.status_code, answer.json()["code"]) == (401, "secret_key_in_address")
    assert SECRET not in answer.text


def test_a_message_that_comes_twice_is_stored_once(worker: OneWorker) -> None:
    message = {"anonymousId": "twice", "event": "E", "messageId": "twice-1"}
    with worker.client() as client:
        assert [client.post("/v1/track", json=message).status_code for _ in range(3)] == [200, 200, 200]
    assert len(records(worker, visitor_id="twice")) == 1


def test_a_client_exposure_is_named_judged_and_kept(worker: OneWorker) -> None:
    with worker.client() as client:
        told = client.post("/v1/personalize", json={"visitor_id": "seen", "experiments": ["banner"], "expose": False})
        variant = told.json()["experiments"]["banner"]["variant"]
        other = {"control": "threshold", "threshold": "control"}[variant]
        for name in (variant, other):
            properties = {"experiment_id": "banner", "variation_id": name}
            client.post(
                "/v1/track", json={"anonymousId": "seen", "event": "Experiment Viewed", "properties": properties}
            )
    first, second = records(worker, visitor_id="seen", type="exposure")
    assert (first["variant"], first.get("forged"), first["propensity"]) == (variant, None, 0.5)
    assert (second["variant"], second["forged"]) == (other, True)


def test_an_exposure_by_index_gets_the_key_of_its_variant(worker: OneWorker) -> None:
    with worker.client() as client:
        properties = {"experimentId": "banner", "variationId": 1}
        client.post(
            "/v1/track", json={"anonymousId": "by-index", "event": "Experiment Viewed", "properties": properties}
        )
    assert records(worker, visitor_id="by-index")[0]["variant"] == "threshold"


def test_the_exposure_of_a_previewing_visitor_is_forced_and_not_forged(worker: OneWorker) -> None:
    with worker.client() as client:
        for index, _ in enumerate("ab"):
            properties = {"experimentId": "mobile-only", "variationId": index}
            client.post(
                "/v1/track", json={"anonymousId": "qa-1", "event": "Experiment Viewed", "properties": properties}
            )
    assert {(r.get("forced"), r.get("forged")) for r in records(worker, visitor_id="qa-1")} == {(True, None)}


def test_a_beat_of_engagement_is_one_record_however_often_it_comes(worker: OneWorker) -> None:
    beat = {
        "anonymousId": "reader",
        "pageViewId": "pv-9",
        "seq": 2,
        "engagedMs": 31_000,
        "final": True,
        "writeKey": PUBLISHABLE,
    }
    with worker.client(None) as client:
        for _ in range(2):
            answer = client.post("/v1/engagement", content=json.dumps(beat), headers={"content-type": "text/plain"})
            assert answer.content == b'{"success":true}'
    (record,) = records(worker, visitor_id="reader")
    assert (record["message_id"], record["engaged_ms"], record["page_view_id"]) == ("pv-9:2", 31_000, "pv-9")
    assert record["properties"] == {"seq": 2, "final": True}


def test_too_many_events_are_413_and_nothing_is_stored(worker: OneWorker) -> None:
    batch = [{"type": "page", "anonymousId": "many"}] * 2501
    with worker.client() as client:
        answer = client.post("/v1/batch", json={"batch": batch})
    assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")
    assert records(worker, visitor_id="many") == []


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'{"type":"page","anonymousId":"\xff"}', "unreadable_event"),
        (b'{"type":"page","anonymousId":"x","properties":{"a":"%b"}}' % (b"x" * 33_000), "event_too_large"),
    ],
    ids=["not UTF-8", "too large"],
)
def test_an_event_that_cannot_be_decoded_with_its_batch_costs_only_itself(
    worker: OneWorker, bad: bytes, code: str
) -> None:
    good = b'{"type":"page","anonymousId":"beside-%b"}' % code.encode()
    with worker.client() as client:
        answer = client.post("/v1/batch", content=b'{"batch":[%b,%b]}' % (bad, good)).json()
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(0, code)]
    assert records(worker, visitor_id=f"beside-{code}")
