"""What is answered to operators: is it ready, what is wrong, who may do what, who did what, what was refused."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from app.keys.audit import AuditLine
from app.keys.scopes import KeyScope

ReadyWord = Literal["ready", "degraded", "unavailable"]
"""Whether assignments can be served.
`ready`: All is as it should be.
`degraded`: All that is not as it should be, as codes; as a word, that there is some.
`unavailable`: It cannot be done now: the store is out of reach.
"""
KeyClass = Literal["publishable", "secret"]
"""Who may hold a key.
`publishable`: A key for pages: everybody can read it.
`secret`: A key for backends: it must stay there.
"""
Ordered = Literal["running", "paused", "stopped"]


class Alive(TypedDict):
    """Whether the process answers."""

    status: Literal["ok"]


class StoreStanding(TypedDict):
    """How the event store is."""

    available: bool
    """Whether the store takes what is told."""
    cause: str | None
    """Why it is not available, as a code."""
    version: NotRequired[str | None]
    detail: NotRequired[str | None]
    restarts: NotRequired[int | None]
    """How often the store was started anew since the service started."""


class DefinitionsStanding(TypedDict):
    """How the definition files are."""

    version: str
    errors: Sequence[str]


class KeysStanding(TypedDict):
    """How the file of keys is."""

    errors: Sequence[str]


class CauseTold(TypedDict):
    """A cause for people: what is the matter, what it is about (empty where that is all), and what ends it."""

    code: str
    named: str
    """What something is about: a key, a part of the log; empty where that is all."""
    sentence: str
    remedy: str


class Readiness(TypedDict):
    """Whether assignments can be served, and what is not as it should be; the last members for who may read results."""

    status: ReadyWord
    degraded: Sequence[str]
    causes: NotRequired[Sequence[CauseTold]]
    store: StoreStanding
    """The event store."""
    definitions: NotRequired[DefinitionsStanding]
    """The definition files."""
    keys: NotRequired[KeysStanding]
    """Keys of the service, never themselves."""
    warnings: NotRequired[Sequence[str]]
    """What an operator should know of the store."""
    version: str


class StoreRoom(StoreStanding):
    """The event store, which holds events until they are in the log."""

    held_bytes: int | None
    """Bytes of the store's memory that nothing gives back until they are in the log."""
    limit_bytes: int | None
    """Bytes that the store may take, null without a limit."""


class LogStanding(TypedDict):
    """How far the event log is written."""

    pending: int
    watermark: str | None
    lag_seconds: float
    """How long ago the newest event that every result holds was received, in seconds; 0 where none waits."""


class Arriving(TypedDict):
    """Events since the service started, by what became of them."""

    per_second: float | None
    """How many events were stored each second over the last five minutes; null just after a start."""
    stored: int
    """Events that were stored."""
    duplicate: int
    """Events that had come before and were not stored again."""
    rejected: int
    repaired: int
    dropped: int
    quarantined: int
    bot: int
    forged: int
    refused: int


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


class OperationsAnswer(TypedDict):
    """How the service is: what is wrong and what ends it, how fast events come, what room is left."""

    as_of: str
    service_version: str
    """The release of the service."""
    status: ReadyWord
    causes: Sequence[CauseTold]
    """All that is not as it should be, in words."""
    warnings: Sequence[str]
    keys: KeysStanding
    store: StoreRoom
    log: LogStanding | None
    """How far the event log is written; null while the store is away."""
    events: Arriving
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
    definitions: DefinitionsTaken


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
    """Lines, in order."""


class LastUse(TypedDict):
    """When a key was used last."""

    minute: str
    """The minute of the last use, in UTC."""
    network: str | None
    """A number that tells the networks of one shop day apart, null where it is unknown."""


ListedKeyAnswer = TypedDict(
    "ListedKeyAnswer",
    {
        "name": str,
        "class": Annotated[KeyClass, Meta(description="Whether pages may hold the key, or backends alone.")],
        "scopes": Annotated[Sequence[KeyScope], Meta(description="What the key may do.")],
        "site": NotRequired[str],
        "expires": NotRequired[str],
        "last_used": NotRequired[Annotated[LastUse, Meta(description="When the key was used last.")]],
    },
)


class KeyListAnswer(TypedDict):
    """All keys; never a key itself."""

    keys: Sequence[ListedKeyAnswer]


class AuditPage(TypedDict):
    """Lines of the audit, the oldest first."""

    lines: Sequence[AuditLine]
    next: str
    """The cursor behind the last line: with it the next page begins."""


class RefusedEvent(TypedDict):
    """One event that was not taken as it was sent; nothing of who it was."""

    at: str
    """When it happened, in UTC."""
    message: str
    message_id: str | None
    """The message id of an event, by which a second arrival is known."""
    type: str | None
    event: str | None


class RefusalCause(TypedDict):
    """Events that were not taken for one reason."""

    code: str
    field: str
    """The field that is wrong."""
    library: str
    dialect: str
    """In whose words it was sent, such as `segment`."""
    count: int
    first_seen: str
    """When the first was received, in UTC."""
    last_seen: str
    remedy: str
    last: Sequence[RefusedEvent]
    """The newest of them, the newest first."""


class RefusedAnswer(TypedDict):
    """Events that were refused, repaired or dropped, by cause."""

    since: str
    total: int
    """How many in all."""
    rejected: Sequence[RefusalCause]
    """Events that are not stored, and why."""
    repaired: Sequence[RefusalCause]
    """What of stored events could not be used and was left out."""
    dropped: Sequence[RefusalCause]
    """Events of a kind that nothing reads, which are not stored."""


class OrderAnswer(TypedDict):
    """What an order made of an experiment."""

    experiment: str
    status: Ordered
    ordered_at: str
    """When it was ordered, in UTC."""


class PreviewLinkMade(TypedDict):
    """A link that shows one variant."""

    token: str
    """The token of a link; whoever has it may use it."""
    expires: str
    """Until when it holds, in UTC."""
    url: str


class ShareMade(TypedDict):
    """A link to a report, with its address, which is told this once."""

    id: str
    url: str
    expires_at: str
    """From when on it opens nothing, in UTC."""


class ShareHeld(TypedDict):
    """A link to a report that holds, without what opens it."""

    id: str
    experiment: str
    at: str | None
    created_at: str
    """When it was made, in UTC."""
    expires_at: str
    by: str
    """Who made it: a key or a person, by name."""


class ShareList(TypedDict):
    """The links to reports that hold, the newest first."""

    shares: list[ShareHeld]
    """Links that show reports to whoever holds them."""
