"""Where a number is missing, the comparison says why."""

import random
from pathlib import Path

import pytest
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from experiments.answers.comparison import ComparisonReadout
from experiments.statistics.estimate import Interval, NoEstimate

PLANS = {
    "anytime": "{method: anytime, cuped: off}",
    "planned": "{method: planned, looks: 4, cuped: off}",
    "fixed": "{method: fixed, cuped: off}",
    "bayesian": "{method: bayesian, cuped: off}",
}


def _crowd(units: int, seed: int) -> Shop:
    chance, shop = random.Random(seed), Shop()
    for number in range(units):
        name, time = f"v{number}", START + chance.randrange(5 * DAY)
        shop.expose(name, "b" if number % 2 else "control", time)
        if chance.random() < 0.3:
            shop.buy(name, time + chance.randrange(6 * DAY), value=float(chance.randrange(1, 100)))
    return shop


def _shown(found: ComparisonReadout) -> dict[str, object]:
    anytime = found.methods.anytime
    shown = {
        name: getattr(found, name) for name in ("lift", "ci", "difference", "difference_ci", "p", "ci_simultaneous")
    }
    return shown | {"p_min": anytime.p_min, "anytime.ci": anytime.ci, "fixed.p": found.methods.fixed.p}


def _unexplained(found: ComparisonReadout) -> list[str]:
    shown = _shown(found)
    return [name for name, value in shown.items() if isinstance(value, NoEstimate) and not found.reasons]


@pytest.mark.parametrize("method", PLANS)
@pytest.mark.parametrize("units", [0, 1, 3, 40, 300])
def test_every_missing_number_has_a_reason(method: str, units: int, tmp_path: Path) -> None:
    goals = "goals: [purchase_rate, revenue_per_visitor, average_order_value]\n"
    files = {"banner.yaml": f"{SMALLEST}{goals}secondary: [return_d7]\nplan: {PLANS[method]}\n"}
    for days in (0.5, 2.5, 40):
        found = readouts(tmp_path / str(days), _crowd(units, units).records, days, files).read("banner")
        for metric in found.metrics:
            assert [_unexplained(each) for each in metric.comparisons] == [[]], (metric.metric, days)
    if units == 300:  # where there is much to say, it is said
        shown = _shown(found.metric("purchase_rate").comparisons[0])
        missing = {name for name, value in shown.items() if isinstance(value, NoEstimate)}
        absent = {"bayesian": {"p", "difference_ci"}, "anytime": {"ci_simultaneous"}}  # of 300 units
        assert missing == absent.get(method, set())


def test_an_interval_that_only_the_family_loses_is_explained(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(60):
        name = f"v{number}"
        shop.expose(name, "b" if number % 2 else "control")
        shop.buy(name, START + HOUR, value=130.0 if number % 4 < 2 else 70.0)
    goals = "goals: [revenue_per_visitor, purchase_rate, orders_per_visitor, average_order_value, refund_rate]\n"
    files = {"banner.yaml": f"{SMALLEST}{goals}plan: {{cuped: off}}\n"}
    found = readouts(tmp_path, shop.records, 30, files).read("banner").metric("revenue_per_visitor").comparisons[0]
    assert isinstance(found.ci, Interval)
    assert isinstance(found.ci_simultaneous, NoEstimate)
    assert "control_mean_near_zero" in found.reasons
