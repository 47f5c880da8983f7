"""What an event must be to be taken in: ids, sizes, numbers, times. One refusal names one event, never the batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import msgspec

from events.authority import Authority
from events.consent import PERSONAL, SILENT, Consent, Stated, UnknownConsent
from events.records import Record
from events.scrubbing import Scrubber
from kit.time import DAY_US, microseconds

MAX_ID_BYTES: Final = 256
MAX_MESSAGE_ID: Final = 99
MAX_DEPTH: Final = 32
MAX_KEYS: Final = 512
MAX_EVENT_BYTES: Final = 32_768
MAX_BATCH: Final = 2_500
MAX_NAME: Final = 256
MAX_LIBRARY: Final = 64
MAX_INTEGER: Final = 2**63
MAX_REVENUE: Final = 1e9
USER_TOKEN: Final = "user_token"  # proves the user of an event or a batch; it is never stored
CONSENT: Final = "consent"  # of an event, or of a batch
CONSENT_ATTRIBUTE: Final = "resonate.consent"  # the same among attributes
TOKEN_ATTRIBUTE: Final = "resonate.user_token"  # the same among attributes
SHARED_IDS: Final = frozenset(
    {"", "null", "undefined", "NaN", "[object Object]", "00000000-0000-0000-0000-000000000000"}
)


class EventRefused(Exception):
    """Why one event is not taken: an enumerated `code` and a sentence naming the `field` and what would be right."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field or message.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of one event of a request, by its index there: of which `field`, why, and who sent it.

    `type` and `event` are what the event calls itself, `library` is the name of what sent it: empty where it says none.
    """

    index: int
    message_id: str | None
    field: str
    code: str
    message: str
    type: str = ""
    event: str = ""
    library: str = ""

    @classmethod
    def of(cls, index: int, item: Mapping[str, Any], field: str, code: str, message: str) -> Self:
        """Of the event `item`, whatever it holds."""
        given, context = item.get("messageId"), item.get("context")
        library = context.get("library") if type(context) is dict else None
        name = library.get("name") if type(library) is dict else None
        return cls(
            index,
            given[:MAX_NAME] if type(given) is str else None,
            field,
            code,
            message,
            _short(item.get("type"), MAX_LIBRARY),
            _short(item.get("event"), MAX_NAME),
            _short(name, MAX_LIBRARY),
        )


class Refusal(Remark):
    """A refused event."""

    __slots__ = ()


class Repair(Remark):
    """What of an event that is stored was left out or made usable."""

    __slots__ = ()


class Reading(msgspec.Struct, frozen=True):
    """What a request held: records to store, in order; the events that were refused; what was left out of those that
    were not; how many are gone, because nothing may be known of who sent them, and how many were `dropped`, because
    nothing reads their kind.
    """

    records: list[Record]
    refusals: list[Refusal]
    repairs: list[Repair] = []
    gone: int = 0
    dropped: int = 0
    dialect: str = "segment"

    @classmethod
    def of(cls, read: Sequence[Record | None], refusals: list[Refusal], dialect: str = "segment") -> "Reading":
        """From what was read of each event that was not refused; None is one that is gone."""
        records = [record for record in read if record is not None]
        return cls(records, refusals, [], len(read) - len(records), dialect=dialect)


class Arrival(msgspec.Struct, frozen=True):
    """What the request says about its events: when it came (microseconds UTC), from whom, and with what.

    `user_agent` is that of the visitor: empty where a backend calls, whose own says nothing about the visitor. `prove`
    answers the authority of a page's event by its visitor, its user and its token; `token` is that of its batch.
    `scrubber` drops what may not be stored while the objects of an event are walked. `consent` is what the request says
    of all of them, and what holds where nothing is said.
    """

    received_at: int
    authority: Authority = Authority.PAGE
    user_agent: str = ""
    country: str | None = None
    site: str | None = None  # of the sender's key
    network: int | None = None
    retention_days: int = 730
    prove: Callable[[str, str, Any], Authority] | None = None
    token: Any = None
    scrubber: Scrubber = msgspec.field(default_factory=Scrubber)
    consent: Stated = SILENT

    def consent_of(self, context: Any, own: Any) -> Consent:
        """Of one event, by its `context.consent` and its `consent`. Raises Refused."""
        try:
            return self.consent.of_event(context, own)
        except UnknownConsent as unknown:
            raise EventRefused("unknown_consent", str(unknown)) from None

    def authority_of(
        self, visitor_id: str, user_id: str | None, item: Mapping[str, Any], consent: Consent
    ) -> Authority:
        """Of one event `item`: a proof counts for the user that this very event names, and may be known."""
        if self.prove is None or user_id is None or consent is not PERSONAL:
            return self.authority
        token = token_of_event(item)
        return self.prove(visitor_id, user_id, self.token if token is None else token)

    def impossible(self, moment: int) -> bool:
        """More than a day in the future, or older than what the log keeps."""
        return moment > self.received_at + DAY_US or moment < self.received_at - self.retention_days * DAY_US


def identifier(value: Any, field: str) -> str:
    """An id as it was sent, byte by byte: no trimming, folding or normalisation. Raises Refused."""
    if type(value) is not str:
        raise EventRefused("invalid_id", f"{field}: an id is text, this is {_kind(value)}")
    problem = id_problem(value)
    if problem is not None:
        raise EventRefused("invalid_id", f"{field}: {problem}")
    return value


def id_problem(value: str) -> str | None:
    """What is wrong with an id: it is shared by thousands, too long, or has control characters."""
    if value in SHARED_IDS:
        return f"{value!r} is an id that thousands of visitors share; send the visitor's own"
    if len(value) > MAX_ID_BYTES or (not value.isascii() and len(value.encode()) > MAX_ID_BYTES):
        return f"it is longer than {MAX_ID_BYTES} bytes"
    if not value.isprintable() and any(letter < " " or "\x7f" <= letter < "\xa0" for letter in value):
        return "it has control characters"
    return None


def message_identifier(value: Any) -> str:
    """A messageId: text of 1 to 99 characters without control characters. Raises Refused."""
    found = identifier(value, "messageId")
    if len(found) > MAX_MESSAGE_ID:
        raise EventRefused("invalid_id", f"messageId: it has {len(found)} characters, it may have {MAX_MESSAGE_ID}")
    return found


def mapping(value: Any, field: str, scrubber: Scrubber) -> dict[str, Any]:
    """An object within the limits of keys, depth and numbers, without members that may not be stored; null counts as
    empty. Raises Refused.
    """
    if value is None:
        return {}
    if type(value) is not dict:
        raise EventRefused("invalid_field", f"{field}: it must be an object, this is {_kind(value)}")
    check_bounds(value, field, scrubber)
    return value


def check_bounds(
    value: dict[str, Any] | list[Any], field: str, scrubber: Scrubber | None = None, depth: int = 1, keys: int = 0
) -> int:
    """Refuses what is nested deeper than 32, has over 512 keys or a number of 2^63 and more; gives the keys seen.

    A scrubber takes its members out on the way: each object is walked once.
    """
    items: Any = value
    if type(value) is dict:
        keys += len(value)
        if scrubber is not None and not scrubber.harmless.issuperset(value):
            scrubber.drop(value)
        items = value.values()
    if depth > MAX_DEPTH or keys > MAX_KEYS:
        deep = "too_deep", f"{field}: it is nested deeper than {MAX_DEPTH} levels"
        many = "too_many_keys", f"{field}: it has more than {MAX_KEYS} keys"
        raise EventRefused(*(deep if depth > MAX_DEPTH else many))
    for item in items:
        kind = type(item)
        if kind is str:
            continue
        if kind is dict or kind is list:
            keys = check_bounds(item, field, scrubber, depth + 1, keys)
        elif (kind is float or kind is int) and not -MAX_INTEGER < item < MAX_INTEGER:
            raise EventRefused("number_too_large", f"{field}: numbers must lie between -2^63 and 2^63")
    return keys


def moment(value: Any, field: str) -> int | None:
    """A time as microseconds UTC: ISO 8601 text (UTC where it names no zone) or epoch milliseconds; null is None."""
    if value is None:
        return None
    if type(value) is str:
        try:
            told = datetime.fromisoformat(value)
            return microseconds(told if told.tzinfo else told.replace(tzinfo=UTC))  # outside the years 1 to 9999 too
        except ValueError:
            raise EventRefused(
                "invalid_time", f"{field}: it must be ISO 8601 such as 2026-01-20T09:00:03.123Z"
            ) from None
    if (type(value) is int or type(value) is float) and abs(value) < 1e15:
        return round(value * 1_000)
    raise EventRefused("invalid_time", f"{field}: it must be ISO 8601 text or epoch milliseconds")


def token_of_event(item: Mapping[str, Any]) -> Any:
    """What an event sends to prove its user: `context.user_token`, or beside its ids."""
    context = item.get("context")
    told = context.get(USER_TOKEN) if type(context) is dict else None
    return item.get(USER_TOKEN) if told is None else told


def number(value: Any, field: str) -> float | None:
    """A finite number; decimal text counts, because shops send prices as text. Raises Refused."""
    if value is None:
        return None
    if type(value) is str and value.isascii() and len(value) <= 32 and not any(letter.isalpha() for letter in value):
        try:
            value = float(value.replace("_", "x"))  # Python's own separators are no decimal notation
        except ValueError:
            raise EventRefused("invalid_number", f"{field}: {value!r} is not a number") from None
    if type(value) is not int and type(value) is not float:
        raise EventRefused("invalid_number", f"{field}: it must be a number, this is {_kind(value)}")
    if not -MAX_INTEGER < value < MAX_INTEGER:
        raise EventRefused("number_too_large", f"{field}: numbers must lie between -2^63 and 2^63")
    return float(value)


def amount(value: Any, field: str) -> float | None:
    """A number of money of at most 1e9 in size. Raises Refused."""
    found = number(value, field)
    if found is not None and abs(found) > MAX_REVENUE:
        raise EventRefused("number_too_large", f"{field}: amounts may be at most 1e9, this is {found:g}")
    return found


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")


def _short(value: Any, most: int) -> str:
    return value[:most] if type(value) is str else ""
