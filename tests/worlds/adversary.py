"""An honest shop's log, and what somebody adds who holds its publishable key and knows every id but its visitors'."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st
from msgspec.structs import replace
from worlds.event_log import Received

from events.authority import Authority
from events.records import Record

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
START: Final = 1_790_000_000_000_000
KEY: Final = "banner"
ARMS: Final = ("control", "b")
USERS, ORDERS, CARTS = ("u0", "u1"), ("o0", "o1"), (("p0",), ("p0", "p1"), ("p1", "p0", "p2"))
EVENTS: Final = ("Order Completed", "Order Refunded", "Order Cancelled", "Checkout Started")

_deeds = st.sampled_from(("exposure", "identify", "alias", "page", *EVENTS, "Order Completed", "Checkout Started"))


@dataclass(frozen=True, slots=True)
class Logs:
    """The honest log, the adversary's rows, both together, and how many of those rows name an id of the honest log."""

    honest: tuple[Received, ...]
    added: tuple[Received, ...]
    touching: int

    @property
    def together(self) -> tuple[Received, ...]:
        return self.honest + self.added


@st.composite
def logs(draw: st.DrawFn, adversary: Authority = Authority.PAGE) -> Logs:
    """Orders by pages, proven pages and backends, with both, one or no id; refunds, log-ins, retries, late rows."""
    honest = draw(st.lists(_rows(("v0", "v1", "v2", "v3"), tuple(Authority), "h"), min_size=4, max_size=18))
    for number, visitor in enumerate(("v0", "v1", "v2")):  # somebody is enrolled
        exposed = {"type": "exposure", "visitor_id": visitor, "user_id": draw(st.sampled_from((None, *USERS)))}
        honest.append(_made(exposed, START + number, f"e{number}", draw(st.sampled_from(list(Authority)))))
    known = tuple(row.record.message_id for row in honest)
    named = ("x0", "x1", *USERS)  # whoever is called by a user's id is as well known
    ranks = [each for each in Authority if each <= adversary]
    added = draw(st.lists(_rows(named, ranks, "a", known), min_size=1, max_size=12))
    ids = {*known, *(row.record.user_id for row in honest), *(row.record.order_id for row in honest)} - {None}
    told = [(row.record.message_id, row.record.user_id, row.record.order_id) for row in added]
    touching = sum(not ids.isdisjoint(names) for names in told)
    return Logs(_once(honest), _once(added), touching)


@st.composite
def _rows(
    draw: st.DrawFn, visitors: Sequence[str], authorities: Sequence[Authority], prefix: str, known: Sequence[str] = ()
) -> Received:
    deed, authority = draw(_deeds), draw(st.sampled_from(authorities))
    visitor, user = draw(st.sampled_from(visitors)), draw(st.sampled_from((None, *USERS)))
    order = draw(st.sampled_from(ORDERS)) if deed in EVENTS else None
    fields: dict[str, Any] = {"type": deed, "visitor_id": visitor, "user_id": user}
    if deed == "alias":  # what a backend aliases is a visitor id, so the adversary does not know it
        others = USERS if known or authority is Authority.PAGE else visitors
        fields |= {"user_id": user or "u0", "visitor_id": draw(st.sampled_from((visitor, *others)))}
    if order is not None:
        cart = draw(st.sampled_from((None, *CARTS)))
        fields |= {"type": "track", "event": deed, "order_id": order, "product_ids": cart and list(cart)}
        fields |= {
            "value": draw(st.sampled_from((None, 5.0, 10.0, 40.0))),
            "currency": draw(st.sampled_from((None, "EUR", "USD"))),
        }
        fields["properties"] = draw(st.sampled_from((None, {"refund_id": "r1"}, {"channel": "app"})))
        whose = draw(st.sampled_from(("both", "user", "nobody"))) if authority is Authority.BACKEND else "both"
        if whose == "nobody":
            fields |= {"visitor_id": "", "user_id": None}
        elif user is not None and (whose == "user" or draw(st.booleans())):
            fields["visitor_id"] = user
    message = draw(st.sampled_from((*(f"{prefix}{number}" for number in range(24)), *known)))
    return _made(fields, START + draw(st.integers(-2, 60)) * HOUR, message, authority, draw(st.integers(0, 40)) * HOUR)


def _made(fields: dict[str, Any], time: int, message: str, authority: Authority, late: int = 0) -> Received:
    if fields["type"] == "exposure":
        name = fields["visitor_id"]
        fields = fields | {"experiment": KEY, "phase": 0, "variant": ARMS[sum(name.encode()) % 2]}
    return Received(Record(message_id=message, time=time, authority=authority, **fields), time + late)


def _once(rows: Sequence[Received]) -> tuple[Received, ...]:
    """What the door takes: an id of one authority once."""
    return tuple({(row.record.message_id, row.record.authority): row for row in reversed(rows)}.values())


def renamed(rows: Sequence[Received], world: str) -> list[Received]:
    """The same rows in a world of their own, so that one log holds several: every id begins with its name."""
    return [Received(_renamed(row.record, f"{world}:"), row.received_at) for row in rows]


def _renamed(record: Record, prefix: str) -> Record:
    names = ("message_id", "visitor_id", "user_id", "order_id", "experiment")
    given = {name: getattr(record, name) for name in names}
    fields: dict[str, Any] = {name: prefix + value for name, value in given.items() if value}
    if record.product_ids is not None:
        fields["product_ids"] = [prefix + each for each in record.product_ids]
    if record.properties is not None and "refund_id" in record.properties:
        fields["properties"] = {"refund_id": prefix + record.properties["refund_id"]}
    return replace(record, **fields)
