"""Segment's and RudderStack's calls → records: events, what they are worth, and their batches."""

import uuid
from typing import Any, Final

import msgspec

from events.consent import NONE, PERSONAL
from events.dialects.engagement import beat
from events.dialects.user_agents import joined_client
from events.dialects.validation import (
    CONSENT,
    MAX_BATCH,
    MAX_EVENT_BYTES,
    MAX_NAME,
    USER_TOKEN,
    Arrival,
    EventRefused,
    Reading,
    Refusal,
    amount,
    identifier,
    mapping,
    message_identifier,
    moment,
    number,
)
from events.permitted import permitted
from events.records import ALIAS, ENGAGEMENT, EXPOSURE, GROUP, IDENTIFY, PAGE, SCREEN, TRACK, Record

MONEY: Final = frozenset({"revenue", "total", "currency"})
COMMERCIAL: Final = MONEY | {"value", "products", "product_id", "order_id"}
ORDERS: Final = frozenset({"Order Completed", "Order Refunded", "Order Cancelled", "Checkout Started"})
MAX_CURRENCY: Final = 8


def commerce(fields: dict[str, Any], name: str, properties: dict[str, Any]) -> None:
    """Adds value, currency, order and product lines of the event `name` to `fields`. Raises Refused."""
    if COMMERCIAL.isdisjoint(properties) and name != "Order Completed":
        return
    value = _money(fields, properties) if not MONEY.isdisjoint(properties) else None
    if "products" in properties:
        value = _products(fields, name, properties["products"], value)
    elif properties.get("product_id") is not None:
        fields["product_ids"] = [identifier(properties["product_id"], "properties.product_id")]
    plain = properties.get("value")
    if value is None and (type(plain) is int or type(plain) is float):
        value = amount(plain, "properties.value")
    fields["value"] = value
    if properties.get("order_id") is not None:
        fields["order_id"] = identifier(properties["order_id"], "properties.order_id")
    elif name == "Order Completed":
        raise EventRefused(
            "missing_order_id", "properties.order_id: an order needs its id, or a re-sent one counts twice"
        )


def _money(fields: dict[str, Any], properties: dict[str, Any]) -> float | None:
    """Adds the currency; what the event is worth where it says so."""
    code = properties.get("currency")
    if code is not None:
        if type(code) is not str or not code or len(code) > MAX_CURRENCY or not code.isalnum():
            raise EventRefused("invalid_currency", "properties.currency: it must be an ISO 4217 code such as EUR")
        fields["currency"] = code.upper()
    revenue = amount(properties.get("revenue"), "properties.revenue")
    total = amount(properties.get("total"), "properties.total")
    return total if revenue is None else revenue


def _products(fields: dict[str, Any], name: str, products: Any, value: float | None) -> float | None:
    if products is None:
        return value
    if type(products) is not list or not all(type(product) is dict for product in products):
        raise EventRefused("invalid_products", "properties.products: it must be a list of objects")
    lines: list[tuple[str | None, float, float | None]] = []
    for index, product in enumerate(products):
        field = f"properties.products[{index}]"
        given = product.get("product_id")
        given = product.get("sku") if given is None else given
        quantity = number(product.get("quantity"), f"{field}.quantity")
        price = amount(product.get("price"), f"{field}.price")
        if (quantity is not None and quantity < 0) or (price is not None and price < 0):
            raise EventRefused("invalid_products", f"{field}: quantity and price may not be negative")
        found = None if given is None else identifier(given, f"{field}.product_id")
        lines.append((found, 1.0 if quantity is None else quantity, price))
    named = [line for line in lines if line[0] is not None]
    fields["product_ids"] = [line[0] for line in named]
    fields["quantities"] = [line[1] for line in named]
    fields["prices"] = [line[2] if line[2] is not None else 0.0 for line in named]
    if value is None and name in ORDERS and lines:
        value = amount(sum(quantity * (price or 0.0) for _, quantity, price in lines), "properties.products")
    return value


KINDS: Final = frozenset({TRACK, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS, ENGAGEMENT})
ALIASES: Final = {"Completed Order": "Order Completed"}
EXPERIMENT_VIEWED: Final = "Experiment Viewed"
KNOWN_FIELDS: Final = frozenset(
    {
        "type", "event", "anonymousId", "userId", "previousId", "groupId", "messageId", "properties", "traits",
        "context", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "writeKey", "name", "category",
        "channel", "integrations", USER_TOKEN, CONSENT,
    }
)  # fmt: skip
# kept as device and browser family, or not at all
FORGOTTEN_CONTEXT: Final = frozenset({"userAgent", "userAgentData", USER_TOKEN})


