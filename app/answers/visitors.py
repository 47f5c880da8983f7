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
`unavailable`: Here: It could not be kept: the store is out of reach.
"""
PreviewEnd = Literal["shown", "expired"]
"""What became of a preview link.
`shown`: The variant of the link is shown.
`expired`: Here: The link is over: the visitor is treated as any other.
"""


class Done(TypedDict):
    """It is done.

    As everywhere: `success`.
    """

    success: Literal[True]


class EventRemark(TypedDict):
    """What was wrong with one event of a request.

    As everywhere: `field`, `code`, `message`.
    """

    index: int
    """The place in what was sent, from 0."""
    messageId: str | None
    """The message id that the sender gave the event."""
    field: str
    code: str
    message: str


class IdRemark(TypedDict):
    """An id that was left out, and why.

    As everywhere: `field`, `code`, `message`.
    """

    field: str
    code: str
    message: str


class TrackingHint(TypedDict):
    """What of a stored event nothing reads.

    As everywhere: `index`, `code`, `message`.
    """

    index: int
    code: str
    message: str


class Tracked(TypedDict):
    """What became of the events of a request: those that are not named are durable.

    As everywhere: `rejected`, `repaired`.
    """

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
    """Here: The key of the variant that the visitor gets; of who takes no part, control's."""
    payload: Any
    """What the page gets of the variant, as its definition says."""
    in_experiment: bool
    """Whether the visitor takes part, and is counted once exposed."""
    reason: Reason
    """Here: How the variant was found, in OpenFeature's words."""
    because: NotRequired[NotInReason]
    """Here: Why the visitor takes no part, as a code."""
    forced: NotRequired[Literal[True]]
    """Here: That a preview or a forced variant is shown: nothing of it counts."""
    exposure: NotRequired[ExposureEnd]
    """What became of the exposure."""
    exposure_id: NotRequired[str]
    """The id of the exposure in the log, the same for every exposure that is the same."""


class NotServed(TypedDict):
    """Why nothing is answered of one experiment or recipient.

    As everywhere: `code`, `message`.
    """

    code: str
    message: str


class Personalized(TypedDict):
    """Messages and products of one page view."""

    experiments: Mapping[str, ShownMessage]
    """Here: What each experiment shows, by its key."""
    recommendations: Mapping[str, ListAnswer]
    """Lists of products, by slot."""
    errors: NotRequired[Mapping[str, NotServed]]
    """Here: Why nothing is answered of an experiment, by its key."""
    visitor_id: NotRequired[str]
    """The id of a visitor: the cookie's or a new one, where the request named none."""
    repaired: NotRequired[Sequence[IdRemark]]
    """Here: Ids that could not be used and were left out."""
    preview: NotRequired[PreviewEnd]
    """What became of a preview link."""
    user: NotRequired[UserWord]
    """Whether the user that the request names was believed."""
    user_because: NotRequired[UserBecause]
    """Why a user was not believed."""


class RecommendedList(TypedDict):
    """Products for one visitor.

    As everywhere: `recommendation_id`, `strategy`, `model_version`, `fallback`, `history`, `visitor_id`, `user`,
    `user_because`.
    """

    recommendation_id: str
    strategy: Strategy
    model_version: str | None
    items: Sequence[ListItem]
    """Here: The products, the best first."""
    fallback: NotRequired[Strategy]
    history: NotRequired[str]
    visitor_id: NotRequired[str]
    repaired: NotRequired[Sequence[IdRemark]]
    """Here: Ids that could not be used and were left out."""
    user: NotRequired[UserWord]
    user_because: NotRequired[UserBecause]


class FlagMetadata(TypedDict):
    """What is known of an evaluation, besides its value.

    As everywhere: `in_experiment`, `phase`, `preview`, `exposure`, `exposure_id`, `user`, `user_because`.
    """

    in_experiment: bool
    phase: int
    because: NotRequired[NotInReason]
    """Here: Why the visitor takes no part, as a code."""
    forced: NotRequired[Literal[True]]
    """Here: That a preview or a forced variant is shown: nothing of it counts."""
    preview: NotRequired[PreviewEnd]
    repaired: NotRequired[str]
    """Here: Which ids could not be used and were left out, in a sentence."""
    exposure: NotRequired[ExposureEnd]
    exposure_id: NotRequired[str]
    user: NotRequired[UserWord]
    user_because: NotRequired[UserBecause]


class Flag(TypedDict):
    """One experiment as OpenFeature's clients read it."""

    key: str
    """Here: The key of the experiment."""
    value: NotRequired[Any]
    """Here: What the page gets of the variant, as its definition says."""
    reason: Reason
    """Here: How the variant was found, in OpenFeature's words."""
    variant: str
    """Here: The key of the variant that the visitor gets; of who takes no part, control's."""
    metadata: FlagMetadata
    """What is known of the evaluation, besides its value."""


