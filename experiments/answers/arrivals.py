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
As everywhere: `number`.
"""


class EventProperty(TypedDict):
    """A property of events of one name."""

    name: str
    """Here: The name of the property."""
    share: float
    """Here: In which share of the newest rows it stands, from 0 to 1."""
    kinds: Sequence[ValueKind]
    """Which kinds of value the property has, such as `text`."""


class EventHint(TypedDict):
    """What is probably wrong with events of one name.

    As everywhere: `code`.
    """

    code: str
    message: str
    """What is wrong, in a sentence."""


class EventName(TypedDict):
    """Events of one name."""

    event: str
    """The name of an event, as senders write it."""
    type: str
    """Here: The kind of event, such as `track` or `exposure`."""
    count: int
    """Here: How many came."""
    count_24h: int
    """How many in the last 24 hours."""
    last_seen: str
    """When the newest was received, in UTC."""
    libraries: Sequence[str]
    """The libraries that sent them."""
    properties: Sequence[EventProperty]
    """The properties of the newest rows."""
    metrics: Sequence[str]
    """Here: The names of the metrics that read it."""
    hint: EventHint | None
    """What is probably wrong, null where nothing is."""


class EventNames(TypedDict):
    """Which events came lately.

    As everywhere: `as_of`.
    """

    as_of: datetime
    events: Sequence[EventName]
    """The events that came lately, by name."""


class EventRow(TypedDict):
    """One row of the log, without what says who it was; what it lacks is left out.

    As everywhere: `event`, `experiment`, `variant`.
    """

    time: datetime
    """When it happened, by the sender's clock set right; in UTC."""
    received_at: datetime
    """When the service received it, in UTC."""
    type: str
    """Here: The kind of event, such as `track` or `exposure`."""
    event: NotRequired[str]
    experiment: NotRequired[str]
    variant: NotRequired[str]
    value: NotRequired[float]
    """Here: The value that the event carries."""
    currency: NotRequired[str]
    """Here: The currency that the event names."""
    url: NotRequired[str]
    """The address of the page."""
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
    """Here: Whether it names a variant that was not drawn for this visitor: it counts nowhere."""
    forced: NotRequired[bool]
    """Here: Whether it is of a preview or a forced variant: it counts nowhere."""
    quarantined: NotRequired[bool]
    """Here: Whether it was set apart because it cannot be true: it counts nowhere."""
    authority: str
    """Here: Who told it: `backend`, `proven` or `page`."""
    properties: Mapping[str, Any]
    """Here: What the sender said of it, by name."""
    library: str
    """The library that sent it: one of a fixed list, `other` or `none`."""
    context: Mapping[str, Any]
    """What the sender's library says of where it runs."""


class EventRows(TypedDict):
    """The newest rows of one name.

    As everywhere: `as_of`, `event`.
    """

    as_of: datetime
    event: str
    rows: Sequence[EventRow]
    """Here: The newest rows, the newest first."""
