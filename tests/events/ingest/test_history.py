"""A history of purchases: what orders, refunds, copies and log-ins make of it."""

from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from oracles.proving import examples

from events.authority import Authority
from events.ingest.history import History, Purchase, forget
from events.ingest.stream import Stream
from events.records import Record, visitor_person
from events.store.connection import Connection
from events.store.keys import history_key
from events.store.shared_reads import SharedReads

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]
DEEDS = st.sampled_from(["Order Completed", "Order Completed", "Order Refunded", "Order Cancelled"])
ORDERS, PRODUCTS = st.sampled_from(["o-1", "o-2"]), st.sampled_from(["p-1", "p-2", "p-3"])
fresh = count()


@pytest.fixture
async def history(connection: Connection) -> AsyncIterator[History]:
    reads = SharedReads(connection, wait_seconds=1)
    yield History(reads)
    await reads.close()


@pytest.fixture
def order(record: MakeRecord) -> MakeRecord:
    def make(order_id: str, *products: str, **fields: Any) -> Record:
        fields = {"event": "Order Completed", "order_id": order_id, "product_ids": list(products)} | fields
        return record(f"m-{order_id}-{fields['event']}-{fields.get('time', 0)}", **fields)

    return make


async def products(history: History, *people: str) -> list[str]:
    return sorted(line.product_id for line in (await history.recent(people or ["v:v-1"])).purchases)


