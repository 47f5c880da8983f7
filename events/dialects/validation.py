"""What is said of the events of a request: who sent them and when, what of them is stored, refused, or left out.

One refusal names one event, never the batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import msgspec

from events.authority import Authority
from events.consent import NONE, PERSONAL, SILENT, USER_ALONE, Consent, Stated, UnknownConsent
from events.dialects.user_agents import Client, joined_client
from events.records import SURVEY_SCALES, Record
from events.scrubbing import Scrubber
from kit.time import DAY_US
from kit.values import MAX_INTEGER, identifier, kind_of

MAX_DEPTH: Final = 32
MAX_KEYS: Final = 512
MAX_EVENT_BYTES: Final = 32_768
MAX_BATCH: Final = 2_500
MAX_NAME: Final = 256
LEAST: Final = -float(MAX_INTEGER)  # as floats, which compare as exactly, and sooner
MOST: Final = float(MAX_INTEGER)
MAX_LIBRARY: Final = 64
NUMBER_TOO_LARGE: Final = "number_too_large"
USER_TOKEN: Final = "user_token"  # proves the user of an event or a batch; it is never stored
CONSENT: Final = "consent"  # of an event, or of a batch
IDS: Final = ("anonymousId", "userId", "previousId")
HASHED: Final = ("hashValue", "hash_value")  # of the properties of an exposure
CONSENT_ATTRIBUTE: Final = "resonate.consent"  # the same among attributes
TOKEN_ATTRIBUTE: Final = "resonate.user_token"  # the same among attributes


SURVEY_UNNAMED: Final = "survey_unnamed"
SCORE_MISSING: Final = "score_missing"
SCORE_OFF_SCALE: Final = "score_off_scale"
KIND_UNKNOWN: Final = "survey_of_no_kind"
TICKET_UNNAMED: Final = "ticket_unnamed"
TICKET_OF_PAGE: Final = "ticket_of_page"
ANSWERED_BY_NOBODY: Final = "answered_by_nobody"
COUNTS_NOWHERE: Final = frozenset(
    {SURVEY_UNNAMED, SCORE_MISSING, SCORE_OFF_SCALE, KIND_UNKNOWN, TICKET_UNNAMED, TICKET_OF_PAGE, ANSWERED_BY_NOBODY}
)
"""Why a stored event is in no figure."""


class EventRefused(Exception):
    """Why one event is not taken: an enumerated `code` and a sentence naming the `field` and what would be right."""

    def __init__(self, code: str, field: str, reason: str) -> None:
        self.code = code
        self.field = field
        self.reason = reason
        self.message = f"{field}: {reason}"
        super().__init__(self.message)


NOTHING_READS_IT: Final = "nothing_reads_it"


class EventDropped(Exception):
    """An event that is counted by why, and not stored: of a kind that nothing reads, or of a user alone where no more
    than a visitor may be known.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Finding(NamedTuple):
    """Which field of an event could not be used, and why."""

    field: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of one event of a request, by its index there: of which `field`, why, and who sent it.

    `type` and `event` are what the event calls itself, `library` is the name of what sent it: empty where it says none.
    `ids` are those that it names somebody by.
    """

    index: int
    message_id: str | None
    field: str
    code: str
    message: str
    type: str = ""
    event: str = ""
    library: str = ""
    ids: tuple[str, ...] = ()

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
            _ids(item),
        )


class Refusal(Remark):
    """A refused event."""

    __slots__ = ()


class Useless(Remark):
    """What keeps an event that is stored out of every figure."""

    __slots__ = ()


class Repair(Remark):
    """What of an event that is stored was left out or made usable."""

    __slots__ = ()


class Reading(msgspec.Struct, frozen=True):
    """What a request held: records to store, in order; the events that were refused; what was left out of those that
    were not; how many are gone, because nothing may be known of who sent them, and how many were `dropped`, of which
    those `alone` named a user where no more than a visitor may be known. `places` are the indexes of the records, None
    where they are all that was sent. `dialect` is whose words the request was in. `useless` are the reasons why stored
    events are in no figure.
    """

    records: list[Record]
    refusals: list[Refusal]
    repairs: list[Repair] = []
    gone: int = 0
    dropped: int = 0
    places: Sequence[int] | None = None
    dialect: str = "segment"
    alone: int = 0
    useless: list[Useless] = []


ExposureCheck = Callable[[Record, str | None, Consent], Record | None]


class Arrival(msgspec.Struct, frozen=True):
    """What the request says about its events: when it came (microseconds UTC), from whom, and with what.

    `user_agent` is that of the visitor: empty where a backend calls, whose own says nothing about the visitor. `prove`
    answers the authority of a page's event by its visitor, its user and its token; `token` is that of its batch.
    `scrubber` drops what may not be stored while the objects of an event are walked. `consent` is what the request says
    of all of them, and what holds where nothing is said. `judge` holds an exposure against what is served, by the id
    that was hashed where that is another. `notes` are what of the event that is read now could not be used. `scales`
    says from where to where answers to surveys count, by their names in small letters. Of a batch,
    `sent_at` is when its sender sent it, by its clock.
    """

    received_at: int
    authority: Authority = Authority.PAGE
    user_agent: str = ""
    country: str | None = None
    site: str | None = None  # of the sender's key
    network: int | None = None
    retention_us: int = 730 * DAY_US
    prove: Callable[[str, str, Any], Authority] | None = None
    token: Any = None
    scrubber: Scrubber = msgspec.field(default_factory=Scrubber)
    consent: Stated = SILENT
    judge: ExposureCheck | None = None
    keeps_evaluations: bool = False  # of features, which no metric reads
    scales: Mapping[str, tuple[float, float]] = SURVEY_SCALES
    notes: list[Finding] = []
    sent_at: int | None = None

    def client(self, told: Any) -> Client:
        """The visitor's, by what the request says of its user agent and by what the event says: one rule for all."""
        if told is None or type(told) is str:
            return joined_client(self.user_agent, told or "")
        self.notes.append(Finding("context.userAgent", "invalid_field", f"it must be text, this is {kind_of(told)}"))
        return joined_client(self.user_agent, "")

    def consent_of(self, context: Any, own: Any) -> Consent:
        """Of one event, by its `context.consent` and its `consent`. Raises Refused."""
        try:
            return self.consent.of_event(context, own)
        except UnknownConsent as unknown:
            field, _, reason = str(unknown).partition(": ")
            raise EventRefused("unknown_consent", field, reason) from None

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
        return not self.received_at - self.retention_us <= moment <= self.received_at + DAY_US


