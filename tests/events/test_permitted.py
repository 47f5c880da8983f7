"""What a mode of consent lets be stored of a record, whatever stands in it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from events.authority import Authority
from events.consent import Consent
from events.permitted import permitted
from events.records import ALIAS, ENGAGEMENT, EXPOSURE, GROUP, IDENTIFY, PAGE, SCREEN, TRACK, Record

MARK = "canary"
WHO = ("user", "userId", "user_id", "E-Mail", "email", "traits", "customer_id", "firstName", "phone", "search")
names = st.sampled_from((*WHO, "price", "plan", "url", "referrer", "name"))
asked = st.sampled_from((f"/p?q={MARK}", f"https://a.example/#{MARK}", f"?{MARK}", f"see //x/y?z={MARK} there",
                         f"shop.example?who={MARK}", f"https%3A%2F%2Fa%3Fq%3D{MARK}", f"#/a/{MARK}"))  # fmt: skip
harmless = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(("Why? Because!", "a", "Nr. #1 = 1"))


def told(name: str) -> st.SearchStrategy[Any]:
    """Under a name that says who somebody is anything, under another one a URL or what tells nothing."""
    return (asked | st.just(MARK) if name in WHO else asked | harmless).map(lambda value: (name, value))


# Of the context what the program says that sent the event, and what we say of it.
SAID = {"browser": "Firefox", "event_name": "purchase", "repaired": ["properties.revenue"], "resonate_test": True}
SENT = {**SAID, "library": {"name": "Analytics-Next", "version": MARK}}
LEFT = {**SAID, "library": {"name": "analytics.js"}}
pairs = st.lists(names.flatmap(told), max_size=4).map(dict)
members = st.recursive(pairs, lambda inner: st.builds(
    lambda own, deep, among: {**own, "deep": deep, "among": [among]}, pairs, inner, inner), max_leaves=6)  # fmt: skip
records = st.builds(
    Record,
    message_id=st.just("m-1"),
    type=st.sampled_from((EXPOSURE, TRACK, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS, ENGAGEMENT)),
    visitor_id=st.sampled_from(("v-1", f"u-{MARK}", "")),
    user_id=st.sampled_from((None, f"u-{MARK}")),
    time=st.just(1),
    order_id=st.sampled_from((None, "o-1")),
    value=st.sampled_from((None, 4.5)),
    url=st.none() | asked,
    path=st.none() | asked,
    authority=st.sampled_from(Authority),
    properties=st.none() | members,
    context=st.none() | members.map(lambda told: {**told, **SENT, "ids": [MARK]}),
).filter(lambda record: MARK not in record.visitor_id or record.visitor_id == record.user_id)


@settings(max_examples=examples(400))
@given(records)
def test_who_is_measured_leaves_no_user_no_trait_and_no_query(record: Record) -> None:
    kept = permitted(record, Consent.MEASURE)
    if kept is None:
        no_visitor = record.visitor_id in ("", record.user_id)
        nobodys_order = record.authority is Authority.BACKEND and record.order_id is not None
        assert record.type in (IDENTIFY, GROUP, ALIAS) or (no_visitor and not nobodys_order)
        return
    text = msgspec.json.encode(kept).decode()
    assert MARK not in text
    assert (kept.user_id, kept.consent) == (None, "measure")
    assert kept.visitor_id == ("" if record.visitor_id == record.user_id else record.visitor_id)
    assert kept.authority is (Authority.BACKEND if record.authority is Authority.BACKEND else Authority.PAGE)
    assert kept.context == (None if record.context is None else LEFT)
    assert (kept.value, kept.order_id, kept.time, kept.type) == (record.value, record.order_id, 1, record.type)


@given(records)
def test_who_allows_all_is_stored_as_they_are_and_who_refuses_is_not(record: Record) -> None:
    assert permitted(record, Consent.PERSONAL) is record
    assert permitted(record, Consent.NONE) is None


@pytest.mark.parametrize("text", ["Why? Because!", "#1", "4 = 2 + 2 ?", "C#", "Tea & Co.", "a=b", "50%"])
def test_what_is_no_url_stays_as_it_is(text: str) -> None:
    record = Record(message_id="m", type=TRACK, visitor_id="v", time=1, event="Seen", properties={"said": text})
    kept = permitted(record, Consent.MEASURE)
    assert kept is not None
    assert kept.properties == {"said": text if text != "#1" else ""}


def test_what_is_measured_of_an_order_stays() -> None:
    line = {"product_id": "p-1", "name": "Tea", "price": 4.5, "quantity": 2, "category": "Tea"}
    properties = {"order_id": "o-1", "total": 9.0, "products": [line], "coupon": "TEN"}
    order = Record(message_id="m", type=TRACK, visitor_id="v", time=1, product_ids=["p-1"], properties=properties)
    kept = permitted(order, Consent.MEASURE)
    assert kept is not None
    assert (kept.properties, kept.product_ids) == (properties, ["p-1"])
