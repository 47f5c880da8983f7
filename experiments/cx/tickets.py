"""Tickets of some days: within how long they are answered and resolved, those still open included; and how many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from experiments.answers.customers import Unsaid
from experiments.cube.shop_days import ShopDays
from experiments.cx.asked import Span
from experiments.cx.estimates import Nothing, TimeQuantile, ratio, share_of
from experiments.cx.parts import Counted, Levels, Mask, Whole, level_column, on_days
from experiments.definitions.shop import Shift
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import SurvivalCurve
from kit.time import DAY_US, SECOND_US

Moments = npt.NDArray[np.float64]
RESOLVED_WITHIN_DAYS: Final = 7
HOUR_US: Final = DAY_US / 24
MINUTE_US: Final = 60 * SECOND_US
MONDAY_US: Final = 4 * DAY_US  # 5 January 1970
SPLITS: Final = ("channel", "device", "country")


@dataclass(frozen=True, slots=True, eq=False)
class TicketRows:
    """Tickets whose opening is known: when it was and what became of them (µs UTC, NaN where nothing did)."""

    day: Whole
    opened: Moments
    answered: Moments
    resolved: Moments
    ever_resolved: Mask
    reopened: Mask
    split: Levels | None
    unopened: Whole
    now_us: float

    @classmethod
    def of(cls, tickets: Columns, by: str | None, now_us: int) -> Self:
        """From what was read. What is told to be before the opening was done at once."""
        known = ~np.isnan(tickets["opened_at"].astype(np.float64))
        own = {name: column[known] for name, column in tickets.items()}
        opened = own["opened_at"].astype(np.float64)
        answered, resolved, first = (
            own[name].astype(np.float64) for name in ("answered_at", "resolved_at", "first_resolved_at")
        )
        return cls(
            own["day"], opened, np.maximum(answered, opened), np.maximum(resolved, opened), ~np.isnan(first),
            own["reopened"] == 1, level_column(own, by, SPLITS), tickets["day"][~known], float(now_us),
        )  # fmt: skip

    @property
    def levels(self) -> Sequence[str]:
        """Where the tickets were opened."""
        return self.split.names if self.split is not None else ()

    def inside(self, span: Span, levels: Sequence[str] | None) -> Mask:
        """Which were opened on these days."""
        found = on_days(self.day, span)
        return found & self.split.chosen(levels) if levels is not None and self.split is not None else found

    def unusable(self, span: Span, levels: Sequence[str] | None) -> int:
        """Tickets of which something is told but the opening; nobody knows of which level they are."""
        return int(on_days(self.unopened, span).sum()) if levels is None else 0


@dataclass(frozen=True, slots=True, eq=False)
class ServiceClock:
    """A clock that stands still while there is no service: at each of the `moments` (µs UTC) it shows `shown` (µs)."""

    moments: npt.NDArray[np.float64]
    shown: npt.NDArray[np.float64]

    @classmethod
    def of(cls, shifts: Sequence[Shift], days: ShopDays, first_us: int, last_us: int) -> Self:
        """Of the shifts of every shop day of a span. Where the shop's clock is set, a shift is as long as it really is:
        by UTC, so that an hour that comes twice counts twice.
        """
        moments, shown, passed = [float(first_us - 8 * DAY_US)], [0.0], 0.0
        for day in range(days.day(first_us) - DAY_US, days.day(last_us) + 2 * DAY_US, DAY_US):
            weekday = (day - MONDAY_US) // DAY_US % 7
            for shift in shifts:
                if shift.weekday == weekday:
                    opens = days.moment(day + shift.opens * MINUTE_US)
                    closes = days.moment(day + shift.closes * MINUTE_US)
                    moments += [float(opens), float(closes)]
                    shown += [passed, passed := passed + closes - opens]
        return cls(np.array(moments), np.array(shown))

    def between(self, since: npt.NDArray[np.float64], until: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How much service there was from each moment to another (µs UTC), in µs."""
        return np.interp(until, self.moments, self.shown) - np.interp(since, self.moments, self.shown)


