"""Segment's and RudderStack's calls → records, one by one and in batches."""

from typing import Any, Final

import msgspec

from events.authority import OF_BACKEND
from events.consent import NONE, PERSONAL
from events.dialects.commerce import commerce
from events.dialects.engagement import beat
from events.dialects.exposures import HASHED_ID, exposure, hashed_id, weighed
from events.dialects.fields import (
    Notes,
    allowed,
    event_time,
    mapping,
    members_of,
    message_identifier,
    needed_id,
    optional_text,
    repaired_fields,
    who_of,
)
from events.dialects.names import EXPERIMENT_VIEWED, FEATURE_EVALUATED, ORDERS, meant_name
from events.dialects.service import told_of_survey, told_of_ticket
from events.dialects.validation import (
    CONSENT,
    MAX_BATCH,
    MAX_EVENT_BYTES,
    MAX_NAME,
    NOTHING_READS_IT,
    USER_TOKEN,
    Arrival,
    EventDropped,
    EventRefused,
    Reading,
    ReadingOf,
)
from events.records import (
    ALIAS,
    ENGAGEMENT,
    EVENT_NAME,
    EXPOSURE,
    GROUP,
    IDENTIFY,
    PAGE,
    REPAIRED,
    SCREEN,
    SURVEYS,
    TICKETS,
    TRACK,
    Record,
)
from kit.values import moment, names_something

KINDS: Final = frozenset({TRACK, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS, ENGAGEMENT})
OF_TRAITS: Final = frozenset({IDENTIFY, GROUP})
KNOWN_FIELDS: Final = frozenset(
    {
        "type", "event", "anonymousId", "userId", "previousId", "groupId", "messageId", "properties", "traits",
        "context", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "writeKey", "name", "category",
        "channel", "integrations", USER_TOKEN, CONSENT,
    }
)  # fmt: skip
# kept as device and browser family, or not at all, or ours to say
FORGOTTEN_CONTEXT: Final = frozenset({"userAgent", "userAgentData", USER_TOKEN, REPAIRED, EVENT_NAME, HASHED_ID})


ITEM: Final = msgspec.json.Decoder()


class BatchBody(msgspec.Struct, frozen=True):
    """The body of /v1/batch; an item may still be raw: it is then decoded, and refused, on its own."""

    batch: list[Any] | None = None
    sentAt: Any = None
    writeKey: Any = None
    context: Any = None
    consent: Any = None


class RawBatchBody(BatchBody, frozen=True):
    """The same where one of the items may be too large, or cannot be read."""

    batch: list[msgspec.Raw] | None = None


class BatchMissing(Exception):
    """A batch without its list of events."""


class BatchTooLarge(Exception):
    """More events in one request than are taken."""


BATCH: Final = msgspec.json.Decoder(BatchBody)
RAW_BATCH: Final = msgspec.json.Decoder(RawBatchBody)


def read_batch(body: BatchBody, arrival: Arrival) -> Reading:
    """All events of a body. Raises BatchMissing, BatchTooLarge, UnknownConsent."""
    items = body.batch
    if items is None:
        raise BatchMissing("batch: it is missing; it must be a list of events")
    if len(items) > MAX_BATCH:
        raise BatchTooLarge(f"the batch has {len(items)} events, it may have {MAX_BATCH}")
    arrival = _of_batch(body, arrival)
    reading = ReadingOf(arrival)
    read, notes = reading.read, arrival.notes
    context = body.context if type(body.context) is dict else None
    for index, told in enumerate(items):
        item: dict[str, Any] = told if type(told) is dict else {}
        try:
            if item is not told:
                item = decoded(told)
                check_size(told)
            if context and item.get("context") is None:
                item["context"] = context
            read.append(read_event(item, None, arrival))
        except (EventRefused, EventDropped) as left:
            reading.leave(index, item, left)
        if notes:
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
    reading.read.append(record)
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
    told = "traits" if kind in OF_TRAITS else "properties"
    properties = mapping(item.get(told), told, notes, scrubber)
    fields = _what(item, kind, properties, arrival)
    alone = arrival.authority is OF_BACKEND and fields.get("order_id") is not None and fields["event"] in ORDERS
    place = "previousId" if kind == ALIAS else "anonymousId"
    visitor_id, user_id = who_of(item, place, notes, both=kind == ALIAS, alone=alone)
    when = event_time(item, arrival)
    given, exposes = item.get("messageId"), fields["type"] == EXPOSURE
    message_id = "" if exposes and not given else message_identifier(given, item, notes)
    hashed = hashed_id(properties, notes) if exposes else None
    machine = arrival.client(context.get("userAgent"))
    url, path = _page_of(properties, context.get("page"), notes)
    country = _country(context["location"], arrival) if "location" in context else arrival.country
    record = Record(
        message_id=message_id,
        visitor_id=visitor_id,
        user_id=user_id,
        time=when,
        network=arrival.network,
        site=arrival.site,
        authority=arrival.authority_of(visitor_id, user_id, item, consent),
        quarantined=arrival.impossible(when),
        url=url,
        path=path,
        country=country,
        device=machine.device,
        bot=machine.bot,
        properties=properties or None,
        context=_kept(item, context, fields.get("event"), machine.browser, arrival) or None,
        **fields,
    )
    believed = weighed(record, hashed, consent, arrival) if exposes else record
    return believed if believed is None or consent is PERSONAL else allowed(believed, consent)


