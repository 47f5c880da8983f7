"""A metric in points has no lift anywhere: its difference decides, is shown, is planned for and is borne."""

import random
from pathlib import Path
from typing import Any

import pytest
from oracles.estimates import existing
from statsmodels.stats.power import TTestIndPower
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from app.cli.output import say_plan, say_readout
from experiments.answers.encoding import readout_json, timeseries_json
from experiments.planning.assumptions import InvalidPlan, assumptions
from experiments.readout.read import Readouts
from experiments.readout.tables import flat_rows
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.wording.figures import difference_text

METRICS = "profit: {type: mean, event: Order Completed, value: margin, scale: points, window: 1 day}\n"
BANNER = "goals: [nps]\nsecondary: [profit, purchase_rate]\nguardrails: {csat: 5%}\n"
SHOWN = NoEstimate(Caveat.SHOWN_IN_POINTS)


def site(data: Path, method: str, *, lines: str = BANNER) -> Readouts:
    """Everybody answers: control -10 points on average, b as many more as less."""
    chance, shop = random.Random(4), Shop()
    for number in range(2000):
        name, time, better = f"v{number}", START + chance.randrange(5 * DAY), number % 2
        shop.expose(name, "b" if better else "control", time)
        score = chance.choice([10, 10, 10, 0, 0] if better else [10, 10, 0, 0, 0] if number % 4 else [10, 0])
        shop.add("track", name, time + HOUR, event="Survey Answered", value=float(score), properties={"survey": "NPS"})
        shop.buy(name, time + HOUR, value=9.0, properties={"margin": chance.gauss(-1.0 + 2.0 * better, 5.0)})
    files = {
        "banner.yaml": f"{SMALLEST}{lines}plan: {{method: {method}, days: 10, looks: 2}}\n",
        "metrics.yaml": METRICS,
    }
    return readouts(data, shop.records, 30, files)


@pytest.mark.parametrize("method", ["anytime", "planned", "fixed", "bayesian"])
def test_the_difference_decides_and_no_lift_is_said_by_any_method_in_any_form(method: str, tmp_path: Path) -> None:
    made = site(tmp_path, method)
    found = made.read("banner")
    nps, profit, rate, _ = found.metrics
    assert [metric.effect_scale for metric in found.metrics] == ["points", "points", "relative", "relative"]
    for metric in (nps, profit):
        (shown,) = metric.comparisons
        assert (shown.lift, shown.ci, shown.verdict) == (SHOWN, SHOWN, "wins")
        assert existing(shown.difference_ci).low > 0.0
        assert "shown_in_points" in shown.reasons
        assert {look.lift for look in metric.series} == {SHOWN}
        assert {isinstance(look.ci, NoEstimate) for look in metric.series} == {True}
    assert "shown_in_points" not in rate.comparisons[0].reasons
    rows = [row for row in [*made.results(), *as_rows(flat_rows(found).columns)] if row["metric"] == "nps"]
    assert {(row["effect_scale"], row["lift"]) for row in rows} == {("points", None)}
    assert {look["lift"] for look in timeseries_json(found)["metrics"][0]["days"]} == {None}


def as_rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_a_table_for_people_has_the_difference_where_others_have_the_lift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    found = site(tmp_path, "anytime").read("banner")
    say_readout(readout_json(found))
    nps, profit, rate, *_ = capsys.readouterr().out.split("value")[1:]
    assert nps.split()[:2] == profit.split()[:2] == ["difference", "interval"]
    assert rate.split()[:2] == ["lift", "difference"]
    assert difference_text(existing(found.metrics[0].comparisons[0].difference), "points", signed=True) in nps


def test_points_are_planned_for_in_points_also_from_a_value_of_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop()
    for number in range(400):
        shop.expose(f"v{number}", "b" if number % 2 else "control", START + number * HOUR // 4)
        score = {"value": 10.0 if number % 4 < 2 else 0.0, "properties": {"survey": "nps"}}
        shop.add("track", f"v{number}", START + number * HOUR // 4 + 1, event="Survey Answered", **score)
    plan = "goal: nps\nplan: {method: fixed, days: 10, mde: {nps: 20 points}}\n"
    given = readouts(tmp_path, shop.records, 6, {"banner.yaml": SMALLEST + plan})
    found = given.plan("banner")
    (metric,) = found["metrics"]
    needed = TTestIndPower().solve_power(20.0 / metric["variance"] ** 0.5, alpha=0.05, power=0.8)
    assert (metric["effect_scale"], metric["mean"], metric["mde"]) == ("points", 0.0, 20.0)
    assert metric["units_per_variant"] == pytest.approx([needed, needed], rel=1e-2)
    assert 5.0 < metric["detectable_lift"] < 20.0
    monkeypatch.setenv("COLUMNS", "160")
    say_plan(found)
    assert "20 points" in capsys.readouterr().out
    with pytest.raises(InvalidPlan, match="lift: nps is shown in points and has no lift"):
        given.plan("banner", assumptions({"lift": "5%"}))
