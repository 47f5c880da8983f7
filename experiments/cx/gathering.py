"""What customers' experience is made of, read off the log: answers, tickets, newcomers, buyers and orders.

The log is gone through once for pages, once for what people and backends tell, and once for orders; all figures and
all their days are made of what these leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from events.authority import Authority
from events.engines.duckdb import Columns, Engine
from events.engines.sql import Expression, Statement, equals_any
from events.records import EVERY_SURVEY, SURVEY_SCALES
from events.views.orders import order_views, view
from experiments.cube.shop_days import ShopDays
from experiments.cube.statements import Properties, condition, properties_of
from kit.time import DAY_US

TOLD: Final = ("survey", "kind", "channel", "ticket_id", "by")
"""Properties of answers and tickets."""
CAME_BACK_DAYS: Final = {"retention_d7": 7, "retention_d28": 28}
CAME_BACK_WITHIN_DAYS: Final = 7
BOUGHT_AGAIN_DAYS: Final = 60
_TICKET_SINCE: Final = "coalesce(f.opened_at, f.seen_at)"
_FOLDER: Final = Path(__file__).parent / "sql"


@cache
def experience_sql(name: str) -> Statement:
    """The statement of `sql/<name>.sql` in this room."""
    return Statement.of_file(_FOLDER / f"{name}.sql")


def told_properties(wheres: list[Mapping[str, Any]]) -> Properties:
    """Where the properties of answers and tickets are found, and those that conditions read."""
    read = [name for where in wheres for name in properties_of(where)]
    return Properties(tuple(dict.fromkeys((*TOLD, *(name for name in read if name != "value")))))


@dataclass(slots=True)
class Gathering:
    """The tables of one answer: of everybody of the `segment` (None: of all), from the day `since` until now (µs UTC).

    A table is made when it is first asked for.
    """

    engine: Engine
    days: ShopDays
    properties: Properties
    since: int
    until_us: int
    segment: Mapping[str, Any] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])  # by the name of a survey, as metrics say
    made: set[str] = field(default_factory=set[str])

    @property
    def since_us(self) -> int:
        """When the first day begins, in µs UTC."""
        return self.days.moment(self.since)

    def tell(self) -> None:
        """Make the tables that all others are made of."""
        self._keep("edges", view("edges").bind(known_until=self.until_us))
        self._keep("people", experience_sql("people"))
        if self.segment is not None:
            wanted = condition(self.segment, self.properties)
            span = {"since": self.since_us, "until": self.until_us}
            self._keep("members", experience_sql("members").bind(wanted=wanted, **span))
        text = {name: Expression.of(self.properties.text(name)) for name in ("survey", "channel", "by")}
        told = experience_sql("told").bind(
            ticket=Expression.of(self.properties.text("ticket_id")),
            kind=self._kind(),
            until=self.until_us,
            **text,
        )
        self._keep("told", told)

    def pages(self) -> None:
        """Make the table of all pages."""
        self._keep("pages", experience_sql("pages").bind(until=self.until_us))

    def orders(self) -> None:
        """Make the table of all orders, each with whoever made it."""
        if "people_orders" in self.made:
            return
        for name, made in order_views([("device",), ("country",)]).items():
            self._keep(name, made)
        self._keep("people_orders", experience_sql("orders_of_people").bind(until=self.until_us))
        for name in ("ranked_copies", "orders", "purchases"):
            self.engine.drop(name)

    @property
    def answered(self) -> Columns:
        """Answers to surveys."""
        return self._read("answered", "f.time")

    @property
    def shown(self) -> Columns:
        """Surveys that were shown, and on which days they were answered."""
        return self._read("shown", "f.time")

    @property
    def tickets(self) -> Columns:
        """Tickets."""
        self._ticket_rows()
        return self.engine.columns(Statement.of("SELECT * FROM ticket_rows"))

    @property
    def newcomers(self) -> Columns:
        """Who was seen for the first time."""
        self.pages()
        d7, d28 = (days * DAY_US for days in CAME_BACK_DAYS.values())
        spans = {"d7": d7, "d28": d28, "week": CAME_BACK_WITHIN_DAYS * DAY_US}
        return self._read("newcomers", "f.first_at", **spans)

    @property
    def buyers(self) -> Columns:
        """Who bought for the first time."""
        self.orders()
        return self._read("buyers", "f.first_at", again=BOUGHT_AGAIN_DAYS * DAY_US)

    @property
    def load(self) -> Columns:
        """Orders and tickets by person and day."""
        self.orders()
        self._ticket_rows()
        return self._read("load", "f.time")

    def member(self, person: str) -> Expression:
        """Whether somebody is of the segment."""
        return Expression.of("TRUE" if self.segment is None else f"{person} IN (SELECT m.person FROM members AS m)")

    def _kind(self) -> Expression:
        """What a survey asks: as the event says, else as it is called, else as a metric says."""
        called = Expression.of(f"lower({self.properties.text('survey')})")
        kind = called
        for survey, known in sorted(self.kinds.items(), key=lambda each: each[0] != EVERY_SURVEY):  # which goes last
            own = equals_any(called.render("duckdb"), SURVEY_SCALES)
            test = Expression.of("NOT $own", own=own) if survey == EVERY_SURVEY else None
            test = test or Expression.of("$called = $survey", called=called, survey=survey)
            kind = Expression.of("CASE WHEN $test THEN $known ELSE $kind END", test=test, known=known, kind=kind)
        return Expression.of(f"lower(coalesce({self.properties.text('kind')}, $kind, ''))", kind=kind)

    def _ticket_rows(self) -> None:
        self._keep("ticket_rows", self._bound("tickets", _TICKET_SINCE, backend=int(Authority.BACKEND)))

    def _bound(self, name: str, time: str, **values: int) -> Statement:
        day, member = self.days.sql(time), self.member("f.person")
        return experience_sql(name).bind(day=day, member=member, since=self.since_us, **values)

    def _read(self, name: str, time: str, **values: int) -> Columns:
        return self.engine.columns(self._bound(name, time, **values))

    def _keep(self, name: str, statement: Statement) -> None:
        if name not in self.made:
            self.engine.materialise(name, statement)
            self.made.add(name)
