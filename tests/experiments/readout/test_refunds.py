"""Refunds join their order, count only if it counts, and always take off."""

from pathlib import Path

import pytest
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from experiments.answers.readout import MetricReadout

REVENUE = "type: mean, event: Order Completed, value: revenue"
ORDERS = "{event: Order Completed, count: true}"
RATE = "type: ratio, numerator: {event: Order Refunded, count: true"


def _shop() -> Shop:
    """Four visitors with one order each; the first two by the app, whose refund is late, and the others' damaged."""
    shop = Shop()
    for number in range(4):
        name, app = f"v{number}", number < 2
        shop.expose(name, "b" if number % 2 else "control")
        shop.buy(
            name, START + HOUR, order_id=f"o{number}", properties={"channel": "app" if app else "web", "margin": 3.0}
        )
        shop.add(
            "track", name, START + 2 * HOUR, event="Order Refunded", order_id=f"o{number}", currency="EUR",
            value=4.0 if app else -4.0,
            properties={"reason": "late" if app else "damaged", "margin": 5.0 if app else -1.0},
        )  # fmt: skip
    return shop


def _numerators(data: Path, metric: str) -> MetricReadout:
    files = {"banner.yaml": SMALLEST + "goal: measured\n", "metrics.yaml": f"measured: {{{metric}}}\n"}
    return readouts(data, _shop().records, 30, files).read("banner").metric("measured")


@pytest.mark.parametrize(
    ("metric", "numerator", "denominator"),
    [
        (f"{REVENUE}, subtract: {{event: Order Refunded, value: total}}", 12.0, 2),
        (f"{REVENUE}, where: {{channel: app}}, subtract: {{event: Order Refunded, value: total}}", 6.0, 2),
        (f"{REVENUE}, where: {{channel: tv}}, subtract: {{event: Order Refunded, value: total}}", 0.0, 2),
        ("type: mean, event: Order Completed, value: margin, subtract: {event: Order Refunded, value: margin}", 2.0, 2),
        ("type: mean, event: Order Completed, value: margin, subtract: {event: Order Refunded, value: total}", 0.0, 2),
        ("type: mean, event: Order Refunded, value: margin", 6.0, 2),
        (f"{RATE}}}, denominator: {{event: Order Completed, count: true}}", 2.0, 2),
        (f"{RATE}, where: {{reason: damaged}}}}, denominator: {{event: Order Completed, count: true}}", 1.0, 2),
        (f"{RATE}}}, denominator: {{event: Order Completed, count: true, where: {{channel: app}}}}", 1.0, 1),
    ],
)
def test_a_refund_counts_if_it_is_asked_for_and_its_order_counts(
    metric: str, numerator: float, denominator: float, tmp_path: Path
) -> None:
    found = _numerators(tmp_path, metric)
    assert [(arm.numerator, arm.denominator) for arm in found.arms] == [(numerator, denominator)] * 2


@pytest.mark.parametrize("metric", ["type: count, event: Order Refunded", f"{RATE}}}, denominator: {ORDERS}"])
def test_an_order_that_is_given_back_in_parts_counts_once_on_the_day_of_the_first(metric: str, tmp_path: Path) -> None:
    shop = _shop()
    for day in (1, 3):
        for number in range(4):
            shop.add("track", f"v{number}", START + day * DAY, event="Order Refunded", order_id=f"o{number}", value=1.0)
    files = {"banner.yaml": f"{SMALLEST}goal: measured\n", "metrics.yaml": f"measured: {{{metric}}}\n"}
    found = readouts(tmp_path, shop.records, 30, files).read("banner").metric("measured")
    assert [arm.numerator for arm in found.arms] == [2.0, 2.0]
    assert {look.day.day: look.value for look in found.series if look.kind == "daily" and look.value} == {5: 1.0}
