"""Segment's and RudderStack's calls → records, one by one and in batches."""

from typing import Any, Final

import msgspec

from events.authority import OF_BACKEND
from events.consent import NONE, PERSONAL
from events.dialects.commerce import commerce
from events.dialects.engagement import beat
from events.dialects.exposures import HASHED_ID, exposure, hashed_id, weighed
from events.dialects.fields import (
    REPAIRED,
    Notes,
    allowed,
    event_time,
    mapping,
    members_of,
    message_identifier,
    needed_id,
    noted,
    optional_text,
    repaired_fields,
    who_of,
)
from events.dialects.names import EXPERIMENT_VIEWED, FEATURE_EVALUATED, ORDERS, meant_name
from events.dialects.validation import (
    CONSENT,
    MAX_BATCH,
    MAX_EVENT_BYTES,
    MAX_NAME,
    USER_TOKEN,
    Arrival,
    EventDropped,
    EventRefused,
    Reading,
    ReadingOf,
)
from events.records import ALIAS, ENGAGEMENT, EXPOSURE, GROUP, IDENTIFY, PAGE, SCREEN, SURVEY_ANSWERED, TRACK, Record
from kit.values import Unusable, moment, number

KINDS: Final = frozenset({TRACK, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS, ENGAGEMENT})
KNOWN_FIELDS: Final = frozenset(
    {
        "type", "event", "anonymousId", "userId", "previousId", "groupId", "messageId", "properties", "traits",
        "context", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "writeKey", "name", "category",
        "channel", "integrations", USER_TOKEN, CONSENT,
    }
)  # fmt: skip
EVENT_NAME: Final = "event_name"  # of the context: the name that the event was sent under
# kept as device and browser family, or not at all, or ours to say
FORGOTTEN_CONTEXT: Final = frozenset({"userAgent", "userAgentData", USER_TOKEN, REPAIRED, EVENT_NAME, HASHED_ID})


SCORES: Final = ("score", "value", "rating", "answer")
ITEM: Final = msgspec.json.Decoder()


class BatchBody(msgspec.Struct, frozen=True):
    """The body of /v1/batch; its items stay raw, so that each one is read, and refused, on its own."""

    batch: list[msgspec.Raw] | None = None
    sentAt: Any = None
    writeKey: Any = None
    context: Any = None
    consent: Any = None


class BatchMissing(Exception):
    """A batch without its list of events."""


class BatchTooLarge(Exception):
    """More events in one request than are taken."""


def read_batch(body: BatchBody, size: int, arrival: Arrival) -> Reading:
    """All events of a body of `size` bytes. Raises BatchMissing, BatchTooLarge, UnknownConsent."""
    items = body.batch
    if items is None:
        raise BatchMissing("batch: it is missing; it must be a list of events")
    if len(items) > MAX_BATCH:
        raise BatchTooLarge(f"the batch has {len(items)} events, it may have {MAX_BATCH}")
    arrival = _of_batch(body, arrival)
    reading = ReadingOf(arrival)
    context = body.context if type(body.context) is dict else None
    for index, raw in enumerate(items):
        item: dict[str, Any] = {}
        try:
            item = decoded(raw)
            if size > MAX_EVENT_BYTES:  # of a smaller body no event is larger
                check_size(len(memoryview(raw)))
            if context and item.get("context") is None:
                item["context"] = context
            reading.add(read_event(item, None, arrival))
        except (EventRefused, EventDropped) as left:
            reading.leave(index, item, left)
        if arrival.notes:
            reading.repaired(index, item)
    return reading.whole()


def _of_batch(body: BatchBody, arrival: Arrival) -> Arrival:
    """What a batch says for those of its events that do not say it themselves."""
    if body.sentAt is not None:  # one that cannot be read says nothing about any event
        sent = moment(body.sentAt)
        arrival = msgspec.structs.replace(arrival, sent_at=sent if type(sent) is int else None)
    context = body.context if type(body.context) is dict else {}
    if USER_TOKEN in context:
        arrival = msgspec.structs.replace(arrival, token=context[USER_TOKEN])
    if body.consent is not None or CONSENT in context:
        arrival = msgspec.structs.replace(arrival, consent=arrival.consent.of_batch(context, body.consent))
    return arrival


