"""While running, the design is frozen: the first design of (key, phase) wins, and what may change may change."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from worlds.catalog_folders import BANNER, Shop

from experiments.catalog.freeze import FreezeSources, MirrorUnavailable
from experiments.catalog.phases import FrozenDesign, Pause, TrafficAwaited
from experiments.definitions.model import Experiment

SIDES = {
    "segments": "eu: {where: {country: {$in: [SK, CZ]}}}\n",
    "holdouts": "q1: {share: 5%}\n",
    "metrics": (
        "purchase_rate: {type: proportion, event: Order Completed}\nrefunds: {type: count, event: Order Refunded}\n"
    ),
}
DESIGN = BANNER + (
    "unit: visitor\nlayer: {name: pdp, share: [0%, 40%]}\nholdouts: [q1]\ntraffic: 50%\n"
    "audience:\n  segments: [eu]\n  where: {device: mobile}\nguardrails: {refunds: 10%}\nplan: {days: 14}\n"
    "end: 2026-02-10\nsecondary: [csat]\nowner: me\n# the end\n"
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


REFUSED = {
    "a payload": ("variants", lambda text: text.replace("free shipping", "gratis")),
    "an order": ("variants", lambda text: text.replace("key: control", "key: other")),
    "a weight": ("variants", lambda text: text.replace("key: threshold,", "key: threshold, weight: 2,")),
    "the unit": ("unit", lambda text: text.replace("unit: visitor", "unit: user")),
    "the layer": ("layer", lambda text: text.replace("[0%, 40%]", "[0%, 50%]")),
    "the holdouts": ("holdouts", lambda text: text.replace("holdouts: [q1]\n", "")),
    "the audience": ("audience", lambda text: text.replace("device: mobile", "device: tv")),
    "the segments": ("audience", lambda text: text.replace("  segments: [eu]\n", "")),
    "the goal": ("goal", lambda text: text.replace("goal: purchase_rate", "goal: orders_per_visitor")),
    "the margin": (
        "goal",
        lambda text: text.replace("goal: purchase_rate", "goal: {metric: purchase_rate, margin: 2%}"),
    ),
    "a guardrail": ("guardrails", lambda text: text.replace("refunds: 10%", "refunds: 20%")),
    "the plan": ("plan", lambda text: text.replace("days: 14", "days: 21")),
}


WORDS = {
    "a payload": "threshold: payload: text: free shipping became gratis",
    "an order": "control, threshold became other, threshold",
    "the unit": "visitor became user",
    "the layer": "end: 40 % became 50 %",
    "the holdouts": "q1 became nothing",
    "the audience": "where: device: mobile became tv",
    "the segments": "segments: eu became nothing",
    "the goal": "purchase_rate became orders_per_visitor",
    "the margin": "margin of purchase_rate: nothing became 2 %",
    "a guardrail": "refunds: max_harm: 10 % became 20 %",
    "the plan": "days: 14 became 21",
    "a weight": "threshold: weight: 50 % became 66.666667 %",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_written_of_a_frozen_design_and_what_is_written_now_is_named(shop: Shop, name: str) -> None:
    shop.boot(banner=DESIGN, **SIDES)
    part, edit = REFUSED[name]
    assert re.search(rf": {part}: .*{re.escape(WORDS[name])}, but the design of phase 0", shop.edit(edit(DESIGN))[0])


def test_a_long_list_of_changes_is_cut_and_counted(shop: Shop) -> None:
    many = "\n".join(f"  - {{key: v{number}, payload: {{text: old}}}}" for number in range(6))
    text = f"key: banner\nstatus: running\nvariants:\n{many}\ngoal: purchase_rate\n"
    shop.boot(banner=text)
    assert "v2: payload: text: old became new and 3 more, but" in shop.edit(text.replace("old", "new"))[0]


@pytest.mark.parametrize(("part", "edit"), REFUSED.values(), ids=REFUSED.keys())
def test_a_changed_design_is_refused_and_a_new_phase_begins_anew(
    shop: Shop, part: str, edit: Callable[[str], str]
) -> None:
    follower = shop.boot(banner=DESIGN, **SIDES)
    version = follower.catalog.version
    shop.wait(hours=2)
    errors = shop.edit(edit(DESIGN))
    assert len(errors) == 1
    assert f": {part}: " in errors[0]
    assert ", but the design of phase 0 is frozen since 2026-01-10 12:00 UTC;" in errors[0]
    assert errors[0].endswith("undo it, or write phase: 1 to begin anew")
    assert shop.keeper.catalog.version == version
    assert shop.edit(edit(DESIGN) + "phase: 1\n") == []
    assert [design.phase for design in shop.archive().phases("banner")] == [0, 1]


SIDE_CHANGES = {
    "segments": ("audience: eu of segments.yaml", "eu: {where: {country: SK}}\n"),
    "holdouts": ("holdouts: q1 of holdouts.yaml", "q1: {share: 6%}\n"),
    "metrics": (
        "guardrails: refunds of metrics.yaml",
        "purchase_rate: {type: proportion, event: Order Completed}\nrefunds: {type: count, event: Refund}\n",
    ),
}


@pytest.mark.parametrize(("side", "change"), SIDE_CHANGES.items(), ids=SIDE_CHANGES.keys())
def test_a_side_file_cannot_change_a_running_design_either(shop: Shop, side: str, change: tuple[str, str]) -> None:
    shop.boot(banner=DESIGN, **SIDES)
    errors = shop.edit(change[1], f"{side}.yaml")
    assert len(errors) == 1
    assert errors[0].startswith("banner.yaml:")
    assert f"{change[0]} changed" in errors[0]


ALLOWED = {
    "the owner": lambda text: text.replace("owner: me", "owner: you"),
    "a name": lambda text: text + "name: Banner\n",
    "a later end": lambda text: text.replace("2026-02-10", "2026-03-10"),
    "no end": lambda text: text.replace("end: 2026-02-10\n", ""),
    "more traffic": lambda text: text.replace("50%", "80%"),
    "secondary metrics": lambda text: text.replace("[csat]", "[csat, nps]"),
    "a preview": lambda text: text + "preview: {variant: threshold, visitors: [qa]}\n",
    "a pause": lambda text: text.replace("running", "paused"),
    "a stop": lambda text: text.replace("running", "stopped"),
    "defaults written out": lambda text: text.replace("{days: 14}", "{days: 14, alpha: 0.05, power: 80%}"),
    "equal weights written out": lambda text: text.replace("control,", "control, weight: 3,").replace(
        "threshold,", "threshold, weight: 3,"
    ),
}


@pytest.mark.parametrize("edit", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_may_change_may_change(shop: Shop, edit: Callable[[str], str]) -> None:
    shop.boot(banner=DESIGN, **SIDES)
    before = shop.archive().design("banner", 0)
    assert shop.edit(edit(DESIGN)) == []
    after = shop.archive().design("banner", 0)
    assert before
    assert after
    assert before.fingerprint == after.fingerprint
    assert before.experiment == after.experiment


def test_side_files_may_change_under_a_stopped_experiment_but_it_cannot_run_on_with_them(shop: Shop) -> None:
    stopped = DESIGN.replace("status: running", "status: stopped")
    shop.boot(banner=DESIGN, **SIDES)
    assert shop.edit(stopped) == []
    for side, (_, text) in SIDE_CHANGES.items():
        assert shop.edit(text, f"{side}.yaml") == []
    assert shop.archive().phases("banner")[0].holdouts["q1"].share == 0.05
    assert len(shop.edit(stopped.replace("free shipping", "gratis"))) == 1
    assert len(shop.edit(DESIGN)) == len(SIDE_CHANGES) + 1


def test_a_release_that_defines_a_built_in_metric_anew_changes_no_running_design(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    path = shop.data / "catalogue" / "phases.json"
    [design] = json.loads(path.read_text())
    design["metrics"]["purchase_rate"]["window_seconds"] = 86_400  # as the release before had it
    path.write_text(json.dumps([design]))
    shop.boot()
    assert shop.keeper.errors == ()
    assert shop.archive().phases("banner")[0].metrics["purchase_rate"].window_seconds == 86_400
    own = "purchase_rate: {type: proportion, event: Order Completed, window: 2 days}\n"
    assert "purchase_rate of metrics.yaml changed" in shop.edit(own, "metrics.yaml")[0]


def test_traffic_never_narrows_below_what_is_served(shop: Shop) -> None:
    shop.boot(banner=BANNER + "traffic: {2026-01-01: 10%, 2026-01-05: 60%, 2026-03-01: 90%}\n")
    errors = shop.edit(BANNER + "traffic: 40%\n")
    assert errors == [
        "banner.yaml:7: traffic: narrows from 60 %, which is served, to 40 %;"
        " traffic only ever widens within a phase, write phase: 1 to begin anew"
    ]
    assert shop.edit(BANNER + "traffic: 70%\n") == []


def test_a_draft_in_between_is_no_way_around(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    assert shop.edit(BANNER.replace("running", "draft")) == []
    errors = shop.edit(BANNER.replace("running", "draft") + "traffic: 40%\n")
    assert "traffic only ever widens" in errors[0]
    errors = shop.edit(BANNER.replace("free shipping", "gratis"))
    assert "is frozen since" in errors[0]


def test_an_end_cannot_be_moved_into_the_past(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    errors = shop.edit(BANNER + "end: 2026-01-09\n")
    assert errors == [
        "banner.yaml:7: end: 2026-01-09 00:00 UTC has passed, an end may move later; to stop now write status: stopped"
    ]


def test_a_design_is_frozen_when_it_begins_and_not_before(shop: Shop) -> None:
    shop.boot(banner=BANNER + "start: 2026-01-11\n")
    assert shop.edit(BANNER.replace("free shipping", "gratis") + "start: 2026-01-11\n") == []
    assert shop.archive().phases("banner") == ()
    shop.wait(hours=13)
    shop.keeper.poll()
    design = shop.archive().design("banner", 0)
    assert design
    assert design.frozen_at == datetime(2026, 1, 11, 1, tzinfo=UTC)
    assert "is frozen" in shop.edit(BANNER + "start: 2026-01-11\n")[0]


def test_drafts_may_change_as_they_like(shop: Shop) -> None:
    draft = BANNER.replace("running", "draft")
    shop.boot(banner=draft)
    assert shop.edit(draft.replace("free shipping", "gratis")) == []


def test_a_frozen_design_survives_a_restart(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    shop.wait(days=1)
    shop.write(BANNER.replace("free shipping", "gratis"))
    follower = shop.boot()
    assert "is frozen since 2026-01-10 12:00 UTC" in str(follower.errors[0])
    assert follower.catalog.experiments["banner"].variants[1].payload == {"text": "free shipping"}


def test_the_planned_units_are_ten_thousand_a_variant_where_nothing_was_logged(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    design = shop.archive().design("banner", 0)
    assert design
    assert design.planned_units == 20_000


def test_the_planned_units_come_from_logged_traffic(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sources=FreezeSources(daily_units=lambda experiment, before: 1234.5))
    shop.boot(banner=BANNER + "plan: {days: 10}\n")
    design = shop.archive().design("banner", 0)
    assert design
    assert design.planned_units == 12_345


def test_an_experiment_goes_live_while_the_log_is_read_and_its_planned_units_follow(tmp_path: Path) -> None:
    asked: list[datetime] = []
    mirrored: list[int] = []

    def slow_log(experiment: Experiment, before: datetime) -> float:
        asked.append(before)
        if len(asked) < 3:
            raise TrafficAwaited
        return 500.0

    def mirror(design: FrozenDesign) -> FrozenDesign:
        mirrored.append(design.planned_units)
        return design

    shop = Shop(tmp_path, sources=FreezeSources(slow_log, mirror))
    begun = shop.now
    assert shop.boot(banner=BANNER).catalog.experiments["banner"].status == "running"
    first = shop.archive().design("banner", 0)
    shop.keeper = shop.new_keeper()  # a restart does not forget what is still to be asked
    shop.keeper.boot()
    shop.wait(seconds=5)
    for _ in range(3):
        shop.keeper.poll()
    last = shop.archive().design("banner", 0)
    assert first
    assert last
    assert (first.planned_units, last.planned_units) == (20_000, 500 * 28)
    assert first.fingerprint == last.fingerprint
    assert asked == [begun] * 3
    assert mirrored == [20_000, 14_000]


def test_pauses_and_stops_are_noted(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    begun = shop.now
    shop.wait(hours=1)
    shop.edit(BANNER.replace("running", "paused"))
    shop.wait(hours=1)
    shop.edit(BANNER)
    shop.wait(hours=1)
    shop.edit(BANNER.replace("running", "stopped"))
    design = shop.archive().design("banner", 0)
    hour = timedelta(hours=1)
    assert design
    assert design.pauses == (Pause(since=begun + hour, until=begun + 2 * hour),)
    assert design.stopped_at == design.closed_at == begun + 3 * hour
    assert design.ended


def test_what_was_away_without_a_stop_comes_back_as_after_a_pause(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    begun = shop.now
    shop.wait(hours=1)
    shop.edit(BANNER.replace("running", "draft"))
    shop.wait(hours=1)
    assert shop.edit(BANNER) == []
    design = shop.archive().design("banner", 0)
    hour = timedelta(hours=1)
    assert design
    assert (design.pauses, design.closed_at) == ((Pause(since=begun + hour, until=begun + 2 * hour),), None)


def test_the_next_phase_stops_a_phase_and_a_removed_file_does_not(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    shop.wait(hours=1)
    shop.edit(BANNER + "phase: 1\n")
    stopped = shop.now
    shop.wait(hours=1)
    (shop.definitions / "banner.yaml").unlink()
    assert shop.settle() == []
    assert [design.stopped_at for design in shop.archive().phases("banner")] == [stopped, None]


def test_an_external_store_keeps_the_first_design_when_the_data_directory_is_lost(tmp_path: Path) -> None:
    kept: dict[tuple[str, int], FrozenDesign] = {}
    sources = FreezeSources(mirror=lambda design: kept.setdefault((design.key, design.phase), design))
    Shop(tmp_path / "first", sources=sources).boot(banner=BANNER)
    second = Shop(tmp_path / "second", sources=sources)
    second.boot()
    assert "is frozen since" in second.edit(BANNER.replace("free shipping", "gratis"))[0]
    assert second.edit(BANNER) == []


def test_an_external_store_that_is_down_is_asked_again(tmp_path: Path) -> None:
    kept: list[FrozenDesign] = []
    down = [True]

    def mirror(design: FrozenDesign) -> FrozenDesign:
        if down[0]:
            raise MirrorUnavailable
        kept.append(design)
        return design

    shop = Shop(tmp_path, sources=FreezeSources(mirror=mirror))
    shop.boot(banner=BANNER)
    down[0] = False
    shop.keeper.poll()
    assert kept == []
    shop.wait(seconds=11)
    shop.keeper.poll()
    assert [design.key for design in kept] == ["banner"]


def test_phases_that_cannot_be_read_are_moved_aside_and_said_so(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    (shop.data / "catalogue" / "phases.json").write_text("[{")
    follower = shop.boot()
    assert [str(error) for error in follower.errors] == [
        "phases.json: could not be read and was moved aside, designs are frozen anew"
    ]
    assert shop.archive().design("banner", 0)
    assert (shop.data / "catalogue" / "phases.damaged").exists()
