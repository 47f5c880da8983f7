"""What `shop.yaml` means once it is read: days, money, the cookie, and what may be stored of whom."""

from typing import Final, Literal

from pydantic import Field

from events.consent import ConsentWord
from experiments.definitions.model import Definition

LONGEST_DAYS: Final = 395  # 13 months: so long may a cookie last that measures without asking
ObjectionRule = Literal["none", "measure", "ignore"]
BackendConsent = Literal["personal", "measure"]


class ConsentCategories(Definition):
    """The names of Segment's categories of consent that stand for being measured, and for being known."""

    measure: str
    personal: str


class Privacy(Definition):
    """Names of members and URL parameters that are not stored, and of those that are, unlike others of their kind; and
    the consent of who says nothing: in general, with a browser that objects (`gpc`), of a backend's events.
    """

    deny: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    default_consent: ConsentWord | None = None
    gpc: ObjectionRule = "measure"
    backend_consent: BackendConsent | None = None
    consent_categories: ConsentCategories | None = None


class Visitors(Definition):
    """The cookie that holds a visitor's id: its name, whether scripts cannot read it, and how long it lasts."""

    cookie: str = "resonate_id"
    http_only: bool = False
    days: int = LONGEST_DAYS


class TagRules(Definition):
    """The hosts that the tag may send visitors to, beside the one that they are at; with a dot before it all below."""

    hosts: tuple[str, ...] = ()


class Shop(Definition):
    """What governs days, money, the cookie, what no payload shows, and what is never stored.

    `rates`: one unit of another currency in the shop's. The values that conditions compare `secure_attributes` with
    stand in the payload as SHA-256 of `secure_salt` and the value.
    """

    timezone: str = "UTC"
    currency: str = "EUR"
    rates: dict[str, float] = Field(default_factory=dict)
    cookie_domain: str | None = None
    secure_attributes: tuple[str, ...] = ()
    secure_salt: str | None = None
    privacy: Privacy = Privacy()
    visitors: Visitors = Visitors()
    tag: TagRules = TagRules()