def read_single(item: dict[str, Any], size: int, kind: str, arrival: Arrival) -> Reading:
    """The one event of /v1/track and its siblings; `size` is the body's, in bytes."""
    try:
        check_size(size)
        record = read_event(item, kind, arrival)
        if record is not None and not arrival.notes:
            return Reading([record], [])
    except (EventRefused, EventDropped) as left:
        reading = ReadingOf(arrival)
        reading.leave(0, {**item, "type": kind}, left)
        return reading.whole()
    reading = ReadingOf(arrival)
    reading.add(record)
    reading.repaired(0, {**item, "type": kind})
    return reading.whole()


def read_event(item: dict[str, Any], kind: str | None, arrival: Arrival) -> Record | None:
    """One call as a record, None where nothing of it may be stored. Raises Refused, naming the field, or Dropped.

    What cannot be used and is not needed is left out, and noted in `arrival`.
    """
    consent = arrival.consent_of(item.get("context"), item.get(CONSENT))
    if consent is NONE:
        return None
    kind = kind or kind_of_call(item.get("type"))
    if kind == ENGAGEMENT:
        return allowed(beat(item, arrival, consent), consent)
    notes, scrubber = arrival.notes, arrival.scrubber
    context = mapping(item.get("context"), "context", notes, scrubber)
    told = "traits" if kind in (IDENTIFY, GROUP) else "properties"
    properties = mapping(item.get(told), told, notes, scrubber)
    fields = _what(item, kind, properties, arrival)
    alone = arrival.authority is OF_BACKEND and fields.get("order_id") is not None and fields["event"] in ORDERS
    place = "previousId" if kind == ALIAS else "anonymousId"
    visitor_id, user_id = who_of(item, place, notes, both=kind == ALIAS, alone=alone)
    when = event_time(item, arrival)
    given = item.get("messageId")
    exposes = fields["type"] == EXPOSURE
    fields["message_id"] = "" if exposes and not given else message_identifier(given, item, notes)
    fields["visitor_id"], fields["user_id"], fields["time"] = visitor_id, user_id, when
    fields["network"], fields["site"] = arrival.network, arrival.site
    fields["authority"] = arrival.authority_of(visitor_id, user_id, item, consent)
    fields["quarantined"] = arrival.impossible(when)
    fields["properties"] = properties or None
    hashed = hashed_id(properties, notes) if exposes else None
    _where(fields, item, context, properties, arrival)
    record = weighed(Record(**fields), hashed, consent, arrival) if exposes else Record(**fields)
    return record if record is None or consent is PERSONAL else allowed(record, consent)


def _where(
    fields: dict[str, Any], item: dict[str, Any], context: dict[str, Any], properties: dict[str, Any], arrival: Arrival
) -> None:
    """The columns of the page and of the client, and of the context what is kept."""
    notes, page, kept = arrival.notes, context.get("page"), context
    machine = arrival.client(context.get("userAgent"))
    if type(page) is not dict:
        page = members_of(page, "context.page", notes)
    fields["url"] = _of_page("url", properties, page, notes)
    fields["path"] = _of_page("path", properties, page, notes)
    fields["country"] = _country(context["location"], arrival) if "location" in context else arrival.country
    fields["device"], fields["bot"] = machine.device, machine.bot
    if not FORGOTTEN_CONTEXT.isdisjoint(context):
        kept = {name: value for name, value in context.items() if name not in FORGOTTEN_CONTEXT}
    if machine.browser is not None:
        kept = {**kept, "browser": machine.browser}
    if not KNOWN_FIELDS.issuperset(item):
        unknown = {name: value for name, value in item.items() if name not in KNOWN_FIELDS}
        kept = {**kept, "unknown_fields": mapping(unknown, "event", notes, arrival.scrubber)}
    if "event" in fields and fields["event"] != item["event"]:
        kept = {**kept, EVENT_NAME: item["event"]}
    if notes:
        kept = {**kept, REPAIRED: repaired_fields(notes)}
    fields["context"] = kept or None


