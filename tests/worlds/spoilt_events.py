"""Valid events of every dialect and type, and each of their fields in every kind of JSON."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

CONTEXT = {"library": {"name": "analytics.js"}, "page": {"url": "https://shop.example/p", "path": "/p"},
           "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0", "location": {"country": "SK"},
           "locale": "sk"}  # fmt: skip
LINE = {"product_id": "sku-17", "sku": "s", "price": 49.9, "quantity": 1}
ORDER = {"order_id": "o-1", "revenue": 49.9, "total": 50, "currency": "EUR", "value": 1, "products": [LINE]}
WHO = {"anonymousId": "v-1", "userId": "u-1", "messageId": "m-1", "timestamp": "2026-01-20T09:00:00Z",
       "originalTimestamp": "2026-01-20T09:00:00Z", "sentAt": "2026-01-20T09:00:01Z", "context": CONTEXT}  # fmt: skip
VIEWED = {"experiment_id": "banner", "variation_id": "threshold", "hashValue": "v-1", "hashAttribute": "id"}
BODIES: dict[str, dict[str, Any]] = {
    "order": {"type": "track", "event": "Order Completed", "properties": ORDER, **WHO},
    "refund": {"type": "track", "event": "Order Refunded", "properties": {"order_id": "o-1", "total": 4}, **WHO},
    "track": {"type": "track", "event": "Clicked", "properties": {"url": "/a", "path": "/a", "value": 3}, **WHO},
    "survey": {"type": "track", "event": "Survey Answered", "properties": {"survey": "nps", "score": 9}, **WHO},
    "exposure": {"type": "track", "event": "Experiment Viewed", "properties": VIEWED, **WHO},
    "page": {"type": "page", "name": "Home", "category": "Shop", "properties": {"url": "/a"}, **WHO},
    "screen": {"type": "screen", "name": "Cart", "properties": {"a": 1}, **WHO},
    "identify": {"type": "identify", "traits": {"plan": "gold"}, **WHO},
    "group": {"type": "group", "groupId": "g-1", "traits": {"seats": 3}, **WHO},
    "alias": {"type": "alias", "previousId": "v-1", "userId": "u-1", "messageId": "m-1", "context": CONTEXT},
    "engagement": {"type": "engagement", "pageViewId": "pv-1", "seq": 3, "engagedMs": 42_000, "final": False,
                   "url": "/a", **WHO},
}  # fmt: skip
GROWTHBOOK: dict[str, dict[str, Any]] = {
    "viewed": {"event_name": "Experiment Viewed", "device_id": "v-1", "user_id": "u-1", "url": "/a",
               "properties_json": {"experimentId": "banner", "variationId": "threshold", "hashAttribute": "id",
                                   "hashValue": "v-1"},
               "context_json": {"id": "v-1", "device": "mobile"}},
    "logged": {"event_name": "Clicked", "device_id": "v-1", "user_id": "u-1", "uuid": "m-1",
               "properties_json": {"a": 1}, "context_json": {"id": "v-1"}, "timestamp": "2026-01-20T09:00:00Z"},
}  # fmt: skip
KINDS: tuple[Any, ...] = (
    None, True, False, 0, -7, 3, 1.5, 1e300, 2**64, "", " ", "text", "null", "$12.50", "1.299,00", "a\u0000b",
    "é" * 200,
    "x" * 300, [], ["a"], [{"a": 1}], {}, {"a": 1}, {"0": {"product_id": "p"}},
)  # fmt: skip
# Without these an event is not what its type says; consent is not guessed at.
NEEDED = {
    "type", "anonymousId", "userId", "previousId", "groupId", "event", "event_name", "pageViewId", "seq", "engagedMs",
    "properties.order_id", "properties.experiment_id", "properties.variation_id", "properties_json.experimentId",
    "properties_json.variationId", "device_id", "user_id", "properties_json.hashValue", "context_json.id", "consent",
}  # fmt: skip


class Spoilt(NamedTuple):
    """One event of a dialect with one field replaced, and where."""

    dialect: str
    body: dict[str, Any]
    place: tuple[str, ...]


def places(body: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every field at depth one and two."""
    for name, value in body.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, inner) for inner in value)


def spoilt(dialect: str, body: dict[str, Any], place: tuple[str, ...], value: Any) -> Spoilt:
    """The event with this in that place."""
    changed = copy.deepcopy(body)
    holder = changed
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = copy.deepcopy(value)
    return Spoilt(dialect, changed, place)


def all_spoilt() -> list[Spoilt]:
    """Every field of every event in every kind of JSON."""
    return [
        spoilt(dialect, body, place, value)
        for dialect, bodies in (("segment", BODIES), ("growthbook", GROWTHBOOK))
        for body in bodies.values()
        for place in places(body)
        for value in KINDS
    ]
