"""Orders and refunds as the log tells them: each once, and every field by whom is believed most."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from events.authority import Authority
from events.engines.sql import Expression, Statement, union_all

LINES: Final = ("product_ids", "quantities", "prices")
ORDER_VIEWS: Final = (
    "order_copies", "repeated_orders", "ranked_copies", "orders", "checkout_starts", "checkout_claims",
    "matching_carts", "checkouts", "purchases",
)  # fmt: skip
"""The tables that make `purchases`, in the order in which they are made, itself the last."""
OWN_COLUMNS: Final = frozenset(
    {"visitor_id", "user_id", "currency", "authority", "value", "order_key", "type", "event", "time", "bot"}
)
"""What `purchases` has of an order without being asked for it."""
_FOLDER: Final = Path(__file__).parent
_EARLIEST: Final = "k.authority DESC, k.time, k.stream_id, k.shard, k.position"


@cache
def view(name: str) -> Statement:
    """The statement of `<name>.sql` in this folder."""
    return Statement.of_file(_FOLDER / f"{name}.sql").bind(page=int(Authority.PAGE))


def order_views(fields: Sequence[Sequence[str]] = ()) -> dict[str, Statement]:
    """The statements of `ORDER_VIEWS`.

    Of `purchases` one row an order: `order_key`, who made it (`visitor_id`, `user_id`, and `own_visitor`, `own_user`,
    what its copies say), `time`, `value` and `currency`, with the authority of each, -1 where nobody says it. Then the
    columns of each of the `fields` asked for: those of one field come from one copy, the best that says its first, and
    `<first>_authority` is that copy's.
    """
    copies, ranked = view("order_copies"), view("ranked_copies")
    single, several, purchases = view("single_orders"), view("orders"), view("purchases")
    for columns in fields:
        place = f"{columns[0]}_place"
        said = f"CASE WHEN k.{columns[0]} IS NULL THEN 1 ELSE 0 END"
        ranked = ranked.also(
            **{place: Expression.of(f"row_number() OVER (PARTITION BY k.order_key ORDER BY {said}, {_EARLIEST})")}
        )
        told_by = f"{columns[0]}_authority"
        single = single.also(
            **{told_by: Expression.of(f"CASE WHEN k.{columns[0]} IS NULL THEN -1 ELSE k.authority END")}
        )
        best = f"c.{place} = 1 AND c.{columns[0]} IS NOT NULL"
        several = several.also(**{told_by: Expression.of(f"max(CASE WHEN {best} THEN c.authority ELSE -1 END)")})
        purchases = purchases.also(**{told_by: Expression.of(f"o.{told_by}")})
        for name in columns:
            copies = copies.also(**{name: Expression.of(f"e.{name}")})
            single = single.also(**{name: Expression.of(f"k.{name}")})
            several = several.also(**{name: Expression.of(f"max(CASE WHEN c.{place} = 1 THEN c.{name} END)")})
            purchases = purchases.also(**{name: Expression.of(f"o.{name}")})
    made = {
        "order_copies": copies,
        "ranked_copies": ranked,
        "orders": union_all([single, several]),
        "purchases": purchases,
    }
    return {name: made.get(name) or view(name) for name in ORDER_VIEWS}


def order_claims(unit: str) -> Statement:
    """What says who made an order; of two ids of equal authority the one that the unit goes by stands alone."""
    says = {
        "visitor": ("TRUE", "p.user_authority > p.visitor_authority"),
        "user": ("p.visitor_authority > p.user_authority", "TRUE"),
    }
    by_visitor, by_user = says[unit]
    return view("order_claims").bind(by_visitor=Expression.of(by_visitor), by_user_id=Expression.of(by_user))


def refunds(refund_id: str) -> Statement:
    """Refunds and cancellations of `purchases`; `refund_id` is the column that tells two of them apart."""
    return view("refunds").bind(refund_id=Expression.of(refund_id), has_power=HAS_POWER)


HAS_POWER: Final = Expression.of(
    "e.authority >= greatest(p.value_authority, CASE WHEN p.value IS NULL THEN p.authority ELSE $page END)"
    " AND (e.authority > $page OR e.visitor_id = coalesce(p.own_visitor, p.own_user))",
    page=int(Authority.PAGE),
)
"""Whether a refund `e` may take away of what the order `p` brought."""
