"""Customers' experience by hand: figures in plain Python over the records, intervals by scipy and statsmodels."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

from events.authority import Authority
from events.records import Record

DAY: Final = 86_400_000_000
HOUR: Final = DAY // 24
Interval = tuple[float, float] | None
SCALES: Final = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}


@dataclass(frozen=True)
class Figure:
    """What is expected of a KPI."""

    value: float | None
    ends: Callable[[float], Interval]
    answers: int
    immature: int = 0
    unusable: int = 0
    asked: int | None = None
    responded: int = 0

    @property
    def ci(self) -> Interval:
        return None if self.value is None else self.ends(0.05)


def nothing(_: float) -> Interval:
    """No interval."""
    return None


@dataclass(frozen=True)
class LookedAt:
    """The records as they are believed, of whom each is, and the clock of the shop."""

    records: Sequence[Record]
    zone: ZoneInfo
    now_us: int
    shifts: Sequence[tuple[int, int, int]] = ()

    def day(self, time_us: int) -> str:
        """The shop day of a moment."""
        if time_us not in self._days:
            local = datetime.fromtimestamp(time_us / 1e6, UTC).astimezone(self.zone)
            self._days[time_us] = local.date().isoformat()
        return self._days[time_us]

    @cached_property
    def _days(self) -> dict[int, str]:
        return {}

    @cached_property
    def people(self) -> dict[str, str]:
        """Whom visitors are: the user that is believed most, then the first."""
        first: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
        for record in sorted(self.records, key=lambda each: each.time):
            if record.user_id and record.user_id != record.visitor_id:
                known = first[record.visitor_id, int(record.authority)]
                if record.user_id not in [user for _, user in known]:
                    known.append((record.time, record.user_id))
        found: dict[str, tuple[int, int, str]] = {}
        for (visitor, authority), users in first.items():
            for time, user in users[:1] if authority == Authority.PAGE else users:
                found[visitor] = min(found.get(visitor, (99, 0, "")), (-authority, time, user))
        return {visitor: user for visitor, (_, _, user) in found.items()}

    def person(self, record: Record) -> str:
        """Of whom a record is."""
        return record.user_id or self.people.get(record.visitor_id) or record.visitor_id

    def told(self, *events: str) -> list[Record]:
        """Events by name, in order of time, of people."""
        return [each for each in self._happened if each.event in events]

    @cached_property
    def _happened(self) -> list[Record]:
        kept = [each for each in self.records if not each.bot and each.time < self.now_us]
        return sorted(kept, key=lambda each: each.time)

    @cached_property
    def tickets(self) -> "list[Ticket]":
        """The life of each ticket."""
        return tickets(self)

    @cached_property
    def orders(self) -> "list[Order]":
        """Each order once."""
        return orders(self)


def share(hits: int, of: int, immature: int = 0, unusable: int = 0) -> Figure:
    """A share with Wilson's interval."""

    def ends(alpha: float) -> Interval:
        low, high = proportion_confint(hits, of, alpha=alpha, method="wilson")
        return float(low), float(high)

    return Figure(hits / of if of else None, ends if of else nothing, of, immature, unusable)


def clustered(numerators: Sequence[float], denominators: Sequence[float], low: float, high: float) -> Figure:
    """Σ num / Σ den, its error by the linearised residuals of people, with Student's t."""
    n, total = len(numerators), sum(denominators)
    if not total:
        return Figure(None, nothing, 0)
    value = sum(numerators) / total
    residuals = [a - value * b for a, b in zip(numerators, denominators, strict=True)]
    effective = total**2 / sum(b * b for b in denominators)
    ones = math.isfinite(high) and all(b == 1 for b in denominators)  # a mean: answers, one each
    error = math.sqrt(n * sum(r * r for r in residuals) / (n - 1)) / total if n > 1 else 0.0
    settled = n > 1 and (ones or effective >= 10) and error > 1e-12

    def ends(alpha: float) -> Interval:
        half = float(stats.t.ppf(1 - alpha / 2, n - 1)) * error
        return max(low, value - half), min(high, value + half)

    return Figure(value, ends if settled else nothing, int(total))


def survey(shop: LookedAt, kind: str, days: Sequence[str], level: Callable[[Record], bool] = lambda _: True) -> Figure:
    """CSAT, NPS or CES over some days."""
    low, high = SCALES[kind]
    answers = [each for each in shop.told("Survey Answered") if kind_of(each) == kind and shop.day(each.time) in days]
    usable = [each for each in answers if each.value is not None and low <= each.value <= high]
    last = {(shop.person(each), name_of(each)): each for each in usable}
    by_person: dict[str, list[float]] = defaultdict(list)
    for (person, _), each in last.items():
        if level(each):
            by_person[person].append(points(kind, each.value or 0.0))
    shown = [each for each in shop.told("Survey Shown") if kind_of(each) == kind and shop.day(each.time) in days]
    asked = {(shop.person(each), name_of(each)) for each in shown if level(each)}
    scored = {(shop.person(each), name_of(each)) for each in answers if each.value is not None}
    sums, counts = [sum(each) for each in by_person.values()], [len(each) for each in by_person.values()]
    bounds = {"csat": (0.0, 1.0), "nps": (-100.0, 100.0), "ces": (1.0, 7.0)}[kind]
    found = clustered(sums, counts, *bounds)
    if kind == "csat" and all(count == 1 for count in counts):
        found = share(round(sum(sums)), len(sums))
    unusable = sum(1 for each in answers if each not in usable and level(each))
    return Figure(found.value, found.ends, found.answers, 0, unusable, len(asked) or None, len(asked & scored))


