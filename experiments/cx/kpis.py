"""What each KPI is made of: its part of the log, read once for all KPIs that share it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from events.engines.duckdb import Columns
from experiments.answers.customers import Unsaid
from experiments.cx.asked import SURVEY_KPIS, ExperienceQuery, Span, UnknownSurvey
from experiments.cx.estimates import share_of
from experiments.cx.gathering import BOUGHT_AGAIN_DAYS, CAME_BACK_DAYS, CAME_BACK_WITHIN_DAYS, Gathering
from experiments.cx.parts import Counted, KpiPart, Levels, Mask, Whole, level_column, on_days
from experiments.cx.surveys import SurveyAnswers, kinds_of, known_surveys
from experiments.cx.tickets import Reopening, Resolution, ServiceClock, TicketLoad, TicketRows, TicketWait
from experiments.definitions.shop import Kpi, Shop
from kit.time import DAY_US
from kit.values import small_letters

_QUANTILES: Final[Mapping[Kpi, tuple[str, float]]] = {
    "first_response": ("answered", 0.5),
    "first_response_p90": ("answered", 0.9),
    "resolution_time": ("resolved", 0.5),
    "resolution_time_p90": ("resolved", 0.9),
}
SPLITS: Final = ("device", "country")


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """People by the shop day on which they were new; `old_enough` are those whose days are over, `came` who did it."""

    day: Whole
    old_enough: Mask
    came: Mask
    split: Levels | None

    @classmethod
    def of(cls, people: Columns, did: str, by: str | None, days_us: int, now_us: int) -> Self:
        """Of people who are new, whether they `did` it (a column) within so many µs since."""
        over = people["first_at"] + days_us <= now_us
        return cls(people["day"], over, people[did] == 1, level_column(people, by, SPLITS))

    @property
    def levels(self) -> Sequence[str]:
        """On what, or from where they first came."""
        return self.split.names if self.split is not None else ()

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """Of who was new on these days."""
        new = on_days(self.day, span)
        if levels is not None and self.split is not None:
            new &= self.split.chosen(levels)
        ready = new & self.old_enough
        of, young = int(ready.sum()), int((new & ~self.old_enough).sum())
        lack = Unsaid.ALL_TOO_YOUNG if young else Unsaid.NOTHING_YET
        return Counted(share_of(int((ready & self.came).sum()), of, lack), of, immature=young)


@dataclass(frozen=True)
class KpiParts:
    """The parts of the log by KPI."""

    gathering: Gathering
    shop: Shop
    query: ExperienceQuery

    @cached_property
    def answered(self) -> Columns:
        """Answers to surveys. Raises UnknownSurvey where the one that is asked for is not known."""
        found, survey = self.gathering.answered, self.survey
        if survey is not None:
            known = known_surveys(found, self.shown)
            if survey not in known:
                raise UnknownSurvey(survey, known)
        return found

    @property
    def survey(self) -> str | None:
        """The survey whose answers alone count; names of surveys are compared without their case."""
        return None if self.query.survey is None else small_letters(self.query.survey)

    @cached_property
    def shown(self) -> Columns:
        return self.gathering.shown

    @cached_property
    def tickets(self) -> TicketRows:
        return TicketRows.of(self.gathering.tickets, self.query.by, self.gathering.until_us)

    @cached_property
    def clock(self) -> ServiceClock | None:
        """The clock of service, where the shop has one."""
        if not self.shop.support_hours:
            return None
        gathered = self.gathering
        return ServiceClock.of(self.shop.support_hours, gathered.days, gathered.since_us, gathered.until_us)

    @cached_property
    def newcomers(self) -> Columns:
        return self.gathering.newcomers

    def of(self, kpi: Kpi) -> KpiPart:
        """What one KPI is made of."""
        by, now_us = self.query.by, self.gathering.until_us
        if kpi in SURVEY_KPIS:
            return SurveyAnswers.of(kpi, self.answered, self.shown, kinds_of(self.answered), self.survey, by)
        if kpi in _QUANTILES:
            end, q = _QUANTILES[kpi]
            ends = self.tickets.answered if end == "answered" else self.tickets.resolved
            return TicketWait.of(self.tickets, ends, q, self.clock)
        match kpi:
            case "resolution_rate":
                return Resolution(self.tickets)
            case "reopen_rate":
                return Reopening(self.tickets)
            case "tickets_per_100_orders":
                return TicketLoad.of(self.gathering.load, by)
            case "repeat_purchase":
                return Cohort.of(self.gathering.buyers, "bought_again", by, BOUGHT_AGAIN_DAYS * DAY_US, now_us)
            case _:
                days = CAME_BACK_DAYS[kpi] + CAME_BACK_WITHIN_DAYS
                return Cohort.of(self.newcomers, kpi.replace("retention", "came"), by, days * DAY_US, now_us)

    def unusable(self, span: Span) -> int:
        """Answers of these days, to the surveys that are asked for, that are in no figure."""
        wrong = on_days(self.answered["day"], span) & (self.answered["usable"] == 0)
        if self.survey is not None:
            wrong &= self.answered["survey"] == self.survey
        return int(wrong.sum())
