"""What is answered of the events that came: by name, and the newest rows of one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict

ValueKind = Literal["boolean", "number", "text", "list", "object", "null"]
"""A kind of value.
`boolean`: True or false.
`text`: Letters, whatever they say.
`list`: Several values in order.
`object`: An object with members.
`null`: Nothing.
"""


class EventProperty(TypedDict):
    """A property of events of one name."""

    name: str
    share: float
    kinds: Sequence[ValueKind]
    """Which kinds of value it has."""


class EventHint(TypedDict):
    """What is probably wrong with events of one name."""

    code: str
    message: str
    """What is to be said of it, in a sentence."""


class EventName(TypedDict):
    """Events of one name."""

    event: str
    """The name of an event, as senders write it."""
    type: str
    count: int
    count_24h: int
    """How many in the last 24 hours."""
    last_seen: str
    """When the newest was received, in UTC."""
    libraries: Sequence[str]
    """The libraries that sent them."""
    properties: Sequence[EventProperty]
    """The properties of the newest rows."""
    metrics: Sequence[str]
    hint: EventHint | None
    """What is probably wrong, null where nothing is."""


class EventNames(TypedDict):
    """Which events came lately."""

    as_of: datetime
    events: Sequence[EventName]
    """Events: by name, as rows, or how many of them."""


class EventRow(TypedDict):
    """One row of the log, without what says who it was; what it lacks is left out."""

    time: datetime
    """When it happened, by the sender's clock set right; in UTC."""
    received_at: datetime
    """When the service received it, in UTC."""
    type: str
    event: NotRequired[str]
    experiment: NotRequired[str]
    variant: NotRequired[str]
    value: NotRequired[float]
    currency: NotRequired[str]
    url: NotRequired[str]
    """The address of a page, or of what a link opens."""
    path: NotRequired[str]
    """The path of a page."""
    device: NotRequired[str]
    """The kind of device, such as `mobile`."""
    country: NotRequired[str]
    """The country, as two letters."""
    site: NotRequired[str]
    """The site of the key that sent it."""
    bot: NotRequired[bool]
    """Whether an automated visitor sent it: it counts nowhere."""
    forged: NotRequired[bool]
    forced: NotRequired[bool]
    quarantined: NotRequired[bool]
    authority: str
    properties: Mapping[str, Any]
    library: str
    """The library that sent it: one of a fixed list, `other` or `none`."""
    context: Mapping[str, Any]
    """What the sender's library says of where it runs."""


class EventRows(TypedDict):
    """The newest rows of one name."""

    as_of: datetime
    event: str
    rows: Sequence[EventRow]
