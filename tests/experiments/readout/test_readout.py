"""The readout of small studies: what is counted, what is said, and in which shape."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from oracles.estimates import existing
from worlds.event_log import received, write_log
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Definitions, Shop, readouts

from events.engines.duckdb import EngineLimits, EventLog, QueryTimeout
from events.engines.tables import csv_bytes, parquet_bytes
from events.parts.part import DataDamaged
from experiments.catalog.phases import FrozenDesign
from experiments.readout.encoding import readout_json, timeseries_json
from experiments.readout.study import (
    InvalidDate,
    ReadoutQuery,
    UnknownDimension,
    UnknownExperiment,
    UnknownMetric,
    UnknownPhase,
    parsed_at,
)
from experiments.readout.tables import flat_rows
from experiments.statistics.estimate import Caveat, NoEstimate
from kit.time import moment_of

GOAL = {"banner.yaml": SMALLEST + "goal: purchase_rate\n"}
RICH = {
    "banner.yaml": SMALLEST
    + "goals: [purchase_rate, revenue_per_visitor]\n"
    + "secondary: [average_order_value, engaged_time, time_on_site_p75, nps, return_d7, checkout_funnel]\n"
    + "guardrails: {refund_rate: 10%}\nplan: {dimensions: [device]}\n"
}


def crowd(visitors: int, lift: float = 0.0, seed: int = 1) -> Shop:
    chance, shop = random.Random(seed), Shop()
    for number in range(visitors):
        variant = "b" if number % 2 else "control"
        time = START + chance.randrange(5 * DAY)
        name = f"v{number}"
        shop.expose(name, variant, time, properties={"device": chance.choice(["mobile", "desktop"])})
        if chance.random() < 0.3 * (1 + lift * (variant == "b")):
            shop.buy(name, time + chance.randrange(6 * DAY), value=float(chance.randrange(1, 100)))
        if chance.random() < 0.5:
            shop.add("page", name, time + chance.randrange(13 * DAY), page_view_id=f"p{number}")
        if chance.random() < 0.2:
            score = float(chance.randrange(11))
            shop.add("track", name, time + HOUR, event="Survey Answered", value=score, properties={"survey": "nps"})
    return shop


def test_the_results_object_has_the_published_shape_and_holds_no_nan(tmp_path: Path) -> None:
    found = readout_json(readouts(tmp_path, crowd(300).records, 30, RICH).read("banner"))
    text = json.dumps(found, allow_nan=False)
    assert {"experiment", "phase", "fingerprint", "as_of", "watermark", "pending", "closed"} <= found.keys()
    assert found["health"].keys() == {"srm", "multi_exposure", "excluded", "checks"}
    assert found["decision"].keys() == {"action", "variant", "days_left", "because"}
    metric = found["metrics"][0]
    assert metric["arms"][0].keys() == {
        "variant", "units", "units_immature", "value", "variance", "numerator", "denominator",
    }  # fmt: skip
    comparison = metric["comparisons"][0]
    assert {"lift", "ci", "difference", "p", "p_adjusted", "ci_simultaneous", "verdict"} <= comparison.keys()
    assert comparison["methods"].keys() == {"fixed", "z_pooled", "anytime", "planned", "bayesian", "unadjusted"}
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
        "track", "", START + 2 * DAY, event="Order Completed", order_id="o1", value=12.0, currency="EUR", backend=True
    )
    rich = readouts(tmp_path, shop.records, 30, RICH).read("banner")
    assert rich.metric("average_order_value").arms[1].numerator == 12.0
    assert rich.metric("purchase_rate").arms[1].numerator == 1


def test_another_currency_is_left_out_and_counted(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "b")
    shop.buy("v1", START + HOUR, currency="USD")
    found = readouts(tmp_path, shop.records, 30, RICH).read("banner")
    assert found.metric("revenue_per_visitor").arms[1].numerator == 0
    assert found.health.excluded.currency == 1


def test_an_order_in_another_currency_completes_no_funnel(tmp_path: Path) -> None:
    shop = Shop()
    for visitor, currency in (("v1", "USD"), ("v2", "EUR")):
        shop.expose(visitor, "b")
        for number, event in enumerate(["Product Viewed", "Product Added", "Checkout Started"]):
            shop.add("track", visitor, START + HOUR + number, event=event)
        shop.buy(visitor, START + 2 * HOUR, currency=currency)
    files = {"banner.yaml": SMALLEST + "goal: checkout_funnel\n"}
    found = readouts(tmp_path, shop.records, 30, files).read("banner")
    assert found.metrics[0].arms[1].steps == (2, 2, 2, 1)
    assert found.health.excluded.currency == 1


def test_bots_forged_and_forced_exposures_are_counted_and_left_out(tmp_path: Path) -> None:
    shop = Shop()
    for number, mark in enumerate(["bot", "forged", "forced", "quarantined"]):
        shop.expose(f"v{number}", "b", **{mark: True})
    shop.expose("v9", "b")
    health = readouts(tmp_path, shop.records, 2, GOAL).read("banner").health
    left_out = health.excluded
    assert (left_out.bots, left_out.forged, left_out.forced, left_out.quarantined) == (1, 1, 1, 1)
    assert health.srm.observed == (0, 1)


def test_a_unit_that_saw_both_variants_stays_with_its_first_and_is_reported(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "control", START)
    shop.expose("v1", "b", START + HOUR)
    health = readouts(tmp_path, shop.records, 2, GOAL).read("banner").health
    assert health.srm.observed == (1, 0)
    assert health.multi_exposure.rate == 1.0
    assert "multi_exposure" in [check.code for check in health.checks]


def test_the_window_is_half_open_and_an_open_one_is_immature(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "b")
    shop.expose("v2", "b", START + 5 * DAY)
    shop.buy("v1", START + 7 * DAY)
    shop.buy("v2", START + 5 * DAY)
    arm = readouts(tmp_path, shop.records, 8, GOAL).read("banner").metrics[0].arms[1]
    assert (arm.numerator, arm.units, arm.units_immature) == (1, 2, 1)


def test_a_past_look_can_be_repeated(tmp_path: Path) -> None:
    shop = crowd(100)
    now = readouts(tmp_path, shop.records, 30, GOAL)
    past = now.read("banner", ReadoutQuery(at=datetime.fromtimestamp((START + 2 * DAY) / 1e6, UTC)))
    known = [r for r in shop.records if r.type == "exposure" and r.time + 1_000 <= START + 2 * DAY]
    assert sum(arm.units for arm in past.metrics[0].arms) == len(known)
    with pytest.raises(InvalidDate, match="future"):
        now.read("banner", ReadoutQuery(at=now.now() + timedelta(days=1)))


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


def test_unknown_names_are_answered_with_suggestions(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(20).records, 30, RICH)
    with pytest.raises(UnknownExperiment, match="did you mean banner"):
        found.read("baner")
    with pytest.raises(UnknownMetric, match="did you mean purchase_rate"):
        found.read("banner", ReadoutQuery(metric="purchase_rat"))
    with pytest.raises(UnknownPhase, match="there is 0"):
        found.read("banner", ReadoutQuery(phase=3))
    with pytest.raises(UnknownDimension, match="device"):
        found.read("banner", ReadoutQuery(dimension="devise"))
    with pytest.raises(InvalidDate, match="2026-01-20T09:00:00Z"):
        parsed_at("yesterday")


def test_a_metric_that_the_experiment_does_not_name_is_post_hoc(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(50).records, 30, GOAL)
    rows = found.read("banner", ReadoutQuery(metric="pages_per_visitor")).metrics
    assert [(row.metric, row.post_hoc, row.role) for row in rows] == [("pages_per_visitor", True, "secondary")]
    assert not found.read("banner").metrics[0].post_hoc


def test_levels_of_a_dimension_add_up_to_the_whole(tmp_path: Path) -> None:
    metric = readouts(tmp_path, crowd(200).records, 30, RICH).read("banner").metric("purchase_rate")
    for index, arm in enumerate(metric.arms):
        levels = [level.arms[index] for level in metric.dimensions if level.dimension == "device"]
        assert sum(level.units for level in levels) == arm.units
        assert sum(level.numerator or 0 for level in levels) == arm.numerator
    assert all(level.exploratory for level in metric.dimensions)


def test_a_true_effect_wins_and_ships_once_the_plan_allows_it(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(3000, lift=0.6).records, 30, GOAL).read("banner")
    assert found.metrics[0].comparisons[0].verdict == "wins"
    assert (found.decision.action, found.decision.variant) == ("ship", "b")


def test_a_lopsided_allocation_is_unhealthy_whatever_the_goal_says(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(2000):
        shop.expose(f"v{number}", "control" if number % 4 else "b", START + number * 1_000)
    found = readouts(tmp_path, shop.records, 5, GOAL).read("banner")
    assert found.health.srm.alarm
    assert found.decision.action == "unhealthy"


def test_a_day_that_is_still_open_rings_no_alarm(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(400):
        shop.expose(f"v{number}", "b" if number % 2 else "control")
    for number in range(300):
        shop.expose(f"w{number}", "b", START + DAY)
    for days, alarm in ((1.5, False), (2.5, True)):
        srm = readouts(tmp_path / str(days), shop.records, days, GOAL).read("banner").health.srm
        assert (srm.alarm, srm.observed) == (alarm, (200, 500))
        assert existing(srm.p) < 1e-9


def test_the_last_closed_day_of_the_series_is_the_readout(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(400).records, 30, GOAL)
    series = found.read("banner").metrics[0].series
    last = [look for look in series if look.kind == "cumulative"][-1]
    comparison = found.read("banner").metrics[0].comparisons[0]
    assert last.difference == pytest.approx(comparison.difference, rel=1e-9)
    assert last.p_min == comparison.methods.anytime.p_min
    assert len(timeseries_json(found.read("banner"))["metrics"][0]["days"]) == len(series)


def test_a_planned_test_decides_only_at_its_looks(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\nplan: {method: planned, days: 8, looks: 4}\n"}
    early = readouts(tmp_path / "early", crowd(2000, lift=0.6).records, 1, files).read("banner").metrics[0]
    assert (existing(early.comparisons[0].methods.planned).look, early.comparisons[0].verdict) == (None, "unclear")
    late = readouts(tmp_path / "late", crowd(2000, lift=0.6).records, 30, files).read("banner").metrics[0]
    assert existing(late.comparisons[0].methods.planned).crossed
    assert late.comparisons[0].verdict == "wins"


def test_a_fixed_test_says_nothing_before_its_last_day(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\nplan: {method: fixed, days: 20}\n"}
    shop = crowd(2000, lift=0.8)
    before = readouts(tmp_path / "a", shop.records, 15, files).read("banner")
    after = readouts(tmp_path / "b", shop.records, 25, files).read("banner")
    assert (before.metrics[0].comparisons[0].verdict, before.decision.action) == ("unclear", "keep_running")
    assert after.metrics[0].comparisons[0].verdict == "wins"


def test_the_bayesian_method_decides_by_chance_and_loss(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\nplan: {method: bayesian}\n"}
    comparison = readouts(tmp_path, crowd(3000, lift=0.6).records, 30, files).read("banner").metrics[0].comparisons[0]
    assert existing(comparison.methods.bayesian).chance_to_win > 0.95
    assert (comparison.p, comparison.verdict) == (NoEstimate(Caveat.NOT_A_TEST), "wins")


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
    assert csv_bytes(flat_rows(found)).startswith(b"experiment,phase,as_of,metric")
    assert parquet_bytes(flat_rows(found))[:4] == b"PAR1"


def test_all_running_experiments_stand_in_one_list(tmp_path: Path) -> None:
    rows = readouts(tmp_path, crowd(60).records, 30, RICH).results(pending=3)
    assert {row["metric"] for row in rows} >= {"purchase_rate", "refund_rate"}
    assert all(row["experiment"] == "banner" and row["pending"] == 3 for row in rows)


def test_units_have_one_row_each_from_which_the_arms_can_be_made_again(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(150).records, 30, RICH)
    rows = found.units("banner").rows()
    arms = found.read("banner").metric("revenue_per_visitor").arms
    for arm in arms:
        values = [row["revenue_per_visitor"] for row in rows if row["variant"] == arm.variant]
        assert (len(values), sum(values)) == (arm.units, pytest.approx(arm.numerator))
    assert {row["device"] for row in rows} == {"mobile", "desktop"}


def test_a_repeated_question_is_answered_from_memory_until_something_arrives(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(50).records, 30, GOAL)
    first = found.read("banner")
    assert found.read("banner", ReadoutQuery(pending=5)).metrics is first.metrics
    more = Shop()
    more.expose("late", "b", START + 6 * DAY, message_id="late")
    event = received(more.records)[0]
    write_part_after(tmp_path, event.record, event.received_at)
    assert found.read("banner").metrics is not first.metrics
    assert found.etag(found.read("banner")) != found.etag(first)


def write_part_after(data: Path, record: Any, received_at: int) -> None:
    from worlds.event_log import Received, log_rows

    from events.parts.arrow import arrow
    from events.parts.manifest import PartName
    from events.parts.part import SCHEMA, live_parts
    from events.parts.sealing import Place, write_part
    from events.writer.decoding import received_date

    sequence = max(part.high for part in live_parts(data / "log")) + 1
    row = log_rows([Received(record, received_at)])[0] | {"stream_id": 1 << 62}
    place = Place(data / "log", received_date(received_at), PartName(0, sequence, sequence, 0), 1 << 62)
    write_part(place, [arrow.Table.from_pylist([row], schema=SCHEMA)])


def test_a_damaged_part_is_named_and_never_a_wrong_number(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(50).records, 30, GOAL)
    part = next((tmp_path / "log").glob("*/*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(DataDamaged, match=part.name):
        found.read("banner")


def test_an_analysis_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(300).records, 30, RICH)
    found.log.limits = EngineLimits(timeout_seconds=0.02)
    with pytest.raises(QueryTimeout, match=r"0\.02 s"):
        found.read("banner")


def test_experiments_that_change_each_others_effect_are_reported(tmp_path: Path) -> None:
    chance, shop = random.Random(5), Shop()
    for number in range(4000):
        ours, other = chance.choice(["control", "b"]), chance.choice(["control", "x"])
        shop.expose(f"v{number}", ours, START + number * 1_000)
        shop.expose(f"v{number}", other, START + number * 1_000, experiment="other")
        if chance.random() < (0.5 if (ours, other) == ("b", "x") else 0.2):
            shop.buy(f"v{number}", START + HOUR + number)
    files = GOAL | {"other.yaml": "key: other\nstatus: running\nvariants: [control, x]\ngoal: purchase_rate\n"}
    checks = readouts(tmp_path, shop.records, 10, files).read("banner").health.checks
    assert [check.code for check in checks] == ["interaction"]
    assert "other" in checks[0].detail


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"banner.yaml": GOAL["banner.yaml"].replace("running", "draft")}, "it is a draft"),
        ({"banner.yaml": GOAL["banner.yaml"] + "start: 2026-03-01\n"}, "it starts at 2026-03-01 00:00 UTC"),
    ],
)
def test_what_has_not_started_is_not_kept_running(tmp_path: Path, change: dict[str, str], reason: str) -> None:
    found = readouts(tmp_path, [], 30, change).read("banner")
    assert (found.decision.action, found.decision.days_left, found.health.checks) == ("not_started", 28, ())
    assert found.decision.because[0].startswith(reason)


def test_a_frozen_experiment_that_was_stopped_is_not_kept_running(tmp_path: Path) -> None:
    """Its design says running for ever: that is how it was frozen."""
    found = readouts(tmp_path, crowd(200).records, 12, GOAL)
    catalog = found.archive.latest()
    running = FrozenDesign(
        key="banner", phase=0, fingerprint="f", frozen_at=moment_of(START), planned_units=20_000,
        experiment=catalog.experiments["banner"], metrics={"purchase_rate": catalog.metrics["purchase_rate"]},
        segments={}, holdouts={},
    )  # fmt: skip
    ended = {
        "not yet": running.model_copy(update={"end": moment_of(START + 20 * DAY)}),
        "stopped": running.model_copy(update={"stopped_at": moment_of(START + 10 * DAY)}),
    }
    actions: dict[str, tuple[str, int]] = {}
    for name, design in ended.items():
        found.archive = Definitions(catalog, design)
        decision = found.read("banner").decision
        actions[name] = decision.action, decision.days_left
    assert actions == {"not yet": ("keep_running", 16), "stopped": ("inconclusive", 0)}


def test_a_series_without_days_says_why(tmp_path: Path) -> None:
    some = timeseries_json(readouts(tmp_path / "some", crowd(60).records, 30, RICH).read("banner"))["metrics"]
    assert {metric["metric"]: metric["reasons"] for metric in some if not metric["days"]} == {
        "time_on_site_p75": ["quantiles_have_no_days"]
    }
    assert all(metric["reasons"] == [] for metric in some if metric["days"])
    nobody = timeseries_json(readouts(tmp_path / "none", [], 30, GOAL).read("banner"))["metrics"]
    assert nobody[0]["reasons"] == ["not_enough_units"]


QUANTILES = """
by_unit: {type: quantile, event: engagement, value: engaged_seconds, q: 0.75, window: 20 days}
by_event: {type: quantile, event: Loaded, value: value, q: 0.5, window: 20 days}
"""


@pytest.mark.parametrize("metric", ["by_unit", "by_event"])
@pytest.mark.parametrize("plan", ["{method: planned, days: 28, looks: 4}", "{method: fixed, days: 7}"])
def test_a_quantile_is_decided_by_its_last_look_alone(tmp_path: Path, metric: str, plan: str) -> None:
    """What comes after the look's last day, new units and late events, moves the arms and not the decision."""
    chance, shop = random.Random(3), Shop()
    for number in range(700):
        day, variant = (0 if number < 600 else 8), "b" if number % 2 else "control"
        name, entered = f"v{number}", START + day * DAY + number
        shop.expose(name, variant, entered)
        if day:  # known from before
            shop.add("engagement", name, START + number, page_view_id=name, engaged_ms=1000, properties={})
        for late in (0, 8):
            seconds = chance.randrange(1, 3000) + (3000 if late and variant == "b" else 0)
            time = entered + late * DAY + DAY // 4
            shop.add("engagement", name, time, page_view_id=f"{name}-{late}", engaged_ms=seconds, properties={})
            shop.add("track", name, time, event="Loaded", value=float(seconds))
    files = {"banner.yaml": SMALLEST + f"goal: {metric}\nplan: {plan}\n", "metrics.yaml": QUANTILES}
    answers: list[tuple[object, ...]] = []
    for days in (7.5, 8.9, 12.0):
        known = [record for record in shop.records if record.time <= START + days * DAY]
        found = readouts(tmp_path / str(days), known, days, files).read("banner").metric(metric)
        comparison = found.comparisons[0]
        answers.append((comparison.p, comparison.ci, comparison.verdict))
    assert existing(answers[0][0]) > 0.0
    assert answers[1:] == [answers[0]] * 2
