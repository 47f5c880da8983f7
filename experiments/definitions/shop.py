"""What the shop's own files mean once they are read: `shop.yaml`, segments, holdouts, recommendations."""

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from events.consent import ConsentWord
from experiments.definitions.model import Definition, LearnFrom, Strategy

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


class Segment(Definition):
    """A named audience of `segments.yaml`."""

    name: str
    where: dict[str, Any]


class Holdout(Definition):
    """A share (of 1) of visitors who see none of the experiments that name it.

    It is measured from `start` (None: the day the catalogue first had it) until `end`, by `metrics` (none: the goals of
    the experiments that name it).
    """

    name: str
    share: float
    start: datetime | None = None
    end: datetime | None = None
    metrics: tuple[str, ...] = ()


class Boost(Definition):
    """Products whose `field` (category, brand, product_id) is `value` have their score multiplied by `factor`."""

    field: str
    value: str
    factor: float


class Rules(Definition):
    """What may be shown in a slot, besides the order that the strategy gives it.

    `filter` holds conditions (GrowthBook language) by product field: category, brand, price, in_stock, group_id.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    boost: tuple[Boost, ...] = ()
    filter: dict[str, Any] = Field(default_factory=dict)
    exclude_purchased: bool | None = None
    repurchase_after_seconds: int | None = None
    accessories_of: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    diversity: float | None = None


class Recommendations(Definition):
    """What `recommendations.yaml` says: whose orders recommendations are learnt from, and the slots."""

    learn_from: LearnFrom = "auto"
    slots: tuple["Slot", ...] = ()


class Slot(Definition):
    """A place on a page that shows recommended products."""

    name: str
    strategy: Strategy = "for_you"
    limit: int = 10
    fallback: Strategy = "popular"
    rules: Rules = Rules()
