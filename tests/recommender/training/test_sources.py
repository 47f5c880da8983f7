"""Purchases from the log and from a table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from worlds.event_log import received, write_log

from events.authority import Authority
from events.records import Record
from recommender.evaluation.attribution import attribution
from recommender.model.purchases import Purchases
from recommender.training.sources import TableError, logged_purchases, purchases_from_table

NOON = 1_790_000_000_000_000
HOUR = 3_600_000_000


def order(name: str, products: list[str], visitor: str = "v-1", hours: int = 0, **more: object) -> Record:
    chosen = {
        "event": "Order Completed",
        "order_id": name,
        "product_ids": products,
        "time": NOON + hours * HOUR,
        **more,
    }
    return Record(message_id=f"m-{name}-{hours}", type="track", visitor_id=visitor, **chosen)  # pyright: ignore


def lines(purchases: Purchases) -> set[tuple[str, str]]:
    pairs = zip(map(int, purchases.people), map(int, purchases.products), strict=True)
    return {(purchases.person_ids[person], purchases.product_ids[product]) for person, product in pairs}


def bought(tmp_path: Path, *records: Record) -> set[tuple[str, str]]:
    write_log(tmp_path, received(records))
    return lines(logged_purchases(tmp_path, Authority.PAGE).every)


def test_every_line_of_every_order_counts_once(tmp_path: Path) -> None:
    found = bought(tmp_path, order("o-1", ["a", "b"]), order("o-1", ["a", "b"], hours=1), order("o-2", ["a"], "v-2"))
    assert found == {("v:v-1", "a"), ("v:v-1", "b"), ("v:v-2", "a")}


def test_refunds_leave_line_by_line_or_as_a_whole(tmp_path: Path) -> None:
    found = bought(
        tmp_path,
        order("o-1", ["a", "b"]),
        order("o-2", ["c"]),
        order("o-3", ["d"]),
        order("o-1", ["b"], hours=1, event="Order Refunded"),
        order("o-2", [], hours=1, event="Order Refunded"),
        order("o-3", [], hours=1, event="Order Cancelled"),
    )
    assert found == {("v:v-1", "a")}


def test_a_visitor_who_logged_in_is_the_user(tmp_path: Path) -> None:
    found = bought(
        tmp_path,
        order("o-1", ["a"]),
        order("o-2", ["b"], hours=1, user_id="u-1", authority=1),
        order("o-3", ["c"], "v-2", hours=2, user_id="u-1", authority=2),
    )
    assert found == {("u:u-1", "a"), ("u:u-1", "b"), ("u:u-1", "c")}


def test_bots_and_empty_quantities_buy_nothing(tmp_path: Path) -> None:
    assert bought(tmp_path, order("o-1", ["a"], bot=True), order("o-2", ["b", "c"], quantities=[0.0, 2.0])) == {
        ("v:v-1", "c")
    }


def test_what_was_given_away_is_no_choice(tmp_path: Path) -> None:
    bags = [
        order(f"o-{n}", ["bag", "a"], f"v-{n}", prices=[0.0, 2.0], quantities=[1.0, 1.0]) for n in range(3)
    ]  # fmt: skip
    odd = order("o-9", ["minus", "unpriced"], "v-9", prices=[-1.0], quantities=[1.0, 1.0])
    found = bought(tmp_path, *bags, odd)
    assert found == {("v:v-0", "a"), ("v:v-1", "a"), ("v:v-2", "a"), ("v:v-9", "unpriced")}


def test_who_tells_of_a_line_is_who_tells_what_was_bought(tmp_path: Path) -> None:
    write_log(
        tmp_path,
        received(
            [
                order("o-1", ["x"], authority=0),
                order("o-1", [], hours=1, authority=2, product_ids=None, value=5.0),
                order("o-2", ["y"], authority=0),
                order("o-2", ["b"], hours=1, authority=2),
            ]
        ),
    )
    found = logged_purchases(tmp_path, Authority.PAGE).every
    told = zip(map(int, found.products), found.origins.authorities.tolist(), strict=True)
    assert {found.product_ids[product]: authority for product, authority in told} == {"x": 0, "b": 2}


def test_a_page_takes_back_no_line_that_a_backend_told_of(tmp_path: Path) -> None:
    lines = order("o-1", ["a", "b"], authority=2)
    worth = order("o-1", [], hours=1, product_ids=None, value=5.0)  # told by a page: its refunds act on the value
    refund = order("o-1", ["a"], hours=2, event="Order Refunded", value=5.0)
    assert bought(tmp_path, lines, worth, refund) == {("v:v-1", "a"), ("v:v-1", "b")}


def test_the_network_of_an_order_is_a_code_and_a_backends_is_unknown(tmp_path: Path) -> None:
    write_log(
        tmp_path,
        received(
            [
                order("o-1", ["a"], "v-1", network=4_000_000_001),
                order("o-2", ["b"], "v-2", network=4_000_000_002),
                order("o-3", ["c"], "v-3", network=4_000_000_001),
                order("o-4", ["d"], "v-4", authority=2),
            ]
        ),
    )
    found = logged_purchases(tmp_path, Authority.PAGE).every
    network = dict(
        zip((found.product_ids[code] for code in found.products), found.origins.networks.tolist(), strict=True)
    )
    assert (network["a"] == network["c"], network["a"] == network["b"], network["d"]) == (True, False, -1)
    assert min(network["a"], network["b"]) >= 0


def test_an_empty_log_has_no_purchases(tmp_path: Path) -> None:
    assert len(logged_purchases(tmp_path, Authority.PAGE).every) == 0


@pytest.mark.parametrize(
    "time", ["2026-01-05T10:00:00", "2026-01-05 12:00:00+02:00", "1767607200", "1767607200.5", "2026-01-05T10:00:00Z"]
)
def test_a_table_of_lines_is_read(time: str, tmp_path: Path) -> None:
    table = tmp_path / "lines.csv"
    table.write_text(
        f"user,product,order,time,quantity,price\n7,a,1,{time},1,9.5\n7,b,1,{time},0,1\n7,bag,1,{time},1,0\n8,a,2,{time},2,9.5\n"
        f"9,a,,{time},1,1\n,a,3,{time},1,1\n8,c,2,{time},,1\n"
    )
    found = purchases_from_table(table)
    assert lines(found) == {("u:7", "a"), ("u:8", "a"), ("u:8", "c")}
    assert found.days[0] == pytest.approx(20458.4167, abs=1e-3)


@pytest.mark.parametrize("zone", [None, "Europe/Bratislava"])
def test_parquet_is_read_as_csv_is(zone: str | None, tmp_path: Path) -> None:
    times = pa.array([1_767_607_200_000_000] * 2, pa.timestamp("us", zone))
    table = pa.table({"user": [7, 8], "product": ["a", "b"], "order": [1, 2], "time": times, "quantity": [1.5, None]})
    pq.write_table(table, tmp_path / "lines.parquet")
    found = purchases_from_table(tmp_path / "lines.parquet")
    assert lines(found) == {("u:7", "a"), ("u:8", "b")}
    assert found.days[0] == pytest.approx(20458.4167, abs=1e-3)


HEADER = "user,product,order,time,quantity\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "User,product,order,time\n1,a,2,2026-01-01\n",
            "lines.csv: column user is missing; it needs user, product, order, time, and has User, product",
        ),
        (
            HEADER + "1,a,2,soon,1\n",
            "lines.csv: time 'soon' must be a timestamp such as 2026-01-31T12:00:00, or seconds",
        ),
        (HEADER + "1,a,2,1767607200000,1\n", "lines.csv: time '1767607200000' must be a timestamp"),
        (HEADER + "1,a,2,-5,1\n", "lines.csv: time '-5' must be a timestamp"),
        (HEADER + "1,a,2,2026-01-01,many\n", "lines.csv: quantity 'many' must be a number"),
        (
            "user,product,order,time,price\n1,a,2,2026-01-01,free\n",
            "lines.csv: price 'free' must be a number",
        ),
        (HEADER, "lines.csv: it holds no purchase; each line needs user, product, order, time"),
        (HEADER + ",,,,\n", "lines.csv: it holds no purchase"),
        ("", "lines.csv: column user is missing"),
    ],
)
def test_a_table_that_cannot_be_used_is_explained(text: str, words: str, tmp_path: Path) -> None:
    table = tmp_path / "lines.csv"
    table.write_text(text)
    with pytest.raises(TableError) as told:
        purchases_from_table(table)
    assert str(told.value).startswith(words)


def test_what_is_no_table_is_explained(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no such file"):
        purchases_from_table(tmp_path / "nothing.csv")
    (tmp_path / "junk.parquet").write_text("hello")
    with pytest.raises(TableError, match=r"^junk\.parquet: .*Parquet"):
        purchases_from_table(tmp_path / "junk.parquet")


def test_clicks_and_revenue_belong_to_the_strategy_that_was_seen(tmp_path: Path) -> None:
    from events.engines.duckdb import EventLog

    named = {"recommendation_id": "for_you.-.m1.x1"}

    def told(event: str, hours: int, **more: object) -> Record:
        properties = {**named, **more}
        message = f"{event}-{hours}"
        return Record(message_id=message, type="track", visitor_id="v-1", event=event, time=NOON + hours * HOUR,
                      properties=properties)  # fmt: skip

    write_log(
        tmp_path,
        received(
            [
                told("Recommendation Viewed", 0),
                told("Recommendation Clicked", 1, product_id="a", position=1),
                order("o-1", ["a", "b"], hours=2, prices=[10.0, 5.0], quantities=[2.0, 1.0]),
                order("o-2", ["a"], hours=24 * 8, prices=[10.0], quantities=[1.0]),
            ]
        ),
    )
    [row] = attribution(EventLog(tmp_path))
    assert (row["strategy"], row["fallback"], row["model_version"]) == ("for_you", None, "m1")
    assert (row["views"], row["clicks"], row["purchases"], row["attributed_revenue"]) == (1, 1, 1, 20.0)


@pytest.mark.parametrize(("authority", "person"), [(Authority.PAGE, "v:v-1"), (Authority.PROVEN, "u:u-9")])
def test_who_a_visitor_is_is_taken_from_more_than_pages(tmp_path: Path, authority: Authority, person: str) -> None:
    joined = Record(message_id="j", type="identify", visitor_id="v-1", user_id="u-9", time=NOON, authority=authority)
    assert bought(tmp_path, joined, order("o-1", ["a"], authority=Authority.BACKEND)) == {(person, "a")}


def test_who_is_measured_and_no_more_has_no_history_and_counts_as_somebody(tmp_path: Path) -> None:
    found = bought(
        tmp_path,
        order("o-1", ["a", "b"], consent="measure"),
        order("o-2", ["a"], consent="measure", hours=1),
        order("o-3", ["c"], "v-2"),
        order("o-4", ["d"], "v-4", user_id="u-2", authority=Authority.BACKEND),
        order("o-4", ["d"], "v-9", consent="measure", hours=-1),  # a page takes nothing from what a backend tells
    )
    assert found == {("o:o-1", "a"), ("o:o-1", "b"), ("o:o-2", "a"), ("v:v-2", "c"), ("u:u-2", "d")}
