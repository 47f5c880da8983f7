"""Currency matters for sums of money only, and a rate turns foreign money into the shop's."""

import random
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from oracles.readout_oracle import World
from worlds.catalog_folders import BANNER
from worlds.catalog_folders import Shop as Folder
from worlds.event_log import Received
from worlds.observed_worlds import observed
from worlds.readout_studies import HOUR, SMALLEST, START, Shop, readouts
from worlds.readout_worlds import METRICS, world

from events.records import Record
from experiments.answers.readout import Readout
from experiments.catalog.check import check_folder, served_in
from experiments.readout.read import Readouts

ORDERS = "{event: Order Completed, count: true}"
ITEMS = "{event: Order Completed, sum: items, money: false}"
OWN = f"""
items: {{type: ratio, numerator: {ITEMS}, denominator: {ORDERS}}}
margin: {{type: mean, event: Order Completed, value: margin, money: true}}
margin_per_item:
  type: ratio
  numerator: {{event: Order Completed, sum: margin, money: true}}
  denominator: {ITEMS}
orders_per_euro: {{type: ratio, numerator: {ORDERS}, denominator: {{event: Order Completed, sum: revenue}}}}
dearest: {{type: quantile, event: Order Completed, value: revenue, q: 0.99}}
returns: {{type: retention, event: Order Completed, from: 0 days, to: 7 days}}
steps: {{type: funnel, steps: [Product Viewed, Order Completed]}}
given_back: {{type: mean, event: Order Refunded, value: total}}
"""
COUNTS = ("purchase_rate", "orders_per_visitor", "refund_rate", "items", "returns", "steps")
MONEY = ("revenue_per_visitor", "average_order_value", "margin", "margin_per_item", "orders_per_euro", "given_back")


def shop_of(currency: str, value: float = 10.0) -> Shop:
    """Of each variant one visitor with an order and a refund in euros, and another with the same in a currency."""
    shop = Shop()
    for number in range(4):
        name, code, worth = f"v{number}", "EUR" if number < 2 else currency, 10.0 if number < 2 else value
        shop.expose(name, "b" if number % 2 else "control")
        shop.add("track", name, START + HOUR, event="Product Viewed")
        properties = {"items": 3, "margin": worth / 2}
        shop.buy(name, START + 2 * HOUR, worth, order_id=f"o{number}", currency=code, properties=properties)
        refund = {"event": "Order Refunded", "value": worth / 5, "currency": code if number % 2 else None}
        shop.add("track", name, START + 3 * HOUR, order_id=f"o{number}", **refund)
    return shop


def read(data: Path, shop: Shop, rates: str = "") -> Readout:
    goals = f"goals: [{', '.join((*COUNTS, *MONEY, 'dearest'))}]\n"
    files = {"banner.yaml": SMALLEST + goals, "metrics.yaml": OWN, "shop.yaml": f"currency: EUR\n{rates}"}
    return readouts(data, shop.records, 30, files).read("banner")


def values(found: Readout, names: tuple[str, ...]) -> dict[str, list[tuple[float | None, float | None]]]:
    return {name: [(arm.numerator, arm.denominator) for arm in found.metric(name).arms] for name in names}


@pytest.mark.parametrize("rates", ["", "rates: {PLN: 0.25}\n"], ids=["without a rate", "with a rate"])
def test_a_foreign_order_is_a_conversion_an_order_a_step_and_a_denominator(rates: str, tmp_path: Path) -> None:
    euros, foreign = read(tmp_path / "euros", shop_of("EUR")), read(tmp_path / "foreign", shop_of("PLN"), rates)
    assert values(foreign, COUNTS) == values(euros, COUNTS)
    assert [arm.steps for arm in foreign.metric("steps").arms] == [(2, 2)] * 2
    assert values(foreign, ("refund_rate", "items")) == {"refund_rate": [(2.0, 2.0)] * 2, "items": [(6.0, 2.0)] * 2}


def test_without_a_rate_only_sums_of_money_leave_it_out_with_what_they_are_divided_by(tmp_path: Path) -> None:
    found = read(tmp_path, shop_of("PLN"))
    assert values(found, MONEY) == {
        "revenue_per_visitor": [(8.0, 2.0)] * 2,
        "average_order_value": [(10.0, 1.0)] * 2,
        "margin": [(5.0, 2.0)] * 2,
        "margin_per_item": [(5.0, 3.0)] * 2,
        "orders_per_euro": [(1.0, 10.0)] * 2,
        "given_back": [(2.0, 2.0)] * 2,
    }
    assert found.health.excluded.currency == {
        "revenue_per_visitor": 4, "average_order_value": 2, "margin": 2, "margin_per_item": 2, "orders_per_euro": 2,
        "given_back": 2, "dearest": 2,
    }  # fmt: skip


def test_with_a_rate_a_foreign_order_is_what_it_is_worth(tmp_path: Path) -> None:
    euros = read(tmp_path / "euros", shop_of("EUR"))
    zloty = read(tmp_path / "zloty", shop_of("PLN", 40.0), "rates: {PLN: 0.25}\n")
    assert plain_numbers(zloty) == plain_numbers(euros)
    assert zloty.health.excluded.currency == {}


def plain_numbers(found: Readout) -> list[dict[str, Any]]:
    return [asdict(metric) for metric in found.metrics]


