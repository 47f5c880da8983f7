"""A readout says how far its conversions are believed, and what had no power to change them."""

from pathlib import Path
from typing import Any

import pytest
from worlds.readout_studies import GOAL, HOUR, SMALLEST, START, Shop, readouts

from events.authority import WORDS, Authority
from experiments.answers.readout import Readout

PAGE, PROVEN, BACKEND = Authority
SOURCES = {
    "banner.yaml": SMALLEST + "goals: [orders, backend_orders, proven_orders, backend_revenue]\n",
    "metrics.yaml": """
orders: {type: count, event: Order Completed}
backend_orders: {type: count, event: Order Completed, from: backend}
proven_orders: {type: count, event: Order Completed, from: proven}
backend_revenue: {type: mean, event: Order Completed, value: revenue, from: backend,
                  subtract: {event: Order Refunded, value: total}}
""",
}


class Shopping(Shop):
    """Two visitors, one in each arm, and what is told of them."""

    def __init__(self) -> None:
        super().__init__()
        self.expose("v1", "control")
        self.expose("v2", "b")

    def told(self, event: str, visitor: str, authority: Authority, order: str, **fields: Any) -> None:
        fields = {"order_id": order, "authority": authority, "event": event} | fields
        self.add("track", visitor, START + fields.pop("hours", 5) * HOUR, **fields)


@pytest.fixture
def shop() -> Shopping:
    return Shopping()


def read(folder: Path, shop: Shop, files: dict[str, str] = GOAL) -> Readout:
    return readouts(folder, shop.records, 30, files).read("banner")


def arms(found: Readout, metric: str) -> list[float]:
    return [arm.numerator for arm in found.metric(metric).arms]


def test_conversions_are_shown_by_who_told_of_them_and_metrics_may_count_the_better_alone(
    tmp_path: Path, shop: Shopping
) -> None:
    for number, authority in enumerate((PAGE, PAGE, PROVEN, BACKEND)):
        shop.told("Order Completed", "v1", authority, f"o{number}", value=10.0, currency="EUR")
    found = read(tmp_path, shop, SOURCES)
    told = found.health.authority.by_variant
    assert told["control"].conversions == {"backend": 1, "proven": 1, "page": 2}
    assert told["b"].conversions == dict.fromkeys(reversed(WORDS), 0)
    assert [arms(found, name) for name in ("orders", "proven_orders", "backend_orders")] == [[4, 0], [2, 0], [1, 0]]


def test_the_networks_of_pages_are_counted_and_orders_of_one_arm_from_few_of_them_are_named(
    tmp_path: Path, shop: Shopping
) -> None:
    for number in range(60):
        arm = ("control", "b")[number % 2]
        shop.expose(f"w{number}", arm)
        shop.told("Order Completed", f"w{number}", PAGE, f"o{number}", network=number, value=10.0, currency="EUR")
    assert "conversions_look_forged" not in {check.code for check in read(tmp_path / "honest", shop).health.checks}
    for number in range(30):
        shop.expose(f"x{number}", "b")
        shop.told("Order Completed", f"x{number}", PAGE, f"x{number}", network=99, value=10.0, currency="EUR")
    health = read(tmp_path / "forged", shop).health
    assert {arm: told.networks for arm, told in health.authority.by_variant.items()} == {"control": 30, "b": 31}
    (named,) = (check for check in health.checks if check.code == "conversions_look_forged")
    assert (named.variant, named.withholds_ship) == ("b", False)
    assert "30 of the 60 units of whose conversion pages told come from 1 network" in named.detail


def test_an_order_that_a_page_alone_joins_to_its_visitor_is_believed_as_a_page(tmp_path: Path, shop: Shopping) -> None:
    shop.add("identify", "v2", START + HOUR, user_id="u", authority=PAGE)
    shop.told("Order Completed", "", BACKEND, "o1", user_id="u", value=10.0, currency="EUR")
    found = read(tmp_path, shop, SOURCES)
    assert found.health.authority.by_variant["b"].conversions == {"backend": 0, "proven": 0, "page": 1}
    assert (arms(found, "orders"), arms(found, "backend_orders")) == ([0, 1], [0, 0])
    details = {check.code: check.detail for check in found.health.checks}
    assert details["backend_orders_joined_by_page"].startswith(
        "100 % of the orders of backends are joined to a visitor"
    )
    assert "anonymousId" in details["backend_orders_joined_by_page"]


@pytest.mark.parametrize("joined", [PROVEN, BACKEND])
def test_one_that_is_joined_by_more_than_a_page_is_believed_as_far(
    tmp_path: Path, shop: Shopping, joined: Authority
) -> None:
    shop.add("identify", "v1", START + HOUR, user_id="u", authority=PAGE)
    shop.add("identify", "v2", START + HOUR, user_id="u", authority=joined)
    shop.told("Order Completed", "", BACKEND, "o1", user_id="u", value=10.0, currency="EUR")
    found = read(tmp_path, shop, SOURCES)
    assert found.health.authority.by_variant["b"].conversions[joined.word] == 1
    assert arms(found, "orders") == [0, 1]
    assert "backend_orders_joined_by_page" not in {check.code for check in found.health.checks}


