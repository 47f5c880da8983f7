"""The fields of an event by their place: what it cannot do without is refused, all else is left out and named."""

import uuid
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from events.consent import NONE, USER_ALONE, Consent
from events.dialects.validation import (
    CONSENT,
    COUNTS_NOWHERE,
    MAX_DEPTH,
    NUMBER_TOO_LARGE,
    USER_TOKEN,
    Arrival,
    EventDropped,
    EventRefused,
    Finding,
    check_bounds,
)
from events.permitted import OF_USERS, permitted
from events.records import REPAIRED, Record
from events.scrubbing import Scrubber
from kit.values import MAX_INTEGER, Unusable, first_identifier, identifier, kind_of, moment

MAX_MESSAGE_ID: Final = 99
MOST_NAMED: Final = 100  # fields of one event that its row names
Notes = list[Finding]
NOT_OF_THE_EVENT: Final = frozenset({"sentAt", "receivedAt", "writeKey", USER_TOKEN, CONSENT})  # but of its sending

_written: Final = msgspec.json.Encoder(order="sorted").encode


def noted(notes: Notes, field: str, wrong: Unusable) -> None:
    """Names what could not be used."""
    notes.append(Finding(field, wrong.code, wrong.reason))


def needed_id(*values: Any, field: str) -> str:
    """The first of several that can be used as an id. Raises Refused where none can."""
    found = first_identifier(values)
    if type(found) is str:
        return found
    reason = found.reason if isinstance(found, Unusable) else "it is missing; it must be text or a whole number"
    raise EventRefused("invalid_id", field, reason)


def optional_id(value: Any, field: str, notes: Notes) -> str | None:
    """An id, None where there is none that can be used."""
    found = identifier(value)
    if type(found) is str or not isinstance(found, Unusable):
        return found
    noted(notes, field, found)
    return None


def optional_moment(value: Any, field: str, notes: Notes) -> int | None:
    """A time in microseconds UTC, None where there is none that can be used."""
    found = moment(value)
    if type(found) is int or not isinstance(found, Unusable):
        return found
    noted(notes, field, found)
    return None


def optional_text(value: Any, field: str, notes: Notes) -> str | None:
    """A text, None where there is none, or an empty one."""
    if type(value) is str:
        return value or None
    if value is not None:
        noted(notes, field, Unusable("invalid_field", f"it must be text, this is {kind_of(value)}"))
    return None


def members_of(value: Any, field: str, notes: Notes) -> dict[str, Any]:
    """An object that is looked into and not kept by itself; empty where there is none."""
    if type(value) is dict:
        return value
    if value is not None:
        noted(notes, field, Unusable("invalid_field", f"it must be an object, this is {kind_of(value)}"))
    return {}


def mapping(value: Any, field: str, notes: Notes, scrubber: Scrubber) -> dict[str, Any]:
    """An object within the limits of keys and depth, without members that may not be stored; what is none counts as
    an empty one. Raises Refused.
    """
    if value is None:
        return {}
    members = value if type(value) is dict else members_of(value, field, notes)
    try:
        check_bounds(members, field, scrubber)
    except EventRefused as refused:
        if refused.code != NUMBER_TOO_LARGE:
            raise
        notes.append(Finding(field, refused.code, "numbers beyond 2^63 were left out of it"))
        members = _without_large_numbers(members)
        check_bounds(members, field, scrubber)
    return members


def message_identifier(value: Any, item: Mapping[str, Any], notes: Notes) -> str:
    """The messageId of an event: its own, a drawn one where it has none, else one that stands for what it says, so that
    it is known again when it is sent again.
    """
    found = identifier(value)
    if type(found) is str and len(found) <= MAX_MESSAGE_ID:
        return found
    if value is None:
        return str(uuid.uuid4())
    reason = found.reason if isinstance(found, Unusable) else f"it must have 1 to {MAX_MESSAGE_ID} characters"
    noted(notes, "messageId", Unusable("invalid_id", f"{reason}; the event got another id, made of what it says"))
    said = {name: told for name, told in item.items() if name not in NOT_OF_THE_EVENT}
    try:
        written = _written(said)
    except RecursionError:
        raise EventRefused("too_deep", "event", f"it is nested deeper than {MAX_DEPTH} levels") from None
    return f"derived:{blake2b(written, digest_size=16).hexdigest()}"


