"""What is answered of customers' experience: KPIs with their intervals, day by day, and the stages of the journey."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta

from experiments.definitions.shop import Kpi
from experiments.statistics.estimate import Interval, Want

KpiScale = Literal["rate", "points", "score", "hours", "per_100_orders"]
"""In which unit a KPI is said.
`score`: Here: A mean answer, on the scale of the question.
`hours`: A time, in hours.
`per_100_orders`: How many for every 100 orders.

As everywhere: `rate`, `points`.
"""
KpiSplit = Literal["channel", "device", "country", "survey"]
"""By what the KPIs are split.
`channel`: Where somebody answered, or asked for help: the `channel` of the event.
`device`: Here: The kind of device.
`country`: Here: The country, as the page told it.
`survey`: The name of the survey.
"""
KpiChange = Literal["better", "worse", "unclear"]
"""Whether a KPI has changed.
`better`: It has changed for the better, and chance alone seldom does that.
`worse`: It has changed for the worse, and chance alone seldom does that.

As everywhere: `unclear`.
"""
Reach = Literal["met", "missed", "open"]
"""How a KPI stands to its target.
`met`: Its whole interval is as good as the target, or better.
`missed`: Its whole interval falls short of the target.
`open`: Here: Its interval holds the target: more answers would tell.
"""


class Unsaid(StrEnum):
    """Why a number of customers' experience is missing."""

    NOTHING_YET = "nothing_yet"
    """Nothing that it could be made of happened in that time."""
    ALL_TOO_YOUNG = "all_too_young"
    """Everybody of that time is too young for it: their days are not over yet."""
    MOSTLY_OPEN = "mostly_open"
    """So many tickets are still open that the time by which that share of all is done lies ahead."""
    OPEN_END = "open_end"
    """The interval has no upper end yet: no ticket has been followed that far."""
    TOO_FEW = "too_few"
    """Too few people stand behind it for an interval."""
    ALL_EQUAL = "all_equal"
    """All said the same, so that how sure it is cannot be told from them."""
    NOTHING_BEFORE = "nothing_before"
    """The time before has no such number to compare with."""


@dataclass(frozen=True, slots=True)
class KpiPoint:
    """A KPI over the days until one shop day, as many as the window has.

    As everywhere: `value`, `answers`.
    """

    date: date
    """The shop day."""
    value: float | None
    ci: Interval | None
    """Here: The interval of the value."""
    answers: int


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """The same of a time, where only the hours of service count.

    As everywhere: `value`, `previous`.
    """

    value: float | None
    ci: Interval | None
    """Here: The interval of the value."""
    previous: float | None
    difference: float | None
    """Here: The value less that of the time before, in the KPI's unit."""
    difference_ci: Interval | None
    """Here: The interval of the difference."""


@dataclass(frozen=True, slots=True)
class KpiReadout:
    """One KPI over the whole time that is asked for: of all, or of one level.

    As everywhere: `want`, `value`, `p_adjusted`, `reasons`, `sentence`.
    """

    kpi: Kpi
    """What of customers' experience it is."""
    title: str
    """Here: How people call the KPI."""
    unit: KpiScale
    """Here: In which unit it is said."""
    want: Want
    survey: str | None
    """Here: The survey whose answers count, null where those of all surveys of its kind do."""
    level: str | None
    """Here: Which part of it, null of the whole; `few` holds those with fewer than 20 answers together, and the
    name of a part is empty where nobody told it."""
    value: float | None
    ci: Interval | None
    """Here: The interval of the value: values that the answers allow, in 95 of 100 cases."""
    answers: int
    """What it rests on: answers, visitors, buyers, tickets, or orders."""
    asked: int | None
    """How many visitors were shown a survey, each survey once; null where nobody is asked."""
    response_rate: float | None
    """Here: The share of those who were shown a survey who answered it, null where nobody is asked."""
    unusable: int
    """What is in no figure: answers without a score or off their scale, tickets of whose opening nobody told."""
    immature: int
    """Visitors, buyers or tickets that are too young to count, and tickets that are still waited for."""
    previous: float | None
    """The value of the time of the same length before, null where nothing is compared."""
    difference: float | None
    """Here: The value less that of the time before, in the KPI's unit."""
    difference_ci: Interval | None
    """Here: The interval of the difference."""
    p_adjusted: float | None
    change: KpiChange | None
    """Whether it has changed since the time before, all KPIs considered together; null where nothing is compared."""
    target: float | None
    """What it is to reach, as `shop.yaml` says."""
    reach: Reach | None
    """How it stands to its target, null where it has none."""
    reasons: tuple[Unsaid, ...]
    sentence: str
    in_service: ServiceTime | None
    """The same in hours of service, where `shop.yaml` has `support_hours`."""
    series: tuple[KpiPoint, ...]
    """The same for each shop day, over the window until then."""


@dataclass(frozen=True, slots=True)
class StageReached:
    """How many came to one stage of the journey.

    As everywhere: `sentence`.
    """

    stage: str
    """What the stage is called."""
    after: str | None
    """Here: The stage that it is counted from; null of the first."""
    count: int
    """Here: How many visitors reached the stage."""
    of_first: float | None
    """The share of those who entered the journey."""
    of_first_ci: Interval | None
    """The interval of the share of those who entered the journey."""
    of_previous: float | None
    """The share of those who reached the stage that it is counted from."""
    of_previous_ci: Interval | None
    """The interval of the share of those who reached the stage that it is counted from."""
    median_hours: float | None
    """The median time since the stage that it is counted from, of those who came so far, in hours."""
    median_hours_ci: Interval | None
    """The interval of the median time, in hours."""
    sentence: str


@dataclass(frozen=True, slots=True)
class JourneyReadout:
    """The stages of those who entered the journey in the time that is asked for, in order.

    Those who come to a later stage are among those of the stages before.
    """

    days: int
    """Here: Within how many days of its first stage a journey is followed."""
    immature: int
    """Here: Visitors who entered so lately that their journey may still go on."""
    stages: tuple[StageReached, ...]
    """The stages in order."""


_Since = TypedDict("_Since", {"from": Annotated[date, Meta(description="The first shop day of the time.")]})


class CustomerExperience(_Since):
    """Customers' experience of the whole site over some shop days.

    As everywhere: `as_of`, `watermark`, `pending`.
    """

    to: date
    """The last shop day of the time."""
    timezone: str
    """The time zone of the shop, in which its days begin."""
    window: int
    """How many days each day of a series looks back, itself included."""
    by: KpiSplit | None
    """Here: By what the KPIs are split, null where they are not."""
    segment: str | None
    """The segment whose visitors alone count, null where all do."""
    previous_from: date | None
    """The first shop day of the time before, null where nothing is compared."""
    previous_to: date | None
    """The last shop day of the time before, null where nothing is compared."""
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    unusable: int
    """Here: Answers to surveys that are in no figure: without a score, off their scale, or of an unknown kind."""
    kpis: Sequence[Annotated[Mapping[str, Any], KpiReadout]]
    """The KPIs, each as a whole first and then by level."""
    journey: Annotated[Mapping[str, Any], JourneyReadout]
    """How far visitors come, stage by stage."""
