"""The readout of small studies: what is counted, what is said, and in which shape."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from worlds.event_log import received, write_log
from worlds.readout_studies import DAY, GOAL, HOUR, RICH, SMALLEST, START, Shop, crowd, readouts

from events.engines.duckdb import EventLog
from events.engines.tables import csv_bytes, parquet_bytes
from experiments.answers.encoding import readout_json, timeseries_json
from experiments.readout.study import ReadoutQuery
from experiments.readout.tables import flat_rows
from experiments.statistics.estimate import NoEstimate


def test_the_results_object_has_the_published_shape_and_holds_no_nan(tmp_path: Path) -> None:
    found = readout_json(readouts(tmp_path, crowd(300).records, 30, RICH).read("banner"))
    text = json.dumps(found, allow_nan=False)
    assert {"experiment", "phase", "fingerprint", "as_of", "watermark", "pending", "closed"} <= found.keys()
    assert found["health"].keys() == {"srm", "multi_exposure", "excluded", "authority", "consent", "identity", "checks"}
    assert found["decision"].keys() == {"action", "variant", "days_left", "because", "codes"}
    metric = found["metrics"][0]
    assert metric["arms"][0].keys() == {
        "variant", "units", "units_immature", "value", "variance", "numerator", "denominator",
    }  # fmt: skip
    comparison = metric["comparisons"][0]
    assert {"lift", "ci", "difference", "p", "p_adjusted", "ci_simultaneous", "verdict"} <= comparison.keys()
    assert comparison["methods"].keys() == {
        "fixed",
        "z_pooled",
        "delta",
        "anytime",
        "planned",
        "bayesian",
        "unadjusted",
    }
    assert found["as_of"].endswith("Z")
    assert "NaN" not in text


def test_nothing_at_all_in_the_log_is_a_readout_with_reasons_and_no_numbers(tmp_path: Path) -> None:
    found = readouts(tmp_path, [], 1, RICH).read("banner")
    assert [check.code for check in found.health.checks] == ["no_exposures"]
    assert found.watermark is None
    comparisons = [comparison for metric in found.metrics for comparison in metric.comparisons]
    assert all(isinstance(comparison.p, NoEstimate) and comparison.reasons for comparison in comparisons)


def test_an_order_sent_twice_over_days_is_one_order_with_the_backends_value(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "b")
    shop.buy("v1", START + HOUR, value=10.0, order_id="o1")
    shop.add(
        "track", "", START + 2 * DAY, event="Order Completed", order_id="o1", value=12.0, currency="EUR", authority=2
    )
    rich = readouts(tmp_path, shop.records, 30, RICH).read("banner")
    assert rich.metric("average_order_value").arms[1].numerator == 12.0
    assert rich.metric("purchase_rate").arms[1].numerator == 1


def test_an_order_in_another_currency_completes_a_funnel(tmp_path: Path) -> None:
    shop = Shop()
    for visitor, currency in (("v1", "USD"), ("v2", "EUR")):
        shop.expose(visitor, "b")
        for number, event in enumerate(["Product Viewed", "Product Added", "Checkout Started"]):
            shop.add("track", visitor, START + HOUR + number, event=event)
        shop.buy(visitor, START + 2 * HOUR, currency=currency)
    files = {"banner.yaml": SMALLEST + "goal: checkout_funnel\n"}
    found = readouts(tmp_path, shop.records, 30, files).read("banner")
    assert found.metrics[0].arms[1].steps == (2, 2, 2, 2)
    assert found.health.excluded.currency == {}


def test_the_window_is_half_open_and_an_open_one_is_immature(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "b")
    shop.expose("v2", "b", START + 5 * DAY)
    shop.buy("v1", START + 7 * DAY)
    shop.buy("v2", START + 5 * DAY)
    arm = readouts(tmp_path, shop.records, 8, GOAL).read("banner").metrics[0].arms[1]
    assert (arm.numerator, arm.units, arm.units_immature) == (1, 2, 1)


def test_order_and_splitting_and_duplication_of_the_log_never_matter(tmp_path: Path) -> None:
    shop = crowd(120)
    expected = readouts(tmp_path / "a", shop.records, 30, RICH).read("banner")
    shuffled = random.Random(3).sample(shop.records, len(shop.records))
    again = [*shuffled, *shuffled[:50]]
    write_log(tmp_path / "b", [replace(e, received_at=START + n) for n, e in enumerate(received(again))], cut=7)
    other = readouts(tmp_path / "b2", [], 30, RICH)
    other.log = EventLog(tmp_path / "b")
    assert without_times(readout_json(other.read("banner"))) == without_times(readout_json(expected))


def without_times(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: without_times(item) for name, item in found.items() if name != "watermark"}
    if isinstance(found, list):
        return [without_times(item) for item in found]
    return pytest.approx(found, rel=1e-9, abs=1e-9) if isinstance(found, float) else found


def test_the_sql_that_is_shown_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = crowd(150)
    shop.records += shop.records[:20]  # repeated messages, so that hidden rows stand in the SQL too
    found = readouts(tmp_path, shop.records, 30, RICH).read("banner", ReadoutQuery(include_sql=True))
    monkeypatch.chdir(tmp_path)
    for metric in (metric for metric in found.metrics if metric.type != "quantile"):
        assert metric.sql is not None
        with duckdb.connect() as connection:
            rows = {row[0]: row for row in connection.execute(metric.sql).fetchall()}
        for arm in metric.arms:
            _, units, numerator, denominator, mean, _ = rows[arm.variant]
            assert (units, numerator) == (arm.units, pytest.approx(arm.numerator, abs=1e-9))
            ratio = metric.type in ("ratio", "nps", "csat", "ces")
            value = numerator / denominator if ratio and denominator else None if ratio else mean
            assert arm.value == pytest.approx(value, rel=1e-9)


def test_levels_of_a_dimension_add_up_to_the_whole(tmp_path: Path) -> None:
    metric = readouts(tmp_path, crowd(200).records, 30, RICH).read("banner").metric("purchase_rate")
    for index, arm in enumerate(metric.arms):
        levels = [level.arms[index] for level in metric.dimensions if level.dimension == "device"]
        assert sum(level.units for level in levels) == arm.units
        assert sum(level.numerator or 0 for level in levels) == arm.numerator
    assert all(level.exploratory for level in metric.dimensions)


def test_a_dimension_of_any_number_of_levels_has_its_fifty_largest_and_the_others_as_one(tmp_path: Path) -> None:
    chance, shop, cities, bought = random.Random(3), Shop(), Counter[str](), Counter[tuple[str, str]]()
    for number in range(1_000):
        city, variant = f"city {min(chance.randrange(1, 80), chance.randrange(1, 90))}", ("control", "b")[number % 2]
        named = {} if number % 10 == 0 else {"city": city}
        cities[city] += bool(named)
        shop.expose(f"v{number}", variant, properties=named)
        if chance.random() < 0.4:
            shop.buy(f"v{number}", START + 1_000)
            bought[city if named else "", variant] += 1
    largest = sorted(cities, key=lambda city: (-cities[city], city))[:50]
    expected = Counter[tuple[str, str]]()
    for (city, variant), n in bought.items():
        expected[city if city in ("", *largest) else "other", variant] += n
    found = readouts(tmp_path, shop.records, 30, GOAL).read("banner", ReadoutQuery(dimension="city")).metrics[0]
    assert {each.level for each in found.dimensions} == {"", "other", *largest}
    shown = {(each.level, arm.variant): arm.numerator for each in found.dimensions for arm in each.arms}
    assert {place: n for place, n in shown.items() if n} == expected
    assert len(cities) > 60


def test_the_last_closed_day_of_the_series_is_the_readout(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(400).records, 30, GOAL)
    series = found.read("banner").metrics[0].series
    last = [look for look in series if look.kind == "cumulative"][-1]
    comparison = found.read("banner").metrics[0].comparisons[0]
    assert last.difference == pytest.approx(comparison.difference, rel=1e-9)
    assert last.p_min == comparison.methods.anytime.p_min
    assert len(timeseries_json(found.read("banner"))["metrics"][0]["days"]) == len(series)


def test_flat_rows_hold_one_row_per_method_with_the_names_of_the_json(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(200).records, 30, RICH).read("banner")
    rows = flat_rows(found).rows()
    ours = [row for row in rows if row["metric"] == "purchase_rate" and row["variant"] == "b" and row["level"] is None]
    assert {row["method"] for row in ours} >= {"fixed", "anytime", "z_pooled", "bayesian"}
    deciding = next(row for row in ours if row["decides"])
    assert (deciding["p"], deciding["lift"]) == (
        found.metrics[0].comparisons[0].p,
        found.metrics[0].comparisons[0].lift,
    )
    assert csv_bytes(flat_rows(found)).startswith(b"experiment,phase,as_of,as_of_day,metric")
    assert parquet_bytes(flat_rows(found))[:4] == b"PAR1"


def test_units_have_one_row_each_from_which_the_arms_can_be_made_again(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(150).records, 30, RICH)
    rows = found.units("banner").rows()
    arms = found.read("banner").metric("revenue_per_visitor").arms
    for arm in arms:
        values = [row["revenue_per_visitor"] for row in rows if row["variant"] == arm.variant]
        assert (len(values), sum(values)) == (arm.units, pytest.approx(arm.numerator))
    assert {row["device"] for row in rows} == {"mobile", "desktop"}


def test_a_series_without_days_says_why(tmp_path: Path) -> None:
    some = timeseries_json(readouts(tmp_path / "some", crowd(60).records, 30, RICH).read("banner"))["metrics"]
    assert {metric["metric"]: metric["reasons"] for metric in some if not metric["days"]} == {
        "time_on_site_p75": ["quantiles_have_no_days"]
    }
    assert all(metric["reasons"] == [] for metric in some if metric["days"])
    nobody = timeseries_json(readouts(tmp_path / "none", [], 30, GOAL).read("banner"))["metrics"]
    assert nobody[0]["reasons"] == ["not_enough_units"]
