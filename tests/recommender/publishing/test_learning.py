"""Whose orders teach: more than pages' as soon as they teach as well, else everybody's, and how it is told."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from worlds.event_log import received, write_log
from worlds.shop_worlds import DAY, products_of_taste, taste_lines

from events.authority import Authority
from events.records import Record
from recommender.publishing.gate import shortfalls
from recommender.publishing.run import Learning, TrainingTerms, run_training
from recommender.training.scorecard import Score
from recommender.training.sources import LoggedPurchases, logged_purchases

DAY_US = 86_400_000_000


def orders(part: float, rank: Authority = Authority.BACKEND) -> list[Record]:
    """The world of tastes: so many of its people's orders by a backend with their user, the others' by their pages."""
    found: dict[str, dict[str, Any]] = {}
    for person, product, order, day in taste_lines():
        believed = int(person.partition("-")[2] or 0) % 100 < 100 * part
        who = {"user_id": person, "authority": rank} if believed else {}
        told = found.setdefault(order, {"visitor_id": person, "time": round(day * DAY_US), "product_ids": [], **who})
        told["product_ids"].append(product)
    return [
        Record(message_id=f"m-{name}", type="track", event="Order Completed", order_id=name, **told)
        for name, told in found.items()
    ]


def swarm(visitors: int) -> list[Record]:
    """Visitors who never were, with orders that mislead: each buys the target with anything, again and again."""
    dice, names = random.Random(3), sorted(products_of_taste())
    return [
        Record(
            message_id=f"s-{n}-{time}", type="track", event="Order Completed", order_id=f"s-{n}-{time}",
            visitor_id=f"swarm-{n}", time=round((DAY - 5 * time - dice.random()) * DAY_US),
            product_ids=["target", *dice.sample(names, 6)],
        )
        for n in range(visitors) for time in range(3)
    ]  # fmt: skip


def learned(data: Path, records: list[Record], learn_from: Any) -> tuple[set[str], dict[str, Any]]:
    """The names of the products that teach, and what the report says."""
    write_log(data, received(records))
    least = {"auto": Authority.PROVEN, "backend": Authority.BACKEND, "any": Authority.PAGE}[learn_from]
    logged = logged_purchases(data, least)
    trained, told = Learning([""] * len(logged.every.product_ids), DAY, None, data).from_log(logged, learn_from)
    return {trained.purchases.product_ids[code] for code in trained.purchases.products}, told


def test_a_shop_whose_backend_tells_most_learns_from_nothing_else(tmp_path: Path) -> None:
    products, told = learned(tmp_path, [*orders(0.8), *swarm(300)], "auto")
    assert "target" not in products
    assert (told["used"]["page"], told["because"]) == (0, [])
    assert told["left_out"]["page"] >= 900
    assert told["left_out"]["backend"] == 0


def test_proven_users_teach_as_backends_do(tmp_path: Path) -> None:
    products, told = learned(tmp_path, [*orders(0.8, Authority.PROVEN), *swarm(100)], "auto")
    assert ("target" in products, told["used"]["proven"] > 0) == (False, True)


def test_a_shop_half_way_through_its_integration_keeps_all_its_orders(tmp_path: Path) -> None:
    products, told = learned(tmp_path, [*orders(0.05), *swarm(10)], "auto")
    assert "target" in products
    assert set(told["left_out"].values()) == {0}
    assert any("at least 200 are needed" in text for text in told["because"])
    assert "let the backend send the orders" in told["proposal"]


@pytest.mark.parametrize(("learn_from", "taught"), [("any", True), ("backend", False)])
def test_what_is_written_is_what_is_done(tmp_path: Path, learn_from: str, taught: bool) -> None:
    products, told = learned(tmp_path, [*orders(0.5), *swarm(20)], learn_from)
    assert (told["setting"], "target" in products) == (learn_from, taught)


def test_more_orders_of_pages_never_change_whose_orders_teach(tmp_path: Path) -> None:
    believed = {
        count: learned(tmp_path / str(count), [*orders(0.8), *swarm(count)], "auto")[1]["used"]
        for count in (0, 40, 400)
    }  # fmt: skip
    assert len({tuple(used.items()) for used in believed.values()}) == 1


def test_without_orders_of_pages_there_is_one_model_and_no_question(tmp_path: Path) -> None:
    _, told = learned(tmp_path, orders(1.0), "auto")
    assert (told["because"], set(told["left_out"].values())) == ([], {0})


GOOD = Score(400, 0.30, 0.5, 0.3, 50, 0.10, (0.15, 0.25))


@pytest.mark.parametrize(
    ("alone", "said"),
    [
        (GOOD, []),
        (replace(GOOD, ndcg=0.25), []),
        (replace(GOOD, ndcg=0.20), ["novel: 0.2000, a model of all orders reaches 0.3000; 20% less is borne"]),
        (replace(GOOD, interval=(-0.2, -0.1)), ["novel: worse than popularity, 0.3000 against 0.1000"]),
        (replace(GOOD, questions=29), ["fewer than 30 of their orders in the validation window can be foretold"]),
    ],
)
def test_it_is_asked_how_good_both_are(alone: Score, said: list[str]) -> None:
    assert shortfalls({"novel": alone}, {"novel": GOOD}) == said


def test_both_kinds_of_lines_have_the_same_codes(tmp_path: Path) -> None:
    write_log(tmp_path, received([*orders(0.5), *swarm(5)]))
    logged: LoggedPurchases = logged_purchases(tmp_path, Authority.PROVEN)
    assert (logged.every.product_ids, logged.every.person_ids) == (
        logged.believed.product_ids, logged.believed.person_ids,
    )  # fmt: skip
    assert 0 < len(logged.believed) < len(logged.every)
    assert logged.believed.origins.authorities.min() > Authority.PAGE


def test_the_report_of_a_training_says_whose_orders_taught(tmp_path: Path) -> None:
    write_log(tmp_path, received([*orders(0.5), *swarm(5)]))
    report = run_training(tmp_path, terms=TrainingTerms("backend")).as_json()
    assert report["learned_from"]["used"]["backend"] > 0
    assert report["learned_from"]["left_out"]["page"] >= 15
