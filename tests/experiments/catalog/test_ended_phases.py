"""A phase that was stopped or shipped does not run again, and a phase number never falls."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds.catalog_folders import BANNER, Shop

from experiments.catalog.check import check_folder, served_in
from experiments.catalog.phases import FrozenDesign, Shipping, followed, freeze
from experiments.definitions.folder import read_sources
from experiments.definitions.model import DecisionNote, Experiment, Status

SHIPPED = BANNER.replace("running", "stopped") + "decision: {outcome: shipped, variant: threshold}\n"
STOPPED = BANNER.replace("running", "stopped")
ENDINGS = {
    "a shipped variant": (SHIPPED, "threshold"),
    "a stop": (STOPPED, "control"),
    "a roll-back": (STOPPED + "decision: {outcome: rolled_back}\n", "control"),
    "an archiving": (BANNER.replace("running", "archived"), "control"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER)
    shop.wait(hours=1)
    return shop


def status(shop: Shop) -> tuple[str, int]:
    banner = shop.archive().catalog.experiments["banner"]
    return banner.status, banner.phase


@pytest.mark.parametrize("again", ["running", "paused"])
@pytest.mark.parametrize(("ending", "seen"), ENDINGS.values(), ids=ENDINGS.keys())
def test_a_phase_does_not_run_again_after(shop: Shop, ending: str, seen: str, again: str) -> None:
    assert shop.edit(ending) == []
    served = status(shop)
    shop.wait(hours=1)
    found = shop.edit(BANNER.replace("running", again))
    assert found == [
        f"banner.yaml:2: status: {again}, but variant {seen} was shown to everyone from 2026-01-10 13:00 UTC to now,"
        " so phase 0 does not run again: write `phase: 1` to begin anew"
    ]
    assert ([str(error) for error in shop.archive().errors], status(shop)) == (found, served)
    assert [str(error) for error in check_folder(shop.definitions, shop.now, served_in(shop.data)).errors] == found
    assert shop.edit(BANNER + "phase: 1\n") == []
    assert status(shop) == ("running", 1)


ROUNDABOUT = {
    "a draft": lambda shop: shop.edit(BANNER.replace("running", "draft")),
    "a removal": lambda shop: ((shop.definitions / "banner.yaml").unlink(), shop.settle()),
    "a restart": lambda shop: shop.boot(),
    "a scheduled phase": lambda shop: shop.edit(BANNER.replace("running", "draft") + "phase: 1\n"),
}


@pytest.mark.parametrize("way", ROUNDABOUT.values(), ids=ROUNDABOUT.keys())
def test_no_way_around_runs_a_shipped_phase_again(shop: Shop, way: Callable[[Shop], Any]) -> None:
    shop.edit(SHIPPED)
    way(shop)
    assert "does not run again" in shop.edit(BANNER)[0]
    assert status_or_none(shop) != ("running", 0)


def status_or_none(shop: Shop) -> tuple[str, int] | None:
    banner = shop.archive().catalog.experiments.get("banner")
    return banner and (banner.status, banner.phase)


def test_a_stop_ordered_without_the_files_ends_the_phase_and_disturbs_no_other_edit(shop: Shop) -> None:
    shop.order("stop")
    assert shop.edit(BANNER + "name: Banner\n") == []  # the file still says running
    assert check_folder(shop.definitions, shop.now, served_in(shop.data)).passed
    assert shop.edit(BANNER.replace("running", "draft")) == []
    assert "does not run again" in shop.edit(BANNER)[0]


def test_a_phase_number_never_falls_once_it_was_served(shop: Shop) -> None:
    assert shop.edit(BANNER + "phase: 2\n") == []
    for phase in (0, 1):
        found = shop.edit(BANNER + f"phase: {phase}\n")
        assert found == [
            f"banner.yaml:7: phase: {phase} comes after 2, which was served, and a phase number never falls;"
            " write phase: 2 or more"
        ]
        assert [str(error) for error in check_folder(shop.definitions, shop.now, served_in(shop.data)).errors] == found
    assert status(shop) == ("running", 2)
    (shop.definitions / "banner.yaml").unlink()
    shop.settle()
    assert "never falls" in shop.edit(BANNER)[0]


def test_a_phase_that_is_scheduled_is_served_already_and_a_draft_is_not(shop: Shop) -> None:
    assert shop.edit(BANNER.replace("running", "draft") + "phase: 1\n") == []
    assert shop.edit(BANNER) == []
    assert shop.edit(BANNER + "phase: 1\nstart: 2026-02-01\n") == []
    assert "never falls" in shop.edit(BANNER)[0]


def aged(shop: Shop) -> FrozenDesign:
    """The design of phase 0 as it is read of a file that an older version wrote, which let everything run again."""
    path = shop.data / "catalogue" / "phases.json"
    designs = json.loads(path.read_text())
    for design in designs:
        for name in ("ended", "shipped"):
            del design[name]
    path.write_text(json.dumps(designs))
    found = shop.archive().design("banner", 0)
    assert found
    return found


def let_run_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a version did that refused neither; a day later."""
    monkeypatch.setattr("experiments.catalog.publisher.refused_phases", lambda *_: ())
    shop.wait(hours=24)
    assert shop.edit(BANNER + "# once more\n") == []
    monkeypatch.undo()


