"""A history of purchases: what orders, refunds, copies and log-ins make of it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from events.ingest.history import History, Purchase, forget
from events.ingest.stream import Stream
from events.records import Record
from events.store.connection import Connection

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]


@pytest.fixture
async def history(connection: Connection) -> AsyncIterator[History]:
    opened = History(connection, wait_seconds=1)
    yield opened
    await opened.close()


@pytest.fixture
def order(record: MakeRecord) -> MakeRecord:
    def make(order_id: str, *products: str, **fields: Any) -> Record:
        fields = {"event": "Order Completed", "order_id": order_id, "product_ids": list(products)} | fields
        return record(f"m-{order_id}-{fields['event']}-{fields.get('time', 0)}", **fields)

    return make


async def products(history: History, *people: str) -> list[str]:
    return sorted(line.product_id for line in (await history.recent(people or ["v-1"])).purchases)


async def test_the_newest_line_comes_first_with_its_time_quantity_and_price(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    await stream.append([order("o-1", "p-1", time=1, quantities=[2.5], prices=[0.1])])
    await stream.append([order("o-2", "p 2 ü", time=2)])

    assert (await history.recent(["v-1"])).purchases == (
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
    assert set((await history.recent(["v-1"])).purchases) == set(bought)


async def test_at_most_fifty_lines_are_kept_and_they_are_the_newest(
    stream: Stream, history: History, order: MakeRecord, connection: Connection
) -> None:
    await stream.append([order(f"o-{number}", f"p-{number}", time=number) for number in range(80)])
    recent = await history.recent(["v-1"])
    assert [line.time for line in recent.purchases] == list(range(79, 29, -1))
    assert await connection.client.hlen("{h:v-1}") == 50


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
    assert [(line.product_id, line.time) for line in (await history.recent(["u-1", "v-1", "v-2"])).purchases] == [
        ("p-1", 5)
    ]


async def test_purchases_belong_to_the_user_where_one_is_known(
    stream: Stream, history: History, order: MakeRecord
) -> None:
    await stream.append([order("o-1", "p-1", user_id="u-1"), order("o-2", "p-2")])
    assert await products(history, "u-1") == ["p-1", "p-2"]  # the visitor's own went along
    assert await products(history, "v-1") == ["p-2"]
    assert await products(history, "v-1", "u-1") == ["p-1", "p-2"]


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
    await forget(connection, ["u-1", "v-1"])
    assert await products(history, "u-1", "v-1") == []
    assert await connection.client.keys("{h:*") == []


async def test_somebody_unknown_has_an_empty_history(history: History) -> None:
    recent = await history.recent(["nobody"])
    assert (recent.purchases, recent.available) == ((), True)