def event_time(item: Mapping[str, Any], arrival: Arrival) -> int:
    """When it happened by our clock: receivedAt − (sentAt − originalTimestamp), so that a wrong clock cancels out."""
    notes, happened = arrival.notes, None
    if "originalTimestamp" in item:
        happened = optional_moment(item["originalTimestamp"], "originalTimestamp", notes)
    if happened is None and "timestamp" in item:
        happened = optional_moment(item["timestamp"], "timestamp", notes)
    if happened is None:
        return arrival.received_at
    sent = arrival.sent_at
    if sent is None and "sentAt" in item:
        sent = optional_moment(item["sentAt"], "sentAt", notes)
    return happened if sent is None else arrival.received_at - (sent - happened)


def who_of(
    item: Mapping[str, Any], place: str, notes: Notes, *, both: bool = False, alone: bool = False
) -> tuple[str, str | None]:
    """The visitor and the user that an event names, the visitor at `place`; `both` may be needed, and an order may
    stand `alone`. Raises Refused.

    A payment webhook knows the order, not the visitor: its empty visitor id is filled in by the readout.
    """
    visitor, user = identifier(item.get(place)), identifier(item.get("userId"))
    if type(visitor) is str and (type(user) is str or (user is None and not both)):
        return visitor, user
    given = {place: visitor, "userId": user}
    wrong = {name: told for name, told in given.items() if isinstance(told, Unusable)}
    found = [told for told in given.values() if type(told) is str]
    if len(found) < 2 if both else not (found or alone):
        need = f"{place} and userId are both required" if both else f"{place} or userId is required"
        missing = next(name for name, told in given.items() if type(told) is not str)
        reasons = [f"{name}: {told.reason}" for name, told in wrong.items()]
        raise EventRefused("missing_id", next(iter(wrong), missing), "; ".join([need, *reasons]))
    for name, told in wrong.items():
        noted(notes, name, told)
    return (found[0] if found else ""), (user if type(user) is str else None)


def allowed(record: Record, consent: Consent) -> Record | None:
    """The record as this mode lets it be stored, None where nothing of it may be. Raises Dropped for one that names a
    user alone where no more than a visitor may be known: whoever sends it should send the visitor too.
    """
    kept = permitted(record, consent)
    if kept is None and consent is not NONE and record.type not in OF_USERS and record.visitor_id == record.user_id:
        raise EventDropped(USER_ALONE)
    return kept


def repaired_fields(notes: Notes) -> dict[str, Any]:
    """The fields of one event that could not be used, each once, as the context of its row keeps them."""
    fields = list(dict.fromkeys([each.field for each in notes if each.code not in COUNTS_NOWHERE]))
    return {REPAIRED: fields[:MOST_NAMED]} if fields else {}


def _without_large_numbers(value: Any, depth: int = 1) -> Any:
    """The same without members and items that are numbers beyond what the log can hold; what is nested too deeply stays
    as it is, and is refused for that.
    """
    if depth > MAX_DEPTH or (type(value) is not dict and type(value) is not list):
        return value
    if type(value) is dict:
        kept = {name: item for name, item in value.items() if not _is_too_large(item)}
        return {name: _without_large_numbers(item, depth + 1) for name, item in kept.items()}
    return [_without_large_numbers(item, depth + 1) for item in value if not _is_too_large(item)]


def _is_too_large(value: Any) -> bool:
    return (type(value) is int or type(value) is float) and not -MAX_INTEGER < value < MAX_INTEGER
