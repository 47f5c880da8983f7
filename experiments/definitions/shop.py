"""What the shop's own files mean once they are read: `shop.yaml`, metrics, segments, holdouts, lists."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from events.authority import Word
from events.consent import ConsentWord
from experiments.definitions.model import Definition, EffectScale, LearnFrom, MetricType, Strategy, Want
from kit.time import DAY_SECONDS

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


Kpi = Literal[
    "csat", "nps", "ces", "retention_d7", "retention_d28", "repeat_purchase", "first_response", "first_response_p90",
    "resolution_time", "resolution_time_p90", "resolution_rate", "reopen_rate", "tickets_per_100_orders",
]  # fmt: skip
"""What customers' experience is measured by.
`csat`: Satisfaction: the share of answers of 4 and 5 among 1 to 5.
`nps`: Net promoter score, in points: the share of 9 and 10 less that of 0 to 6, times 100.
`ces`: Customer effort: the mean answer.
`retention_d7`: The share of new visitors who came back from the 7th to the 14th day.
`retention_d28`: The share of new visitors who came back from the 28th to the 35th day.
`repeat_purchase`: The share of new buyers who bought again within 60 days.
`first_response`: Within how long half of the tickets get their first answer from a person, those that wait included.
`first_response_p90`: Within how long 90 % of the tickets get their first answer from a person.
`resolution_time`: Within how long half of the tickets are resolved, those that are open included.
`resolution_time_p90`: Within how long 90 % of the tickets are resolved.
`resolution_rate`: The share of tickets that are resolved within 7 days.
`reopen_rate`: The share of resolved tickets that were reopened.
`tickets_per_100_orders`: How many tickets are opened for every 100 orders.
"""
_STILL_OPEN: Final = "tickets that are still open have no time yet, and without them hard ones look fast"
_BY_TICKET: Final = "it is a share of tickets, and a test compares visitors"
KPIS_ALONE: Final[Mapping[str, str]] = {
    "repeat_purchase": "it is a share of new buyers, and a test divides by all who are in it; take orders_per_visitor",
    "first_response": f"{_STILL_OPEN}; take tickets_per_order",
    "first_response_p90": f"{_STILL_OPEN}; take tickets_per_order",
    "resolution_time": f"{_STILL_OPEN}; take tickets_per_order",
    "resolution_time_p90": f"{_STILL_OPEN}; take tickets_per_order",
    "resolution_rate": f"{_BY_TICKET}; take tickets_per_order",
    "reopen_rate": f"{_BY_TICKET}; take tickets_per_order",
    "tickets_per_100_orders": "take tickets_per_order: of one order, with the same lift",
}
"""Those that no metric of an experiment says, and why; the others are metrics under the same names."""
HOURS_KPIS: Final[tuple[Kpi, ...]] = (
    "first_response",
    "first_response_p90",
    "resolution_time",
    "resolution_time_p90",
)
SHARE_KPIS: Final[tuple[Kpi, ...]] = (
    "csat",
    "retention_d7",
    "retention_d28",
    "repeat_purchase",
    "resolution_rate",
    "reopen_rate",
)
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Shift(Definition):
    """Hours of service on one day of the week, in minutes of the shop's day from its midnight on; `closes` is the first
    minute without service, at most 1440. Monday is weekday 0.
    """

    weekday: int
    opens: int
    closes: int


class JourneyStage(Definition):
    """A stage of the customers' journey: whoever has done this event, where the conditions hold, has come so far."""

    name: str
    event: str
    where: dict[str, Any] = Field(default_factory=dict)


