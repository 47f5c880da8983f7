"""The events that GrowthBook's own SDKs send to their ingestor → records, exposures first of all."""

import uuid
from typing import Any, Final

import msgspec

from events.consent import Consent
from events.dialects.segment import EXPERIMENT_VIEWED, BatchTooLarge, variation_text
from events.dialects.user_agents import client
from events.dialects.validation import (
    CONSENT_ATTRIBUTE,
    MAX_EVENT_BYTES,
    MAX_NAME,
    TOKEN_ATTRIBUTE,
    USER_TOKEN,
    Arrival,
    EventRefused,
    Reading,
    Refusal,
    identifier,
    mapping,
    message_identifier,
    moment,
)
from events.permitted import permitted
from events.records import EXPOSURE, TRACK, Record

MAX_EVENTS: Final = 2_500
VIEWED: Final = frozenset({EXPERIMENT_VIEWED, "$$experiment_viewed"})  # the latter is what the Python SDK says


def read_events(items: list[msgspec.Raw], arrival: Arrival) -> Reading:
    """Every event of one call. Raises BatchTooLarge."""
    if len(items) > MAX_EVENTS:
        raise BatchTooLarge(f"the call has {len(items)} events, it may have {MAX_EVENTS}")
    read: list[Record | None] = []
    refusals: list[Refusal] = []
    for index, raw in enumerate(items):
        try:
            if len(memoryview(raw)) > MAX_EVENT_BYTES:
                raise EventRefused("event_too_large", f"the event may have {MAX_EVENT_BYTES} bytes")
            item = msgspec.json.decode(raw)
            if type(item) is not dict:
                raise EventRefused("unreadable_event", "the event is not a JSON object")
            read.append(read_event(item, arrival))
        except EventRefused as refused:
            refusals.append(Refusal(index, None, refused.field, refused.code, refused.message))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            refusals.append(Refusal(index, None, "event", "unreadable_event", "the event is not valid JSON"))
    return Reading.of(read, refusals, "growthbook")


def read_event(item: dict[str, Any], arrival: Arrival) -> Record | None:
    """One event `{event_name, properties_json, context_json, user_id, device_id, url, …}`, None where nothing of it may
    be stored. Raises Refused.
    """
    name = item.get("event_name")
    if type(name) is not str or not name or len(name) > MAX_NAME:
        raise EventRefused("missing_event", f"event_name: it must be text of 1 to {MAX_NAME} characters")
    properties = _json_object(item.get("properties_json"), "properties_json", arrival)
    attributes = _json_object(item.get("context_json"), "context_json", arrival)
    token = attributes.pop(TOKEN_ATTRIBUTE, None)
    consent = arrival.consent_of(None, attributes.pop(CONSENT_ATTRIBUTE, None))
    if consent is Consent.NONE:
        return None
    told = properties.get("in_experiment", properties.get("inExperiment"))
    exposes = name in VIEWED and told is not False  # a unit outside the experiment saw no variant
    fields = _exposure(item, properties) if exposes else _who(item, attributes)
    given = item.get("uuid", item.get("event_uuid"))
    when = moment(item.get("timestamp"), "timestamp") or arrival.received_at
    machine = client(arrival.user_agent)
    url = item.get("url")
    record = Record(
        message_id=str(uuid.uuid4()) if given is None else message_identifier(given),
        event=EXPERIMENT_VIEWED if exposes else name,
        time=when,
        network=arrival.network,
        url=url if type(url) is str and url else None,
        device=machine.device,
        country=arrival.country,
        bot=machine.bot,
        site=arrival.site,
        authority=arrival.authority_of(fields["visitor_id"], fields["user_id"], {USER_TOKEN: token}, consent),
        quarantined=arrival.impossible(when),
        properties=(attributes if exposes else properties) or None,
        **fields,
    )
    return permitted(record, consent)


def _exposure(item: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """The JavaScript SDK writes `experimentId`, the Python one `experiment_id`; keys of variants go before indexes."""
    hashed = identifier(_first(properties, "hashValue", "hash_value"), "properties_json.hashValue")
    by_user = _first(properties, "hashAttribute", "hash_attribute") == "user_id"
    device = item.get("device_id")
    visitor = device if by_user and device is not None else hashed
    user = hashed if by_user else item.get("user_id")
    variation = _first(properties, "variation_key", "variationKey", "variationId", "variation_id")
    return {
        "type": EXPOSURE,
        "exposure_source": "growthbook",
        "visitor_id": identifier(visitor, "device_id"),
        "user_id": None if user is None else identifier(user, "user_id"),
        "experiment": identifier(_first(properties, "experimentId", "experiment_id"), "properties_json.experimentId"),
        "variant": variation_text(variation, "properties_json.variationId"),
    }


def _first(properties: dict[str, Any], *names: str) -> Any:
    return next((properties[name] for name in names if properties.get(name) is not None), None)


def _who(item: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    visitor, user = item.get("device_id") or attributes.get("id"), item.get("user_id")
    if visitor is None and user is None:
        raise EventRefused("missing_id", "device_id or user_id is required")
    user_id = None if user is None else identifier(user, "user_id")
    return {
        "type": TRACK,
        "visitor_id": identifier(user if visitor is None else visitor, "device_id"),
        "user_id": user_id,
    }


def _json_object(value: Any, field: str, arrival: Arrival) -> dict[str, Any]:
    """The SDKs send an object, older ones its JSON text."""
    if type(value) is str:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise EventRefused("invalid_field", f"{field}: it is not valid JSON") from None
    return mapping(value, field, arrival.scrubber)