ITEM: Final = msgspec.json.Decoder()


class BatchBody(msgspec.Struct, frozen=True):
    """The body of /v1/batch; its items stay raw, so that each one is read, and refused, on its own."""

    batch: list[msgspec.Raw] | None = None
    sentAt: Any = None
    writeKey: Any = None
    context: dict[str, Any] | None = None
    consent: Any = None


class BatchMissing(Exception):
    """A batch without its list of events."""


class BatchTooLarge(Exception):
    """More events in one request than are taken."""


def read_batch(body: BatchBody, size: int, arrival: Arrival) -> Reading:
    """Every item of a batch; `size` is the body's, in bytes.

    Raises BatchMissing, BatchTooLarge, UnknownConsent of the batch itself."""
    items = body.batch
    if items is None:
        raise BatchMissing("batch: it is missing; it must be a list of events")
    if len(items) > MAX_BATCH:
        raise BatchTooLarge(f"the batch has {len(items)} events, it may have {MAX_BATCH}")
    read: list[Record | None] = []
    refusals: list[Refusal] = []
    try:  # once for the whole batch; one that cannot be read says nothing about any event
        sent = moment(body.sentAt, "sentAt")
    except EventRefused:
        sent = None
    sent_at = None if sent is None else sent / 1_000  # epoch milliseconds
    arrival = _of_batch(body, arrival)
    for index, raw in enumerate(items):
        item: dict[str, Any] = {}
        try:
            if size > MAX_EVENT_BYTES:  # of a smaller body no event is larger
                check_size(len(memoryview(raw)))
            item = _decoded(raw)
            if body.context and item.get("context") is None:
                item["context"] = body.context
            read.append(read_event(item, None, sent_at, arrival))
        except EventRefused as refused:
            refusals.append(Refusal.of(index, item, refused.field, refused.code, refused.message))
    return Reading.of(read, refusals)


def _of_batch(body: BatchBody, arrival: Arrival) -> Arrival:
    """What a batch says for those of its events that do not say it themselves."""
    context = body.context or {}
    if USER_TOKEN in context:
        arrival = msgspec.structs.replace(arrival, token=context[USER_TOKEN])
    if body.consent is not None or CONSENT in context:
        arrival = msgspec.structs.replace(arrival, consent=arrival.consent.of_batch(context, body.consent))
    return arrival


def read_single(item: dict[str, Any], size: int, kind: str, arrival: Arrival) -> Reading:
    """The one event of /v1/track and its siblings; `size` is the body's, in bytes."""
    try:
        check_size(size)
        record = read_event(item, kind, item.get("sentAt"), arrival)
        return Reading([], [], gone=1) if record is None else Reading([record], [])
    except EventRefused as refused:
        return Reading([], [Refusal.of(0, {**item, "type": kind}, refused.field, refused.code, refused.message)])


def read_event(item: dict[str, Any], kind: str | None, sent_at: Any, arrival: Arrival) -> Record | None:
    """One call as a record, None where nothing of it may be stored. Raises Refused, naming the field."""
    consent = arrival.consent_of(item.get("context"), item.get(CONSENT))
    if consent is NONE:
        return None
    kind = kind or item.get("type")
    if type(kind) is not str or kind not in KINDS:
        raise EventRefused("unknown_type", f"type: it must be one of {', '.join(sorted(KINDS))}")
    if kind == ENGAGEMENT:
        return permitted(beat(item, sent_at, arrival, consent), consent)
    context = mapping(item.get("context"), "context", arrival.scrubber)
    told = item.get("traits" if kind in (IDENTIFY, GROUP) else "properties")
    properties = mapping(told, "properties", arrival.scrubber)
    machine = joined_client(arrival.user_agent, _text(context.get("userAgent")) or "")
    visitor_id, user_id = _who(item, kind, properties, arrival)
    when = event_time(item, sent_at, arrival)
    fields = _what(item, kind, properties)
    page = context.get("page")
    page = page if type(page) is dict else {}
    location = context.get("location")
    country = _text(location.get("country")) if type(location) is dict else None
    given = item.get("messageId")
    message_id = str(uuid.uuid4()) if given is None else message_identifier(given)
    kept = context
    if not FORGOTTEN_CONTEXT.isdisjoint(context):
        kept = {name: value for name, value in context.items() if name not in FORGOTTEN_CONTEXT}
    if machine.browser is not None:
        kept = {**kept, "browser": machine.browser}
    if not KNOWN_FIELDS.issuperset(item):
        unknown = {name: value for name, value in item.items() if name not in KNOWN_FIELDS}
        kept = {**kept, "unknown_fields": mapping(unknown, "event", arrival.scrubber)}
    fields |= {
        "message_id": message_id,
        "visitor_id": visitor_id,
        "user_id": user_id,
        "time": when,
        "network": arrival.network,
        "url": _text(properties.get("url")) or _text(page.get("url")),
        "path": _text(properties.get("path")) or _text(page.get("path")),
        "device": machine.device,
        "country": country or arrival.country,
        "bot": machine.bot,
        "site": arrival.site,
        "authority": arrival.authority_of(visitor_id, user_id, item, consent),
        "quarantined": arrival.impossible(when),
        "properties": properties or None,
        "context": kept or None,
    }
    record = Record(**fields)
    return record if consent is PERSONAL else permitted(record, consent)