class ReadingOf:
    """The reading of one request while its events are read, one after the other."""

    __slots__ = (
        "_alone", "_consent", "_dialect", "_dropped", "_left", "_notes", "_refusals", "_repairs", "_useless", "read",
    )  # fmt: skip

    def __init__(self, arrival: Arrival, dialect: str = "segment") -> None:
        self._dialect = dialect
        self._consent = arrival.consent
        self._notes = arrival.notes
        self.read: list[Record | None] = []  # of each event that is not left; None is one that is gone
        self._left: set[int] = set()
        self._refusals: list[Refusal] = []
        self._repairs: list[Repair] = []
        self._useless: list[Useless] = []
        self._dropped = self._alone = 0

    def leave(self, index: int, item: Mapping[str, Any], why: EventRefused | EventDropped) -> None:
        """The next event, `item`, is not stored; of who refuses not even why."""
        self._notes.clear()
        if self._refuses(item):
            self.read.append(None)
            return
        self._left.add(index)
        if isinstance(why, EventRefused):
            self._refusals.append(Refusal.of(index, item, why.field, why.code, why.message))
        else:
            self._dropped += 1
            self._alone += why.code == USER_ALONE

    def _refuses(self, item: Mapping[str, Any]) -> bool:
        """Whether nothing may be kept of an event that was not read to its end."""
        try:
            return self._consent.of_event(item.get("context"), item.get(CONSENT)) is NONE
        except UnknownConsent:
            return False

    def repaired(self, index: int, item: Mapping[str, Any]) -> None:
        """Of the event that was read last this much was left out; of one that is gone nothing is said."""
        for field, code, reason in self._notes if self.read[-1] is not None else ():
            if code in COUNTS_NOWHERE:
                self._useless.append(Useless.of(index, item, field, code, f"{field}: {reason}"))
            else:
                self._repairs.append(Repair.of(index, item, field, code, f"{field}: {reason}"))
        self._notes.clear()

    def whole(self) -> Reading:
        """What the request held."""
        records = [record for record in self.read if record is not None]
        if not self._left and len(records) == len(self.read):
            return Reading(records, self._refusals, self._repairs, dialect=self._dialect, useless=self._useless)
        indexes = [index for index in range(len(self.read) + len(self._left)) if index not in self._left]
        places = [index for index, record in zip(indexes, self.read, strict=True) if record is not None]
        gone = len(self.read) - len(records)
        return Reading(
            records,
            self._refusals,
            self._repairs,
            gone,
            self._dropped,
            places,
            self._dialect,
            self._alone,
            self._useless,
        )


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
        deep = "too_deep", f"it is nested deeper than {MAX_DEPTH} levels"
        code, told = deep if depth > MAX_DEPTH else ("too_many_keys", f"it has more than {MAX_KEYS} keys")
        raise EventRefused(code, field, told)
    for item in items:
        kind = type(item)
        if kind is str:
            continue
        if kind is dict or kind is list:
            keys = check_bounds(item, field, scrubber, depth + 1, keys)
        elif (kind is float or kind is int) and not LEAST < item < MOST:
            raise EventRefused(NUMBER_TOO_LARGE, field, "numbers must lie between -2^63 and 2^63")
    return keys


def token_of_event(item: Mapping[str, Any]) -> Any:
    """What an event sends to prove its user: `context.user_token`, or beside its ids."""
    context = item.get("context")
    told = context.get(USER_TOKEN) if type(context) is dict else None
    return item.get(USER_TOKEN) if told is None else told


def _ids(item: Mapping[str, Any]) -> tuple[str, ...]:
    properties = item.get("properties")
    hashed = [properties.get(name) for name in HASHED] if type(properties) is dict else []
    read = map(identifier, [*[item.get(name) for name in IDS], *hashed])
    return tuple(found for found in read if type(found) is str)


def _short(value: Any, most: int) -> str:
    return value[:most] if type(value) is str else ""
