"""Each field that is named in what is said of an event stands in what was sent, or is one that its dialect needs."""

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from worlds.spoilt_events import GROWTHBOOK, KINDS, Spoilt, all_spoilt, places, spoilt

from events.authority import Authority
from events.dialects.ga4 import CollectBody, read_collected
from events.dialects.growthbook import read_events
from events.dialects.segment import BatchBody, read_batch
from events.dialects.validation import Arrival, Reading, Remark

NOW = 1_769_000_000_000_000
WHOLE = {"event"}  # one that is too large, or none
NEEDED = {
    "segment": {
        "type", "event", "anonymousId", "userId", "previousId", "groupId", "pageViewId", "seq", "engagedMs",
        "properties.order_id", "properties.experiment_id", "properties.variation_id",
    },
    "growthbook": {
        "event_name", "device_id", "user_id", "properties_json.experimentId", "properties_json.variationId",
        "properties_json.order_id", "properties.experimentId", "properties.variationId", "properties.order_id",
    },
    "ga4": {"name", "client_id", "user_id", "params.transaction_id", "params.experiment_id", "params.variation_id"},
}  # fmt: skip
LINE = {"item_id": "sku-17", "item_name": "Cup", "price": 49.9, "quantity": 1}
GA4_EVENTS: tuple[dict[str, Any], ...] = (
    {"name": "purchase", "params": {"transaction_id": "o-1", "value": 49.9, "currency": "EUR", "items": [LINE]}},
    {"name": "refund", "params": {"transaction_id": "o-1", "value": 4}},
    {"name": "view_item", "params": {"items": [LINE], "page_location": "https://shop.example/p"}},
    {"name": "page_view", "params": {"page_location": "https://shop.example/p", "page_title": "Home"}},
    {"name": "experiment_viewed", "params": {"experiment_id": "banner", "variation_id": "threshold"}},
)
GA4_BODY: dict[str, Any] = {
    "client_id": "v-1",
    "user_id": "u-1",
    "timestamp_micros": NOW,
    "user_agent": "Mozilla/5.0",
    "user_location": {"country_id": "SK"},
}


def stands_in(field: str, sent: Any) -> bool:
    """Whether a field can be walked to; the JSON of an object is one."""
    for name in re.findall(r"[^.\[\]]+", field):
        if isinstance(sent, str):
            with contextlib.suppress(msgspec.DecodeError):
                sent = msgspec.json.decode(sent)
        if isinstance(sent, Mapping) and name in sent:
            sent = sent[name]
        elif isinstance(sent, list) and name.isdecimal() and int(name) < len(sent):
            sent = sent[int(name)]
        else:
            return False
    return True


def remarks(reading: Reading) -> list[Remark]:
    return [*reading.refusals, *reading.repairs]


def read(dialect: str, body: dict[str, Any]) -> Reading:
    """What a request with this body says; of GA4 it is the whole body, of others one event."""
    arrival = Arrival(NOW, Authority.PAGE)
    if dialect == "ga4":
        collected = msgspec.json.decode(msgspec.json.encode(body), type=CollectBody)
        return read_collected(collected, arrival)
    raw = msgspec.Raw(msgspec.json.encode(body))
    return read_events([raw], arrival) if dialect == "growthbook" else read_batch(BatchBody([raw]), arrival)


def growthbook_otherwise() -> Iterator[Spoilt]:
    """The same events with the other names, and as text."""
    for body in GROWTHBOOK.values():
        objects = {"properties": body["properties_json"], "attributes": body["context_json"]}
        other = {name: value for name, value in body.items() if not name.endswith("_json")} | objects
        for place in places(other):
            yield from (spoilt("growthbook", other, place, value) for value in KINDS)
        for name in ("properties_json", "context_json"):
            for member in body[name]:
                for value in KINDS:
                    text = msgspec.json.encode({**body[name], member: value}).decode()
                    yield Spoilt("growthbook", {**copy.deepcopy(body), name: text}, (name, member))


def ga4_spoilt() -> Iterator[Spoilt]:
    for event in GA4_EVENTS:
        body = {**GA4_BODY, "events": [event]}
        for place in [place for place in places(body) if place[0] != "events"]:
            yield from (spoilt("ga4", body, place, value) for value in KINDS)
        for place in places(event):
            yield from (
                Spoilt("ga4", {**body, "events": [spoilt("ga4", event, place, value).body]}, place) for value in KINDS
            )
        for member in LINE if "items" in event["params"] else ():
            for value in KINDS:
                changed = {**event, "params": {**event["params"], "items": [{**LINE, member: value}]}}
                yield Spoilt("ga4", {**body, "events": [changed]}, ("params", "items", member))


CASES = {
    "segment": [each for each in all_spoilt() if each.dialect == "segment"],
    "growthbook": [*(each for each in all_spoilt() if each.dialect == "growthbook"), *growthbook_otherwise()],
    "ga4": list(ga4_spoilt()),
}


@pytest.mark.parametrize("dialect", CASES)
def test_each_field_that_is_named_was_sent_or_is_needed(dialect: str) -> None:
    named = 0
    for case in CASES[dialect]:
        sent = case.body["events"][0] if dialect == "ga4" else case.body
        for remark in remarks(read(dialect, case.body)):
            named += 1
            was_sent = stands_in(remark.field, sent) or (dialect == "ga4" and stands_in(remark.field, case.body))
            assert was_sent or remark.field in NEEDED[dialect] | WHOLE, (case, remark)
            assert remark.message.startswith(f"{remark.field}: ")
    assert named > 100


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"name": "purchase", "params": {"value": 5}}, "params.transaction_id"),
        ({"name": "purchase", "params": {"transaction_id": "o", "value": "5 EUR"}}, "params.value"),
        ({"name": "purchase", "params": {"transaction_id": "o", "items": [LINE, {"item_id": []}]}},
         "params.items[1].item_id"),
        ({"name": "view_item", "params": {"items": [{"item_id": {}}]}}, "params.items[0].item_id"),
        ({"name": "refund", "params": {"order_id": True}}, "params.order_id"),
        ({"name": "page_view", "params": {"page_location": 5}}, "params.page_location"),
        ({"name": "x", "params": []}, "params"),
        ({"name": ""}, "name"),
    ],
)  # fmt: skip
def test_a_field_of_google_analytics_is_named_as_google_has_it(event: dict[str, Any], field: str) -> None:
    [told] = remarks(read("ga4", {"client_id": "v-1", "events": [{"name": "y"}, event]}))
    assert (told.index, told.field) == (1, field)


def test_the_ids_of_google_analytics_are_told_by_its_names() -> None:
    [told] = read("ga4", {"app_instance_id": [], "events": [{"name": "y"}]}).refusals
    assert told.field == "app_instance_id"
    assert "anonymousId" not in told.message
    assert "user_id" in told.message