class FlagsMetadata(TypedDict):
    """What is said of the visitor of all flags.

    As everywhere: `preview`, `user`, `user_because`.
    """

    preview: NotRequired[PreviewEnd]
    repaired: NotRequired[str]
    """Here: Which ids could not be used and were left out, in a sentence."""
    user: NotRequired[UserWord]
    user_because: NotRequired[UserBecause]


class StreamEndpoint(TypedDict):
    """Where changes are told, as a path of this service."""

    requestUri: str
    """The path and query to ask."""


class StreamPlace(TypedDict):
    """Where changes are told."""

    type: str
    """Here: How changes are told: `sse`, as server-sent events."""
    url: NotRequired[str]
    """Here: Where changes are told, as a whole address."""
    endpoint: NotRequired[StreamEndpoint]
    """Where changes are told, as a path of this service."""
    inactivityDelaySec: int
    """After how many seconds without a sign of life a client asks again."""


class Flags(TypedDict):
    """Every experiment as OpenFeature's clients read it."""

    flags: Sequence[Flag]
    """The experiments, one flag each."""
    metadata: NotRequired[FlagsMetadata]
    """Here: What is said of the visitor of all flags."""
    eventStreams: NotRequired[Sequence[StreamPlace]]
    """Where changes are told as they happen."""


class OfrepFailure(TypedDict):
    """Why nothing was evaluated, in OpenFeature's words."""

    key: NotRequired[str]
    """Here: The key of the experiment that was asked for."""
    errorCode: str
    """The code of what is wrong, in OpenFeature's words."""
    errorDetails: str
    """What is wrong and what would be right, in a sentence."""


class VisitorIssued(TypedDict):
    """The id of a browser; nulls for who refuses."""

    visitor_id: str | None
    """Here: The new id, null for who refuses everything."""
    expires: str | None
    """Here: Until when a browser may keep it, null for who refuses everything."""


class JoinedIds(TypedDict):
    """Why two ids are one person: who is believed most of those who said so, and when first."""

    visitor: str
    """The id of a visitor."""
    user: str
    """Here: The id of the user."""
    authority: Word
    """Here: Who said so: `backend`, `proven` or `page`."""
    at: str
    """Here: When it was first said, in UTC."""


class ClaimedId(TypedDict):
    """An id that pages alone say is of this person, in how many events; it is not followed."""

    id: str
    """The id that pages name."""
    events: int
    """Here: In how many events it stands."""


class PersonErased(TypedDict):
    """Whose ids went together."""

    visitors: Sequence[str]
    """The ids of the visitors that are this person."""
    users: Sequence[str]
    """The ids of users."""
    joined_by: Sequence[JoinedIds]
    """Why they are one person."""
    claims: Sequence[ClaimedId]
    """Ids that pages alone say are of this person; they are not followed."""


class PersonCounted(PersonErased):
    """Whom and how much an erasure would take."""

    events: int
    """Here: How many events an erasure would take."""


class PersonHeld(PersonErased):
    """All that is held about a person."""

    events: Sequence[Mapping[str, Any]]
    """Here: The person's events, as the log holds them."""


class ProductShown(TypedDict, total=False):
    """What the catalogue knows of a product that a page shows."""

    name: str
    """Here: How people call the product."""
    category: str
    """The category of a product, from the widest to the narrowest."""
    brand: str
    """The brand of a product."""
    price: float
    """The price of a product, in the shop's currency."""
    url: str
    """Here: The address of the product's page."""
    image_url: str
    """The address of a picture of a product."""


class ProblemAnswer(TypedDict):
    """What went wrong (RFC 9457).

    As everywhere: `code`.
    """

    type: str
    """Here: The kind of problem, as RFC 9457 has it: `urn:resonate:problem:` and its code."""
    title: str
    """Here: What the status means, in words."""
    status: int
    """Here: The status of the answer."""
    detail: str
    """Here: What is wrong and what would be right, in a sentence."""
    code: str
    message: str
    """Here: The same as the detail, for clients that look for it here."""


class BadProducts(ProblemAnswer):
    """A catalogue of products of which nothing was used."""

    bad_rows: int
    """Rows that cannot be used."""


class SeveralMeant(ProblemAnswer, PersonCounted):
    """More than one user was seen with the id."""


class ProductsTaken(TypedDict):
    """The catalogue of products that was taken."""

    products: int
    """Here: How many products were taken."""
    version: str
    """Here: The version of the catalogue that was taken."""
