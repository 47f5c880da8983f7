"""When a plan's method decides, and what it decides on: at its looks, on its last day, by chance and loss."""

import random
from pathlib import Path

import pytest
from oracles.estimates import existing
from worlds.readout_studies import DAY, GOAL, SMALLEST, START, Definitions, Shop, crowd, readouts

from experiments.catalog.phases import FrozenDesign
from experiments.statistics.estimate import Caveat, NoEstimate
from kit.time import moment_of


def test_a_true_effect_wins_and_ships_once_the_plan_allows_it(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(3000, lift=0.6).records, 30, GOAL).read("banner")
    assert found.metrics[0].comparisons[0].verdict == "wins"
    assert (found.decision.action, found.decision.variant) == ("ship", "b")


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
    found = {days: readouts(tmp_path / str(days), shop.records, days, files).read("banner") for days in (15, 25, 28)}
    comparisons = {days: readout.metrics[0].comparisons[0] for days, readout in found.items()}
    assert [each.verdict for each in comparisons.values()] == ["unclear", "unclear", "wins"]
    assert [comparisons[days].p for days in (15, 25)] == [
        NoEstimate(Caveat.BEFORE_FIRST_LOOK), NoEstimate(Caveat.WAITING_FOR_WINDOWS)
    ]  # fmt: skip
    assert [(readout.decision.action, readout.decision.days_left) for readout in found.values()] == [
        ("keep_running", 12), ("keep_running", 2), ("ship", 0)
    ]  # fmt: skip
    assert found[25].decision.because == ("The last look waits for windows that are open until 31 January 2026.",)


def test_the_bayesian_method_decides_by_chance_and_loss(tmp_path: Path) -> None:
    files = {"banner.yaml": SMALLEST + "goal: purchase_rate\nplan: {method: bayesian}\n"}
    comparison = readouts(tmp_path, crowd(3000, lift=0.6).records, 30, files).read("banner").metrics[0].comparisons[0]
    assert existing(comparison.methods.bayesian).chance_to_win > 0.95
    assert (comparison.p, comparison.verdict) == (NoEstimate(Caveat.NOT_A_TEST), "wins")


QUANTILES = """
by_unit: {type: quantile, event: engagement, value: engaged_seconds, q: 0.75, window: 1 day}
by_event: {type: quantile, event: Loaded, value: value, q: 0.5, window: 1 day}
"""


@pytest.mark.parametrize("metric", ["by_unit", "by_event"])
@pytest.mark.parametrize("plan", ["{method: planned, days: 28, looks: 4}", "{method: fixed, days: 7}"])
def test_a_quantile_is_decided_by_its_last_look_alone(tmp_path: Path, metric: str, plan: str) -> None:
    """What comes after the look, new units and events beyond the window, moves the arms and not the decision."""
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
    for days in (8.5, 9.9, 12.0):
        known = [record for record in shop.records if record.time <= START + days * DAY]
        found = readouts(tmp_path / str(days), known, days, files).read("banner").metric(metric)
        comparison = found.comparisons[0]
        answers.append((comparison.p, comparison.ci, comparison.verdict))
    assert existing(answers[0][0]) > 0.0
    assert answers[1:] == [answers[0]] * 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"banner.yaml": GOAL["banner.yaml"].replace("running", "draft")}, "It is a draft"),
        ({"banner.yaml": GOAL["banner.yaml"] + "start: 2026-03-01\n"}, "It starts on 1 March 2026, 00:00 UTC"),
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
    assert actions == {"not yet": ("keep_running", 16), "stopped": ("keep_running", 5)}