def _kept(
    item: dict[str, Any], context: dict[str, Any], event: str | None, browser: str | None, arrival: Arrival
) -> dict[str, Any]:
    """What is kept of the context, and beside it what no column holds: all notes are made by then."""
    notes, kept = arrival.notes, context
    if not FORGOTTEN_CONTEXT.isdisjoint(context):
        kept = {name: value for name, value in context.items() if name not in FORGOTTEN_CONTEXT}
    if browser is not None:
        kept = {**kept, "browser": browser}
    if not KNOWN_FIELDS.issuperset(item):
        unknown = {name: value for name, value in item.items() if name not in KNOWN_FIELDS}
        kept = {**kept, "unknown_fields": mapping(unknown, "event", notes, arrival.scrubber)}
    if event is not None and event != item["event"]:
        kept = {**kept, EVENT_NAME: item["event"]}
    return {**kept, **repaired_fields(notes)} if notes else kept


def _page_of(properties: dict[str, Any], page: Any, notes: Notes) -> list[str | None]:
    """URL and path: what the event says of its page, else its context."""
    if type(page) is not dict:
        page = members_of(page, "context.page", notes)
    found: list[str | None] = []
    for name in ("url", "path"):
        own, told = properties.get(name), page.get(name)
        if own is not None or not (told is None or type(told) is str):
            own = optional_text(own, f"properties.{name}", notes)
            told = own or optional_text(told, f"context.page.{name}", notes)
        found.append(told or None)
    return found


def _country(location: Any, arrival: Arrival) -> str | None:
    told = members_of(location, "context.location", arrival.notes).get("country")
    return optional_text(told, "context.location.country", arrival.notes) or arrival.country


def check_size(told: Any) -> None:
    """Raises Refused for an event of too many bytes: so many, or as they came."""
    size = told if isinstance(told, int) else len(memoryview(told))
    if size > MAX_EVENT_BYTES:
        raise EventRefused("event_too_large", "event", f"it has {size} bytes, it may have {MAX_EVENT_BYTES}")


def decoded(told: Any) -> dict[str, Any]:
    """One event of a batch. Raises Refused."""
    try:
        item = ITEM.decode(told) if type(told) is msgspec.Raw else told
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
    seen = type(sent) is str and sent != "" and len(sent) <= MAX_NAME
    if not seen or not ((sent.isprintable() and sent[0] != " ") or names_something(sent)):
        need = f"text of 1 to {MAX_NAME} characters, not white space alone and without control characters"
        raise EventRefused("missing_event", place, f"the event needs its name, {need}")
    if sent in FEATURE_EVALUATED and not arrival.keeps_evaluations:
        raise EventDropped(NOTHING_READS_IT)
    name, notes = meant_name(sent), arrival.notes
    instead = message_id if arrival.authority is OF_BACKEND else None
    if name == sent:
        _meaning(fields, name, properties, instead, arrival)
        return
    noted = len(notes)
    try:
        _meaning(fields, name, properties, instead, arrival)
    except EventRefused:
        del notes[noted:]
        fields.clear()
        fields["type"] = TRACK
        _meaning(fields, sent, properties, instead, arrival)


def _meaning(fields: dict[str, Any], name: str, properties: dict[str, Any], instead: Any, arrival: Arrival) -> None:
    fields["event"] = name
    if name == EXPERIMENT_VIEWED:
        exposure(fields, properties, "client")
    elif name in SURVEYS:
        told_of_survey(fields, name, properties, arrival)
    elif name in TICKETS:
        told_of_ticket(name, properties, arrival)
    else:
        commerce(fields, name, properties, arrival.notes, instead)
