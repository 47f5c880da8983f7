"""Pause, resume and stop work without the files, and outrank them until the file says the same."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from worlds.catalog_folders import BANNER, Shop

from experiments.catalog.check import check_folder, served_in, start_mistakes
from experiments.catalog.files import CatalogPaths
from experiments.catalog.overrides import (
    Action,
    ExperimentStopped,
    NothingToOverride,
    NoVariantToShip,
    Order,
    OverrideRefused,
    order,
    read_overrides,
)
from experiments.catalog.reader import CatalogReader

UNSTARTED = "key: draft\nvariants: [a, b]\ngoal: csat\n"
ACTIONS: tuple[Action, ...] = ("start", "pause", "resume", "stop", "ship")
ORDERS = st.lists(
    st.builds(
        Order,
        st.sampled_from(["banner", "banner", "banner", "draft", "draft", "unknown"]),
        st.sampled_from(ACTIONS),
        st.sampled_from([None, "threshold", "a"]),
    ),
    min_size=2,
    max_size=8,
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER, draft=UNSTARTED)
    return shop


def status(shop: Shop) -> str:
    return CatalogReader(shop.data).catalog.experiments["banner"].status


def test_a_pause_holds_and_a_resumption_takes_it_back(shop: Shop) -> None:
    shop.order("pause")
    assert status(shop) == "paused"
    shop.order("resume")
    assert status(shop) == "running"
    assert shop.keeper.catalog.overridden == {}


def test_an_order_outranks_the_file_until_the_file_says_the_same(shop: Shop) -> None:
    shop.order("pause")
    assert shop.edit(BANNER + "name: Banner\n") == []
    assert (status(shop), dict(shop.keeper.catalog.written)) == ("paused", {"banner": "running"})
    shop.edit(BANNER.replace("running", "paused") + "name: Banner\n")
    assert (status(shop), dict(shop.keeper.catalog.overridden)) == ("paused", {})
    shop.edit(BANNER + "name: Banner\n")
    assert status(shop) == "running"


def test_an_order_works_while_a_file_is_bad(shop: Shop) -> None:
    shop.edit("key: second\nvariants: [", "second.yaml")
    shop.order("stop")
    assert status(shop) == "stopped"
    assert len(shop.keeper.errors) == 1


def test_an_order_survives_a_restart(shop: Shop) -> None:
    shop.order("pause")
    assert shop.boot().catalog.experiments["banner"].status == "paused"
    shop.order("resume")
    assert shop.boot().catalog.experiments["banner"].status == "running"


def test_a_file_that_ends_the_experiment_ends_the_pause(shop: Shop) -> None:
    shop.order("pause")
    shop.edit(BANNER.replace("running", "stopped"))
    assert status(shop) == "stopped"


def test_a_resumption_outranks_a_file_that_is_paused(shop: Shop) -> None:
    shop.edit(BANNER.replace("running", "paused"))
    shop.order("resume")
    assert status(shop) == "running"


def test_an_order_given_twice_is_given_once(shop: Shop) -> None:
    shop.order("pause")
    first = order(shop.data, shop.keeper.catalog, Order("banner", "pause"), shop.now)
    shop.wait(hours=1)
    assert order(shop.data, shop.keeper.catalog, Order("banner", "pause"), shop.now) == first


def test_orders_in_a_row_count_before_anybody_published_the_first(shop: Shop) -> None:
    catalog = shop.keeper.catalog
    order(shop.data, catalog, Order("banner", "pause"), shop.now)
    order(shop.data, catalog, Order("banner", "stop"), shop.now)
    with pytest.raises(OverrideRefused, match="banner is stopped, only one that is running can be told to pause"):
        order(shop.data, catalog, Order("banner", "pause"), shop.now)


def test_orders_that_make_no_sense_are_refused(shop: Shop) -> None:
    catalog = shop.keeper.catalog
    with pytest.raises(NothingToOverride, match='unknown experiment "baner", did you mean "banner"'):
        order(shop.data, catalog, Order("baner", "pause"), shop.now)
    with pytest.raises(OverrideRefused, match="draft is draft, only one that is paused can be told to resume"):
        order(shop.data, catalog, Order("draft", "resume"), shop.now)


@pytest.mark.parametrize("stopped", ["by an order", "by the file", "by an order that nobody published yet"])
def test_a_resumption_after_a_stop_is_refused(shop: Shop, stopped: str) -> None:
    if stopped == "by the file":
        shop.edit(BANNER.replace("running", "stopped"))
    elif stopped == "by an order":
        shop.order("stop")
    else:
        order(shop.data, shop.keeper.catalog, Order("banner", "stop"), shop.now)
    with pytest.raises(
        ExperimentStopped,
        match=r"banner was stopped, and variant control was shown to everyone .*: write `phase: 1` in its file",
    ):
        order(shop.data, CatalogReader(shop.data).catalog, Order("banner", "resume"), shop.now)
    shop.keeper.poll()
    assert status(shop) == "stopped"


def test_a_stop_holds_until_the_file_begins_a_new_phase(shop: Shop) -> None:
    shop.order("stop")
    assert shop.edit(BANNER + "name: Banner\n") == []
    assert status(shop) == "stopped"
    assert shop.edit(BANNER + "phase: 1\n") == []
    assert (status(shop), dict(shop.keeper.catalog.overridden)) == ("running", {})
    shop.order("stop")
    assert status(shop) == "stopped"


def test_a_pause_holds_in_the_next_phase_too(shop: Shop) -> None:
    shop.order("pause")
    assert shop.edit(BANNER + "phase: 1\n") == []
    assert status(shop) == "paused"


def test_a_stop_that_an_older_version_noted_is_one_of_the_phase_that_is_served(shop: Shop) -> None:
    shop.order("stop")
    path = shop.data / "catalogue" / "overrides.json"
    orders = json.loads(path.read_text())
    del orders["banner"]["phase"]
    path.write_text(json.dumps(orders))
    shop.boot()
    assert status(shop) == "stopped"
    assert shop.edit(BANNER + "phase: 1\n") == []
    assert status(shop) == "running"


def _pause(data: Path, key: str) -> str:
    follower = CatalogReader(data)
    return order(data, follower.catalog, Order(key, "pause"), follower.catalog.received_at).status


def test_orders_of_many_processes_at_once_are_all_kept(shop: Shop) -> None:
    keys = [f"banner-{number}" for number in range(40)]
    for key in keys:
        shop.write(BANNER.replace("key: banner", f"key: {key}"), f"{key}.yaml")
    shop.settle()
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as processes:
        assert list(processes.map(_pause, [shop.data] * 40, keys)) == ["paused"] * 40
    shop.keeper.poll()
    assert sorted(shop.keeper.catalog.overridden) == sorted(keys)


def test_a_pause_without_the_files_is_noted_in_the_frozen_design(shop: Shop) -> None:
    shop.wait(hours=1)
    shop.order("pause")
    design = shop.archive().design("banner", 0)
    assert design
    assert [pause.since for pause in design.pauses] == [shop.now]


DRAFT = BANNER.replace("status: running", "status: draft")
SHIPPED = BANNER.replace("running", "stopped") + "decision: {outcome: shipped, variant: threshold}\n"


def test_a_draft_that_is_started_outranks_its_file_until_the_file_says_running(shop: Shop) -> None:
    shop.edit(DRAFT.replace("banner", "second"), "second.yaml")
    shop.order("start", "second")
    shop.settle()
    assert state_of(shop, "second") == ("running", {"second": "draft"})
    shop.edit(BANNER.replace("banner", "second"), "second.yaml")
    assert state_of(shop, "second") == ("running", {})
    assert shop.settle() == []


def test_what_was_started_keeps_its_orders_and_its_frozen_design_while_the_file_says_draft(shop: Shop) -> None:
    shop.edit(DRAFT.replace("banner", "second"), "second.yaml")
    for action, wanted in (("start", "running"), ("pause", "paused"), ("resume", "running")):
        shop.order(action, "second")  # type: ignore[arg-type]
        shop.settle()
        assert state_of(shop, "second")[0] == wanted
    (error,) = shop.edit(DRAFT.replace("banner", "second").replace("purchase_rate", "csat"), "second.yaml")
    assert "the design of phase 0 is frozen" in error
    shop.edit(DRAFT.replace("banner", "second"), "second.yaml")
    shop.order("stop", "second")
    shop.settle()
    assert state_of(shop, "second")[0] == "stopped"
    with pytest.raises(ExperimentStopped):
        shop.order("resume", "second")


def test_a_file_that_ends_what_was_started_is_obeyed(shop: Shop) -> None:
    shop.edit(DRAFT.replace("banner", "second"), "second.yaml")
    shop.order("start", "second")
    shop.settle()
    shop.edit(BANNER.replace("banner", "second").replace("running", "stopped"), "second.yaml")
    assert state_of(shop, "second") == ("stopped", {})


def test_a_ship_shows_its_variant_until_the_file_has_the_decision_too(shop: Shop) -> None:
    shop.order("ship", variant="threshold")
    shop.settle()
    assert decided(shop) == ("stopped", "shipped", "threshold")
    for text in (BANNER + "name: Banner\n", BANNER.replace("running", "stopped")):
        assert shop.edit(text) == []
        assert decided(shop) == ("stopped", "shipped", "threshold")
    assert shop.boot().catalog.overridden == {"banner": "stopped"}
    assert shop.edit(SHIPPED) == []
    assert (decided(shop), dict(shop.keeper.catalog.overridden)) == (("stopped", "shipped", "threshold"), {})


def test_after_a_ship_another_variant_may_be_shipped_and_a_new_phase_begins_without_it(shop: Shop) -> None:
    shop.order("ship", variant="threshold")
    shop.settle()
    shop.order("ship", variant="control")
    shop.settle()
    assert decided(shop) == ("stopped", "shipped", "control")
    shop.edit(BANNER + "phase: 1\n")
    assert decided(shop) == ("running", None, None)


@pytest.mark.parametrize(("variant", "told"), [(None, "ship which variant"), ("treshold", "threshold")])
def test_a_ship_names_a_variant_of_the_experiment(shop: Shop, variant: str | None, told: str) -> None:
    with pytest.raises(NoVariantToShip, match=told):
        shop.order("ship", variant=variant)
    assert status(shop) == "running"


@pytest.mark.parametrize(("action", "key"), [("start", "banner"), ("ship", "draft")])
def test_what_makes_no_sense_for_a_status_is_refused(shop: Shop, action: str, key: str) -> None:
    if action == "start":
        shop.order("pause")
        shop.settle()
    with pytest.raises(OverrideRefused):
        shop.order(action, key, "a")  # type: ignore[arg-type]


def test_check_warns_until_the_file_says_what_was_ordered(shop: Shop) -> None:
    shop.edit(DRAFT.replace("banner", "second"), "second.yaml")
    shop.order("start", "second")
    shop.order("ship", variant="threshold")
    shop.settle()
    assert [line for line in warned(shop) if "without this file" in line] == [
        "banner.yaml:2: status: threshold was shipped without this file; write status: stopped and decision: "
        "{outcome: shipped, variant: threshold}",
        "second.yaml:2: status: it was started without this file, which says draft; write status: running",
    ]
    shop.write(SHIPPED)
    shop.write(BANNER.replace("banner", "second"), "second.yaml")
    assert not [line for line in warned(shop) if "without this file" in line]


def test_a_start_is_checked_first(shop: Shop) -> None:
    assert start_mistakes(shop.definitions, shop.data, "draft", shop.now) == ()
    shop.write("key: draft\nvariants: [a, b]\ngoal: nothing_of_this\n", "draft.yaml")
    (mistake,) = start_mistakes(shop.definitions, shop.data, "draft", shop.now)
    assert "draft.yaml:3" in mistake


def test_a_catalogue_of_before_ships_were_orders_is_read(shop: Shop) -> None:
    shop.order("pause")
    shop.settle()
    text = (CatalogPaths(shop.data).current).read_text()
    assert json.loads(text)["overridden"] == {"banner": "paused"}
    assert json.loads(text)["written"] == {"banner": "running"}


def state_of(shop: Shop, key: str) -> tuple[str, dict[str, str]]:
    catalog = CatalogReader(shop.data).catalog
    return catalog.experiments[key].status, dict(catalog.written)


def decided(shop: Shop) -> tuple[str, str | None, str | None]:
    found = CatalogReader(shop.data).catalog.experiments["banner"]
    return found.status, found.decision.outcome, found.decision.variant


def warned(shop: Shop) -> list[str]:
    return [str(warning) for warning in check_folder(shop.definitions, shop.now, served_in(shop.data)).warnings]


@settings(max_examples=examples(40))
@given(ORDERS)
@example([Order("banner", "start"), Order("banner", "pause")])  # the start changes nothing and is no order
def test_orders_that_come_together_are_what_they_are_one_after_another(told: list[Order]) -> None:
    """Their answers, what is served then and what a restart finds: however many wait for the disk together."""
    ends = []
    for together in (len(told), 1):
        with TemporaryDirectory() as folder:
            shop = Shop(Path(folder))
            shop.boot(banner=BANNER, draft=UNSTARTED)
            answers = [
                answer for at in range(0, len(told), together) for answer in obeyed(shop, told[at : at + together])
            ]
            served = CatalogReader(shop.data).catalog.experiments
            orders = read_overrides(CatalogPaths(shop.data))
            ends.append((answers, {key: each.status for key, each in served.items()}, orders))
    assert ends[0] == ends[1]
    event(f"{sum(kind == 'done' for kind, _ in ends[0][0])} of {len(told)} were done")


def obeyed(shop: Shop, told: list[Order]) -> list[tuple[str, str]]:
    answers: list[tuple[str, str]] = []
    for each in told:
        try:
            answers.append(("done", shop.keeper.order(each, shop.now).status))
        except (ExperimentStopped, NothingToOverride, NoVariantToShip, OverrideRefused) as refused:
            answers.append((type(refused).__name__, str(refused)))
    shop.keeper.hold(shop.now)
    return answers
