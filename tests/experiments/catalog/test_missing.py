"""What runs or is paused ends by its status or by an order, never because its file is not there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds.catalog_folders import BANNER, Shop

from experiments.catalog.catalog import Catalog
from experiments.catalog.overrides import ExperimentStopped, Order
from experiments.catalog.reader import CatalogReader

DRAFT = "key: draft\nvariants: [a, b]\ngoal: csat\n"
OVER = BANNER.replace("banner", "over").replace("running", "stopped")
STRIP = BANNER.replace("key: banner", "key: strip").replace("running", "paused").replace("purchase_rate", "signed_up")
SHOP_FILE = "currency: USD\n"
METRICS = "signed_up: {type: proportion, event: Signed Up}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER, strip=STRIP, draft=DRAFT, over=OVER, shop=SHOP_FILE, metrics=METRICS)
    assert shop.keeper.errors == ()
    watch(shop)
    return shop


def watch(shop: Shop) -> dict[str, str | None]:
    noted: dict[str, str | None] = {}
    shop.keeper.note = lambda cause, named: noted.update({cause: named})
    shop.noted = noted  # type: ignore[attr-defined]
    return noted


def missing(shop: Shop) -> str | None:
    return shop.noted.get("definitions_missing")  # type: ignore[attr-defined, no-any-return]


def statuses(catalog: Catalog) -> dict[str, str]:
    return {key: each.status for key, each in catalog.experiments.items()}


def file_gone(shop: Shop) -> None:
    for name in ("banner", "strip"):
        (shop.definitions / f"{name}.yaml").unlink()


def all_gone(shop: Shop) -> None:
    for path in shop.definitions.iterdir():
        path.unlink()


def folder_gone(shop: Shop) -> None:
    shutil.rmtree(shop.definitions)


def folder_replaced(shop: Shop) -> None:
    """As a mount that failed: something is there, and it is no folder."""
    shutil.rmtree(shop.definitions)
    shop.definitions.write_text("")


def renamed(shop: Shop) -> None:
    for name in ("banner", "strip"):
        (shop.definitions / f"{name}.yaml").rename(shop.definitions / f"{name}.yaml.away")


WAYS: list[Callable[[Shop], None]] = [file_gone, all_gone, folder_gone, folder_replaced, renamed]


@pytest.mark.parametrize("vanish", WAYS)
def test_what_runs_or_is_paused_is_served_on_named_and_told_of(
    shop: Shop, vanish: Callable[[Shop], None], caplog: pytest.LogCaptureFixture
) -> None:
    served = shop.keeper.catalog
    vanish(shop)
    shop.settle()
    held = CatalogReader(shop.data).catalog
    for key in ("banner", "strip"):
        assert held.experiments[key] == served.experiments[key]
    assert (held.shop, held.metrics) == (served.shop, served.metrics)
    assert missing(shop) == "banner, strip"
    assert (
        "banner is running and its file is gone: it is still served. Put the file back, or end it: resonate stop banner"
        in caplog.messages
    )


@pytest.mark.parametrize("vanish", WAYS)
def test_it_is_the_same_at_a_restart(shop: Shop, vanish: Callable[[Shop], None]) -> None:
    served = shop.keeper.catalog
    vanish(shop)
    shop.keeper = shop.new_keeper()
    noted = watch(shop)
    shop.keeper.boot()
    held = shop.keeper.catalog
    assert {key: held.experiments[key] for key in ("banner", "strip")} == {
        key: served.experiments[key] for key in ("banner", "strip")
    }
    assert noted["definitions_missing"] == "banner, strip"
    again = shop.new_keeper()  # and at the one after it
    assert again.boot().experiments["banner"] == served.experiments["banner"]


def test_drafts_and_what_was_stopped_go_quietly_and_so_does_what_nothing_stands_on(shop: Shop) -> None:
    for name in ("draft", "over"):
        (shop.definitions / f"{name}.yaml").unlink()
    assert shop.settle() == []
    assert (set(shop.keeper.catalog.experiments), missing(shop)) == ({"banner", "strip"}, None)
    (shop.definitions / "shop.yaml").unlink()
    shop.settle()
    assert shop.keeper.catalog.shop.currency != "USD" or shop.keeper.errors


def test_files_that_come_back_are_read_again(shop: Shop) -> None:
    all_gone(shop)
    shop.settle()
    for name, text in {
        "banner": BANNER + "name: Back\n",
        "strip": STRIP,
        "shop": SHOP_FILE,
        "metrics": METRICS,
    }.items():
        shop.write(text, f"{name}.yaml")
    assert shop.settle() == []
    assert (shop.keeper.catalog.experiments["banner"].name, missing(shop)) == ("Back", None)


def test_orders_work_on_what_is_held_and_a_stop_forgets_it(shop: Shop) -> None:
    all_gone(shop)
    assert shop.settle() == []
    shop.obey(Order("banner", "pause"))
    assert statuses(shop.keeper.catalog)["banner"] == "paused"
    shop.obey(Order("banner", "resume"))
    shop.obey(Order("strip", "stop"))
    shop.settle()
    assert (statuses(shop.keeper.catalog), missing(shop)) == ({"banner": "running"}, "banner")
    shop.obey(Order("banner", "stop"))
    shop.settle()
    assert (statuses(shop.keeper.catalog), missing(shop)) == ({}, None)
    assert shop.new_keeper().boot().experiments == {}
    design = shop.archive().design("banner", 0)
    assert design
    assert design.ended
    (error,) = shop.edit(BANNER)  # and what was stopped so does not run again in its phase
    assert "so phase 0 does not run again" in error
    shop.edit(BANNER.replace("running", "stopped"))
    with pytest.raises(ExperimentStopped):
        shop.obey(Order("banner", "resume"))


def test_a_draft_that_was_started_is_held_too(shop: Shop) -> None:
    shop.obey(Order("draft", "start"))
    (shop.definitions / "draft.yaml").unlink()
    shop.settle()
    assert (statuses(shop.keeper.catalog)["draft"], missing(shop)) == ("running", "draft")


def test_a_renamed_file_is_an_error_and_the_old_key_is_held(shop: Shop) -> None:
    (shop.definitions / "banner.yaml").rename(shop.definitions / "banner-2.yaml")
    (error,) = shop.settle()
    assert error.startswith('banner-2.yaml:1: key: "banner" is not the name of the file')
    assert (statuses(shop.keeper.catalog)["banner"], missing(shop)) == ("running", "banner")


def test_a_file_that_cannot_be_read_is_an_error_of_its_own_and_not_gone(shop: Shop) -> None:
    (shop.definitions / "banner.yaml").unlink()
    (shop.definitions / "banner.yaml").symlink_to("nowhere")
    (error,) = shop.settle()
    assert error.startswith("banner.yaml: ")
    assert (statuses(shop.keeper.catalog)["banner"], missing(shop)) == ("running", None)


def test_while_some_are_held_others_change(shop: Shop) -> None:
    (shop.definitions / "banner.yaml").unlink()
    assert shop.edit(BANNER.replace("key: banner", "key: third"), "third.yaml") == []
    assert statuses(shop.keeper.catalog) | {"third": "running"} == statuses(shop.keeper.catalog)
    assert missing(shop) == "banner"


def test_many_are_named_by_ten_and_a_number(shop: Shop) -> None:
    for number in range(12):
        shop.write(BANNER.replace("key: banner", f"key: a{number:02d}"), f"a{number:02d}.yaml")
    shop.settle()
    for number in range(12):
        (shop.definitions / f"a{number:02d}.yaml").unlink()
    shop.settle()
    assert missing(shop) == ", ".join(f"a{number:02d}" for number in range(10)) + " and 2 more"


def test_a_new_data_directory_holds_nothing(tmp_path: Path) -> None:
    empty = Shop(tmp_path)
    noted = watch(empty)
    empty.keeper.boot()
    assert (empty.keeper.catalog.experiments, noted["definitions_missing"]) == ({}, None)


def test_a_held_file_of_which_nothing_is_known_keeps_the_last_good_catalogue(shop: Shop) -> None:
    (shop.data / "catalogue" / "sources.json").unlink()
    (shop.definitions / "banner.yaml").unlink()
    shop.keeper = shop.new_keeper()
    shop.keeper.boot()
    assert [str(error) for error in shop.keeper.errors] == [
        "banner.yaml: is gone, and so is what is known of it; put the file back"
    ]
    assert statuses(shop.keeper.catalog)["banner"] == "running"


def test_a_config_map_that_swaps_its_folder_changes_definitions_and_holds_nothing(tmp_path: Path) -> None:
    """Kubernetes writes a new folder and turns the link `..data` to it; each file is a link through that link."""
    shop = Shop(tmp_path)
    for version, name in (("..1", "Old"), ("..2", "New")):
        (shop.definitions / version).mkdir()
        (shop.definitions / version / "banner.yaml").write_text(BANNER + f"name: {name}\n")
    (shop.definitions / "..data").symlink_to("..1")
    (shop.definitions / "banner.yaml").symlink_to("..data/banner.yaml")
    shop.boot()
    noted = watch(shop)
    (shop.definitions / "..data_tmp").symlink_to("..2")
    (shop.definitions / "..data_tmp").rename(shop.definitions / "..data")
    shutil.rmtree(shop.definitions / "..1")
    assert shop.settle() == []
    assert (shop.keeper.catalog.experiments["banner"].name, noted["definitions_missing"]) == ("New", None)
