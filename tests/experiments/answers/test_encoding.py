"""What a readout says, in which order: every form of small worlds that never change."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from experiments.answers.encoding import plain, readout_json, timeseries_json
from experiments.readout.tables import flat_rows
from experiments.statistics.estimate import Caveat, Interval, NoEstimate

GOALS = (
    "goals: [purchase_rate, average_order_value]\nguardrails: {refund_rate: 10%}\n"
    "secondary: [revenue_per_visitor, engaged_time_estimate, time_on_site_p75, nps, return_d7, checkout_funnel]\n"
)
PLANS = {
    "anytime": "{method: anytime, dimensions: [device]}",
    "planned": "{method: planned, looks: 4, days: 16}",
    "fixed": "{method: fixed, days: 8, cuped: off}",
    "bayesian": "{method: bayesian, days: 8, dimensions: [device]}",
}
SAID = {  # of the numbers nine digits: the last ones are the processor's
    ("anytime", 240): "a2699aa578585e92",
    ("planned", 240): "d1578b926c040fa3",
    ("planned", 3): "01f172c9630cd5c7",
    ("fixed", 240): "b41109c81898e9d2",
    ("bayesian", 240): "6e83fccb82b28577",
    ("bayesian", 0): "31249220d9885a0a",
}


def crowd(visitors: int) -> Shop:
    chance, shop = random.Random(7), Shop()
    for number in range(visitors):
        name, time = f"v{number}", START + chance.randrange(5 * DAY)
        if chance.random() < 0.5:
            shop.buy(name, time - DAY, value=float(chance.randrange(1, 90)))
        shop.expose(name, "b" if number % 2 else "control", time, properties={"device": chance.choice("md")})
        if chance.random() < 0.4 + 0.2 * (number % 2):
            shop.buy(name, time + chance.randrange(2 * DAY), value=float(chance.randrange(1, 90)))
        for _ in range(chance.randrange(3)):
            shop.add("page", name, time + chance.randrange(10 * DAY))
        if chance.random() < 0.4:
            score = float(chance.randrange(11))
            shop.add("track", name, time + HOUR, event="Survey Answered", value=score, properties={"survey": "nps"})
    return shop


def rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.9g}")
        case list() | tuple():
            return [rounded(item) for item in value]
        case dict():
            return {name: rounded(item) for name, item in value.items()}
        case _:
            return value


@pytest.mark.parametrize(("method", "visitors"), SAID)
def test_every_form_says_the_same_as_ever_in_the_same_order(method: str, visitors: int, tmp_path: Path) -> None:
    files = {"banner.yaml": f"{SMALLEST}{GOALS}plan: {PLANS[method]}\n"}
    read = readouts(tmp_path, crowd(visitors).records, 13, files)
    found = read.read("banner")
    forms = [readout_json(found), timeseries_json(found), read.results(), flat_rows(found).columns]
    text = json.dumps(rounded(forms), allow_nan=False)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == SAID[method, visitors]


def test_what_cannot_be_said_is_null() -> None:
    said = (NoEstimate(Caveat.TIES), Interval(1.0, float("inf")), float("nan"), None, Caveat.TIES)
    assert plain({"said": said}) == {"said": [None, [1.0, None], None, None, "ties"]}
