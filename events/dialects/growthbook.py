"""The events that GrowthBook's own SDKs send to their ingestor → records, exposures first of all."""

from typing import Any, Final

import msgspec

from events.consent import NONE, PERSONAL
from events.dialects.exposures import HASH_ATTRIBUTES, HASHED, exposure, said, weighed
from events.dialects.fields import (
    REPAIRED,
    event_time,
    mapping,
    message_identifier,
    noted,
    optional_text,
    repaired_fields,
)
from events.dialects.names import EXPERIMENT_VIEWED
from events.dialects.segment import EVENT_NAME, BatchTooLarge, decoded, happened
from events.dialects.validation import (
    CONSENT,
    CONSENT_ATTRIBUTE,
    TOKEN_ATTRIBUTE,
    USER_TOKEN,
    Arrival,
    EventDropped,
    EventRefused,
    Reading,
    ReadingOf,
)
from events.permitted import permitted
from events.records import TRACK, Record
from kit.values import Unusable, first_identifier

MAX_EVENTS: Final = 2_500
VIEWED: Final = (EXPERIMENT_VIEWED, "$$experiment_viewed")  # the latter is what the Python SDK says
LIBRARY: Final = "growthbook"  # as refusals name it
USER: Final = "user_id"
DEVICE: Final = "device_id"
HASHABLE: Final = frozenset({"id", USER, "userId", DEVICE, "deviceId", "anonymous_id", "anonymousId", "visitor_id"})


def read_events(items: list[msgspec.Raw], arrival: Arrival) -> Reading:
    """Every event of one call. Raises BatchTooLarge."""
    if len(items) > MAX_EVENTS:
        raise BatchTooLarge(f"the call has {len(items)} events, it may have {MAX_EVENTS}")
    reading = ReadingOf(arrival, "growthbook")
    for index, raw in enumerate(items):
        item: dict[str, Any] = {}
        try:
            item = decoded(raw)
            reading.read.append(read_event(item, arrival))
        except (EventRefused, EventDropped) as left:
            reading.leave(index, _told(item), left)
        if arrival.notes:
            reading.repaired(index, _told(item))
    return reading.whole()


def read_event(item: dict[str, Any], arrival: Arrival) -> Record | None:
    """One event `{event_name, properties_json, context_json, user_id, device_id, url, …}`, None where nothing of it may
    be stored. Raises Refused, Dropped. What cannot be used and is not needed is left out, and noted in `arrival`.
    """
    notes = arrival.notes
    properties = _json_object(item, "properties_json", "properties", arrival)
    attributes = _json_object(item, "context_json", "attributes", arrival)
    token = attributes.pop(TOKEN_ATTRIBUTE, None)
    consent = arrival.consent_of(None, attributes.pop(CONSENT_ATTRIBUTE, None))
    if consent is NONE:
        return None
    name, given = item.get("event_name"), _message_id(item)
    told = properties.get("in_experiment", properties.get("inExperiment"))
    exposes = name in VIEWED and told is not False  # a unit outside the experiment saw no variant
    fields: dict[str, Any] = {"type": TRACK}
    if exposes:
        exposure(fields, properties, "properties_json", "growthbook")
    elif name in VIEWED:
        fields["event"] = name
    else:
        happened(fields, name, properties, given, arrival, "event_name")
    exposes = "experiment" in fields
    if exposes:
        fields["exposure_source"] = LIBRARY
    visitor_id, user_id = _who(item, properties if exposes else {}, attributes, arrival)
    when = event_time(item, arrival)
    machine = arrival.client(attributes.get("userAgent") or item.get("user_agent"))
    kept: dict[str, Any] = {} if fields["event"] == name or exposes else {EVENT_NAME: name}
    record = Record(
        message_id="" if exposes and not given else message_identifier(given, item, notes),
        visitor_id=visitor_id,
        user_id=user_id,
        time=when,
        network=arrival.network,
        url=optional_text(item.get("url"), "url", notes),
        device=machine.device,
        country=arrival.country,
        bot=machine.bot,
        site=arrival.site,
        authority=arrival.authority_of(visitor_id, user_id, {USER_TOKEN: token}, consent),
        quarantined=arrival.impossible(when),
        properties=(attributes if exposes else properties) or None,
        context=(kept | {REPAIRED: repaired_fields(notes)} if notes else kept) or None,
        **fields,
    )
    judged = weighed(record, None, consent, arrival) if exposes else record
    return judged if judged is None or consent is PERSONAL else permitted(judged, consent)


def _who(
    item: dict[str, Any], properties: dict[str, Any], attributes: dict[str, Any], arrival: Arrival
) -> tuple[str, str | None]:
    """The visitor and the user: what the SDK hashed, else what it would have hashed, else the device, else the user.

    Where users are hashed, the device is the visitor. Raises Refused.
    """
    by = next((each for each in said(properties, HASH_ATTRIBUTES) if type(each) is str and each), "id")
    place = f"context_json.{by if by in HASHABLE else HASH_ATTRIBUTES[0]}"  # no word of the caller's is told on
    told = {"properties_json.hashValue": said(properties, HASHED), place: [attributes.get(by)],
            DEVICE: [item.get(DEVICE)], USER: [item.get(USER)]}  # fmt: skip
    read = {field: first_identifier(values) for field, values in told.items()}
    wrong = {field: value for field, value in read.items() if isinstance(value, Unusable)}
    ids = {field: value for field, value in read.items() if type(value) is str}
    if not ids:
        reasons = [f"{field}: {value.reason}" for field, value in wrong.items()]
        need = "a hashValue, an id among the attributes, device_id or user_id is required"
        raise EventRefused("missing_id", next(iter(wrong), DEVICE), "; ".join([need, *reasons]))
    for field, value in wrong.items():
        noted(arrival.notes, field, value)
    first = next(iter(ids.values()))
    if by != USER:
        return first, ids.get(USER)
    user = next((value for field, value in ids.items() if field != DEVICE), None)
    return ids.get(DEVICE, first), user


def _json_object(item: dict[str, Any], text_name: str, name: str, arrival: Arrival) -> dict[str, Any]:
    """What stands under either name: an object, or its JSON as text."""
    field = text_name if item.get(text_name) is not None else name
    value = item.get(field)
    if type(value) is str:
        try:
            value = msgspec.json.decode(value) if value else None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            noted(arrival.notes, field, Unusable("invalid_field", "it is not valid JSON"))
            value = None
    return mapping(value, field, arrival.notes, arrival.scrubber)


def _message_id(item: dict[str, Any]) -> Any:
    return item.get("uuid", item.get("event_uuid"))


def _told(item: dict[str, Any]) -> dict[str, Any]:
    """What refusals and repairs say of an event, in the words of other dialects; and what it says of consent."""
    attributes = item.get("attributes", item.get("context_json"))
    consent = attributes.get(CONSENT_ATTRIBUTE) if type(attributes) is dict else None
    return {"messageId": _message_id(item), "type": TRACK, "event": item.get("event_name"), CONSENT: consent,
            "context": {"library": {"name": LIBRARY}}}  # fmt: skip
