"""Google Analytics 4's events are the records that the same calls of Segment's are."""

import runpy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.javascript import bundled, run_module

from events.consent import UnknownConsent
from events.dialects.ga4 import TABLE, CollectBody, called, read_collected
from events.dialects.segment import read_event
from events.dialects.validation import Arrival, Reading
from events.records import Record

REPOSITORY = Path(__file__).parents[3]
NOW = 1_800_000_000_000_000
ARRIVAL = Arrival(received_at=NOW)
ITEM = {"item_id": "sku-1", "item_name": "Tent", "item_brand": "Nordisk", "item_category": "Camping", "price": 20.5,
        "quantity": 2}  # fmt: skip
PRODUCT = {"product_id": "sku-1", "name": "Tent", "brand": "Nordisk", "category": "Camping", "price": 20.5,
           "quantity": 2}  # fmt: skip
MORE = {"item_id": "sku-2", "price": 9}


def collected(*events: Any, **members: Any) -> Reading:
    """What a body with these events is read as."""
    body = msgspec.json.encode({"client_id": "v-1", "events": events, **members})
    return read_collected(msgspec.json.decode(body, type=CollectBody), ARRIVAL)


def record(name: str, parameters: Any = None, **members: Any) -> Record:
    """The one record of one event."""
    reading = collected({"name": name, **({} if parameters is None else {"params": parameters})}, **members)
    assert (reading.refusals, len(reading.records)) == ([], 1)
    return reading.records[0]


def told(record: Record) -> dict[str, Any]:
    """What the record says, but for what every message has for itself."""
    said = msgspec.to_builtins(record)
    return {name: value for name, value in said.items() if name not in ("message_id", "context", "network")}


ORDER = {"transaction_id": "o-1", "value": 50, "currency": "EUR", "tax": 3, "items": [ITEM, MORE]}
SAME: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("purchase", ORDER, "Order Completed",
     {"order_id": "o-1", "revenue": 50, "total": 50, "currency": "EUR", "tax": 3,
      "products": [PRODUCT, {"product_id": "sku-2", "price": 9}]}),
    ("refund", {"transaction_id": "o-1", "value": 9, "currency": "EUR"}, "Order Refunded",
     {"order_id": "o-1", "revenue": 9, "total": 9, "currency": "EUR"}),
    ("refund", {"transaction_id": "o-1", "items": [MORE]}, "Order Refunded",
     {"order_id": "o-1", "products": [{"product_id": "sku-2", "price": 9}]}),
    ("refund", {"transaction_id": "o-1"}, "Order Cancelled", {"order_id": "o-1"}),
    ("refund", {"transaction_id": "o-1", "items": [{"item_id": "sku-2"}]}, "Order Cancelled",
     {"order_id": "o-1", "products": [{"product_id": "sku-2"}]}),
    ("view_item", {"currency": "EUR", "value": 41, "items": [ITEM]}, "Product Viewed",
     {**PRODUCT, "currency": "EUR", "value": 41}),
    ("add_to_cart", {"items": [ITEM, MORE]}, "Product Added",
     {"products": [PRODUCT, {"product_id": "sku-2", "price": 9}]}),
    ("remove_from_cart", {"items": [ITEM]}, "Product Removed", PRODUCT),
    ("begin_checkout", {"value": 50, "currency": "EUR", "items": [ITEM]}, "Checkout Started",
     {"value": 50, "currency": "EUR", "products": [PRODUCT]}),
    ("experiment_viewed", {"experiment_id": "banner", "variation_id": "b"}, "Experiment Viewed",
     {"experiment_id": "banner", "variation_id": "b"}),
    ("newsletter_signup", {"place": "footer", "items": 3, "user_data": {"email": "a@x.example"}}, "newsletter_signup",
     {"place": "footer", "items": 3}),
    ("sign_up", {"page_location": "https://shop.example/join?a=1", "page_title": "Join", "page_referrer": "/"},
     "sign_up", {"url": "https://shop.example/join?a=1", "path": "/join", "title": "Join", "referrer": "/"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "event", "properties"), SAME)
def test_an_event_is_what_the_same_call_of_segments_is(
    name: str, parameters: dict[str, Any], event: str, properties: dict[str, Any]
) -> None:
    call = {"type": "track", "event": event, "anonymousId": "v-1", "properties": properties}
    same = read_event(call, None, ARRIVAL)
    assert same is not None
    assert told(record(name, parameters)) == told(same)


def test_every_event_of_the_table_is_tried() -> None:
    assert {name for name, *_ in SAME} | {"page_view", "experience_impression"} >= set(TABLE.events)


def test_an_order_is_worth_its_value_by_its_transaction() -> None:
    order = record("purchase", ORDER)
    assert (order.order_id, order.value, order.currency) == ("o-1", 50.0, "EUR")
    assert (order.product_ids, order.quantities, order.prices) == (["sku-1", "sku-2"], [2.0, 1.0], [20.5, 9.0])


