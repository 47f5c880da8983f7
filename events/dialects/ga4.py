"""Google Analytics 4's events → our calls, by one table: the service's, and by its copy in the tag the data layer's."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from events.consent import OF_WORD, PERSONAL, mode_of, strictest
from events.dialects.segment import ITEM, BatchBody, read_batch
from events.dialects.validation import MAX_EVENT_BYTES, Arrival, Reading
from kit.values import MAX_INTEGER

MICROSECONDS: Final = 1_000  # in a millisecond, which our own times are given in
MAX_DIGITS: Final = 18  # of a number of microseconds
DENIED: Final = "DENIED"
GRANTED: Final = "GRANTED"
LIBRARY: Final = "ga4"


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one of their events is with us.

    Of one that is `worth` something `value` is what the order is worth; where nothing says it, it is `unvalued`, if
    that is another event. One of a `single` product says of itself what its only item says. What is `left_out` says
    nothing about a shop.
    """

    event: str = ""
    type: str = "track"
    worth: bool = False
    unvalued: str = ""
    single: bool = False
    left_out: bool = False


class Vocabulary(msgspec.Struct, frozen=True):
    """Their words → ours: events, the parameters of every event, the members of an item; what is never taken along, and
    the mode of consent that is left of each kind of storage which is refused.
    """

    events: Mapping[str, Call]
    parameters: Mapping[str, str]
    item: Mapping[str, str]
    never: Sequence[str]
    refused: Mapping[str, str]


TABLE: Final = Vocabulary(
    events={
        "purchase": Call("Order Completed", worth=True),
        "refund": Call("Order Refunded", worth=True, unvalued="Order Cancelled"),
        "view_item": Call("Product Viewed", single=True),
        "add_to_cart": Call("Product Added", single=True),
        "remove_from_cart": Call("Product Removed", single=True),
        "begin_checkout": Call("Checkout Started"),
        "page_view": Call(type="page"),
        "experiment_viewed": Call("Experiment Viewed"),
        "experience_impression": Call(left_out=True),  # of another tool's tests
    },
    parameters={
        "transaction_id": "order_id",
        "page_location": "url",
        "page_referrer": "referrer",
        "page_title": "title",
    },
    item={
        "item_id": "product_id",
        "item_name": "name",
        "item_brand": "brand",
        "item_category": "category",
        "item_variant": "variant",
    },
    never=(
        *(
            "eventCallback",
            "eventTimeout",
            "event_callback",
            "event_timeout",
            "send_to",
        ),  # what a script says to itself
        *("user_data", "user_properties", "enhanced_conversion_data"),  # who somebody is
    ),
    refused={"analytics_storage": "none", "personalization_storage": "measure"},
)
REFUSED_FOR_ADS: Final = {"ad_user_data": "measure", "ad_personalization": "measure"}  # what a backend is told of


class CollectBody(msgspec.Struct, frozen=True):
    """The body of `/mp/collect`; its events stay raw, so that each one is read, and refused, on its own."""

    events: list[msgspec.Raw]
    client_id: Any = None
    app_instance_id: Any = None
    user_id: Any = None
    timestamp_micros: Any = None
    consent: Any = None
    non_personalized_ads: Any = None
    user_agent: Any = None
    user_location: Any = None


def called(name: str, parameters: Mapping[str, Any]) -> tuple[Call, str, dict[str, Any]]:
    """One of their events as a call of ours: what the table says of it, its name and its properties.

    app/tag/source/datalayer.js says the same by the same table; a test compares them.
    """
    call = TABLE.events.get(name) or Call(name)
    renamed = TABLE.parameters
    properties = {renamed.get(each, each): value for each, value in parameters.items() if each not in TABLE.never}
    products, value, event = properties.get("items"), properties.get("value"), call.event
    priced = False
    if type(products) is list:
        products = properties["products"] = [_product(item) for item in properties.pop("items")]
        priced = any(type(product) is dict and product.get("price") is not None for product in products)
        if call.single and len(products) == 1 and type(products[0]) is dict:
            properties = {**properties.pop("products")[0], **properties}
    if call.worth and value is not None:
        properties["revenue"] = properties["total"] = properties.pop("value")
    elif call.unvalued and not priced:
        event = call.unvalued
    return call, event, properties


