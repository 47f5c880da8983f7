"""What is answered to and about visitors: messages and products, what became of events, what is held of a person."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from app.identity.people import UserBecause, UserWord
from app.worker.recommendations import ListAnswer
from events.authority import Word
from experiments.assignment.assign import Reason
from experiments.definitions.model import NotInReason
from recommender.ranking.request import ListItem, Strategy

ExposureEnd = Literal["logged", "unavailable", "refused"]
"""What became of an exposure.
`logged`: It is durable in the log.
`refused`: The visitor refuses everything: nothing is kept.
"""
PreviewEnd = Literal["shown", "expired"]
"""What became of a preview link.
`shown`: The variant of the link is shown.
"""


class Done(TypedDict):
    """It is done."""

    success: Literal[True]


class EventRemark(TypedDict):
    """What was wrong with one event of a request."""

    index: int
    """The place in what was sent, from 0."""
    messageId: str | None
    """The message id that the sender gave the event."""
    field: str
    code: str
    message: str


class IdRemark(TypedDict):
    """An id that was left out, and why."""

    field: str
    code: str
    message: str


class TrackingHint(TypedDict):
    """What of a stored event nothing reads."""

    index: int
    code: str
    message: str


class Tracked(TypedDict):
    """What became of the events of a request: those that are not named are durable."""

    success: Literal[True]
    """Whether it is done: what is not named otherwise is kept."""
    rejected: NotRequired[Sequence[EventRemark]]
    repaired: NotRequired[Sequence[EventRemark]]
    hints: NotRequired[Sequence[TrackingHint]]
    """What of stored events nothing reads."""
    more: NotRequired[int]
    """How many remarks more there were than are told."""


class ShownMessage(TypedDict):
    """What one experiment shows a visitor."""

    variant: str
    payload: Any
    in_experiment: bool
    """Whether the visitor takes part, and is counted once exposed."""
    reason: Reason
    because: NotRequired[NotInReason]
    forced: NotRequired[Literal[True]]
    exposure: NotRequired[ExposureEnd]
    """What became of the exposure."""
    exposure_id: NotRequired[str]
    """The id of the exposure in the log, the same for every exposure that is the same."""


class NotServed(TypedDict):
    """Why nothing is answered of one experiment or recipient."""

    code: str
    message: str


class Personalized(TypedDict):
    """Messages and products of one page view."""

    experiments: Mapping[str, ShownMessage]
    recommendations: Mapping[str, ListAnswer]
    """Lists of products, by slot."""
    errors: NotRequired[Mapping[str, NotServed]]
    visitor_id: NotRequired[str]
    """The id of a visitor: the cookie's or a new one, where the request named none."""
    repaired: NotRequired[Sequence[IdRemark]]
    preview: NotRequired[PreviewEnd]
    """What became of a preview link."""
    user: NotRequired[UserWord]
    """The id of a user; of a request, whether the user that it names was believed."""
    user_because: NotRequired[UserBecause]
    """Why a user was not believed."""


class RecommendedList(TypedDict):
    """Products for one visitor."""

    recommendation_id: str
    strategy: Strategy
    model_version: str | None
    items: Sequence[ListItem]
    fallback: NotRequired[Strategy]
    history: NotRequired[str]
    visitor_id: NotRequired[str]
    repaired: NotRequired[Sequence[IdRemark]]
    user: NotRequired[UserWord]
    user_because: NotRequired[UserBecause]


class FlagMetadata(TypedDict):
    """What is known of an evaluation, besides its value."""

    in_experiment: bool
    phase: int
    because: NotRequired[NotInReason]
    forced: NotRequired[Literal[True]]
    preview: NotRequired[PreviewEnd]
    repaired: NotRequired[str]
    exposure: NotRequired[ExposureEnd]
    exposure_id: NotRequired[str]
    user: NotRequired[UserWord]
    user_because: NotRequired[UserBecause]


class Flag(TypedDict):
    """One experiment as OpenFeature's clients read it."""

    key: str
    value: NotRequired[Any]
    reason: Reason
    variant: str
    metadata: FlagMetadata
    """What is known besides."""


class FlagsMetadata(TypedDict):
    """What is said of the visitor of all flags."""

    preview: NotRequired[PreviewEnd]
    repaired: NotRequired[str]
    user: NotRequired[UserWord]
    user_because: NotRequired[UserBecause]


class StreamEndpoint(TypedDict):
    """Where changes are told, as a path of this service."""

    requestUri: str
    """The path and query to ask."""


class StreamPlace(TypedDict):
    """Where changes are told."""

    type: str
    url: NotRequired[str]
    endpoint: NotRequired[StreamEndpoint]
    """Where changes are told, as a path of this service."""
    inactivityDelaySec: int
    """After how many seconds without a sign of life a client asks again."""


class Flags(TypedDict):
    """Every experiment as OpenFeature's clients read it."""

    flags: Sequence[Flag]
    """The experiments, one flag each."""
    metadata: NotRequired[FlagsMetadata]
    eventStreams: NotRequired[Sequence[StreamPlace]]
    """Where changes are told as they happen."""


class OfrepFailure(TypedDict):
    """Why nothing was evaluated, in OpenFeature's words."""

    key: NotRequired[str]
    errorCode: str
    """The code of what is wrong, in OpenFeature's words."""
    errorDetails: str
    """What is wrong and what would be right, in a sentence."""


class VisitorIssued(TypedDict):
    """The id of a browser; nulls for who refuses."""

    visitor_id: str | None
    expires: str | None


class JoinedIds(TypedDict):
    """Why two ids are one person: who is believed most of those who said so, and when first."""

    visitor: str
    """The id of a visitor."""
    user: str
    authority: Word
    at: str


class ClaimedId(TypedDict):
    """An id that pages alone say is of this person, in how many events; it is not followed."""

    id: str
    """What tells this one from all others of its kind."""
    events: int


class PersonErased(TypedDict):
    """Whose ids went together."""

    visitors: Sequence[str]
    """Visitors: their ids, or how many."""
    users: Sequence[str]
    """The ids of users."""
    joined_by: Sequence[JoinedIds]
    """Why they are one person."""
    claims: Sequence[ClaimedId]
    """Ids that pages alone say are of this person; they are not followed."""


class PersonCounted(PersonErased):
    """Whom and how much an erasure would take."""

    events: int


class PersonHeld(PersonErased):
    """All that is held about a person."""

    events: Sequence[Mapping[str, Any]]


class ProductShown(TypedDict, total=False):
    """What the catalogue knows of a product that a page shows."""

    name: str
    category: str
    """The category of a product, from the widest to the narrowest."""
    brand: str
    """The brand of a product."""
    price: float
    """The price of a product, in the shop's currency."""
    url: str
    image_url: str
    """The address of a picture of a product."""


class ProblemAnswer(TypedDict):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str


class BadProducts(ProblemAnswer):
    """A catalogue of products of which nothing was used."""

    bad_rows: int
    """Rows that cannot be used."""


class SeveralMeant(ProblemAnswer, PersonCounted):
    """More than one user was seen with the id."""


class ProductsTaken(TypedDict):
    """The catalogue of products that was taken."""

    products: int
    version: str