class Shop(Definition):
    """What governs days, money, the cookie, what no payload shows, and what is never stored.

    `rates`: one unit of another currency in the shop's. The values that conditions compare `secure_attributes` with
    stand in the payload as SHA-256 of `secure_salt` and the value.

    `support_hours` are in the order of the week and do not overlap; none: service is not known to have hours. Without a
    `journey` the usual one holds. `targets` are in the unit of the KPI: a share of 1, points, a mean score, hours,
    tickets for every 100 orders.
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
    support_hours: tuple[Shift, ...] = ()
    journey: tuple[JourneyStage, ...] = ()
    targets: dict[Kpi, float] = Field(default_factory=dict[Kpi, float])


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


class Bound(Definition):
    """Where values are cut: `fixed` in the metric's unit, or a `percentile` (0.999 is p99.9) of the non-zero ones."""

    fixed: float | None = None
    """Here: Where values are cut, in the metric's unit."""
    percentile: float | None = None
    """Which percentile of the values that are not zero it is, from 0 to 1."""


class Cap(Bound):
    """Values above it are cut, and those below `low` are raised to that; what is zero stays zero."""

    low: Bound | None = None
    """Where values are raised to."""


class Subtract(Definition):
    """What is taken off the value: `value` of these events, joined to their order, within a time after it.

    As everywhere: `event`.
    """

    event: str
    value: str
    """Here: The property of the event that is taken off."""
    within_seconds: int | None = None
    """How long after an order it is taken off, in seconds."""


class RatioPart(Definition):
    """A numerator or denominator: the sum of a field of these events, or (None) how many there are; of a unit at most
    the cap.

    `money` False: what is summed is no money, whatever the currency of the event.

    As everywhere: `event`.
    """

    event: str
    sum: str | None = None
    """The property that is added up; null where events are counted."""
    money: bool | None = None
    """Here: False where what is added up is no money, whatever the currency of the event."""
    where: dict[str, Any] = Field(default_factory=dict)
    """Here: Conditions that an event must meet to count, in GrowthBook's language."""
    cap: Cap | None = None
    """Here: Where values are cut."""

    @property
    def count(self) -> bool:
        """Whether events are counted instead of a field being summed."""
        return self.sum is None


class Metric(Definition):
    """One metric; a field that its type does not use is None (or empty). Durations are whole seconds.

    `title` is how people call it; None leaves that to its name.
    `source` is the least authority of the events that exist for it.
    `money` False: `value` is no money, whatever the currency of the event.

    As everywhere: `type`, `title`, `window_seconds`, `want`.
    """

    name: str
    """Here: The name of the metric in its file, the same in every client."""
    type: MetricType
    title: str | None = None
    event: str | None = None
    """Here: The name of the event that it reads."""
    value: str | None = None
    """Here: The property of the event that is the value, null where it is none."""
    money: bool | None = None
    """Here: False where the value is no money, whatever the currency of the event."""
    window_seconds: int = 7 * DAY_SECONDS
    cap: Cap | None = None
    """Here: Where values are cut."""
    subtract: Subtract | None = None
    """What is taken off the value, such as refunds."""
    where: dict[str, Any] = Field(default_factory=dict)
    """Here: Conditions that an event must meet to count, in GrowthBook's language."""
    numerator: RatioPart | None = None
    """Here: Of a ratio: what stands above the line."""
    denominator: RatioPart | None = None
    """Here: Of a ratio: what stands below the line."""
    steps: tuple[str, ...] = ()
    """Here: Of a funnel: the names of the events, in order."""
    from_seconds: int | None = None
    """From when after the exposure a return counts, in seconds."""
    to_seconds: int | None = None
    """Until when after the exposure a return counts, in seconds."""
    q: float | None = None
    """Which quantile it is: 0.5 is the median."""
    want: Want = "up"
    scale: EffectScale | None = None
    """Whether effects are shares of control or points, as the file says; null where the type decides."""
    source: Word = "page"
    """Who must at least have told of the metric's events: `backend`, `proven` or `page`."""

    @property
    def effect_scale(self) -> EffectScale:
        """Whether its effects are relative to control or differences in its own unit; those of NPS are in points."""
        return self.scale or ("points" if self.type == "nps" else "relative")