def test_a_page_view_is_a_page() -> None:
    page = record("page_view", {"page_location": "https://shop.example/p/17?a=1", "page_title": "Tent"})
    assert (page.type, page.url, page.path) == ("page", "https://shop.example/p/17?a=1", "/p/17")


def test_another_tools_test_is_left_out_and_the_rest_keeps_its_place() -> None:
    reading = collected({"name": "experience_impression"}, {"name": "a"}, {"name": ""}, 7, {"params": {}})
    assert [each.event for each in reading.records] == ["a"]
    assert (reading.dropped, reading.dialect) == (1, "ga4")
    assert [refusal.index for refusal in reading.refusals] == [2, 3, 4]


def test_who_and_when_are_those_of_the_body_or_of_the_event() -> None:
    reading = collected(
        {"name": "a"}, {"name": "b", "timestamp_micros": NOW - 7}, user_id="u-1", timestamp_micros=str(NOW - 2_000)
    )
    said = [(each.visitor_id, each.user_id, each.time) for each in reading.records]
    assert said == [("v-1", "u-1", NOW - 2_000), ("v-1", "u-1", NOW - 7)]


def test_a_body_that_is_sent_again_is_the_same_events_and_two_alike_in_one_body_are_two() -> None:
    body = {"timestamp_micros": NOW}
    first, again = (collected({"name": "add_to_cart"}, {"name": "add_to_cart"}, **body) for _ in range(2))
    ids = [each.message_id for each in first.records]
    assert [each.message_id for each in again.records] == ids
    assert len({*ids, record("add_to_cart", timestamp_micros=NOW + 1).message_id}) == 3
    assert record("add_to_cart").message_id != record("add_to_cart").message_id


@pytest.mark.parametrize(
    ("members", "mode"),
    [
        ({}, "personal"),
        ({"consent": "measure"}, "measure"),
        ({"consent": {"ad_user_data": "GRANTED", "ad_personalization": "DENIED"}}, "measure"),
        ({"non_personalized_ads": True}, "measure"),
        ({"consent": {"personalization_storage": "denied"}}, "measure"),
        ({"consent": {"analytics_storage": "denied", "personalization_storage": "granted"}}, None),
        ({"consent": {"analytics_storage": "granted", "personalization_storage": "granted"}}, "personal"),
        ({"consent": "none"}, None),
    ],
)
def test_what_is_denied_is_not_stored(members: dict[str, Any], mode: str | None) -> None:
    reading = collected({"name": "a"}, user_id="u-1", **members)
    assert [each.consent for each in reading.records] == ([] if mode is None else [mode])
    assert [each.user_id for each in reading.records] == (
        [] if mode is None else ["u-1" * (mode == "personal") or None]
    )
    assert reading.gone == (mode is None)


def test_another_word_of_consent_is_refused() -> None:
    with pytest.raises(UnknownConsent, match="none, measure or personal"):
        collected({"name": "a"}, consent="yes")


def test_a_visitor_of_a_backend_is_known_by_the_agent_that_it_names() -> None:
    robot = record(
        "a", user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)", user_location={"country_id": "SK"}
    )
    assert (robot.bot, robot.country) == (True, "SK")


def test_the_tag_has_the_table_as_it_is() -> None:
    script = runpy.run_path(str(REPOSITORY / "scripts/write-ga4-table.py"))
    assert script["PLACE"].read_text(encoding="utf-8") == script["javascript"](), "run scripts/write-ga4-table.py"


JSON_VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "EUR", "o-1", "12.50"])
ITEMS = st.lists(
    st.dictionaries(st.sampled_from([*TABLE.item, "price", "quantity", "name"]), JSON_VALUES) | JSON_VALUES, max_size=2
)
NAMES = st.sampled_from(
    [*TABLE.parameters, *TABLE.never[:2], "value", "currency", "place", "order_id", "price", "name"]
)
PARAMETERS = st.dictionaries(NAMES, JSON_VALUES) | st.builds(
    lambda told, items: {**told, "items": items}, st.dictionaries(NAMES, JSON_VALUES), ITEMS | JSON_VALUES
)
EVENTS = st.tuples(st.sampled_from([*TABLE.events, "newsletter_signup"]), PARAMETERS)
CALLED = """
import { readFileSync } from "node:fs";
const { bundle, events } = JSON.parse(readFileSync(0, "utf8"));
const { called } = await import("data:text/javascript," + encodeURIComponent(bundle));
process.stdout.write(JSON.stringify(events.map(([name, parameters]) => called(name, parameters))));
"""


@settings(max_examples=examples(4))
@given(events=st.lists(EVENTS, min_size=100, max_size=100))
def test_a_page_reads_its_data_layer_as_the_service_reads_what_is_sent(
    events: list[tuple[str, dict[str, Any]]],
) -> None:
    found = run_module(CALLED, {"bundle": bundled('export * from "./app/tag/source/datalayer.js"'), "events": events})
    ours = [called(name, parameters) for name, parameters in events]
    assert found == [[msgspec.to_builtins(call), event, properties] for call, event, properties in ours]
