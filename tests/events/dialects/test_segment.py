"""Segment's calls as records: who, what, when, how much; and the one event that is refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.authority import Authority
from events.dialects.segment import BATCH, RAW_BATCH, RawBatchBody, read_batch, read_event, read_single
from events.dialects.validation import Arrival, EventRefused
from events.records import Record
from kit.time import DAY_US

NOW = 1_800_000_000_000_000
ARRIVAL = Arrival(received_at=NOW)
BACKEND = Arrival(received_at=NOW, authority=Authority.BACKEND)


def sent(arrival: Arrival, at: float | None) -> Arrival:
    return msgspec.structs.replace(arrival, sent_at=None if at is None else round(at), notes=[])


def track(event: str = "E", arrival: Arrival = ARRIVAL, sent_at: Any = None, **fields: Any) -> Record:
    return read_event({"anonymousId": "v", "event": event, **fields}, "track", sent(arrival, sent_at))


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        ({"revenue": 5, "total": 9}, 5.0),
        ({"total": 9}, 9.0),
        ({"products": [{"price": 2.5, "quantity": 2}, {"price": "3"}]}, 8.0),
        ({"revenue": 0, "total": 9}, 0.0),
        ({"revenue": None, "total": None, "products": None}, None),
        ({"revenue": "19.90"}, 19.9),
        ({"products": [{"sku": "a"}]}, 0.0),
    ],
)
def test_the_value_of_an_order_is_revenue_else_total_else_the_sum_of_its_lines(
    properties: Any, value: float | None
) -> None:
    assert track("Order Completed", properties={"order_id": "o", **properties}).value == value


def test_an_order_keeps_its_lines_currency_and_id() -> None:
    products = [{"product_id": "p-1", "sku": "s-1", "price": 2, "quantity": 3}, {"sku": "s-2"}, {"name": "nameless"}]
    order = track("Completed Order", properties={"order_id": "o-1", "currency": "eur", "products": products})
    assert (order.event, order.order_id, order.currency) == ("Order Completed", "o-1", "EUR")
    assert (order.product_ids, order.quantities, order.prices) == (["p-1", "s-2"], [3.0, 1.0], [2.0, 0.0])


def test_a_refund_keeps_its_own_id_among_the_properties() -> None:
    refund = track("Order Refunded", properties={"order_id": "o-1", "refund_id": "r-1", "total": 4})
    assert (refund.order_id, refund.value, refund.properties) == (
        "o-1",
        4.0,
        {"order_id": "o-1", "refund_id": "r-1", "total": 4},
    )


def test_a_survey_is_worth_its_score() -> None:
    answer = track("Survey Answered", properties={"survey": "nps", "score": 9})
    assert (answer.value, answer.properties) == (9.0, {"survey": "nps", "score": 9})


@given(skew=st.integers(-10 * DAY_US, 10 * DAY_US), ago=st.integers(0, DAY_US))
def test_a_wrong_clock_of_the_client_cancels_out(skew: int, ago: int) -> None:
    happened, at = NOW - ago + skew, NOW + skew
    record = track(sent_at=at, timestamp=happened / 1000)
    assert abs(record.time - (NOW - ago)) <= 2_000


def test_without_sent_at_the_time_is_taken_as_it_is_and_without_any_it_is_now() -> None:
    assert track(timestamp="2026-01-20T09:00:00.250Z").time == 1_768_899_600_250_000
    assert (
        track(originalTimestamp="2026-01-20T09:00:00+01:00", timestamp="2020-01-01T00:00:00Z").time
        == 1_768_896_000_000_000
    )
    assert track().time == NOW


@pytest.mark.parametrize(
    ("moment", "impossible"),
    [(NOW + DAY_US - 1, False), (NOW + DAY_US + 1000, True), (NOW - 729 * DAY_US, False), (NOW - 731 * DAY_US, True)],
)
def test_an_impossible_time_is_quarantined_and_kept(moment: int, impossible: bool) -> None:
    record = track(timestamp=moment / 1000)
    assert (record.quarantined, abs(record.time - moment) < 2000) == (impossible, True)


@pytest.mark.parametrize("zone", ["", "Z", "+00:00", "+01:00", "-05:00", "+14:00", "-12:00"])
@pytest.mark.parametrize("told", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_the_first_and_the_last_moment_of_a_calendar_are_quarantined_in_every_zone(told: str, zone: str) -> None:
    assert track(timestamp=told + zone).quarantined


def test_identity_calls_join_visitor_and_user() -> None:
    identify = read_event({"anonymousId": "v", "userId": "u", "traits": {"plan": "gold"}}, "identify", ARRIVAL)
    alias = read_event({"previousId": "v", "userId": "u"}, "alias", ARRIVAL)
    assert (identify.visitor_id, identify.user_id, identify.properties) == ("v", "u", {"plan": "gold"})
    assert (alias.visitor_id, alias.user_id) == ("v", "u")


def test_an_event_with_only_a_user_belongs_to_the_user() -> None:
    record = read_event({"userId": "u", "event": "E", "anonymousId": None}, "track", ARRIVAL)
    assert (record.visitor_id, record.user_id) == ("u", "u")


def test_a_payment_webhook_may_know_nobody_if_a_backend_sends_it() -> None:
    webhook = {"event": "Order Completed", "properties": {"order_id": "o-1", "revenue": 5}}
    record = read_event(webhook, "track", BACKEND)
    assert (record.visitor_id, record.authority, record.order_id) == ("", Authority.BACKEND, "o-1")
    with pytest.raises(EventRefused, match="anonymousId or userId"):
        read_event(webhook, "track", ARRIVAL)


def test_addresses_and_user_agents_are_forgotten_and_their_families_kept() -> None:
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1"
    context = {"ip": "10.1.2.3", "userAgent": agent, "locale": "sk",
               "page": {"url": "https://a.example/x", "path": "/x"},
               "location": {"country": "SK"}}  # fmt: skip
    record = track(context=context)
    assert record.context == {k: context[k] for k in ("locale", "page", "location")} | {"browser": "Safari"}
    assert (record.device, record.country, record.url, record.path) == ("mobile", "SK", "https://a.example/x", "/x")


def test_the_user_agent_of_a_backend_is_not_the_visitors() -> None:
    backend = Arrival(received_at=NOW, authority=Authority.BACKEND)  # at whose door its own is left aside
    assert track(arrival=backend).bot is False
    assert track(arrival=backend, context={"userAgent": "Googlebot/2.1"}).bot is True
    assert track(arrival=Arrival(received_at=NOW, user_agent="HeadlessChrome/1")).bot is True


def test_unknown_fields_are_kept_and_keys_are_not() -> None:
    record = track(writeKey="pk_secret", integrations={"All": True}, whatever={"a": 1}, version=2)
    assert record.context == {"unknown_fields": {"whatever": {"a": 1}, "version": 2}}
    assert b"pk_secret" not in msgspec.json.encode(record)


def test_identifiers_are_kept_byte_by_byte() -> None:
    for visitor in (" v ", "V", "é", "e\u0301", "ﬁ", "😀"):
        assert read_event({"anonymousId": visitor, "event": "E"}, "track", ARRIVAL).visitor_id == visitor


def test_one_bad_item_leaves_the_others_in_their_order() -> None:
    items = [{"type": "page", "anonymousId": "a"}, {"type": "nonsense"}, {"type": "page", "anonymousId": "b"}]
    body = msgspec.json.decode(msgspec.json.encode({"batch": items}), type=RawBatchBody)
    reading = read_batch(body, ARRIVAL)
    assert [record.visitor_id for record in reading.records] == ["a", "b"]
    assert [(refusal.index, refusal.code) for refusal in reading.refusals] == [(1, "unknown_type")]


def test_an_item_that_is_not_utf8_costs_only_itself() -> None:
    body = msgspec.json.decode(
        b'{"batch": [{"type":"page","anonymousId":"\xff"}, {"type":"page","anonymousId":"b"}]}', type=RawBatchBody
    )
    reading = read_batch(body, ARRIVAL)
    assert ([record.visitor_id for record in reading.records], [each.index for each in reading.refusals]) == (
        ["b"],
        [0],
    )


def test_an_item_that_is_decoded_with_its_batch_is_read_as_one_that_was_left_raw() -> None:
    items = [{"type": "track", "event": "E", "anonymousId": number, "messageId": number} for number in range(3)]
    body = msgspec.json.encode({"batch": [*items, None, 7, [], {"type": "x"}], "context": {"a": 1}})
    whole, raw = (read_batch(decoder.decode(body), ARRIVAL) for decoder in (BATCH, RAW_BATCH))
    assert whole == raw
    assert (len(raw.records), [each.index for each in raw.refusals]) == (3, [3, 4, 5, 6])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["anonymousId", "userId", "previousId", "groupId", "messageId", "event", "properties", "traits", "context",
         "timestamp",
         "sentAt", "pageViewId", "seq", "engagedMs", "final", "name", "type"]  # fmt: skip


@given(
    item=st.dictionaries(st.sampled_from(NAMES), values, max_size=8),
    kind=st.sampled_from(["track", "page", "identify", "group", "alias", "engagement", None]),
    order=st.dictionaries(st.sampled_from(["order_id", "revenue", "products", "currency", "score", "value"]), values),
)
def test_whatever_comes_is_a_record_or_one_refusal(item: dict[str, Any], kind: Any, order: dict[str, Any]) -> None:
    full = {"anonymousId": "v", "event": "Order Completed", "properties": order, **item}
    reading = read_single(full, 100, kind, BACKEND)
    assert len(reading.records) + len(reading.refusals) == 1
    for record in reading.records:
        assert record.visitor_id or record.order_id
        assert record.value is None or abs(record.value) <= 2**63
