"""Every field of every file is read as the guide says, in words and in numbers."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds.definition_examples import METRICS

from experiments.definitions.content import CatalogContent
from experiments.definitions.folder import builtin_metrics, read_sources
from experiments.definitions.model import Experiment, GoalMargin, Layer, Recommend, TrafficStep
from experiments.definitions.shop import Boost, JourneyStage, Metric, Shift

SMALLEST = "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"


def content_of(**files: str) -> CatalogContent:
    return read_sources({f"{stem}.yaml": text.encode() for stem, text in files.items()}).complete()


def banner(lines: str = "", **files: str) -> Experiment:
    return content_of(banner=SMALLEST + lines, **files).experiments[0]


def metric(text: str) -> Metric:
    content = content_of(metrics=f"m: {text}\n")
    return next(metric for metric in content.metrics if metric.name == "m")


def test_the_smallest_experiment_is_complete() -> None:
    experiment = banner()
    assert [(variant.key, variant.weight, variant.payload) for variant in experiment.variants] == [
        ("control", 0.5, {}),
        ("threshold", 0.5, {}),
    ]
    assert (experiment.name, experiment.goals, experiment.control.key) == ("banner", ("purchase_rate",), "control")


def test_null_leaves_a_field_out() -> None:
    fields = "owner layer start end traffic audience holdouts preview secondary guardrails plan tests decision"
    assert banner("".join(f"{field}: null\n" for field in fields.split())) == banner()


def test_dates_without_a_zone_are_the_shops() -> None:
    shop = "timezone: Europe/Bratislava\n"
    experiment = banner("start: 2026-01-05\nend: 2026-07-05T12:30\n", shop=shop)
    assert experiment.start == datetime(2026, 1, 4, 23, tzinfo=UTC)
    assert experiment.end == datetime(2026, 7, 5, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-06T12:00Z", "2026-01-06T12:00:00Z", "2026-01-06 12:00", "2026-01-06T13:00+01:00"]
)
def test_a_date_may_be_written_in_several_ways(text: str) -> None:
    assert banner(f"start: {text}\n").start == datetime(2026, 1, 6, 12, tzinfo=UTC)


def test_traffic_grows_with_its_dates() -> None:
    experiment = banner("traffic: {2026-01-06T12:00Z: 80%, 2026-01-05: 10%}\n")
    day = datetime(2026, 1, 5, tzinfo=UTC)
    assert experiment.traffic[0] == TrafficStep(since=day, share=0.1)
    times = (day.replace(day=4), day, day.replace(day=6, hour=11), day.replace(day=6, hour=12))
    assert [experiment.traffic_share(time) for time in times] == [0.0, 0.1, 0.1, 0.8]


def test_a_share_may_be_as_fine_as_a_hundredth_of_a_percent() -> None:
    assert banner("traffic: 0.01%\n").traffic[0].share == 0.0001
    assert banner("layer: {name: pdp, share: [0.5 %, 12.34%]}\n").layer == Layer(name="pdp", start=0.005, end=0.1234)


def test_weights_may_be_numbers_or_percentages() -> None:
    def weights(*written: str) -> list[float]:
        variants = "".join(f"  - {{key: v{place}, weight: {weight}}}\n" for place, weight in enumerate(written))
        text = f"key: banner\ngoal: csat\nvariants:\n{variants}"
        return [variant.weight for variant in content_of(banner=text).experiments[0].variants]

    assert weights("2", "1", "1") == [0.5, 0.25, 0.25]
    assert weights("33.34%", "33.33%", "33.33%") == [0.3334, 0.3333, 0.3333]
    assert weights("0", "1") == [0.0, 1.0]


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=10))
def test_weights_always_add_up_to_one(written: list[int]) -> None:
    variants = "".join(f"  - {{key: v{place}, weight: {weight}}}\n" for place, weight in enumerate(written))
    experiment = content_of(banner=f"key: banner\ngoal: csat\nvariants:\n{variants}").experiments[0]
    assert sum(variant.weight for variant in experiment.variants) == pytest.approx(1)
    shares = [variant.weight * sum(written) for variant in experiment.variants]
    assert shares == pytest.approx(written)


@pytest.mark.parametrize("payload", ["text", "12", "9.0", "true", "[1, {a: null}]", '{a: {b: ["c", NO]}}'])
def test_a_payload_is_any_json_of_one_type(payload: str) -> None:
    text = (
        f"key: banner\ngoal: csat\nvariants:\n  - {{key: a, payload: {payload}}}\n  - {{key: b, payload: {payload}}}\n"
    )
    value = content_of(banner=text).experiments[0].variants[0].payload
    assert json.dumps(value) == {
        "text": '"text"', "12": "12", "9.0": "9.0", "true": "true", "[1, {a: null}]": '[1, {"a": null}]',
        '{a: {b: ["c", NO]}}': '{"a": {"b": ["c", "NO"]}}',
    }[payload]  # fmt: skip


def test_the_content_comes_back_from_disk_as_it_was() -> None:
    content = content_of(
        banner=SMALLEST + "traffic: {2026-01-05: 10%}\nguardrails: {nps: {max_harm: 1 point, require: safe}}\n",
        recommendations="s: {strategy: popular}\n",
    )
    assert CatalogContent.model_validate_json(content.model_dump_json()) == content


def test_variants_name_strategies_and_slots() -> None:
    variants = "variants: [a, {key: b, recommend: {slot: gap, strategy: bought_together, limit: 4}}]\n"
    content = content_of(banner=f"key: banner\ngoal: csat\n{variants}")
    wanted = Recommend(slot="gap", strategy="bought_together", limit=4)
    assert content.experiments[0].variants[1].recommend == wanted


def test_guardrails_are_relative_or_absolute_and_may_be_strict() -> None:
    lines = "guardrails: {refund_rate: 10%, nps: 0.2 points, csat: {max_harm: 1%, require: safe}}\n"
    found = [(item.metric, item.max_harm, item.relative, item.require_safe) for item in banner(lines).guardrails]
    assert found == [("refund_rate", 0.1, True, False), ("nps", 0.2, False, False), ("csat", 0.01, True, True)]


@pytest.mark.parametrize("field", ["goal: {metric: csat, margin: 2%}\n", "goals: [{metric: csat, margin: 2 %}]\n"])
def test_a_goal_may_have_a_margin(field: str) -> None:
    read = content_of(banner=SMALLEST.replace("goal: purchase_rate\n", field)).experiments[0]
    assert read.goals == ("csat",)
    assert read.margin("csat") == GoalMargin(metric="csat", margin=0.02, relative=True)
    assert banner().margins == ()


def test_a_plan_is_read_in_words() -> None:
    plan = banner(
        "plan: {method: planned, alpha: 1%, power: 0.9, days: 14 days, min_days: 3, looks: 2, mde: {purchase_rate: 4%},"
        " cuped: off, correction: bh, dimensions: [device], prior: {mean: -1%, sd: 10%}, identity: strict}\n"
    ).plan
    assert (plan.method, plan.alpha, plan.power, plan.days, plan.min_days) == ("planned", 0.01, 0.9, 14, 3)
    assert (plan.looks, plan.mde, plan.cuped_seconds, plan.correction) == (2, {"purchase_rate": 0.04}, 0, "bh")
    assert plan.prior
    assert (plan.prior.mean, plan.prior.sd, plan.identity, plan.dimensions) == (-0.01, 0.1, "strict", ("device",))


@pytest.mark.parametrize("text", METRICS)
def test_every_metric_type_is_read(text: str) -> None:
    read = metric(text)
    assert {field: getattr(read, field) for field in METRICS[text]} == METRICS[text]
    assert read.type in text


def test_the_built_in_metrics_are_those_of_the_guide_and_may_be_replaced() -> None:
    names = [metric.name for metric in builtin_metrics()]
    assert " ".join(names) == (
        "purchase_rate orders_per_visitor revenue_per_visitor average_order_value engaged_time engaged_time_estimate"
        " time_on_site_p75 checkout_funnel return_d7 retention_d7 retention_d28 csat nps ces refund_rate"
        " pages_per_visitor recommendation_click_rate tickets_per_order"
    )
    own = content_of(metrics="purchase_rate: {type: count, event: Sold}\n").metrics
    assert [metric.event for metric in own if metric.name == "purchase_rate"] == ["Sold"]


def test_slots_have_rules() -> None:
    text = (
        "gap: {strategy: bought_together, limit: 4, fallback: popular, rules: {include: [a], exclude: [b],"
        " in_stock: true, category: [Tea, NO], price: {$gte: 12}, boost: {category: {Tea: 1.5}},"
        " exclude_purchased: true, repurchase_after: 30 days, accessories_of: {lamp: [bulb]}, diversity: 0.3}}\n"
    )
    slot = content_of(recommendations=text).slots[0]
    assert slot.rules.filter == {"category": {"$in": ["Tea", "NO"]}, "price": {"$gte": 12}, "in_stock": True}
    assert slot.rules.boost == (Boost(field="category", value="Tea", factor=1.5),)
    assert (slot.rules.repurchase_after_seconds, slot.rules.accessories_of) == (2592000, {"lamp": ("bulb",)})


def test_yml_is_as_good_as_yaml() -> None:
    reading = read_sources({"banner.yml": SMALLEST.encode(), "shop.yml": b"currency: CZK\n"})
    assert reading.complete().shop.currency == "CZK"


def test_empty_side_files_say_nothing() -> None:
    sides = dict.fromkeys(("shop", "metrics", "segments", "holdouts", "recommendations"), "# nothing yet\n")
    assert content_of(banner=SMALLEST, **sides) == content_of(banner=SMALLEST)


def test_a_side_file_that_cannot_be_read_makes_no_name_unknown() -> None:
    reading = read_sources(
        {"banner.yaml": (SMALLEST + "audience: {segments: [eu]}\n").encode(), "segments.yaml": b"eu: {where: [\n"}
    )
    assert [error.file for error in reading.errors] == ["segments.yaml"]


def test_archived_experiments_leave_their_share_of_a_layer() -> None:
    share = "layer: {name: pdp, share: [0%, 60%]}\n"
    other = SMALLEST.replace("banner", "other").replace("running", "archived")
    assert len(content_of(banner=SMALLEST + share, other=other + share).experiments) == 2


def test_hours_of_service_are_minutes_of_the_week_in_order() -> None:
    text = "support_hours: {friday: [13:00-24:00, 9:00 - 12:30], monday: 0:00-6:00, sunday: null}\n"
    assert content_of(shop=text).shop.support_hours == (
        Shift(weekday=0, opens=0, closes=360),
        Shift(weekday=4, opens=540, closes=750),
        Shift(weekday=4, opens=780, closes=1440),
    )


def test_a_journey_is_its_stages_in_the_order_of_the_file() -> None:
    text = (
        "journey:\n  - {name: looks, event: page, where: {path: /sale}}\n  - {name: bought, event: Order Completed}\n"
    )
    assert content_of(shop=text).shop.journey == (
        JourneyStage(name="looks", event="page", where={"path": "/sale"}),
        JourneyStage(name="bought", event="Order Completed"),
    )


def test_targets_are_in_the_unit_of_their_kpi() -> None:
    text = "targets: {csat: 85%, nps: -5, ces: 2.5, first_response: 4 hours, resolution_time_p90: 90 minutes}\n"
    assert content_of(shop=text).shop.targets == {
        "csat": 0.85, "nps": -5.0, "ces": 2.5, "first_response": 4.0, "resolution_time_p90": 1.5,
    }  # fmt: skip