def test_a_refund_of_a_page_takes_nothing_from_an_order_of_the_backend_and_is_counted(
    tmp_path: Path, shop: Shopping
) -> None:
    shop.told("Order Completed", "v2", BACKEND, "o1", value=40.0, currency="EUR")
    shop.told("Order Refunded", "v2", PAGE, "o1", hours=6)
    shop.told("Order Cancelled", "v1", PROVEN, "o1", hours=6)
    found = read(tmp_path, shop, SOURCES)
    assert arms(found, "backend_revenue") == [0, 40]
    assert found.health.excluded.powerless_refunds == 2


def test_a_page_that_tells_of_another_order_of_a_refund_id_takes_no_refund_away(tmp_path: Path, shop: Shopping) -> None:
    shop.told("Order Completed", "v2", PROVEN, "o1", value=40.0, currency="EUR")
    refund = {"properties": {"refund_id": "r1"}, "hours": 6}
    shop.told("Order Refunded", "v2", PROVEN, "o1", **refund)
    shop.told("Order Refunded", "v1", BACKEND, "o2", **refund)
    shop.told("Order Completed", "v1", PAGE, "o2", value=10.0, currency="EUR")
    files = {**GOAL, "metrics.yaml": "purchases: {type: mean, event: Order Completed, value: revenue,"
             " subtract: {event: Order Refunded, value: total}}\n"}  # fmt: skip
    files["banner.yaml"] = SMALLEST + "goal: purchases\n"
    assert arms(read(tmp_path, shop, files), "purchases") == [0, 0]


def test_an_order_that_two_pages_claim_counts_for_the_one_whose_cart_it_is(tmp_path: Path, shop: Shopping) -> None:
    for visitor, cart in (("v1", ["a"]), ("v2", ["b"])):
        shop.told("Checkout Started", visitor, PAGE, "o1", product_ids=cart, hours=1)
    shop.told("Order Completed", "", BACKEND, "o1", value=10.0, currency="EUR", product_ids=["b"])
    found = read(tmp_path, shop, SOURCES)
    assert (arms(found, "orders"), found.health.excluded.contested) == ([0, 1], 0)


def test_and_for_nobody_where_the_carts_do_not_tell(tmp_path: Path, shop: Shopping) -> None:
    for visitor in ("v1", "v2"):
        shop.told("Checkout Started", visitor, PAGE, "o1", product_ids=["a"], hours=1)
    shop.told("Order Completed", "", BACKEND, "o1", value=10.0, currency="EUR", product_ids=["a"])
    found = read(tmp_path, shop, SOURCES)
    assert (arms(found, "orders"), found.health.excluded.contested) == ([0, 0], 1)
    assert "contested_orders" in {check.code for check in found.health.checks}


def test_an_order_that_a_page_claims_counts_for_the_claim_that_is_believed_more(tmp_path: Path, shop: Shopping) -> None:
    for visitor, authority in (("v1", PAGE), ("v2", PROVEN)):
        shop.told("Checkout Started", visitor, authority, "o1", product_ids=["a"], hours=1)
    shop.told("Order Completed", "", BACKEND, "o1", value=10.0, currency="EUR", product_ids=["a"])
    found = read(tmp_path, shop, SOURCES)
    assert [arms(found, name) for name in ("orders", "proven_orders")] == [[0, 1], [0, 1]]
    assert found.health.excluded.contested == 0


def test_a_page_gives_a_visitor_one_user_and_the_second_is_counted(tmp_path: Path, shop: Shopping) -> None:
    for number, user in enumerate(("first", "second")):
        shop.add("identify", "v2", START + HOUR + number, user_id=user, authority=PAGE)
        shop.told("Order Completed", "", BACKEND, user, user_id=user, value=10.0, currency="EUR")
    found = read(tmp_path, shop, SOURCES)
    assert found.health.identity.second_users == 1
    assert arms(found, "orders") == [0, 1]


def test_what_names_an_order_s_owner_goes_by_its_authority_before_its_kind(tmp_path: Path, shop: Shopping) -> None:
    shop.add("identify", "v1", START + HOUR, user_id="u", authority=PAGE)
    shop.told("Checkout Started", "v2", PROVEN, "o1", user_id="w", hours=1)
    shop.told("Order Completed", "", BACKEND, "o1", value=10.0, currency="EUR")
    shop.told("Order Completed", "u", PAGE, "o1", user_id="u")
    found = read(tmp_path, shop, SOURCES)
    assert (arms(found, "orders"), arms(found, "proven_orders")) == ([0, 1], [0, 1])


@pytest.mark.parametrize(("enrolled", "counted"), [(PAGE, [0, 0]), (PROVEN, [0, 0]), (BACKEND, [0, 1])])
def test_a_user_is_enrolled_as_far_as_who_told_of_the_exposure(
    tmp_path: Path, enrolled: Authority, counted: list[float]
) -> None:
    shop = Shopping()
    shop.expose("v9", "b", user_id="u", authority=enrolled)
    shop.told("Order Completed", "", BACKEND, "o1", user_id="u", value=10.0, currency="EUR")
    found = read(tmp_path, shop, SOURCES | {"banner.yaml": SOURCES["banner.yaml"] + "unit: user\n"})
    assert (arms(found, "orders"), arms(found, "backend_orders")) == ([0, 1], counted)
