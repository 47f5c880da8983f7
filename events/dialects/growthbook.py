"""The events that GrowthBook's own SDKs send to their ingestor → records, exposures first of all."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from events.consent import NONE, PERSONAL
from events.dialects.exposures import HASH_ATTRIBUTES, exposure, name_told, said, weighed
from events.dialects.fields import (
    allowed,
    event_time,
    mapping,
    message_identifier,
    noted,
    optional_text,
    repaired_fields,
)
from events.dialects.names import EXPERIMENT_VIEWED
from events.dialects.segment import BatchTooLarge, check_size, decoded, happened
from events.dialects.validation import (
    CONSENT,
    CONSENT_ATTRIBUTE,
    HASHED,
    TOKEN_ATTRIBUTE,
    USER_TOKEN,
    Arrival,
    EventDropped,
    EventRefused,
    Reading,
    ReadingOf,
)
from events.records import EVENT_NAME, LIBRARY, TEST, TRACK, Record
from kit.values import Unusable, first_identifier

MAX_EVENTS: Final = 2_500
VIEWED: Final = (EXPERIMENT_VIEWED, "$$experiment_viewed")  # the latter is what the Python SDK says
GROWTHBOOK: Final = "growthbook"  # as its rows and refusals name it
PROPERTIES: Final = "properties"
ATTRIBUTES: Final = "attributes"
AS_TEXT: Final = {PROPERTIES: "properties_json", ATTRIBUTES: "context_json"}  # the SDKs' other name for each
UUIDS: Final = ("uuid", "event_uuid")
MESSAGE_ID: Final = "messageId"
USUAL: Final = ("experimentId", "variationId")
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
            check_size(raw)
            reading.read.append(read_event(item, arrival))
        except EventDropped as dropped:
            reading.leave(index, _told(item), dropped)
        except EventRefused as why:
            reading.leave(index, _told(item), EventRefused(why.code, as_sent(item, why.field), why.reason))
        if arrival.notes:
            arrival.notes[:] = [note._replace(field=as_sent(item, note.field)) for note in arrival.notes]
            reading.repaired(index, _told(item))
    return reading.whole()


def read_event(item: dict[str, Any], arrival: Arrival) -> Record | None:
    """One event `{event_name, properties_json, context_json, user_id, device_id, url, …}`, None where nothing of it may
    be stored. Raises Refused, Dropped. What cannot be used and is not needed is left out, and noted in `arrival`.

    Fields are named as its row has them; `as_sent` says what they are called in the event.
    """
    notes = arrival.notes
    properties, attributes = _object(item, PROPERTIES, arrival), _object(item, ATTRIBUTES, arrival)
    token = attributes.pop(TOKEN_ATTRIBUTE, None)
    consent = arrival.consent_of(None, attributes.pop(CONSENT_ATTRIBUTE, None))
    if consent is NONE:
        return None
    name, given = item.get("event_name"), _message_id(item)
    told = properties.get("in_experiment", properties.get("inExperiment"))
    exposes = name in VIEWED and told is not False  # a unit outside the experiment saw no variant
    fields: dict[str, Any] = {"type": TRACK}
    if exposes:
        exposure(fields, properties, "growthbook", USUAL)
    elif name in VIEWED:
        fields["event"] = name
    else:
        happened(fields, name, properties, given, arrival, "event_name")
    exposes = "experiment" in fields
    if exposes:
        fields["exposure_source"] = GROWTHBOOK
    visitor_id, user_id = _who(item, properties if exposes else {}, attributes, arrival)
    when = event_time(item, arrival)
    machine = arrival.client(attributes.get("userAgent") or item.get("user_agent"))
    kept: dict[str, Any] = {LIBRARY: {"name": GROWTHBOOK}}
    if exposes and properties.get(TEST) is True:  # the row of an exposure has the attributes as its properties
        kept[TEST] = True
    elif not exposes and fields["event"] != name:
        kept[EVENT_NAME] = name
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
        context=kept | repaired_fields(notes) if notes else kept,
        **fields,
    )
    judged = weighed(record, None, consent, arrival) if exposes else record
    return judged if judged is None or consent is PERSONAL else allowed(judged, consent)


def _who(
    item: dict[str, Any], properties: dict[str, Any], attributes: dict[str, Any], arrival: Arrival
) -> tuple[str, str | None]:
    """The visitor and the user: what the SDK hashed, else what it would have hashed, else the device, else the user.

    Where users are hashed, the device is the visitor. Raises Refused.
    """
    by = next((each for each in said(properties, HASH_ATTRIBUTES) if type(each) is str and each), "id")
    # no word of the caller's is told on
    place = (
        f"{ATTRIBUTES}.{by}"
        if by in HASHABLE
        else f"{PROPERTIES}.{name_told(properties, HASH_ATTRIBUTES, HASH_ATTRIBUTES[0])}"
    )
    hashed = f"{PROPERTIES}.{name_told(properties, HASHED, HASHED[0])}"
    told = {hashed: said(properties, HASHED), place: [attributes.get(by)],
            DEVICE: [item.get(DEVICE)], USER: [item.get(USER)]}  # fmt: skip
    read = {field: first_identifier(values) for field, values in told.items()}
    wrong = {field: value for field, value in read.items() if isinstance(value, Unusable)}
    ids = {field: value for field, value in read.items() if type(value) is str}
    if not ids:
        reasons = [f"{as_sent(item, field)}: {value.reason}" for field, value in wrong.items()]
        need = "a hashValue, an id among the attributes, device_id or user_id is required"
        raise EventRefused("missing_id", next(iter(wrong), DEVICE), "; ".join([need, *reasons]))
    for field, value in wrong.items():
        noted(arrival.notes, field, value)
    first = next(iter(ids.values()))
    if by != USER:
        return first, ids.get(USER)
    user = next((value for field, value in ids.items() if field != DEVICE), None)
    return ids.get(DEVICE, first), user


def _object(item: dict[str, Any], name: str, arrival: Arrival) -> dict[str, Any]:
    """What stands under either name of the properties or the attributes: an object, or its JSON as text."""
    value = _read(item.get(_sent_as(item, name)))
    if isinstance(value, Unusable):
        noted(arrival.notes, name, value)
        value = None
    return mapping(value, name, arrival.notes, arrival.scrubber)


def _read(value: Any) -> Any:
    if type(value) is not str:
        return value
    try:
        return msgspec.json.decode(value) if value else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Unusable("invalid_field", "it is not valid JSON")


def _sent_as(item: Mapping[str, Any], name: str) -> str:
    """Under which of its two names an event has its properties or its attributes."""
    return AS_TEXT[name] if item.get(AS_TEXT[name]) not in (None, "") else name


def as_sent(item: Mapping[str, Any], field: str) -> str:
    """A field of the row by the name that it has in the event; one that is in neither, by the SDKs' own."""
    if field == MESSAGE_ID:
        return next((name for name in UUIDS if item.get(name) is not None), UUIDS[0])
    if field == CONSENT:
        field = f"{ATTRIBUTES}.{CONSENT_ATTRIBUTE}"
    if field == "context.userAgent":
        attributes = _read(item.get(_sent_as(item, ATTRIBUTES)))
        told = type(attributes) is dict and attributes.get("userAgent")
        field = f"{ATTRIBUTES}.userAgent" if told else "user_agent"
    name, point, member = field.partition(".")
    if name not in AS_TEXT:
        return field
    neither = item.get(name) is None
    return (AS_TEXT[name] if neither else _sent_as(item, name)) + point + member


def _message_id(item: dict[str, Any]) -> Any:
    return next((item[name] for name in UUIDS if item.get(name) is not None), None)


def _told(item: dict[str, Any]) -> dict[str, Any]:
    """What refusals and repairs say of an event, in the words of other dialects; and what it says of consent."""
    read = {name: _read(item.get(_sent_as(item, name))) for name in AS_TEXT}
    properties, attributes = (told if type(told) is dict else {} for told in read.values())
    by = [attributes.get(name) for name in said(properties, HASH_ATTRIBUTES) if type(name) is str]
    hashed = first_identifier([*by, attributes.get("id")])
    return {MESSAGE_ID: _message_id(item), "type": TRACK, "event": item.get("event_name"),
            "anonymousId": item.get(DEVICE), "userId": item.get(USER), "previousId": hashed, "properties": properties,
            CONSENT: attributes.get(CONSENT_ATTRIBUTE), "context": {LIBRARY: {"name": GROWTHBOOK}}}  # fmt: skip
