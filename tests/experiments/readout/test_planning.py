"""Plans from traffic: units a day, detectable effects, days to the wanted one."""

import random
from pathlib import Path

import pytest
from statsmodels.stats.power import TTestIndPower
from worlds.readout_studies import DAY, SMALLEST, START, Shop, readouts

from experiments.planning.assumptions import InvalidPlan, assumptions

PLAN = "plan: {method: fixed, days: 14, mde: {purchase_rate: 10%}}\n"


def shop_of(visitors: int, *, exposed: bool) -> Shop:
    chance, shop = random.Random(7), Shop()
    for number in range(visitors):
        time = START + chance.randrange(10 * DAY)
        if exposed:
            shop.expose(f"v{number}", chance.choice(["control", "b"]), time)
        shop.add("page", f"v{number}", time)
        if chance.random() < 0.2:
            shop.buy(f"v{number}", time + 1)
    return shop


def test_days_to_the_wanted_effect_are_those_of_the_solver(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\n" + PLAN}
    plan = readouts(tmp_path, shop_of(1000, exposed=True).records, 12, files).plan("banner")
    assert plan["source"] == "exposures"
    assert plan["units_per_day"] == pytest.approx(100)
    metric = plan["metrics"][0]
    size = 0.1 * metric["mean"] / metric["variance"] ** 0.5
    needed = TTestIndPower().solve_power(size, alpha=0.05, power=0.8)
    assert metric["units_per_variant"] == pytest.approx([needed, needed], rel=1e-3)
    assert metric["units"] == sum(metric["units_per_variant"])
    assert (metric["wait_days"], metric["gate_opens_day"]) == (7, 1 + int(10 / (50 * metric["mean"])))
    assert metric["days_to_mde"] == pytest.approx(2 * needed / 100, abs=1.01)
    assert metric["detectable_lift"] > 0.1


def test_an_experiment_without_exposures_is_planned_from_the_sites_visitors(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\ntraffic: 50%\n" + PLAN}
    plan = readouts(tmp_path, shop_of(1000, exposed=False).records, 12, files).plan("banner")
    assert plan["source"] == "site"
    assert plan["units_per_day"] == pytest.approx(50)
    assert plan["metrics"][0]["mean"] == pytest.approx(0.2, abs=0.05)


def test_a_quantile_is_planned_from_its_own_spread(tmp_path: Path) -> None:
    chance, shop = random.Random(3), shop_of(1000, exposed=True)
    for number in range(1000):
        load = {"ms": chance.gauss(1000.0, 200.0)}
        shop.add("track", f"v{number}", START + 11 * DAY, event="Timing", properties=load)
    load = "load: {type: quantile, event: Timing, value: ms, q: 0.5, window: 14 days}\n"
    files = {"banner.yaml": SMALLEST + "goal: load\n" + PLAN.replace("purchase_rate", "load"), "metrics.yaml": load}
    metric = readouts(tmp_path, shop.records, 12, files).plan("banner")["metrics"][0]
    assert metric["mean"] == pytest.approx(1000.0, rel=0.02)
    assert metric["variance"] == pytest.approx(200.0**2 * 3.14159 / 2, rel=0.3)  # of the median of normal values
    assert metric["units_per_variant"][0] == pytest.approx(
        2 * (2.8 / 0.1) ** 2 * metric["variance"] / 1000.0**2, rel=0.1
    )


def test_with_no_traffic_at_all_the_plan_says_so(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\n"}
    plan = readouts(tmp_path, [], 12, files).plan("banner")
    assert (plan["source"], plan["units_per_day"], plan["metrics"]) == ("none", 0.0, [])


def test_what_is_said_of_an_experiment_outranks_its_log_and_file(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\nsecondary: [revenue_per_visitor]\n" + PLAN}
    site = readouts(tmp_path, shop_of(1000, exposed=True).records, 12, files)
    logged = site.plan("banner")
    said = assumptions({"units_a_day": "5000", "weights": "90,10", "lift": "2%", "days": "21", "window": "3 days"})
    told = site.plan("banner", said)
    assert [told[name] for name in ("source", "units_per_day", "weights", "days")] == ["given", 5000, [0.9, 0.1], 21]
    rate, revenue = told["metrics"]
    assert (rate["mean"], rate["mde"], rate["wait_days"]) == (logged["metrics"][0]["mean"], 0.02, 3)
    assert rate["units_per_variant"][0] == pytest.approx(9 * rate["units_per_variant"][1], abs=9)
    assert rate["days_to_mde"] == -(-rate["units"] // 5000)
    assert (revenue["mde"], revenue["wait_days"]) == (None, 7)  # the first metric's lift and window are its own
    assert site.plan("banner") == logged


def test_a_mean_is_planned_from_what_is_said_of_it(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: revenue_per_visitor\nplan: {method: fixed, days: 14}\n"}
    site, said = readouts(tmp_path, [], 12, files), {"units_a_day": "1000", "baseline": "45"}
    with pytest.raises(InvalidPlan, match="sd: is missing, and the log holds no value of revenue_per_visitor"):
        site.plan("banner", assumptions(said))
    [metric] = site.plan("banner", assumptions({**said, "sd": "42", "lift": "5%"}))["metrics"]
    needed = TTestIndPower().solve_power(0.05 * 45 / 42, alpha=0.05, power=0.8)
    assert metric["units_per_variant"] == pytest.approx([needed, needed], abs=1)


def test_a_verdict_that_waits_for_its_gate_is_noted(tmp_path: Path) -> None:
    goal = "goal: purchase_rate\nsecondary: [revenue_per_visitor]\nplan: {method: fixed, days: 2}\n"
    site = readouts(tmp_path, shop_of(1000, exposed=True).records, 12, {"banner.yaml": SMALLEST + goal})
    metric, revenue = site.plan("banner", assumptions({"weights": "97,3"}))["metrics"]
    assert metric["gate_opens_day"] == revenue["gate_opens_day"] > 2  # the same visitors bought
    assert metric["note"].startswith(f"there is no verdict before day {metric['gate_opens_day']}: until then too few")
    unseen, _ = site.plan("banner", assumptions({"units_a_day": "2"}))["metrics"]
    assert unseen["note"] == "2 days of this traffic show no effect, however large"
