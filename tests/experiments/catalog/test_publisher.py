"""A comma never takes the shop down: what is served changes as a whole, or not at all."""

import errno
import gc
import os
import random
from datetime import datetime
from pathlib import Path

import pytest
from oracles.journeys import of_this_thread
from worlds.catalog_folders import BANNER, Shop, catalog_in

from experiments.catalog.catalog import Catalog
from experiments.catalog.files import CatalogPaths
from experiments.catalog.freeze import FreezeSources
from experiments.catalog.overrides import Action, Order, read_overrides
from experiments.catalog.phases import TrafficAwaited
from experiments.catalog.publisher import CatalogKeeper
from experiments.catalog.reader import CatalogReader, NoCatalog
from kit.located import DefinitionErrors


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_folder_is_served_by_every_follower_with_one_version(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    assert follower.catalog.version == shop.keeper.catalog.version == catalog_in(shop.definitions).version
    assert [compiled.key for compiled in follower.catalog.full.running] == ["banner"]


def test_a_changed_folder_is_live_after_two_polls(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    shop.write("key: second\nvariants: [a, b]\ngoal: csat\nstatus: running\n", "second.yaml")
    assert not shop.keeper.poll()  # the first poll only sees that someone is writing
    assert shop.keeper.poll()  # and the second that he has finished
    assert follower.poll()
    assert list(follower.catalog.full.compiled) == ["banner", "second"]


def test_one_bad_file_refuses_the_swap_of_all(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    version = follower.catalog.version
    shop.write("key: second\nvariants: [a, b]\ngoal: csat\n", "second.yaml")
    errors = shop.edit("key: third\nvariants: [a\n", "third.yaml")
    assert errors == ["third.yaml:2: the [ that is opened here is not closed, or a comma is missing in it"]
    assert follower.poll()
    assert (follower.catalog.version, [str(error) for error in follower.errors]) == (version, errors)


def test_errors_go_when_the_file_is_repaired(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    shop.edit("key: second\nvariants: [a\n", "second.yaml")
    assert shop.edit("key: second\nvariants: [a, b]\ngoal: csat\n", "second.yaml") == []
    follower.poll()
    assert follower.errors == ()
    assert "second" in follower.catalog.experiments


def test_a_bad_folder_boots_from_the_last_good_catalogue(shop: Shop) -> None:
    version = shop.boot(banner=BANNER).catalog.version
    shop.write("key: banner\nstatus: runing\n")
    follower = shop.boot()
    assert follower.catalog.version == version
    assert len(follower.errors) == 3


def test_errors_go_when_the_file_is_repaired_while_the_service_is_down(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    assert shop.edit("key: [") != []
    assert shop.boot(banner=BANNER).errors == ()


def test_a_missing_folder_boots_from_the_last_good_catalogue(shop: Shop) -> None:
    version = shop.boot(banner=BANNER).catalog.version
    for path in shop.definitions.iterdir():
        path.unlink()
    shop.definitions.rmdir()
    follower = shop.boot()
    assert follower.catalog.version == version
    assert "make the folder" in str(follower.errors[0])


def test_the_first_boot_fails_with_every_error(shop: Shop) -> None:
    shop.write("key: banner\n")
    shop.write("currency: euro\n", "shop.yaml")
    with pytest.raises(DefinitionErrors) as failure:
        shop.keeper.boot()
    assert len(failure.value.errors) == 3
    with pytest.raises(NoCatalog):
        CatalogReader(shop.data)


def test_a_damaged_snapshot_is_replaced_from_the_history(shop: Shop) -> None:
    version = shop.boot(banner=BANNER).catalog.version
    (shop.data / "catalogue" / "current.json").write_text('{"version": "')
    shop.write("key: banner\nvariants: [")
    assert shop.new_keeper().boot().version == version


def test_a_folder_without_experiments_is_a_catalogue(shop: Shop) -> None:
    assert shop.boot().catalog.full.servable == ()


def test_two_hundred_cut_off_files_never_change_what_is_served(shop: Shop) -> None:
    text = BANNER + (
        "traffic: 60%\naudience:\n  where: {device: {$in: [mobile, desktop]}}\nguardrails: {refund_rate: 10%}\n"
        "plan: {days: 28, mde: {purchase_rate: 4%}}\nsecondary: [csat]\ntests:\n  - {split: 1000, tolerance: 5%}\n"
    )
    metrics = "purchase_rate: {type: proportion, event: Order Completed, window: 3 days}\ncsat: {type: csat}\n"
    follower = shop.boot(banner=text, metrics=metrics)
    version, noise = follower.catalog.version, random.Random(20)
    for _ in range(200):
        name, whole = noise.choice([("banner.yaml", text), ("metrics.yaml", metrics)])
        shop.edit(whole[: noise.randrange(len(whole))], name)
        follower.poll()
        assert follower.catalog.version == version
        shop.write(whole, name)
    assert shop.settle() == []


def test_a_file_that_is_shortened_on_purpose_ends_with_a_comment(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER + "secondary: [csat]\n")
    assert shop.edit(BANNER) == [
        "banner.yaml:7: is the served file cut off here; finish it,"
        " or, to shorten it on purpose, end it with a comment (# …)"
    ]
    assert shop.edit(BANNER + "# no secondary metric\n") == []
    follower.poll()
    assert follower.catalog.experiments["banner"].secondary == ()


def test_tests_may_be_cut_off_because_nothing_served_depends_on_them(shop: Shop) -> None:
    shop.boot(banner=BANNER + "tests:\n  - {split: 1000}\n")
    assert shop.edit(BANNER) == []


def test_what_the_disk_does_not_take_is_served_all_the_same_named_and_kept_when_it_does(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    told, noted = told_by(shop)
    history = shop.data / "catalogue" / "history"
    history.rename(history.with_name("away"))
    history.write_text("a file where a folder must be")  # stands for any failure to write
    assert shop.edit("key: second\nvariants: [a, b]\ngoal: csat\n", "second.yaml") == []
    assert list(shop.keeper.catalog.experiments) == ["banner", "second"]
    follower.take("catalogue", told["catalogue"])
    assert list(follower.catalog.experiments) == ["banner", "second"]
    assert (shop.keeper.not_kept is None, noted["catalogue_not_kept"]) == (False, "")
    history.unlink()
    history.with_name("away").rename(history)
    for _ in range(20):  # of the keeper's clock
        shop.keeper.poll()
    assert (shop.keeper.not_kept, noted["catalogue_not_kept"]) == (None, None)
    assert list(CatalogReader(shop.data).catalog.experiments) == ["banner", "second"]


def test_a_refusal_of_the_system_is_named_no_longer_than_it_holds(tmp_path: Path) -> None:
    refusals: list[OSError] = []

    def daily_units(*_: object) -> float:
        raise refusals.pop() if refusals else TrafficAwaited  # so that each poll asks again

    shop = Shop(tmp_path, sources=FreezeSources(daily_units))
    shop.boot(banner=BANNER)
    refusals.extend([OSError(errno.EMFILE, os.strerror(errno.EMFILE))] * 2)
    shop.keeper.poll()
    assert list(map(str, shop.keeper.errors)) == ["the data directory: cannot keep the catalogue: too many open files"]
    assert (shop.settle(), refusals) == ([], [])


def told_by(shop: Shop) -> tuple[dict[str, bytes], dict[str, str | None]]:
    """What the keeper tells from now on, by topic, and what it notes."""
    told: dict[str, bytes] = {}
    noted: dict[str, str | None] = {}
    shop.keeper.publish = lambda topic, content: told.update({topic: content})
    shop.keeper.note = lambda cause, named: noted.update({cause: named})
    return told, noted


def test_a_snapshot_that_cannot_be_read_leaves_the_follower_with_the_old_one(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    version = follower.catalog.version
    (shop.data / "catalogue" / "current.json").write_bytes(b"\x00\x01")
    assert not follower.poll()
    assert follower.catalog.version == version


def test_past_catalogues_are_found_by_the_time_they_were_received(shop: Shop) -> None:
    first, begun = shop.boot(banner=BANNER).catalog.version, shop.now
    shop.wait(hours=1)
    shop.edit("key: second\nvariants: [a, b]\ngoal: csat\n", "second.yaml")
    archive = CatalogReader(shop.data)
    at = [archive.at(begun), archive.at(shop.now), archive.latest()]
    assert [catalog and catalog.version for catalog in at] == [first, *[shop.keeper.catalog.version] * 2]
    shop.wait(days=-2)
    assert archive.at(shop.now) is None


def test_of_many_past_catalogues_few_stay_in_memory(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    begun: list[datetime] = []
    for number in range(20):
        shop.wait(hours=1)
        shop.edit(BANNER + f"owner: owner {number}\n")
        begun.append(shop.now)
    archive, before = CatalogReader(shop.data), catalogues_in_memory()
    found = {catalog and catalog.version for catalog in map(archive.at, begun)}
    assert len(found - {None}) == len(begun)
    assert catalogues_in_memory() - before <= 8


def catalogues_in_memory() -> int:
    gc.collect()
    return sum(isinstance(found, Catalog) for found in gc.get_objects())


def test_hidden_files_folders_and_other_files_are_left_alone(shop: Shop) -> None:
    for name in (".banner.yaml.swp", ".hidden.yaml", "notes.txt", "banner.yaml~"):
        shop.write("}{", name)
    (shop.definitions / "drafts.yaml").mkdir()
    assert list(shop.boot(banner=BANNER).catalog.experiments) == ["banner"]


def test_an_ending_in_capitals_is_named_and_not_passed_over(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    assert shop.edit(BANNER, "sale.YAML") == ["sale.YAML: ends in .YAML, name the file sale.yaml"]


def test_a_file_name_that_is_not_utf_8_is_named_and_the_shop_stays_open(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    stray = Path(os.fsdecode(os.fsencode(shop.definitions) + b"/caf\xe9.yaml"))
    stray.write_text(BANNER.replace("banner", "other"))
    assert shop.settle() == ["caf\ufffd.yaml: its name is not UTF-8, rename the file"]
    assert follower.poll()
    assert (list(follower.catalog.full.compiled), follower.errors) == (["banner"], shop.keeper.errors)
    stray.unlink()
    assert shop.settle() == []


def test_a_link_to_nowhere_is_named(shop: Shop) -> None:
    shop.boot(banner=BANNER)
    (shop.definitions / "gone.yaml").symlink_to("nowhere")
    assert shop.settle() == ["gone.yaml: cannot be read: is no regular file"]


def test_a_design_that_is_no_longer_served_can_still_be_reported_for_a_day(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    shop.edit(BANNER.replace("free shipping", "gratis") + "phase: 1\n")
    follower.poll()
    assert [compiled.phase for compiled in follower.catalog.full.served["banner"]] == [1, 0]
    shop.wait(hours=25)
    shop.edit(BANNER.replace("free shipping", "gratis") + "phase: 1\nname: Banner\n")
    follower.poll()
    assert [compiled.phase for compiled in follower.catalog.full.served["banner"]] == [1]


def test_a_design_that_was_paused_or_stopped_before_it_went_can_be_reported_for_a_day_too(shop: Shop) -> None:
    follower = shop.boot(banner=BANNER)
    shop.edit(BANNER.replace("status: running", "status: paused"))
    shop.edit(BANNER.replace("free shipping", "gratis") + "phase: 1\n")
    follower.poll()
    assert [compiled.phase for compiled in follower.catalog.full.served["banner"]] == [1, 0]
    shop.edit(BANNER.replace("free shipping", "gratis").replace("running", "stopped") + "phase: 1\n")
    (shop.definitions / "banner.yaml").unlink()
    shop.settle()
    follower.poll()
    assert [compiled.phase for compiled in follower.catalog.full.served["banner"]] == [1, 0]
    assert follower.catalog.full.servable == ()


def test_twice_the_experiments_are_read_frozen_and_compiled_in_twice_the_steps(tmp_path: Path) -> None:
    assert steps_of(tmp_path / "many", 80) < 2.2 * steps_of(tmp_path / "few", 40)


def steps_of(folder: Path, experiments: int) -> int:
    """How many functions are called when so many are served for the first time."""
    shop = Shop(folder)
    for number in range(experiments):
        shop.write(BANNER.replace("key: banner", f"key: banner-{number}"), f"banner-{number}.yaml")
    with of_this_thread() as journey:
        shop.boot()
    return len(journey.calls)


def test_the_catalogue_comes_after_boot(shop: Shop) -> None:
    with pytest.raises(DefinitionErrors):
        _ = CatalogKeeper(shop.definitions, shop.data, lambda: shop.now).catalog


def test_orders_that_come_together_wait_for_the_disk_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many waits as for one; the texts of the files, which no order changes, are not written again."""
    shop.boot(banner=BANNER)
    waits: list[int] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        waits.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    shop.obey(Order("banner", "pause"))
    of_one, waits[:] = len(waits), []
    together: list[Action] = ["resume", "pause"] * 30 + ["resume"]
    shop.obey(*[Order("banner", action) for action in together])
    assert shop.keeper.catalog.experiments["banner"].status == "running"
    assert "banner" not in read_overrides(CatalogPaths(shop.data))  # its file says the same
    assert len(waits) == of_one == 8  # a file and its folder: orders, designs, history, what is served
