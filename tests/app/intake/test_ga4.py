"""`POST /mp/collect`, as Google's clients and libraries call it."""

import json
from typing import Any

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records
from worlds.spoilt_events import KINDS, places, spoilt

ORIGIN = {"origin": "https://shop.example"}


def sent(
    worker: OneWorker, body: Any, key: str | None = PUBLISHABLE, query: str = "", **headers: str
) -> httpx.Response:
    """The answer to a body, with the key in the address as Google's clients have it."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    secret = "" if key is None else f"&api_secret={key}"
    address = f"{worker.url}/mp/collect?measurement_id=G-1{secret}{query}"
    return httpx.post(address, content=content, headers={**ORIGIN, **headers})


def purchase(visitor: str, **members: Any) -> dict[str, Any]:
    return {"client_id": visitor, "events": [{"name": "purchase", "params": {"transaction_id": f"o-{visitor}",
            "value": 12.5, "currency": "EUR"}}, {"name": "page_view"}], **members}  # fmt: skip


def test_what_is_taken_is_durable_and_answered_without_a_body(worker: OneWorker) -> None:
    answer = sent(worker, purchase("ga-1"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"]
    [order, page] = records(worker, visitor_id="ga-1")
    assert (order["event"], order["value"], order["order_id"], page["type"]) == (
        "Order Completed", 12.5, "o-ga-1", "page",
    )  # fmt: skip


def test_a_backend_sends_its_key_in_the_head_and_never_in_the_address(worker: OneWorker) -> None:
    assert sent(worker, purchase("ga-2"), None, authorization=f"Bearer {SECRET}").status_code == 204
    assert [each["authority"] for each in records(worker, visitor_id="ga-2")] == [2, 2]
    in_address = sent(worker, purchase("ga-3"), SECRET)
    assert (in_address.status_code, in_address.json()["code"]) == (401, "secret_key_in_address")
    assert records(worker, visitor_id="ga-3") == []


@pytest.mark.parametrize("key", [None, "", "pk_unknown"])
def test_without_a_known_key_nothing_is_stored(worker: OneWorker, key: str | None) -> None:
    assert sent(worker, purchase("ga-4"), key).status_code == 401
    assert records(worker, visitor_id="ga-4") == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"events": {}}', b'{"events": null}'])
def test_a_body_that_cannot_be_read_is_refused(worker: OneWorker, body: bytes) -> None:
    assert sent(worker, body).status_code == 400


def test_of_consent_the_strictest_word_holds(worker: OneWorker) -> None:
    assert sent(worker, purchase("ga-5", user_id="u-5"), query="&consent=measure").status_code == 204
    assert {each.get("user_id") for each in records(worker, visitor_id="ga-5")} == {None}
    denied = purchase("ga-6", consent={"analytics_storage": "DENIED"})
    assert sent(worker, denied).status_code == 204
    assert records(worker, visitor_id="ga-6") == []
    assert sent(worker, purchase("ga-7", consent="perhaps")).json()["code"] == "unknown_consent"
    assert sent(worker, purchase("ga-empty", consent=[])).status_code == 204  # PHP writes an object without members so


def test_who_asks_is_told_what_was_refused(worker: OneWorker) -> None:
    body = {"client_id": "ga-8", "events": [{"name": "experience_impression"}, {"name": "purchase"}, {"name": "a"}]}
    assert sent(worker, body).content == b""
    answer = sent(worker, body, query="&debug=1").json()
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(1, "missing_order_id")]
    assert [each["event"] for each in records(worker, visitor_id="ga-8")] == ["a", "a"]


ITEMS = [{"item_id": "sku-17", "price": 49.9, "quantity": 1}]
EVENTS = (
    {"name": "purchase", "timestamp_micros": 1, "params": {"transaction_id": "o-9", "value": 49.9, "currency": "EUR",
     "items": ITEMS, "page_location": "https://shop.example/?a", "page_title": "Thanks"}},
    {"name": "refund", "params": {"transaction_id": "o-9", "value": 9, "items": ITEMS}},
    {"name": "view_item", "params": {"items": ITEMS, "value": 4}},
    {"name": "page_view", "params": {"page_location": "https://shop.example/", "page_referrer": "/"}},
    {"name": "experiment_viewed", "params": {"experiment_id": "banner", "variation_id": "threshold"}},
    {"name": "newsletter_signup", "params": {"place": "footer"}},
)  # fmt: skip
BODY = {"client_id": "ga-9", "user_id": "u-9", "timestamp_micros": 1_800_000_000_000_000, "user_agent": "x",
        "user_location": {"country_id": "SK"}, "user_properties": {"plan": {"value": "gold"}},
        "non_personalized_ads": False, "app_instance_id": "app-9"}  # fmt: skip
# What no event can do without: a name, an id, and what its meaning needs.
NEEDED = {
    "event",
    "name",
    "client_id",
    "user_id",
    "params.transaction_id",
    "params.experiment_id",
    "params.variation_id",
}


def spoilt_bodies() -> list[dict[str, Any]]:
    """Each event in a body, each field of either in every kind of JSON."""
    whole = [{**BODY, "client_id": f"ga-9-{number}", "events": [event]} for number, event in enumerate(EVENTS)]
    found = [spoilt("ga4", body, place, value).body for body in whole[:1] for place in places(BODY) for value in KINDS]
    for body, event in zip(whole, EVENTS, strict=True):
        found += [
            {**body, "events": [spoilt("ga4", event, place, value).body]} for place in places(event) for value in KINDS
        ]
    return found


def test_a_field_of_any_kind_costs_no_event_that_can_do_without_it(worker: OneWorker) -> None:
    bodies = spoilt_bodies()
    with worker.client() as client:
        for body in bodies:
            answer = client.post("/mp/collect?debug=1", json=body)
            assert answer.status_code == 200, (body, answer.text)
            refused = {each["field"] for each in answer.json().get("rejected", [])}
            assert refused <= NEEDED, (body, answer.text)
    assert len(bodies) > 500