def _product(item: Any) -> Any:
    return {TABLE.item.get(name, name): value for name, value in item.items()} if type(item) is dict else item


def read_collected(body: CollectBody, arrival: Arrival) -> Reading:
    """Every event of one body. Raises BatchTooLarge, UnknownConsent of the body itself."""
    batch, places = as_batch(body)
    found = read_batch(batch, arrival)
    return Reading(
        found.records,
        [replace(each, index=places[each.index]) for each in found.refusals],
        [replace(each, index=places[each.index]) for each in found.repairs],
        found.gone,
        found.dropped + len(body.events) - len(places),
        places if found.places is None else [places[place] for place in found.places],
        dialect=LIBRARY,
    )


def as_batch(body: CollectBody) -> tuple[BatchBody, Sequence[int]]:
    """The same as a batch of our calls, and the place of each among their events, of which some are left out.

    What cannot be read stays as it is, and is refused as it would be there.
    """
    batch: list[Any] = []
    places: list[int] = []
    for place, raw in enumerate(body.events):
        item: Any = raw
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            told = ITEM.decode(raw)
            if type(told) is dict and len(memoryview(raw)) <= MAX_EVENT_BYTES:
                item = _item(told, raw, body, place)
                if item is None:
                    continue
        places.append(place)
        batch.append(item)
    context: dict[str, Any] = {"library": {"name": LIBRARY}}
    if body.user_agent is not None:
        context["userAgent"] = body.user_agent
    if type(body.user_location) is dict:
        context["location"] = {"country": body.user_location.get("country_id")}
    return BatchBody(batch, context=context, consent=_consent(body)), places


def _item(told: dict[str, Any], raw: msgspec.Raw, body: CollectBody, place: int) -> dict[str, Any] | None:
    """One event as a call; None for one that is left out. Sent again it is the same, if it says when it was."""
    name, parameters = told.get("name"), told.get("params")
    when = told.get("timestamp_micros", body.timestamp_micros)
    client = body.app_instance_id if body.client_id is None else body.client_id
    item: dict[str, Any] = {"type": "track", "event": name, "properties": parameters, "anonymousId": client,
                            "userId": body.user_id}  # fmt: skip
    if type(name) is str and (parameters is None or type(parameters) is dict):
        call, item["event"], item["properties"] = called(name, parameters or {})
        if call.left_out:
            return None
        item["type"] = call.type
        with contextlib.suppress(ValueError):
            if type(item["properties"].get("url")) is str:
                item["properties"].setdefault("path", urlsplit(item["properties"]["url"]).path)
    if when is not None:
        known = msgspec.json.encode([client, body.user_id, when, place])
        item["messageId"] = sha256(known + bytes(raw)).hexdigest()[:32]
        item["timestamp"] = _milliseconds(when)
    return item


def _milliseconds(microseconds: Any) -> Any:
    """A time as our calls give it; what is no number of microseconds stays as it is."""
    if type(microseconds) is str and microseconds.isdecimal() and len(microseconds) <= MAX_DIGITS:
        return int(microseconds) / MICROSECONDS
    if type(microseconds) is float or (type(microseconds) is int and abs(microseconds) < MAX_INTEGER):
        return microseconds / MICROSECONDS
    return microseconds


def _consent(body: CollectBody) -> Any:
    """The mode that a body says: a word of ours, alone or as `resonate`, or theirs of what is granted and denied; the
    strictest of them, None where it says none. Raises UnknownConsent.
    """
    told = body.consent
    if told is not None and type(told) is not dict:
        return told
    answers = {name: answer.upper() for name, answer in (told or {}).items() if type(answer) is str}
    if body.non_personalized_ads is True:
        answers["ad_personalization"] = DENIED
    left = {**REFUSED_FOR_ADS, **TABLE.refused}
    denied = strictest(OF_WORD[left[name]] for name in left if answers.get(name) == DENIED)
    granted = all(answers.get(name) == GRANTED for name in TABLE.refused)
    said = denied if denied is not None or not granted else PERSONAL
    mode = strictest([said, mode_of((told or {}).get("resonate"), "consent.resonate")])
    return None if mode is None else mode.word