def test_a_refund_in_another_currency_than_its_order_takes_off_what_it_is_worth(tmp_path: Path) -> None:
    shop = Shop()
    for number, code in enumerate(["USD", "CHF", "CHF"]):
        shop.expose(f"v{number}", "b")
        shop.buy(f"v{number}", START + HOUR, 10.0, order_id=f"o{number}")
        event = "Order Cancelled" if number == 2 else "Order Refunded"
        refund = {"event": event, "value": 4.0, "currency": code}
        shop.add("track", f"v{number}", START + 2 * HOUR, order_id=f"o{number}", **refund)
    found = read(tmp_path, shop, "rates: {USD: 0.5}\n")  # the second is unknown, and the third is its whole order
    assert values(found, ("revenue_per_visitor",))["revenue_per_visitor"][1] == (10.0 - 2.0 + 10.0, 3.0)
    assert values(found, ("refund_rate",))["refund_rate"][1] == (3.0, 3.0)
    assert found.health.excluded.currency == {"revenue_per_visitor": 1, "given_back": 1}


def recoded(made: World, seed: int, code: str, worth: float) -> World:
    """The same shop, in which some prices are in another currency that is worth `worth` of its own."""
    chance, chosen = random.Random(seed), dict[str | None, bool]()
    events: list[Received] = []
    for event in made.events:
        record = event.record
        if record.event in ("Order Completed", "Order Refunded", "Order Cancelled"):
            name = record.order_id or record.message_id  # whoever names no currency goes by its order
            if record.currency in (None, "EUR") and chosen.setdefault(name, chance.random() < 0.5):
                fields = {each: getattr(record, each) for each in record.__struct_fields__}
                properties = dict(record.properties or {})
                if "margin" in properties:
                    properties["margin"] /= worth
                value = None if record.value is None else record.value / worth
                named = None if record.currency is None and record.event != "Order Completed" else code
                record = Record(**{**fields, "currency": named, "value": value, "properties": properties})
        events.append(replace(event, record=record))
    return replace(made, events=tuple(events), rates={**made.rates, code: worth})


@given(st.integers(0, 10_000), st.sampled_from([1.0, 0.25, 4.0]))
@settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_a_currency_may_be_renamed_split_and_counted_in_other_units_and_nothing_changes(
    tmp_path_factory: pytest.TempPathFactory, seed: int, worth: float
) -> None:
    made = world(seed)
    told = [numbers(each, tmp_path_factory.mktemp("shop")) for each in (made, recoded(made, seed, "XEU", worth))]
    assert told[0] == told[1]


OF_ORDERS = [metric for metric in METRICS if "Order " in repr(metric) and metric.type != "funnel"]


def numbers(made: World, data: Path) -> str:
    with observed(made, data, metrics=OF_ORDERS) as observer:
        found = [asdict(observer.observe(rule, ("device",))) for rule in observer.cube.plan.rules]
        return repr([*found, observer.cube.excluded()])


RATES = "currency: EUR\nrates: {PLN: 0.25}\n"


def test_rates_are_frozen_with_the_phase_and_the_next_phase_takes_the_new_ones(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.boot(banner=BANNER, shop=RATES)
    assert folder.edit(RATES.replace("0.25", "0.5"), "shop.yaml") == []
    result = check_folder(folder.definitions, folder.now, served_in(folder.data))
    assert [str(warning) for warning in result.warnings] == [
        "banner.yaml:1: phase: rates of shop.yaml are others than phase 0 began with; it keeps its own,"
        " and the next phase takes the new ones"
    ]
    before = folder.archive().design("banner", 0)
    folder.edit(BANNER + "phase: 1\n")
    after = folder.archive().design("banner", 1)
    assert before
    assert after
    assert (before.currency, before.rates, after.rates) == ("EUR", {"PLN": 0.25}, {"PLN": 0.5})


def test_a_running_test_is_read_by_its_own_rates(tmp_path: Path) -> None:
    shop = shop_of("PLN", 40.0)
    files = {"banner.yaml": SMALLEST + "goal: revenue_per_visitor\n", "shop.yaml": RATES}
    found = readouts(tmp_path, shop.records, 30, files)
    (tmp_path / "definitions" / "shop.yaml").write_text("currency: CZK\nrates: {PLN: 7, EUR: 25}\n")
    folder = Folder(tmp_path / "kept")
    folder.write(files["banner.yaml"])
    folder.write(RATES, "shop.yaml")
    folder.boot()
    folder.edit("currency: CZK\nrates: {PLN: 7, EUR: 25}\n", "shop.yaml")
    kept = Readouts(found.log, folder.archive(), found.now)
    assert kept.archive.latest().shop.currency == "CZK"
    assert [arm.numerator for arm in kept.read("banner").metrics[0].arms] == [16.0, 16.0]


def test_the_fingerprint_of_a_phase_without_rates_is_what_it_was(tmp_path: Path) -> None:
    prints: dict[str, str] = {}
    for name, text in {"none": "", "currency": "currency: CZK\n", "rates": RATES}.items():
        folder = Folder(tmp_path / name)
        folder.boot(banner=BANNER, shop=text)
        design = folder.archive().design("banner", 0)
        assert design
        prints[name] = design.fingerprint
    assert prints["none"] == prints["currency"] == "b7f074bc3eb3351d45df4b6a48e13e46e894b867a205e1c4aca2634e6eaac5d3"
    assert prints["rates"] != prints["none"]