def points(kind: str, score: float) -> float:
    """What an answer gives."""
    match kind:
        case "csat":
            return 1.0 if score >= 4 else 0.0
        case "nps":
            return 100.0 if score >= 9 else -100.0 if score <= 6 else 0.0
        case _:
            return score


def name_of(record: Record) -> str:
    """What a survey is called."""
    return str((record.properties or {}).get("survey") or "").lower()


def kind_of(record: Record) -> str:
    """What a survey asks."""
    return str((record.properties or {}).get("kind") or name_of(record)).lower()


def came_back(
    shop: LookedAt, after: int, days: Sequence[str], level: Callable[[Record], bool] = lambda _: True
) -> Figure:
    """Retention of those who were new on some days."""
    pages: dict[str, list[Record]] = defaultdict(list)
    for each in sorted(shop.records, key=lambda record: record.time):
        if each.type == "page" and not each.bot and each.time < shop.now_us:
            pages[shop.person(each)].append(each)
    new = [seen for seen in pages.values() if shop.day(seen[0].time) in days]
    old = [seen for seen in new if seen[0].time + (after + 7) * DAY <= shop.now_us]
    hits = sum(any(after * DAY <= each.time - seen[0].time < (after + 7) * DAY for each in seen) for seen in old)
    return share(hits, len(old), len(new) - len(old))


@dataclass(frozen=True)
class Order:
    person: str
    time: int


def orders(shop: LookedAt) -> list[Order]:
    """Each order once, at the time that its best copy says."""
    copies: dict[str, list[Record]] = defaultdict(list)
    for each in shop.told("Order Completed"):
        copies[each.order_id or each.message_id].append(each)
    found: list[Order] = []
    for told in copies.values():
        best = max(told, key=lambda each: (each.authority, -each.time))
        found.append(Order(shop.person(best), best.time))
    return found


def bought_again(shop: LookedAt, days: Sequence[str]) -> Figure:
    """Who bought again within 60 days of those who were new on some days."""
    by_person: dict[str, list[int]] = defaultdict(list)
    for each in shop.orders:
        by_person[each.person].append(each.time)
    new = [sorted(times) for times in by_person.values() if shop.day(min(times)) in days]
    old = [times for times in new if times[0] + 60 * DAY <= shop.now_us]
    hits = sum(sum(time < times[0] + 60 * DAY for time in times) > 1 for times in old)
    return share(hits, len(old), len(new) - len(old))


@dataclass(frozen=True)
class Ticket:
    opening: Record | None
    seen: int
    answered: int | None
    resolved: int | None
    ever: int | None
    reopened: bool


def tickets(shop: LookedAt) -> list[Ticket]:
    """The life of each ticket, as backends told it."""
    by_id: dict[str, list[Record]] = defaultdict(list)
    for each in shop.told("Ticket Opened", "Ticket Answered", "Ticket Resolved", "Ticket Reopened"):
        if each.authority == Authority.BACKEND:
            by_id[str((each.properties or {})["ticket_id"])].append(each)
    found: list[Ticket] = []
    for told in by_id.values():

        def times(event: str, rows: Iterable[Record] = told, **wanted: Any) -> list[int]:
            return sorted(
                each.time
                for each in rows
                if each.event == event and all((each.properties or {}).get(k) == v for k, v in wanted.items())
            )

        opening = next((each for each in told if each.event == "Ticket Opened"), None)
        resolved, reopened = times("Ticket Resolved"), times("Ticket Reopened")
        stands = resolved and not any(time > resolved[-1] for time in reopened)
        found.append(
            Ticket(
                opening,
                told[0].time,
                next(iter(times("Ticket Answered", by="agent")), None),
                resolved[-1] if stands else None,
                resolved[0] if resolved else None,
                bool(resolved) and any(time > resolved[0] for time in reopened),
            )
        )
    return found


def opened(shop: LookedAt, days: Sequence[str], level: Callable[[Record], bool]) -> list[tuple[Ticket, Record]]:
    """Tickets that were opened on some days."""
    known = [(each, each.opening) for each in shop.tickets if each.opening is not None]
    return [(each, opening) for each, opening in known if shop.day(opening.time) in days and level(opening)]


def unopened(shop: LookedAt, days: Sequence[str]) -> int:
    """Tickets of whose opening nobody told."""
    return sum(1 for each in shop.tickets if each.opening is None and shop.day(each.seen) in days)


