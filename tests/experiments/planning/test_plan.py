"""A plan before any traffic: units as statsmodels has them, whole, and lift, days and power as one relation."""

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.proving import judged, speaks
from statsmodels.stats.power import TTestIndPower

from experiments.planning.assumptions import PlanRequest, assumptions, plan_request
from experiments.planning.plan import Outlook, by_days, by_lift, plan_json, split
from experiments.statistics.estimate import Caveat, NoEstimate

SPLITS = ("50,50", "90,10", "10,90", "99,1")


def planned(**said: str) -> dict[str, Any]:
    return plan_json(plan_request(assumptions({"units_a_day": "1000", "baseline": "3%", **said})))


@pytest.mark.parametrize(("baseline", "lift"), [("3%", "5%"), ("10%", "10%"), ("0.5%", "20%"), ("60%", "3%")])
@pytest.mark.parametrize("weights", SPLITS)
def test_the_fixed_method_needs_what_statsmodels_says_to_one_unit(baseline: str, lift: str, weights: str) -> None:
    plan = planned(baseline=baseline, lift=lift, weights=weights, method="fixed")
    rate, change = float(baseline[:-1]) / 100, float(lift[:-1]) / 100
    control, treatment = (float(part) for part in weights.split(","))
    size = change * rate / math.sqrt(rate * (1 - rate))
    needed = TTestIndPower().solve_power(size, alpha=0.05, power=0.8, ratio=treatment / control)
    total = needed * (control + treatment) / control
    assert math.ceil(total) <= plan["units"] <= math.ceil(total) + 1
    assert plan["units_per_variant"] == pytest.approx([needed, needed * treatment / control], abs=1.0)
    assert plan["units"] == sum(plan["units_per_variant"])
    assert plan["days"] == math.ceil(plan["units"] / 1000)


def test_a_mean_needs_what_statsmodels_says_to_one_unit() -> None:
    plan = planned(baseline="45", type="mean", sd="42", lift="5%", method="fixed", alpha="1%", power="90%")
    needed = TTestIndPower().solve_power(0.05 * 45 / 42, alpha=0.01, power=0.9)
    assert plan["units_per_variant"] == pytest.approx([needed, needed], abs=1.0)
    assert (plan["gate_opens_day"], plan["reasons"]) == (None, ("events_unknown",))


@speaks(expected=0.5)
@given(lift=st.floats(0.02, 0.5), weights=st.sampled_from(SPLITS), days=st.integers(1, 60))
def test_the_smallest_lift_of_some_days_has_the_power_that_statsmodels_gives_it(
    lift: float, weights: str, days: int
) -> None:
    plan = planned(weights=weights, days=str(days), lift=f"{lift:.6f}", method="fixed")
    control, treatment = (1000 * days * float(part) / 100 for part in weights.split(","))
    size = round(lift, 6) * 0.03 / math.sqrt(0.03 * 0.97)
    expected = float(TTestIndPower().power(size, control, 0.05, treatment / control))
    if judged(NoEstimate(Caveat.OUT_OF_RANGE) if math.isnan(expected) else expected, "expected"):
        assert plan["power"] == pytest.approx(expected, abs=1e-9)


@given(
    lift=st.floats(0.02, 0.5),
    weights=st.sampled_from((*SPLITS, "50,25,25", "1,1,1,1", "80,15,5")),
    method=st.sampled_from(("fixed", "planned", "anytime")),
)
def test_the_days_of_a_lift_find_it_and_a_day_less_does_not(lift: float, weights: str, method: str) -> None:
    asked = {"weights": weights, "method": method}
    plan = planned(lift=f"{lift:.6f}", **asked)
    assume(2 <= plan["days"] <= 1000)
    assert plan["power"] >= 0.8
    assert planned(days=str(plan["days"]), **asked)["mde"] <= round(lift, 6) * (1 + 1e-9)
    fewer = planned(days=str(plan["days"] - 1), **asked)
    assert fewer["mde"] > round(lift, 6) * (1 - 1e-9)
    assert sum(fewer["units_per_variant"]) == fewer["units"] == 1000 * fewer["days"]


def test_of_several_variants_the_smallest_comparison_decides_and_alpha_is_shared() -> None:
    plan = planned(lift="10%", weights="80,15,5", method="fixed")
    control, smallest = planned(lift="10%", weights="80,5", method="fixed", alpha="2.5%")["units_per_variant"]
    assert plan["units_per_variant"] == pytest.approx([control, 3 * smallest, smallest], abs=3)
    assert (plan["alpha"], plan["alpha_per_comparison"]) == (0.05, 0.025)


def test_a_method_that_looks_costs_its_price() -> None:
    units = [planned(lift="5%", method=method)["units"] for method in ("fixed", "planned", "anytime")]
    assert units == sorted(units)
    assert planned(lift="5%", method="planned", looks="1")["units"] == units[0]


def test_with_neither_lift_nor_days_there_is_a_table() -> None:
    rows = planned()["table"]
    assert [row["days"] for row in rows] == [7, 14, 28, 56]
    assert [row["mde"] for row in rows] == sorted((row["mde"] for row in rows), reverse=True)
    assert rows[2] == planned(days="28")


def test_what_cannot_be_said_is_null_with_its_reason() -> None:
    few = planned(units_a_day="1", days="2")
    assert (few["units"], few["mde"], few["power"]) == (2, None, None)
    assert few["reasons"] == ("not_enough_units", "gate_opens_later")
    beyond = planned(baseline="90%", days="1", units_a_day="50")  # the smallest lift is of more than everyone
    assert (beyond["mde"], beyond["reasons"][0]) == (None, "not_enough_units")
    endless = planned(lift="0.000001%")
    assert (endless["units"], endless["days"], endless["reasons"]) == (None, None, ("out_of_range",))


def test_a_gate_that_opens_after_the_last_day_is_told() -> None:
    plan = planned(lift="300%", weights="99,1")
    assert plan["gate_opens_day"] == 34
    assert plan["days"] < 34
    assert plan["reasons"] == ("gate_opens_later",)


def test_a_control_of_weight_nothing_has_no_plan() -> None:
    nobody = PlanRequest(units_a_day=1000.0, baseline=0.03, days=7, weights=(0.0, 1.0))
    assert by_lift(nobody, 0.1).units is by_days(nobody).mde is None


@given(units=st.integers(0, 10**9), weights=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=9))
def test_units_are_split_whole_and_to_the_last(units: int, weights: list[float]) -> None:
    shares = [weight / math.fsum(weights) for weight in weights]
    parts = split(units, shares)
    assert sum(parts) == units
    assert all(abs(part - units * share) < 1 + 1e-6 for part, share in zip(parts, shares, strict=True))


def test_the_object_has_the_documented_members() -> None:
    promised = {"units", "units_per_variant", "days", "wait_days", "mde", "power", "alpha", "method", "weights"}
    assert promised | {"gate_opens_day"} <= set(planned(lift="5%")) == set(Outlook.__slots__)
