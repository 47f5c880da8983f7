"""What happened, as facts: one immutable record per event, and the columns that the log keeps of it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from events.authority import Authority
from events.consent import StoredConsent

ExposureSource = Literal["ofrep", "personalize", "client", "growthbook"]

EXPOSURE: Final = "exposure"
TRACK: Final = "track"
PAGE: Final = "page"
SCREEN: Final = "screen"
IDENTIFY: Final = "identify"
GROUP: Final = "group"
ALIAS: Final = "alias"
ENGAGEMENT: Final = "engagement"
REFUSED: Final = "refused"  # so many (`value`) answers of an experiment on a shop day, to whom nothing may be known of


SURVEY_ANSWERED: Final = "Survey Answered"  # the event of every answer to a survey
SURVEY_SHOWN: Final = "Survey Shown"  # somebody was asked
SURVEYS: Final = frozenset({SURVEY_ANSWERED, SURVEY_SHOWN})
SURVEY_SCALES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}
)
EVERY_SURVEY: Final = "*"  # among scales by the name of the survey: those of any name
TICKET_OPENED: Final = "Ticket Opened"
TICKET_ANSWERED: Final = "Ticket Answered"
TICKET_RESOLVED: Final = "Ticket Resolved"
TICKET_REOPENED: Final = "Ticket Reopened"
TICKETS: Final = frozenset({TICKET_OPENED, TICKET_ANSWERED, TICKET_RESOLVED, TICKET_REOPENED})
# Of an event's context:
REPAIRED: Final = "repaired"  # the fields that could not be used
EVENT_NAME: Final = "event_name"  # the name that it was sent under
LIBRARY: Final = "library"  # what sent it, by its `name`
TEST: Final = "resonate_test"  # it was sent to see whether it arrives; properties may say so too
REPEATABLE: Final = "exposure:"  # begins the messageId of an exposure that stands for all like it on one day


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of the log; the fields are the columns of `events.records` that the sender (not the store) gives.

    `network` and `time` stand before all others, because they alone differ where an event is sent again.
    `time` is in microseconds UTC, `engaged_ms` in milliseconds. `visitor_id` is the anonymousId, else the userId.
    """

    network: int | None = None
    time: int
    message_id: str
    type: str
    visitor_id: str
    event: str | None = None
    user_id: str | None = None
    experiment: str | None = None
    variant: str | None = None
    phase: int | None = None
    propensity: float | None = None
    exposure_source: ExposureSource | None = None
    value: float | None = None
    currency: str | None = None
    order_id: str | None = None
    product_ids: list[str] | None = None
    quantities: list[float] | None = None
    prices: list[float] | None = None
    page_view_id: str | None = None
    engaged_ms: int | None = None
    url: str | None = None
    path: str | None = None
    device: str | None = None
    country: str | None = None
    bot: bool = False
    forced: bool = False
    forged: bool = False
    issued: bool = False
    site: str | None = None
    authority: Authority = Authority.PAGE
    quarantined: bool = False
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    consent: StoredConsent = "personal"


def is_test(record: Record) -> bool:
    """Whether an event was sent to see whether it arrives: it is in no readout, no history and no model."""
    return any(told is not None and told.get(TEST) is True for told in (record.context, record.properties))


def visitor_person(visitor_id: str) -> str:
    """Whoever is known by a visitor id alone, as histories and models name people: no user is ever called so."""
    return f"v:{visitor_id}"


def user_person(user_id: str) -> str:
    """The user, as histories and models name people."""
    return f"u:{user_id}"


Kind = Literal["int", "float", "bool", "text", "texts", "floats", "json"]

COLUMNS: Final[dict[str, Kind]] = {
    "shard": "int",
    "stream_id": "int",  # milliseconds << 20 | sequence, so that one integer orders as the store's ids do
    "position": "int",  # index of the event inside its stream entry
    "message_id": "text",
    "type": "text",  # exposure | track | page | screen | identify | group | alias | engagement | refused
    "event": "text",
    "visitor_id": "text",  # anonymousId, else userId
    "user_id": "text",
    "time": "int",  # microseconds UTC, when it happened
    "received_at": "int",  # microseconds UTC, the time of the stream id
    "experiment": "text",
    "variant": "text",
    "phase": "int",
    "propensity": "float",
    "exposure_source": "text",  # ofrep | personalize | client | growthbook
    "value": "float",
    "currency": "text",
    "order_id": "text",
    "product_ids": "texts",
    "quantities": "floats",
    "prices": "floats",
    "page_view_id": "text",
    "engaged_ms": "int",
    "url": "text",
    "path": "text",
    "device": "text",
    "country": "text",
    "site": "text",  # of the sender's key
    "bot": "bool",
    "forced": "bool",
    "forged": "bool",
    "issued": "bool",  # this service issued the visitor id, so that nobody guessed it
    "authority": "int",  # how far it is believed (events.authority); outside the log as its word
    "network": "int",  # of a page: tells networks of one shop day apart (events.ingest.network_digests), and no more
    "quarantined": "bool",  # an impossible time: kept and counted, never in a readout
    "properties": "json",  # of an exposure: the attributes it was decided on
    "context": "json",
    "consent": "text",  # under which mode it may be stored: personal | measure (events.permitted made it so)
}

SEQUENCE_BITS: Final = 20


def stream_number(milliseconds: int, sequence: int) -> int:
    """A store's stream id as the one integer that the column `stream_id` holds."""
    return milliseconds << SEQUENCE_BITS | sequence


def stream_text(number: int) -> str:
    """The store's own writing of a stream id, `milliseconds-sequence`."""
    return f"{number >> SEQUENCE_BITS}-{number & ((1 << SEQUENCE_BITS) - 1)}"


def position_number(stream_id: bytes) -> int:
    """A stream id of the store, as it answers it, as the number of the column `stream_id`."""
    milliseconds, sequence = stream_id.split(b"-")
    return stream_number(int(milliseconds), int(sequence))
