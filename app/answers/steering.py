"""What is answered to who steers experiments and shows them: orders, links that show a variant, links to reports."""

from typing import Literal, TypedDict

Ordered = Literal["running", "paused", "stopped"]


class OrderAnswer(TypedDict):
    """What an order made of an experiment.

    As everywhere: `experiment`.
    """

    experiment: str
    status: Ordered
    """Here: What is now wanted of the experiment."""
    ordered_at: str
    """When it was ordered, in UTC."""
    kept: bool
    """Whether it is on the disk: it holds all the same, and while it is not a restart may forget it."""


class PreviewLinkMade(TypedDict):
    """A link that shows one variant."""

    token: str
    """The token of a link; whoever has it may use it."""
    expires: str
    """Until when it holds, in UTC."""
    url: str
    """Here: What to put behind the address of a page to see the variant."""


class ShareMade(TypedDict):
    """A link to a report, with its address, which is told this once."""

    id: str
    """Here: The name of the link, by which it is taken back."""
    url: str
    """Here: The address that opens the report."""
    expires_at: str
    """From when on it opens nothing, in UTC."""


class SurveyLinkMade(TypedDict):
    """A link by which one person answers a survey, with its address, which is told this once.

    As everywhere: `expires_at`.
    """

    id: str
    """Here: The name of the link: the answer comes as the event `Survey Answered:ID`."""
    url: str
    """Here: The address that asks the question; put it into the e-mail."""
    expires_at: str


class ShareHeld(TypedDict):
    """A link to a report that holds, without what opens it.

    As everywhere: `experiment`, `expires_at`.
    """

    id: str
    """Here: The name of the link, by which it is taken back."""
    experiment: str
    at: str | None
    """Here: The moment whose report it shows, null where it shows the newest."""
    created_at: str
    """When it was made, in UTC."""
    expires_at: str
    by: str
    """Who made it: a key or a person, by name."""


class ShareList(TypedDict):
    """The links to reports that hold, the newest first."""

    shares: list[ShareHeld]
    """Links that show reports to whoever holds them."""