def _country(location: Any, arrival: Arrival) -> str | None:
    told = members_of(location, "context.location", arrival.notes).get("country")
    return optional_text(told, "context.location.country", arrival.notes) or arrival.country


def _of_page(name: str, properties: dict[str, Any], page: dict[str, Any], notes: Notes) -> str | None:
    """What the event says of its page, else its context."""
    own = properties.get(name)
    if own is None or not (type(own) is str and own):
        if own is not None:
            optional_text(own, f"properties.{name}", notes)
        told = page.get(name)
        if told is None or type(told) is str:
            return told or None
        return optional_text(told, f"context.page.{name}", notes)
    return own


def check_size(size: int) -> None:
    """Raises Refused for an event of too many bytes."""
    if size > MAX_EVENT_BYTES:
        raise EventRefused("event_too_large", "event", f"it has {size} bytes, it may have {MAX_EVENT_BYTES}")


def decoded(raw: msgspec.Raw) -> dict[str, Any]:
    """One event of a batch. Raises Refused."""
    try:
        item = ITEM.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventRefused("unreadable_event", "event", f"it is not valid JSON: {error}") from None
    if type(item) is not dict:
        raise EventRefused("unreadable_event", "event", "it is not a JSON object")
    return item


def kind_of_call(value: Any) -> str:
    """What kind of call an event of a batch is, in whichever case. Raises Refused."""
    if type(value) is str:
        if value in KINDS:
            return value
        if value.casefold() in KINDS:
            return value.casefold()
    raise EventRefused("unknown_type", "type", f"it must be one of {', '.join(sorted(KINDS))}")


def _what(item: dict[str, Any], kind: str, properties: dict[str, Any], arrival: Arrival) -> dict[str, Any]:
    """The columns of what happened; what a page or a group is told by joins its properties."""
    fields: dict[str, Any] = {"type": kind}
    if kind == TRACK:
        happened(fields, item.get("event"), properties, item.get("messageId"), arrival)
    elif kind == GROUP:
        properties["group_id"] = needed_id(item.get("groupId"), field="groupId")
    elif kind in (PAGE, SCREEN):
        for name in ("name", "category"):
            told = optional_text(item.get(name), name, arrival.notes)
            if told is not None:
                properties.setdefault(name, told)
    return fields


def happened(
    fields: dict[str, Any], sent: Any, properties: dict[str, Any], message_id: Any, arrival: Arrival,
    place: str = "event",
) -> None:  # fmt: skip
    """Adds the columns of an event that was sent under this name, by what the name means; where the event is not what
    that needs, it stays under its own. Raises Refused, Dropped.
    """
    if type(sent) is not str or not sent or len(sent) > MAX_NAME:
        raise EventRefused("missing_event", place, f"the event needs its name, text of 1 to {MAX_NAME} characters")
    if sent in FEATURE_EVALUATED and not arrival.keeps_evaluations:
        raise EventDropped
    name, notes = meant_name(sent), arrival.notes
    instead = message_id if arrival.authority is OF_BACKEND else None
    if name == sent:
        _meaning(fields, name, properties, instead, notes)
        return
    noted = len(notes)
    try:
        _meaning(fields, name, properties, instead, notes)
    except EventRefused:
        del notes[noted:]
        fields.clear()
        fields["type"] = TRACK
        _meaning(fields, sent, properties, instead, notes)


def _meaning(fields: dict[str, Any], name: str, properties: dict[str, Any], instead: Any, notes: Notes) -> None:
    fields["event"] = name
    if name == EXPERIMENT_VIEWED:
        exposure(fields, properties, "client")
    elif name == SURVEY_ANSWERED:
        fields["value"] = _score(properties, notes)
    else:
        commerce(fields, name, properties, notes, instead)


def _score(properties: dict[str, Any], notes: Notes) -> float | None:
    """The answer to a survey, by whichever of its names says a number."""
    told = {name: number(properties[name]) for name in SCORES if name in properties}
    found = next((score for score in told.values() if type(score) is float), None)
    wrong = next(((name, score) for name, score in told.items() if isinstance(score, Unusable)), None)
    if found is None and wrong is not None:
        noted(notes, f"properties.{wrong[0]}", wrong[1])
    return found
