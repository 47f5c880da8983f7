"""Small arms: nothing is decided before it can be, and what is broken is found all the same."""

from pathlib import Path

import pytest
from oracles.estimates import existing
from worlds.readout_studies import DAY, START, Shop, readouts

from experiments.answers.readout import Readout
from experiments.statistics.estimate import Caveat, NoEstimate

PLANS = {
    "anytime": "{method: anytime}",
    "planned": "{method: planned, days: 8, looks: 4}",
    "fixed": "{method: fixed, days: 8}",
    "bayesian": "{method: bayesian}",
}
Arm = tuple[int, int]  # visitors and buyers


def come(shop: Shop, control: Arm, b: Arm, first_day: int = 0, days: int = 1) -> Shop:
    """Visitors and buyers who come evenly over some days."""
    for variant, (visitors, buyers) in (("control", control), ("b", b)):
        for number in range(visitors):
            name, time = f"{variant}{number}-{first_day}", START + first_day * DAY + number * days * DAY // visitors
            shop.expose(name, variant, time)
            if number * buyers // visitors != (number + 1) * buyers // visitors:
                shop.buy(name, time + 1_000_000, value=20.0)
    return shop


def read(folder: Path, shop: Shop, plan: str, days: float, weights: tuple[int, int] = (1, 1)) -> Readout:
    variants = f"[{{key: control, weight: {weights[0]}}}, {{key: b, weight: {weights[1]}}}]"
    text = f"key: banner\nstatus: running\nvariants: {variants}\ngoal: purchase_rate\nplan: {plan}\n"
    return readouts(folder, shop.records, days, {"banner.yaml": text}).read("banner")


@pytest.mark.parametrize("method", PLANS)
def test_a_broken_checkout_is_rolled_back_by_every_method(method: str, tmp_path: Path) -> None:
    days, wait = (3, 0) if method in ("anytime", "bayesian") else (8, 7)
    found = read(tmp_path, come(Shop(), (2000, 100), (2000, 0), days=days), PLANS[method], days + wait + 0.5)
    judged = found.metrics[0].comparisons[0]
    assert (judged.verdict, found.decision.action) == ("loses", "roll_back")
    assert -1.0 <= existing(judged.ci).low < existing(judged.ci).high < 0.0


@pytest.mark.parametrize("method", PLANS)
def test_a_first_day_on_which_five_percent_bought_nothing_decides_nothing(method: str, tmp_path: Path) -> None:
    found = read(tmp_path, come(Shop(), (1893, 38), (107, 0)), PLANS[method], 1.5, (95, 5))
    judged = found.metrics[0].comparisons[0]
    gate = judged.gate
    assert (judged.verdict, found.decision.action) == ("unclear", "keep_running")
    assert (gate.open, gate.reason, gate.expected, gate.more_units) == (False, Caveat.FEW_EVENTS, 107 * 38 / 2000, 420)
    assert isinstance(judged.p, NoEstimate)
    assert (judged.lift, existing(judged.methods.fixed.p) > 0.1) == (-1.0, True)


def test_a_look_whose_gate_is_closed_spends_no_alpha(tmp_path: Path) -> None:
    """The first of two looks has five expected orders; the second then has the whole of alpha."""
    shop = come(come(Shop(), (200, 10), (100, 5)), (400, 60), (400, 20), first_day=4, days=4)
    found = read(tmp_path, shop, "{method: planned, days: 8, looks: 2}", 15.5)
    planned = existing(found.metrics[0].comparisons[0].methods.planned)
    assert (planned.look, existing(planned.boundary)) == (2, pytest.approx(1.95996, abs=1e-4))
