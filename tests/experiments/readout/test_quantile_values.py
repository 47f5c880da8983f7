"""Quantiles and caps are values that were measured, to the last digit, however small or large their unit is."""

import random
from pathlib import Path

import pytest
from oracles.estimates import existing
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from experiments.answers.encoding import plain as as_json
from experiments.answers.readout import MetricReadout

METRICS = """
shift_of_layout: {type: quantile, event: Measured, value: shift, q: 0.75}
returned_median: {type: quantile, event: Order Refunded, value: total, q: 0.5}
capped:          {type: mean, event: Order Completed, value: revenue, cap: {low: p10, high: p90}}
basket:
  type: ratio
  numerator: {event: Order Completed, sum: revenue, cap: {low: p10}}
  denominator: {event: Order Completed, count: true, cap: {high: 3}}
"""
FILES = {
    "banner.yaml": f"{SMALLEST}goals: [shift_of_layout, returned_median, capped, basket]\n",
    "metrics.yaml": METRICS,
}


def _metrics(data: Path, factor: float) -> dict[str, MetricReadout]:
    """Three hundred visitors, all of whose measurements and money are multiplied by a factor."""
    chance, shop = random.Random(5), Shop()
    for number in range(300):
        name, time = f"v{number}", START + chance.randrange(DAY)
        shop.expose(name, "b" if number % 2 else "control", time)
        for _ in range(chance.randrange(3)):
            shift = chance.randrange(1, 999_999) * factor
            shop.add("track", name, time + HOUR, event="Measured", properties={"shift": shift})
        spent, order = chance.randrange(1, 999_999) * factor, f"o{number}"
        shop.buy(name, time + HOUR, value=spent, order_id=order)
        shop.add("track", name, time + 2 * HOUR, event="Order Refunded", order_id=order, value=spent, currency="EUR")
    found = readouts(data, shop.records, 30, FILES).read("banner")
    return {metric.metric: metric for metric in found.metrics}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MetricReadout]:
    return _metrics(tmp_path_factory.mktemp("plain"), 1.0)


@pytest.mark.drawn(4)
@pytest.mark.parametrize("power", [power for power in range(-6, 7) if power])
def test_another_unit_of_measurement_scales_the_quantile_and_moves_no_p(
    power: int, plain: dict[str, MetricReadout], tmp_path: Path
) -> None:
    factor = 10.0**power
    scaled = _metrics(tmp_path, factor)
    for name in ("shift_of_layout", "returned_median"):
        for ours, before in zip(scaled[name].arms, plain[name].arms, strict=True):
            ends, wanted = existing(ours.value_ci), existing(before.value_ci)
            assert ours.value == existing(before.value) * factor
            assert (ends.low, ends.high) == (wanted.low * factor, wanted.high * factor)
    assert (scaled["capped"].cap, scaled["capped"].cap_low) == (
        existing(plain["capped"].cap) * factor,
        existing(plain["capped"].cap_low) * factor,
    )
    for name, metric in scaled.items():
        ours, before = metric.comparisons[0], plain[name].comparisons[0]
        assert existing(ours.p) == pytest.approx(existing(before.p), rel=1e-9)
        assert existing(ours.lift) == pytest.approx(existing(before.lift), rel=1e-9)
        assert 0.0 < existing(ours.methods.fixed.p) < 1.0


def test_the_caps_that_cut_something_are_served(plain: dict[str, MetricReadout]) -> None:
    def served(name: str) -> dict[str, float]:
        return {key: value for key, value in as_json(plain[name]).items() if "cap" in key}

    both = served("capped")
    assert 0.0 < both["cap_low"] < both["cap"]
    assert served("basket") == {"cap_low": both["cap_low"], "denominator_cap": 3.0}
    assert served("shift_of_layout") == {}