async def test_the_newest_line_comes_first_with_its_time_quantity_and_price(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    await stream.append([order("o-1", "p-1", time=1, quantities=[2.5], prices=[0.1])])
    await stream.append([order("o-2", "p 2 ü", time=2)])

    assert (await history.recent(["v:v-1"])).purchases == (
        Purchase("p 2 ü", 2, 1.0, None),
        Purchase("p-1", 1, 2.5, 0.1),
    )


async def test_lines_are_read_as_they_were_bought_whatever_they_hold(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    bought = [
        Purchase(name, time, quantity, price)
        for name in ("1 2 3", "- -", "ü💥", "a'\"\\b", "null")
        for time, quantity, price in (
            (2**53 - 1, 1e-7, 5e-324),
            (1_790_000_000_123_457, 0.1 + 0.2, None),
            (0, 1e22, 0.0),
        )
    ]
    lines = [
        order(f"o {number} é", line.product_id, time=line.time, quantities=[line.quantity], prices=[line.price])
        for number, line in enumerate(bought)
    ]
    await stream.append(lines)
    assert set((await history.recent(["v:v-1"])).purchases) == set(bought)


async def test_at_most_fifty_lines_are_kept_and_they_are_the_newest(
    stream: Stream, history: History, order: MakeRecord, connection: Connection
) -> None:
    await stream.append([order(f"o-{number}", f"p-{number}", time=number) for number in range(80)])
    recent = await history.recent(["v:v-1"])
    assert [line.time for line in recent.purchases] == list(range(79, 29, -1))
    assert await connection.client.hlen("{h:v:v-1}") == 50


async def test_a_cancelled_order_leaves_the_history(stream: Stream, history: History, order: MakeRecord) -> None:
    await stream.append([order("o-1", "p-1", "p-2"), order("o-10", "p-3")])
    await stream.append([order("o-1", event="Order Cancelled", product_ids=None)])
    assert await products(history) == ["p-3"]


async def test_a_refund_takes_the_products_it_names(stream: Stream, history: History, order: MakeRecord) -> None:
    await stream.append([order("o-1", "p-1", "p-2", "p-3", quantities=[1.0, 2.0, 2.0])])
    await stream.append([order("o-1", "p-1", "p-2", "p-3", event="Order Refunded", quantities=[1.0, 1.0, 2.0])])
    assert await products(history) == ["p-2"]  # of which one piece is kept


async def test_an_order_that_is_sent_again_does_not_undo_its_refund(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    bought = order("o-1", "p-1", "p-2")
    await stream.append([bought, order("o-2", "p-3")])
    await stream.append([order("o-1", event="Order Refunded", product_ids=None)])
    await stream.append([bought])
    assert await products(history) == ["p-3"]


async def test_a_refund_that_overtakes_its_order_still_counts(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    await stream.append([order("o-1", event="Order Cancelled", product_ids=None)])
    await stream.append([order("o-1", "p-1")])
    assert await products(history) == []


async def test_a_copy_of_an_order_from_another_device_is_one_purchase(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    await stream.append([order("o-1", "p-1", time=5, user_id="u-1")])
    await stream.append([order("o-1", "p-1", time=6, user_id="u-1", visitor_id="v-2")])
    assert [(line.product_id, line.time) for line in (await history.recent(["u:u-1", "v:v-1", "v:v-2"])).purchases] == [
        ("p-1", 5)
    ]


@pytest.mark.parametrize("authority", [Authority.PROVEN, Authority.BACKEND])
async def test_purchases_belong_to_the_user_where_more_than_a_page_says_who(
    stream: Stream, history: History, order: MakeRecord, authority: Authority
) -> None:
    await stream.append([order("o-2", "p-2"), order("o-1", "p-1", user_id="u-1", authority=authority)])
    assert await products(history, "u:u-1") == ["p-1", "p-2"]  # the visitor's own went along
    assert await products(history, "v:v-1") == ["p-1", "p-2"]
    assert await products(history, "v:v-1", "u:u-1") == ["p-1", "p-2"]


async def test_a_page_writes_its_visitors_history_whatever_user_it_names(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    await stream.append([order("o-1", "p-1", user_id="u-1", authority=Authority.BACKEND)])
    named = [{"user_id": "u-1", "visitor_id": visitor} for visitor in ("u-1", "v-2", "u:u-1")]
    for number, names in enumerate(named):
        await stream.append([order(f"o-2{number}", "p-2", **names), order(f"m-{number}", **names, type="identify")])
        await stream.append([order("o-1", event="Order Cancelled", product_ids=None, **names)])
    assert await products(history, "u:u-1") == await products(history, "v:v-1") == ["p-1"]
    assert await products(history, "v:v-2") == ["p-2"]


async def told_by_backends(connection: Connection, stream: Stream, visitor: str, records: list[Record]) -> set[bytes]:
    """What backends said of a visitor, as the store holds it after these records."""
    for each in records:
        await stream.append([replace(each, visitor_id=visitor, message_id=f"{visitor}-{each.message_id}")])
    lines = await connection.client.hgetall(history_key(visitor_person(visitor)))
    return {b"%b=%b" % (name, line) for name, line in lines.items() if line.endswith(b" 2")}


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(st.tuples(st.integers(0, 2), DEEDS, ORDERS, st.sets(PRODUCTS)), max_size=10))
async def test_what_is_believed_less_changes_nothing_of_what_backends_said(
    connection: Connection, stream: Stream, order: MakeRecord, told: list[tuple[int, str, str, set[str]]]
) -> None:
    records = [
        order(name, *sorted(bought), event=deed, time=time, authority=Authority(authority))
        for time, (authority, deed, name, bought) in enumerate(told)
    ]
    backends = [each for each in records if each.authority is Authority.BACKEND]
    unique = next(fresh)
    alone = await told_by_backends(connection, stream, f"alone-{unique}", backends)
    assert await told_by_backends(connection, stream, f"mixed-{unique}", records) == alone


@pytest.mark.parametrize("mark", ["bot", "quarantined"])
async def test_bots_and_impossible_times_leave_no_purchase(
    stream: Stream, history: History, order: MakeRecord, mark: str
) -> None:
    await stream.append([order("o-1", "p-1", **{mark: True})])
    assert await products(history) == []


async def test_a_forgotten_person_has_no_history(
    stream: Stream, history: History, order: MakeRecord, connection: Connection
) -> None:
    await stream.append([order("o-1", "p-1", user_id="u-1"), order("o-2", "p-2")])
    await forget(connection, ["u:u-1", "v:v-1"])
    assert await products(history, "u:u-1", "v:v-1") == []
    assert await connection.client.keys("{h:*") == []


async def test_somebody_unknown_has_an_empty_history(history: History) -> None:
    recent = await history.recent(["v:nobody"])
    assert (recent.purchases, recent.available) == ((), True)
