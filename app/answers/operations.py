"""What is answered to operators: is it ready, what is wrong, who may do what, who did what, what was refused."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from app.keys.audit import AuditLine
from app.keys.scopes import KeyScope
from events.causes import StoreCause

ReadyWord = Literal["ready", "degraded", "unavailable"]
"""Whether assignments can be served.
`ready`: All is as it should be.
`degraded`: Assignments are served, and something is not as it should be.
`unavailable`: It cannot be done now: the store is out of reach.
"""
DrainingWord = Literal["draining"]
"""Whether the service goes on.
`draining`: It ends in a moment: what was sent is still answered.
"""
KeyClass = Literal["publishable", "secret"]
"""Who may hold a key.
`publishable`: A key for pages: everybody can read it.
`secret`: A key for backends: it must stay there.
"""


class Alive(TypedDict):
    """Whether the process answers."""

    status: Literal["ok"]
    """Here: Always `ok`: the process answers."""


class StoreStanding(TypedDict):
    """How the event store is."""

    available: bool
    """Whether the store takes what is told."""
    cause: str | None
    """Why it is not available, as a code."""
    version: NotRequired[str | None]
    """Here: The version of the store, null while it is away."""
    detail: NotRequired[str | None]
    """Here: Why it is not available, in a sentence."""
    restarts: NotRequired[int | None]
    """How often the store was started anew since the service started."""


class DefinitionsStanding(TypedDict):
    """How the definition files are.

    As everywhere: `version`, `errors`.
    """

    version: str
    errors: Sequence[str]


class KeysStanding(TypedDict):
    """How the file of keys is."""

    errors: Sequence[str]
    """Here: What is wrong with the file of keys, with its line."""


class CauseTold(TypedDict):
    """A cause for people: what is the matter, what it is about (empty where that is all), and what ends it.

    As everywhere: `code`.
    """

    code: str
    named: str
    """What it is about: a key, a part of the log; empty where the sentence says all."""
    sentence: str
    """Here: What is the matter, in a sentence."""
    remedy: str
    """Here: What ends it."""


class Readiness(TypedDict):
    """Whether assignments can be served, and what is not as it should be; the last members for who may read results.

    As everywhere: `causes`, `version`.
    """

    status: ReadyWord
    """Here: Whether assignments can be served."""
    degraded: Sequence[str]
    """Here: All that is not as it should be, as codes."""
    causes: NotRequired[Sequence[CauseTold]]
    store: StoreStanding
    """The event store."""
    definitions: NotRequired[DefinitionsStanding]
    """The definition files."""
    keys: NotRequired[KeysStanding]
    """How the file of keys is."""
    warnings: NotRequired[Sequence[str]]
    """What an operator should know of the store."""
    version: str


class Draining(TypedDict):
    """The service ends soon: nobody more should be sent here."""

    status: DrainingWord
    """Here: Always `draining`."""


class EventsReadiness(TypedDict):
    """Whether an event would be stored now."""

    status: Literal["ready", "degraded"]
    """Here: Whether events of everybody are stored, or of backends alone."""
    causes: Sequence[StoreCause]
    """Here: Why events of pages are refused, as codes."""


class EventsUnavailable(TypedDict):
    """No event would be stored now."""

    status: Literal["unavailable"]
    """Here: Always `unavailable`: ask again in a moment."""
    causes: Sequence[StoreCause]
    """Here: Why no event is stored, as codes."""


class StoreRoom(StoreStanding):
    """The event store, which holds events until they are in the log."""

    held_bytes: int | None
    """Bytes of the store's memory that nothing gives back until they are in the log."""
    limit_bytes: int | None
    """Bytes that the store may take, null without a limit."""


class LogStanding(TypedDict):
    """How far the event log is written.

    As everywhere: `pending`.
    """

    pending: int
    watermark: str | None
    """Here: How far the log was written, in UTC."""
    lag_seconds: float
    """How long ago the newest event that every result holds was received, in seconds; 0 where none waits."""


class Arriving(TypedDict):
    """Events since the service started, by what became of them.

    As everywhere: `dropped`, `forged`.
    """

    per_second: float | None
    """How many events were stored each second over the last five minutes; null just after a start."""
    stored: int
    """Events that were stored."""
    duplicate: int
    """Events that had come before and were not stored again."""
    rejected: int
    """Here: Events that were not stored, because something is wrong with them."""
    repaired: int
    """Here: Events that were stored without a part that could not be used."""
    dropped: int
    quarantined: int
    """Here: Events that were set apart because they cannot be true."""
    bot: int
    """Here: Events of automated visitors, which count nowhere."""
    forged: int
    refused: int
    """Here: Events of visitors who refuse everything, which were not stored."""
    unusable: int
    """Here: Answers to surveys, and tickets, that are stored and in no figure."""


class DiskRoom(TypedDict):
    """The disk of the data directory."""

    free_bytes: int
    """Bytes that are free on the disk of the data directory."""
    whole_bytes: int
    """Bytes that the disk of the data directory has."""


class WorkerStanding(TypedDict):
    """One process that answers visitors."""

    process: int
    """The number of a process on its machine."""
    memory_bytes: int
    """Bytes of memory that a process holds."""


class DefinitionsTaken(DefinitionsStanding):
    """The definition files as they are served."""

    taken_up_at: str
    """When these definitions were published, in UTC."""


