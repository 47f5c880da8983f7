"""A goal with a margin must only be no worse than that; the others of its family stay as strict as they were."""

import random
from pathlib import Path

import pytest
from oracles.estimates import existing
from oracles.public_reader import disagreements
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from app.cli.output import say_readout
from experiments.answers.encoding import readout_json
from experiments.answers.readout import Readout
from experiments.statistics.estimate import Caveat, NoEstimate

GOALS = "goals: [orders_per_visitor, {metric: purchase_rate, margin: 30%}]\n"


def read(data: Path, method: str, rate: float, lines: str = GOALS) -> Readout:
    """Of 2,000 visitors 40 % of control buy, and this share of b."""
    chance, shop = random.Random(8), Shop()
    for number in range(2000):
        name, time = f"v{number}", START + chance.randrange(5 * DAY)
        shop.expose(name, "b" if number % 2 else "control", time)
        if chance.random() < (rate if number % 2 else 0.4):
            shop.buy(name, time + HOUR)
    files = {"banner.yaml": f"{SMALLEST}{lines}plan: {{method: {method}, days: 10, looks: 2, cuped: off}}\n"}
    return readouts(data, shop.records, 30, files).read("banner")


@pytest.mark.parametrize("method", ["anytime", "planned", "fixed", "bayesian"])
@pytest.mark.parametrize(("rate", "verdict"), [(0.40, "wins"), (0.36, "wins"), (0.28, "unclear"), (0.15, "loses")])
def test_the_shared_interval_decides_against_the_margin(method: str, rate: float, verdict: str, tmp_path: Path) -> None:
    found = read(tmp_path, method, rate)
    orders, bought = (metric.comparisons[0] for metric in found.metrics)
    shared = existing(bought.ci_simultaneous)
    assert bought.verdict == verdict
    assert (shared.low > -0.3, shared.high < -0.3) == (verdict == "wins", verdict == "loses")
    assert bought.p_adjusted == NoEstimate(Caveat.JUDGED_BY_MARGIN)
    assert ("judged_by_margin" in bought.reasons, "judged_by_margin" in orders.reasons) == (True, False)
    assert [metric.get("margin") for metric in readout_json(found)["metrics"]] == [None, 0.3]
    assert disagreements(readout_json(found)) == []


def test_a_goal_with_a_margin_counts_in_the_family_and_has_no_p_there(tmp_path: Path) -> None:
    orders = read(tmp_path, "fixed", 0.36).metrics[0].comparisons[0]
    assert orders.p_adjusted == pytest.approx(2.0 * existing(orders.p))


@pytest.mark.parametrize(("rate", "action"), [(0.40, "ship"), (0.15, "roll_back")])
def test_a_variant_that_is_no_worse_is_shipped(
    rate: float, action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read(tmp_path, "anytime", rate, "goal: {metric: purchase_rate, margin: 20%}\n")
    assert found.decision.action == action
    assert disagreements(readout_json(found)) == []
    say_readout(readout_json(found))
    assert "purchase rate (purchase_rate): goal, no worse by 20 %, proportion" in capsys.readouterr().out
