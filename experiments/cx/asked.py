"""What is asked of customers' experience: which shop days, which KPIs, split by what, compared with what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, get_args

from experiments.answers.customers import KpiSplit
from experiments.cube.shop_days import EPOCH, calendar_date
from experiments.definitions.shop import Kpi
from experiments.readout.study import EARLIEST_LOOK, InvalidDate, NotFound, ReadoutQuery
from kit.time import DAY_US

DEFAULT_DAYS: Final = 90
MOST_DAYS: Final = 366
FIRST_DAY: Final = EARLIEST_LOOK.date()
SURVEY_KPIS: Final[tuple[Kpi, ...]] = ("csat", "nps", "ces")
KPIS: Final[tuple[Kpi, ...]] = get_args(Kpi)


class UnknownKpi(NotFound):
    what = "kpi"


class UnknownSegment(NotFound):
    what = "segment"


class UnknownSurvey(NotFound):
    what = "survey"


@dataclass(frozen=True, slots=True)
class ExperienceQuery:
    """Shop days from `since` to `until` (inclusive, ISO 8601); a day of a series looks back `window` days."""

    since: str | None = None
    until: str | None = None
    window: int = 28
    kpi: str | None = None
    survey: str | None = None
    by: KpiSplit | None = None
    segment: str | None = None
    compare: Literal["previous"] | None = None
    look: ReadoutQuery = ReadoutQuery()  # noqa: RUF009 - frozen

    @property
    def kpis(self) -> Sequence[Kpi]:
        """The KPIs that are asked for; of one survey those of surveys alone. Raises UnknownKpi."""
        known = KPIS if self.survey is None else SURVEY_KPIS
        if self.kpi is None:
            return known
        found: list[Kpi] = [kpi for kpi in known if kpi == self.kpi]
        if not found:
            raise UnknownKpi(self.kpi, known)
        return found


@dataclass(frozen=True, slots=True)
class Span:
    """Shop days from the first to the last, both in it; a day is the integer of `ShopDays`."""

    first: int
    last: int

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first) // DAY_US + 1

    @property
    def before(self) -> "Span":
        """As many days just before them."""
        return Span(self.first - self.days * DAY_US, self.first - DAY_US)

    @property
    def dates(self) -> tuple[date, date]:
        """The first and the last as calendar dates."""
        return calendar_date(self.first), calendar_date(self.last)


def span_of(query: ExperienceQuery, today: int) -> Span:
    """The shop days that are asked for, today the last of them unless it is said otherwise.

    Raises InvalidDate for what is no day, lies ahead, or is more than a year.
    """
    last = _day("to", query.until)
    last = today if last is None else last
    first = _day("from", query.since)
    first = last - (DEFAULT_DAYS - 1) * DAY_US if first is None else first
    for name, day in (("from", first), ("to", last)):
        if day > today:
            now = calendar_date(today)
            raise InvalidDate(f"{name}: {calendar_date(day)} lies in the future; in the shop it is {now}")
    found = Span(first, last)
    if first > last:
        raise InvalidDate(
            f"from: {calendar_date(first)} lies after to: {calendar_date(last)}; the first day comes first"
        )
    if found.days > MOST_DAYS:
        raise InvalidDate(f"from: {found.days} days are asked for, at most {MOST_DAYS} are shown")
    return found


def _day(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InvalidDate(f"{name}: {text!r:.40} is no day; write 2026-01-31") from None
    if found < FIRST_DAY:  # what lies before it, with windows and days to compare with, must be days too
        raise InvalidDate(f"{name}: {found} lies before {FIRST_DAY}, and before every log")
    return (found - EPOCH) // timedelta(days=1) * DAY_US