def event_time(item: dict[str, Any], sent_at: Any, arrival: Arrival) -> int:
    """When it happened by our clock: receivedAt − (sentAt − originalTimestamp), so that a wrong clock cancels out."""
    original = moment(item.get("originalTimestamp"), "originalTimestamp")
    happened = original if original is not None else moment(item.get("timestamp"), "timestamp")
    if happened is None:
        return arrival.received_at
    sent = moment(sent_at if sent_at is not None else item.get("sentAt"), "sentAt")
    return happened if sent is None else arrival.received_at - (sent - happened)


def check_size(size: int) -> None:
    """Raises Refused for an event of too many bytes."""
    if size > MAX_EVENT_BYTES:
        raise EventRefused("event_too_large", f"the event has {size} bytes, it may have {MAX_EVENT_BYTES}")


def _decoded(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        item = ITEM.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventRefused("unreadable_event", f"the event is not valid JSON: {error}") from None
    if type(item) is not dict:
        raise EventRefused("unreadable_event", "the event is not a JSON object")
    return item


def _who(item: dict[str, Any], kind: str, properties: dict[str, Any], arrival: Arrival) -> tuple[str, str | None]:
    """The visitor and the user that an event names."""
    user = item.get("userId")
    anonymous = item.get("previousId") if kind == ALIAS else item.get("anonymousId")
    if anonymous is None and user is None:
        # A payment webhook knows the order, not the visitor: its empty visitor id is filled in by the readout.
        named = ALIASES.get(str(item.get("event")), str(item.get("event")))
        if (
            kind == TRACK
            and arrival.authority.knows_orders_alone
            and named in ORDERS
            and properties.get("order_id") is not None
        ):
            return "", None
        raise EventRefused("missing_id", "anonymousId or userId is required")
    if kind == ALIAS and (anonymous is None or user is None):
        raise EventRefused("missing_id", "alias: previousId and userId are both required")
    user_id = None if user is None else identifier(user, "userId")
    visitor = user_id if anonymous is None else identifier(anonymous, "previousId" if kind == ALIAS else "anonymousId")
    assert visitor is not None
    return visitor, user_id


def _what(item: dict[str, Any], kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The columns of what happened; what a page or a group is told by joins its properties."""
    fields: dict[str, Any] = {"type": kind}
    if kind == TRACK:
        _track(fields, item, properties)
    elif kind == GROUP:
        properties["group_id"] = identifier(item.get("groupId"), "groupId")
    elif kind in (PAGE, SCREEN):
        for name in ("name", "category"):
            if _text(item.get(name)) is not None:
                properties.setdefault(name, item[name])
    return fields


def _track(fields: dict[str, Any], item: dict[str, Any], properties: dict[str, Any]) -> None:
    name = item.get("event")
    if type(name) is not str or not name or len(name) > MAX_NAME:
        raise EventRefused("missing_event", f"event: track needs the event's name, text of 1 to {MAX_NAME} characters")
    name = ALIASES.get(name, name)
    fields["event"] = name
    if name == EXPERIMENT_VIEWED:
        experiment = properties.get("experiment_id", properties.get("experimentId"))
        variation = properties.get("variation_id", properties.get("variationId"))
        fields["type"] = EXPOSURE
        fields["exposure_source"] = "client"
        fields["experiment"] = identifier(experiment, "properties.experiment_id")
        fields["variant"] = variation_text(variation, "properties.variation_id")
    elif name == "Survey Answered":
        fields["value"] = number(properties.get("score"), "properties.score")
    else:
        commerce(fields, name, properties)


def variation_text(value: Any, field: str) -> str:
    """A variant's key, or its index, which SDKs send as a number. Raises Refused."""
    return str(value) if type(value) is int and 0 <= value < 1_000 else identifier(value, field)


def _text(value: Any) -> str | None:
    return value if type(value) is str and value else None
