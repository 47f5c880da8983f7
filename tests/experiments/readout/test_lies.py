"""The second reader of answers notices what is not true: one thing at a time is changed in answers that are."""

import json
import random
from typing import Any

import pytest
from oracles.public_reader import disagreements, row_disagreements, series_disagreements
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from experiments.answers.encoding import readout_json, timeseries_json

BANNER = """
goals: [purchase_rate, {metric: revenue_per_visitor, margin: 5%}, nps]
guardrails: {orders_per_visitor: 10%}
plan: {days: 10, dimensions: [device]}
"""
RATE, REVENUE, NPS, ORDERS = (f"metrics.{number}.comparisons.0" for number in range(4))
LEVEL = "metrics.0.dimensions.0.comparisons.0"
WITHHELD = [{"code": "made_up", "variant": "b", "withholds_ship": True}]
LIES = [  # where, what is said there, and what must be noticed
    (f"{RATE}.lift", 0.3, "lift 0.3 of"),
    (f"{RATE}.difference", 0.3, "difference 0.3 of"),
    (f"{RATE}.arms.0.numerator", 700, "value"),
    (f"{RATE}.arms.1.units", 3000, "a gate that expects"),
    (f"{RATE}.arms.1.adjusted", 0.6, "difference"),
    (f"{RATE}.ci", [-0.1, 0.6], "beside [-0.1, 0.6]"),
    (f"{RATE}.ci", [0.2, 0.2], "without a width"),
    (f"{RATE}.ci", [-1.5, 0.6], "less than nothing"),
    (f"{RATE}.p", 0.2, "p 0.2 beside"),
    (f"{RATE}.p_adjusted", 0.2, "the numbers say unclear"),
    (f"{RATE}.verdict", "unclear", "says unclear, the numbers say wins"),
    (f"{RATE}.verdict", "loses", "says loses, the numbers say wins"),
    (f"{RATE}.decided_on", None, "was decided on None"),
    (f"{RATE}.decided_on", "2026-03-01", "was decided on 2026-03-01"),
    (f"{RATE}.decided.lift", 0.1, "lift 0.1 of"),
    (f"{RATE}.decided.ci", [-0.3, -0.1], "decided by [-0.3, -0.1]"),
    (f"{RATE}.reasons", ["no_longer_supported"], "wins with"),
    (f"{RATE}.gate.open", False, "judged behind a closed gate"),
    (f"{RATE}.gate.expected", 9.0, "a gate that"),
    (f"{RATE}.methods.delta.p", 0.5, "the delta method's p 0.5"),
    (f"{RATE}.methods.delta.ci", [0.1, 0.2], "the delta method's interval"),
    (f"{REVENUE}.verdict", "unclear", "says unclear, the numbers say wins"),
    (f"{REVENUE}.ci_simultaneous", [-0.06, 0.4], "says wins, the numbers say unclear"),
    (f"{REVENUE}.ci_simultaneous", [-0.4, -0.06], "says wins, the numbers say loses"),
    (f"{REVENUE}.p_adjusted", 0.01, "a p of no difference beside a margin"),
    ("metrics.1.margin", -0.5, "says wins, the numbers say loses"),
    (f"{NPS}.lift", 2.0, "lift 2.0 of"),
    (f"{NPS}.ci", [0.1, 0.2], "an interval of a lift in points"),
    (f"{NPS}.difference", -40.0, "difference -40.0 of"),
    (f"{NPS}.difference_ci", [-1.0, 52.0], "the numbers say unclear"),
    ("metrics.2.effect_scale", "relative", "lift None of"),
    (f"{ORDERS}.verdict", "violated", "says violated, the numbers say safe"),
    (f"{ORDERS}.worst_case", 0.2, "says safe, the numbers say unclear"),
    (f"{LEVEL}.lift", 0.9, "lift 0.9 of"),
    (f"{LEVEL}.flagged", False, "flagged against p_bh"),
    ("decision.action", "roll_back", "decides ('roll_back', 'b')"),
    ("decision.action", "keep_running", "decides ('keep_running', 'b')"),
    ("decision.variant", None, "decides ('ship', None)"),
    ("plan.closed_days", 3, "decides ('ship', 'b')"),
    ("health.srm.alarm", True, "decides ('ship', 'b')"),
    ("health.checks", WITHHELD, "decides ('ship', 'b')"),
    ("state", "closed", "closed is False"),
    ("closed", True, "closed is True"),
    ("watermark", "2027-01-01T00:00:00Z", "the watermark is newer"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """An answer, its series and the rows of its list, each as JSON: b is better at everything."""
    chance, shop = random.Random(8), Shop()
    for number in range(4000):
        better, name, time = number % 2, f"v{number}", START + chance.randrange(5 * DAY)
        shop.expose(name, "b" if better else "control", time, device=chance.choice(["mobile", "desktop"]))
        if chance.random() < 0.3:
            shop.buy(name, time - DAY)
        if chance.random() < (0.52 if better else 0.4):
            shop.buy(name, time + HOUR)
        score = chance.choice([10, 10, 10, 0, 0] if better else [10, 10, 0, 0, 0])
        shop.add("track", name, time + HOUR, event="Survey Answered", value=float(score), properties={"survey": "nps"})
    made = readouts(tmp_path_factory.mktemp("lies"), shop.records, 30, {"banner.yaml": SMALLEST + BANNER})
    found = made.read("banner")
    said = (readout_json(found), timeseries_json(found), made.results())
    answer, series, rows = (json.dumps(each, default=str) for each in said)
    return answer, series, rows


def replaced(text: str, path: str, value: Any) -> Any:
    """What JSON says, with another value at one place that is there."""
    whole = json.loads(text)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    place = whole
    for step in way:
        place = place[step]
    assert place[last] != value
    place[last] = value
    return whole


def test_the_truth_is_no_lie(told: tuple[str, str, str]) -> None:
    answer, series, rows = map(json.loads, told)
    assert disagreements(answer) == series_disagreements(answer, series) == row_disagreements(answer, rows) == []


@pytest.mark.parametrize(("path", "value", "noticed"), LIES, ids=lambda part: str(part)[-30:])
def test_a_lie_is_noticed(told: tuple[str, str, str], path: str, value: Any, noticed: str) -> None:
    found = disagreements(replaced(told[0], path, value))
    assert any(noticed in what for what in found), found


ROW = ("lift", "difference", "p", "p_adjusted", "ci_low", "ci_high", "units", "value", "control_value", "gate_open",
       "verdict", "decided_on", "as_of_day", "variant", "metric", "state", "action")  # fmt: skip
SERIES = ("units", "value", "control_value", "lift", "ci", "difference", "difference_ci", "p", "p_min")


@pytest.mark.parametrize("name", ROW)
def test_a_row_that_says_something_else_is_noticed(told: tuple[str, str, str], name: str) -> None:
    assert row_disagreements(json.loads(told[0]), replaced(told[2], f"0.{name}", -7)) != []


@pytest.mark.parametrize("name", SERIES)
def test_a_newest_day_that_says_something_else_is_noticed(told: tuple[str, str, str], name: str) -> None:
    days = json.loads(told[1])["metrics"][0]["days"]
    newest = max(number for number, day in enumerate(days) if day["kind"] == "cumulative" and day["closed"])
    lied = replaced(told[1], f"metrics.0.days.{newest}.{name}", -7)
    assert series_disagreements(json.loads(told[0]), lied) != []