@dataclass(frozen=True, slots=True, eq=False)
class TicketWait:
    """Within how long a share `q` of tickets comes to its end, on the clock and in hours of service."""

    tickets: TicketRows
    q: float
    hours: Moments
    ended: Mask
    order: Whole
    service: Moments | None
    service_order: Whole | None

    @classmethod
    def of(cls, tickets: TicketRows, ends: Moments, q: float, clock: ServiceClock | None) -> Self:
        """Until the moment at which each ended, else until now."""
        ended = ~np.isnan(ends)
        until = np.where(ended, ends, np.maximum(tickets.now_us, tickets.opened))
        hours = (until - tickets.opened) / HOUR_US
        service = None if clock is None else clock.between(tickets.opened, until) / HOUR_US
        order = None if service is None else np.argsort(service, kind="stable")
        return cls(tickets, q, hours, ended, np.argsort(hours, kind="stable"), service, order)

    @property
    def levels(self) -> Sequence[str]:
        return self.tickets.levels

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """Of tickets that were opened on these days; those that have not ended are censored."""
        inside = self.tickets.inside(span, levels)
        service = None
        if self.service is not None and self.service_order is not None:
            service = self._quantile(self.service, self.service_order, inside)
        of = int(inside.sum())
        return Counted(
            self._quantile(self.hours, self.order, inside), of, immature=of - int((inside & self.ended).sum()),
            unusable=self.tickets.unusable(span, levels), service=service,
        )  # fmt: skip

    def _quantile(self, hours: Moments, order: Whole, inside: Mask) -> TimeQuantile:
        rows = order[inside[order]]
        return TimeQuantile(SurvivalCurve.of_sorted(hours[rows], self.ended[rows]), self.q)


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """The share that is resolved within 7 days. Younger tickets tell nothing yet, resolved or not: to count those of
    them that were quick would make the share too high."""

    tickets: TicketRows

    @property
    def levels(self) -> Sequence[str]:
        return self.tickets.levels

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """Of tickets that were opened on these days."""
        inside, of = self.tickets.inside(span, levels), self.tickets
        limit = of.opened + RESOLVED_WITHIN_DAYS * DAY_US
        ready = inside & (limit <= of.now_us)
        hits, count = int((ready & (of.resolved <= limit)).sum()), int(ready.sum())
        young = int(inside.sum()) - count
        lack = Unsaid.ALL_TOO_YOUNG if young else Unsaid.NOTHING_YET
        return Counted(share_of(hits, count, lack), count, immature=young, unusable=of.unusable(span, levels))


@dataclass(frozen=True, slots=True, eq=False)
class Reopening:
    """The share of tickets that were reopened, of those that ever were resolved."""

    tickets: TicketRows

    @property
    def levels(self) -> Sequence[str]:
        return self.tickets.levels

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """Of tickets that were opened on these days."""
        resolved = self.tickets.inside(span, levels) & self.tickets.ever_resolved
        of = int(resolved.sum())
        hits = int((resolved & self.tickets.reopened).sum())
        return Counted(share_of(hits, of), of, unusable=self.tickets.unusable(span, levels))


@dataclass(frozen=True, slots=True, eq=False)
class TicketLoad:
    """Tickets for every 100 orders: rows of people and days, with how many of each."""

    person: Whole
    day: Whole
    tickets: Moments
    orders: Moments
    split: Levels | None

    @classmethod
    def of(cls, load: Columns, by: str | None) -> Self:
        """From what was read, in order of the people."""
        tickets, orders = (load[name].astype(np.float64) for name in ("tickets", "orders"))
        return cls(load["person"], load["day"], tickets, orders, level_column(load, by, ("channel",)))

    @property
    def levels(self) -> Sequence[str]:
        """The channels of tickets; an order has none, and stands below all of them."""
        if self.split is None:
            return ()
        tickets = np.bincount(self.split.codes, self.tickets, len(self.split.names))
        return [name for name, count in zip(self.split.names, tickets, strict=True) if count]

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """Of tickets that were opened, and orders that were made, on these days."""
        inside = on_days(self.day, span)
        tickets = self.tickets
        if levels is not None and self.split is not None:
            tickets = np.where(self.split.chosen(levels), tickets, 0.0)
        person, orders = self.person[inside], self.orders[inside]
        count = int(orders.sum())
        if not count:
            return Counted(Nothing(), 0)
        starts = np.flatnonzero(np.diff(person, prepend=-1))
        sums = {"num": 100.0 * np.add.reduceat(tickets[inside], starts), "den": np.add.reduceat(orders, starts)}
        return Counted(ratio(JointMoments.of(sums), 0.0, math.inf), count)
