"""What anybody may send with a publishable key: values that would spoil a sum, overflow a cast, or turn a sign."""

from pathlib import Path

import pytest
from oracles.estimates import existing
from worlds.readout_studies import HOUR, SMALLEST, START, Shop, readouts

from experiments.answers.readout import MetricReadout


def _read(data: Path, shop: Shop, metric: str) -> MetricReadout:
    files = {"banner.yaml": SMALLEST + "goal: measured\n", "metrics.yaml": f"measured: {metric}\n"}
    return readouts(data, shop.records, 30, files).read("banner").metric("measured")


@pytest.mark.parametrize("price", ["nan", "-NaN", "Infinity", "-inf", "1e308", "1e999", "free"])
def test_text_that_spells_no_number_of_the_wire_counts_as_no_number(price: str, tmp_path: Path) -> None:
    shop = Shop()
    for number, value in enumerate([1.0, 2.0, 3.0, 4.0, price, price]):
        shop.expose(f"v{number}", "b" if number % 2 else "control")
        shop.add("track", f"v{number}", START + HOUR, event="Product Added", properties={"price": value})
    found = _read(tmp_path, shop, "{type: mean, event: Product Added, value: price}")
    assert [(arm.numerator, arm.units) for arm in found.arms] == [(4.0, 3), (6.0, 3)]


@pytest.mark.parametrize("kind", ["quantile, q: 0.5", "mean, cap: p99.9"])
@pytest.mark.parametrize("value", [9.2e18, -9.2e18, 1e15 + 1])
def test_the_largest_number_of_the_wire_does_not_overflow_a_histogram(kind: str, value: float, tmp_path: Path) -> None:
    shop = Shop()
    for number in range(80):
        name = f"v{number}"
        shop.expose(name, "b" if number % 2 else "control")
        took = value if number == 3 else float(number)
        shop.add("track", name, START + HOUR, event="Timing", properties={"ms": took})
    found = _read(tmp_path, shop, f"{{type: {kind}, event: Timing, value: ms}}")
    assert found.arms[0].value == pytest.approx(38.0 if "quantile" in kind else 39.0)
    assert found.cap in (None, pytest.approx(max(value, 79.0)))
    assert existing(found.comparisons[0].p) > 0.0