def waited(
    shop: LookedAt,
    end: str,
    q: float,
    days: Sequence[str],
    level: Callable[[Record], bool] = lambda _: True,
    clock: Callable[[int, int], float] = lambda since, until: (until - since) / HOUR,
) -> Figure:
    """A quantile of how long tickets wait, by the product-limit curve."""
    own = opened(shop, days, level)
    ends = [(opening.time, getattr(each, end)) for each, opening in own]
    times = np.array([clock(since, max(since, until or shop.now_us)) for since, until in ends])
    over = np.array([until is not None for _, until in ends], dtype=bool)
    value, waiting = None, 1.0
    for time in sorted(set(times[over])):
        waiting *= 1 - int(((times == time) & over).sum()) / int((times >= time).sum())
        if value is None and waiting <= 1 - q + 1e-12:
            value = float(time)

    def bounds(alpha: float) -> Interval:
        curve = SurvfuncRight(times, over.astype(int))
        with np.errstate(all="ignore"):
            low, high = curve.quantile_ci(q, alpha, "cloglog")
        gone = curve.surv_prob[curve.surv_times == high]
        ends_known = math.isfinite(high) and bool(gone.size) and gone[0] > 1e-12
        return (float(low), float(high)) if ends_known else None

    return Figure(value, bounds, len(own), len(own) - int(over.sum()), unopened(shop, days))


def resolved_in_time(shop: LookedAt, days: Sequence[str], level: Callable[[Record], bool] = lambda _: True) -> Figure:
    """The share of tickets that are resolved within 7 days."""
    own = opened(shop, days, level)
    old = [(each, opening) for each, opening in own if opening.time + 7 * DAY <= shop.now_us]
    hits = sum(each.resolved is not None and each.resolved <= opening.time + 7 * DAY for each, opening in old)
    return share(hits, len(old), len(own) - len(old), unopened(shop, days))


def reopened(shop: LookedAt, days: Sequence[str], level: Callable[[Record], bool] = lambda _: True) -> Figure:
    """The share of resolved tickets that were reopened."""
    ever = [each for each, _ in opened(shop, days, level) if each.ever is not None]
    return share(sum(each.reopened for each in ever), len(ever), 0, unopened(shop, days))


def load(shop: LookedAt, days: Sequence[str], level: Callable[[Record], bool] = lambda _: True) -> Figure:
    """Tickets for every 100 orders."""
    people: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for each in shop.orders:
        if shop.day(each.time) in days:
            people[each.person][1] += 1
    everyone = opened(shop, days, lambda _: True)
    for each, opening in everyone:
        people[shop.person(opening)][0] += 100.0 * bool(level(opening)) if each else 0.0
    return clustered([a for a, _ in people.values()], [b for _, b in people.values()], 0.0, math.inf)


def service_clock(shop: LookedAt) -> Callable[[int, int], float]:
    """Hours of service between two moments, minute by minute of every shift by the zone's own arithmetic."""

    def hours(since: int, until: int) -> float:
        total, day = 0.0, datetime.fromtimestamp(since / 1e6, shop.zone).date() - timedelta(days=1)
        while day <= datetime.fromtimestamp(until / 1e6, shop.zone).date():
            for weekday, opens, closes in shop.shifts:
                if day.weekday() == weekday:
                    low, high = (moment(day, minute, shop.zone) for minute in (opens, closes))
                    total += max(0, min(until, high) - max(since, low))
            day += timedelta(days=1)
        return total / HOUR

    return hours


def moment(day: Any, minute: int, zone: ZoneInfo) -> int:
    """When the shop's clock shows a minute of a day, in µs UTC."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    return round(local.astimezone(UTC).timestamp() * 1e6)


KPIS: Final[dict[str, Callable[..., Figure]]] = {
    "csat": lambda shop, days, level: survey(shop, "csat", days, level),
    "nps": lambda shop, days, level: survey(shop, "nps", days, level),
    "ces": lambda shop, days, level: survey(shop, "ces", days, level),
    "retention_d7": lambda shop, days, _: came_back(shop, 7, days),
    "retention_d28": lambda shop, days, _: came_back(shop, 28, days),
    "repeat_purchase": lambda shop, days, _: bought_again(shop, days),
    "first_response": lambda shop, days, level: waited(shop, "answered", 0.5, days, level),
    "first_response_p90": lambda shop, days, level: waited(shop, "answered", 0.9, days, level),
    "resolution_time": lambda shop, days, level: waited(shop, "resolved", 0.5, days, level),
    "resolution_time_p90": lambda shop, days, level: waited(shop, "resolved", 0.9, days, level),
    "resolution_rate": resolved_in_time,
    "reopen_rate": reopened,
    "tickets_per_100_orders": load,
}


def recovered(now: Figure, before: Figure, alpha: float = 0.05) -> Interval:
    """The interval of the difference from both intervals (Zou & Donner 2008)."""
    one, other = now.ends(alpha), before.ends(alpha)
    if one is None or other is None or now.value is None or before.value is None:
        return None
    difference = now.value - before.value
    below = math.sqrt((now.value - one[0]) ** 2 + (other[1] - before.value) ** 2)
    above = math.sqrt((one[1] - now.value) ** 2 + (before.value - other[0]) ** 2)
    return difference - below, difference + above