def test_a_file_in_which_a_shipped_phase_ran_on_names_the_days(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.edit(SHIPPED)
    shipped = shop.now
    let_run_again(shop, monkeypatch)
    between = (Shipping(since=shipped, until=shipped + timedelta(days=1), variant="threshold"),)
    design = aged(shop)
    assert (design.ended, design.shipped_in_between) == (False, between)
    shop.boot()
    assert shop.edit(BANNER + "name: Banner\n") == []  # what an older version let run on runs on
    assert json.loads((shop.data / "catalogue" / "phases.json").read_text())[0]["shipped"] != []
    shop.order("pause")
    shop.order("resume")
    assert status(shop) == ("running", 0)


def test_a_file_in_which_a_phase_fell_names_the_days(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.edit(BANNER + "phase: 1\n")
    begun = shop.now
    let_run_again(shop, monkeypatch)
    assert aged(shop).shipped_in_between == (Shipping(since=begun, until=begun + timedelta(days=1), variant=None),)
    shop.boot()
    assert shop.edit(BANNER + "name: Banner\n") == []
    assert shop.edit(BANNER + "phase: 1\n") == []


def test_an_older_file_of_a_stopped_phase_does_not_run_again_either(shop: Shop) -> None:
    shop.edit(STOPPED)
    assert aged(shop).ended
    shop.boot()
    assert "does not run again" in shop.edit(BANNER)[0]


def test_a_pause_is_neither_an_end_nor_a_shipping(shop: Shop) -> None:
    for _ in range(2):
        shop.edit(BANNER.replace("running", "paused"))
        shop.wait(hours=1)
        assert shop.edit(BANNER) == []
    design = aged(shop)
    assert (len(design.pauses), design.ended, design.shipped) == (2, False, ())


BEGUN = datetime(2026, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTENT = read_sources({"banner.yaml": BANNER.encode()}).complete()


def banner(status: Status, phase: int, shipped: bool) -> Experiment:
    decision = DecisionNote(outcome="shipped", variant="threshold") if shipped else DecisionNote()
    return CONTENT.experiments[0].model_copy(update={"status": status, "phase": phase, "decision": decision})


def stretches(served: list[Experiment | None]) -> list[tuple[int, int]]:
    """From which hour to which everybody was elsewhere before phase 0 ran on, by what was served hour by hour."""
    found: list[tuple[int, int]] = []
    since = None
    for hour, experiment in enumerate(served):
        here = experiment is not None and experiment.phase == 0
        shipped = experiment is not None and experiment.decision.outcome == "shipped"
        running = experiment is not None and experiment.status == "running"
        if here and running and since is not None:
            found.append((since, hour))
            since = None
        elif since is None and (shipped or (running and not here)):
            since = hour
    return found


BEFORE_AND_AFTER = st.builds(banner, st.sampled_from(["draft", "running", "paused"]), st.integers(0, 2), st.just(False))
OVER = st.builds(banner, st.sampled_from(["stopped", "archived"]), st.integers(0, 2), st.booleans())


@given(st.lists(st.one_of(st.none(), BEFORE_AND_AFTER, OVER), max_size=12))
@settings(deadline=None)
def test_whatever_was_served_a_stretch_is_in_between_exactly_where_the_phase_ran_on(
    served: list[Experiment | None],
) -> None:
    design = freeze(CONTENT.experiments[0], CONTENT, BEGUN)
    for hour, experiment in enumerate(served):
        design = followed(design, experiment, BEGUN + hour * HOUR)
    between = [((each.since - BEGUN) // HOUR, each.until and (each.until - BEGUN) // HOUR) for each in design.shipped]
    assert [each for each in between if each[1] is not None] == stretches(served)
    said = [each.status for each in served if each and each.phase == 0 and each.status != "draft"]
    assert design.ended is (said[-1:] in (["stopped"], ["archived"]))