class WebhookStanding(TypedDict):
    """How telling one receiver of changes goes."""

    receiver: str
    """Who is told of changes: scheme and host of its address, the rest of which is a secret."""
    waiting: int
    """Changes that the receiver has not taken yet; they are tried again for a day."""
    sent: int
    """Changes that the receiver has taken, since its address was set."""
    given_up: int
    """Changes that the receiver did not take within a day; they are told no more."""
    sent_at: str | None
    """When the receiver took a change last, in UTC; null where it never did."""
    failed_at: str | None
    """When the receiver did not take a change last, in UTC; null where that never was."""
    error: str | None
    """Why the receiver did not take the last change, in words; null since it has taken one."""
    next_try_at: str | None
    """When the next change is tried again, in UTC; null where none waits for that."""


class LastBackup(TypedDict):
    """What became of the last `resonate backup` of the data directory."""

    finished_at: str
    """When it ended, in UTC."""
    seconds: float
    """Here: How long it took."""
    ok: bool
    """Here: Whether the backup is whole."""
    destination: str
    """The folder that it was made in."""
    error: str | None
    """Here: Why it is not whole, in words; null where it is."""


class OperationsAnswer(TypedDict):
    """How the service is: what is wrong and what ends it, how fast events come, what room is left.

    As everywhere: `as_of`, `warnings`, `keys`, `store`, `model_version`, `products_version`, `products`, `damaged`,
    `last_training`, `definitions`.
    """

    as_of: str
    service_version: str
    """The release of the service."""
    status: ReadyWord
    """Here: Whether assignments can be served."""
    causes: Sequence[CauseTold]
    """All that is not as it should be, in words."""
    warnings: Sequence[str]
    keys: KeysStanding
    store: StoreRoom
    log: LogStanding | None
    """How far the event log is written; null while the store is away."""
    events: Arriving
    """Here: Events since the service started, by what became of them."""
    disk: DiskRoom
    """The disk of the data directory."""
    workers: Sequence[WorkerStanding]
    """The processes that answer visitors."""
    streams_open: int
    """Pages that wait for changes at the worker that was asked."""
    model_version: str | None
    products_version: str | None
    products: int
    damaged: Mapping[str, str]
    last_training: Mapping[str, Any] | None
    last_backup: LastBackup | None
    """The last backup; null where none was made."""
    definitions: DefinitionsTaken
    webhooks: Sequence[WebhookStanding]
    """Who is told of changes of experiments, in the order of the setting; empty where nobody is."""


class ExaminedLine(TypedDict):
    """One thing that was looked at."""

    check: str
    """What was looked at."""
    ok: bool
    """Whether it is as it should be."""
    found: str
    """What was found, in a sentence."""
    remedy: str | None
    """What ends it, null where nothing is wrong."""


class Diagnosis(TypedDict):
    """What is wrong with how the service is set up and called."""

    now: float
    """The service's clock, in seconds since 1970."""
    lines: Sequence[ExaminedLine]
    """What was looked at, a line each."""


class LastUse(TypedDict):
    """When a key was used last."""

    minute: str
    """The minute of the last use, in UTC."""
    network: str | None
    """A number that tells the networks of one shop day apart, null where it is unknown."""


ListedKeyAnswer = TypedDict(
    "ListedKeyAnswer",
    {
        "name": Annotated[str, Meta(description="Here: How the key is called in the file of keys.")],
        "class": Annotated[KeyClass, Meta(description="Whether pages may hold the key, or backends alone.")],
        "scopes": Annotated[Sequence[KeyScope], Meta(description="What the key may do.")],
        "site": NotRequired[Annotated[str, Meta(description="Here: The site that the key is for.")]],
        "expires": NotRequired[Annotated[str, Meta(description="Here: Until when the key holds, in UTC.")]],
        "last_used": NotRequired[Annotated[LastUse, Meta(description="When the key was used last.")]],
    },
)


class KeyListAnswer(TypedDict):
    """All keys; never a key itself."""

    keys: Sequence[ListedKeyAnswer]
    """Here: All keys, never themselves."""


class AuditPage(TypedDict):
    """Lines of the audit, the oldest first."""

    lines: Sequence[AuditLine]
    """Here: What was done, the oldest first."""
    next: str
    """The cursor behind the last line: with it the next page begins."""


class RefusedEvent(TypedDict):
    """One event that was not taken as it was sent; nothing of who it was.

    As everywhere: `message`, `event`.
    """

    at: str
    """When it happened, in UTC."""
    message: str
    message_id: str | None
    """The message id of an event, by which a second arrival is known."""
    type: str | None
    """Here: The kind of event, such as `track`, null where it says none."""
    event: str | None


class RefusalCause(TypedDict):
    """Events that were not taken for one reason.

    As everywhere: `code`, `library`, `last_seen`.
    """

    code: str
    field: str
    """The field that is wrong."""
    library: str
    dialect: str
    """In whose words it was sent, such as `segment`."""
    count: int
    """Here: How many came."""
    first_seen: str
    """When the first was received, in UTC."""
    last_seen: str
    remedy: str
    """Here: What the sender must change."""
    last: Sequence[RefusedEvent]
    """The newest of them, the newest first."""


class RefusedAnswer(TypedDict):
    """Events that were refused, repaired or dropped, by cause.

    As everywhere: `since`.
    """

    since: str
    total: int
    """How many events that is in all."""
    rejected: Sequence[RefusalCause]
    """Events that are not stored, and why."""
    repaired: Sequence[RefusalCause]
    """What of stored events could not be used and was left out."""
    dropped: Sequence[RefusalCause]
    """Events of a kind that nothing reads, which are not stored."""
    unusable: Sequence[RefusalCause]
    """Here: Answers to surveys and tickets that are stored and in no figure, and why."""
