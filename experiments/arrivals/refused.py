"""Whether a readout rests on all that was sent: events that were refused, and orders that came without a value.

What was refused stands in the tallies of the workers, what was stored in the log. A day is that of receipt.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from events.consent import USER_ALONE
from events.engines.sql import Expression
from events.libraries import NO_LIBRARY, library_label
from events.records import REFUSED
from events.tallies.refused_events import DaySum, of_day
from events.tallies.remedies import ALONE_REMEDY, remedy_of
from experiments.arrivals.names import LIBRARY, arrivals_sql
from experiments.cube.cube import Cube
from experiments.cube.shop_days import calendar_date
from kit.time import DAY_US, SECOND_US

MUCH: Final = 0.01  # of a day's events, or of one library's
FEW: Final = 20  # events of a library, of which one may be odd
LATEST_DAYS: Final = 28  # of which it is looked up what each library sent
SETTLED_US: Final = 3_600 * SECOND_US  # after its end no more is received of a day
ORDER: Final = "Order Completed"
STRANGERS: Final = frozenset({"unauthorized", "unknown_path"})  # anybody sends so many as they like, without any key
SHOWN: Final = "GET /v1/events/rejected shows the last ones"


class Notice(NamedTuple):
    """What a reader of a readout must know: the code of a check, and a sentence that says what to set."""

    code: Literal["events_rejected", "users_alone", "orders_without_value", "never_exposed", "exposures_forged"]
    detail: str


class Share(NamedTuple):
    """So many of all events of a shop day, or of one library on it."""

    day: int
    few: int
    all: int
    library: str | None = None

    @property
    def is_much(self) -> bool:
        return self.few > MUCH * self.all and (self.library is None or self.all >= FEW)

    @property
    def told(self) -> str:
        """`2026-11-28: 34 of 154 events (22 %) from analytics-php`, with the word for events left open."""
        whom = "" if self.library is None else f" {from_library(self.library)}"
        return f"{calendar_date(self.day)}: {self.few} of {self.all} {{}} ({self.few / self.all:.1%}){whom}"


def from_library(library: str) -> str:
    """Whose they are."""
    return "from clients that name no library" if library == NO_LIBRARY else f"from the library {library}"


@dataclass(slots=True)
class ReceivedDays:
    """What each library sent on a shop day, by its label; of days that are over it is counted once."""

    _known: dict[tuple[int, int], Counter[str]] = field(default_factory=dict[tuple[int, int], Counter[str]])

    def of(self, cube: Cube, day: int, now_us: int) -> Counter[str]:
        """The events that the log holds of a day, as of now (µs)."""
        until = cube.scope.days.moment(day + DAY_US)
        since = cube.scope.days.moment(day)
        if (since, until) in self._known:
            return self._known[since, until]
        found: Counter[str] = Counter()
        for library, n in _received(cube, LIBRARY, since, until):
            found[library_label(library)] += n
        if now_us > until + SETTLED_US:
            self._known[since, until] = found
        return found


def rejected_check(
    cube: Cube, told: Mapping[str, Sequence[DaySum]], span: tuple[int, int], received: ReceivedDays, now_us: int
) -> Iterator[Notice]:
    """`events_rejected`, where on some day of the span (first and last) more than 1 % were refused."""
    each_day = range(span[0], span[1] + DAY_US, DAY_US)
    days = {day: of_day(told, calendar_date(day).isoformat(), "rejected") for day in each_day}
    days = {day: own for day, sums in days.items() if (own := [each for each in sums if each.code not in STRANGERS])}
    if not days:
        return
    stored = _stored(cube, min(days), max(days))
    found: list[Share] = []
    for day, sums in days.items():
        refused = sum(each.count for each in sums)
        whole = Share(day, refused, refused + stored.get(day, 0))
        found.append(whole)
        if not whole.is_much and day > span[1] - LATEST_DAYS * DAY_US:
            of_libraries = received.of(cube, day, now_us)
            for library in {each.library for each in sums}:
                own = sum(each.count for each in sums if each.library == library)
                found.append(Share(day, own, own + of_libraries[library], library))
    much = [share for share in found if share.is_much]
    if much:
        worst = max(much, key=lambda share: share.few / share.all)
        most = next(each for each in days[worst.day] if worst.library in (None, each.library))
        likeliest = f"{most.code.replace('_', ' ')} in {most.field} {from_library(most.library)}"
        remedy = remedy_of(most.code)
        text = f"{worst.told.format('events')} were refused, most of them {likeliest}{_others(much)}; {remedy}; {SHOWN}"
        yield Notice("events_rejected", text)


def alone_check(cube: Cube, told: Mapping[str, Sequence[DaySum]], span: tuple[int, int]) -> Iterator[Notice]:
    """`users_alone`, where on some day of the span more than 1 % of the events named a user and no visitor, while no
    more than a visitor may be known: they are not stored, and their senders are told of success.
    """
    each_day = range(span[0], span[1] + DAY_US, DAY_US)
    days = {day: of_day(told, calendar_date(day).isoformat(), "dropped") for day in each_day}
    counts = {day: sum(each.count for each in own if each.code == USER_ALONE) for day, own in days.items()}
    counts = {day: count for day, count in counts.items() if count}
    if not counts:
        return
    stored = _stored(cube, min(counts), max(counts))
    much = [share for day, n in counts.items() if (share := Share(day, n, n + stored.get(day, 0))).is_much]
    if much:
        worst = max(much, key=lambda share: share.few / share.all)
        text = f"{worst.told.format('events')} named a user alone, and the consent is measure{_others(much)}"
        yield Notice("users_alone", f"{text}: they are not stored; {ALONE_REMEDY}")


def worthless_check(cube: Cube, span: tuple[int, int]) -> Iterator[Notice]:
    """`orders_without_value`, where on some day of the span more than 1 % of the orders came without one."""
    days = cube.scope.days
    since, until = days.moment(span[0]), days.moment(span[1] + DAY_US)
    bound: dict[str, Any] = {"day": days.sql("e.received_at"), "name": ORDER, "since": since, "until": until}
    rows = cube.once(arrivals_sql("order_values").bind(**bound))
    if not rows["worthless"].sum():
        return
    columns = (rows[name].tolist() for name in ("day", "n", "worthless"))
    shares = [Share(int(day), int(without), int(n)) for day, n, without in zip(*columns, strict=True)]
    rows = cube.once(arrivals_sql("order_values_from").bind(library=LIBRARY, **bound))
    columns = (rows[name].tolist() for name in ("day", "library", "n", "worthless"))
    of_libraries: dict[tuple[int, str], tuple[int, int]] = {}
    for day, library, n, without in zip(*columns, strict=True):
        whose = int(day), library_label(library)
        few, of = of_libraries.get(whose, (0, 0))
        of_libraries[whose] = few + int(without), of + int(n)
    shares += [Share(day, few, of, library) for (day, library), (few, of) in of_libraries.items()]
    much = [share for share in shares if share.few and share.is_much]
    if much:
        worst = max(much, key=lambda share: (share.few / share.all, share.library is not None))
        right = "send revenue, total or value as a number, or products with price and quantity"
        text = f"{worst.told.format('orders')} came without a value{_others(much)}: they count as orders of nothing"
        yield Notice("orders_without_value", f"{text}; {right}")


def _others(much: Sequence[Share]) -> str:
    days = len({share.day for share in much})
    return "" if days == 1 else f" (and on {days - 1} more {'day' if days == 2 else 'days'})"


def _stored(cube: Cube, first: int, last: int) -> dict[int, int]:
    days = cube.scope.days
    counted = _received(cube, days.sql("e.received_at"), days.moment(first), days.moment(last + DAY_US))
    return {int(day): n for day, n in counted}


def _received(cube: Cube, per: Expression, since: int, until: int) -> Iterator[tuple[Any, int]]:
    """How many events were received, by what `per` says of each."""
    rows = cube.once(arrivals_sql("received").bind(per=per, since=since, until=until, refused=REFUSED))
    return zip(rows["per"].tolist(), map(int, rows["n"].tolist()), strict=True)
