"""Who keeps account of definitions is told of each change once, before it is served, and can keep it out."""

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest
from worlds.catalog_folders import BANNER, Shop

from experiments.catalog.changes import DefinitionChange
from experiments.catalog.reader import CatalogReader

STOPPED = BANNER.replace("running", "stopped") + "decision: {outcome: shipped, variant: threshold}\n"


class Told:
    """Keeps what it is told; `refuses` is a disk that takes no line."""

    def __init__(self, shop: Shop) -> None:
        self.changes: list[DefinitionChange] = []
        self.waited: list[bool] = []
        self.refuses = False
        self.shop = shop
        self.listen()

    def listen(self) -> None:
        """To the keeper that the shop has now."""
        self.shop.keeper.tell = self

    def boot(self, text: str = BANNER) -> CatalogReader:
        """Start, and follow it as a worker does."""
        self.shop.write(text)
        self.shop.keeper.boot()
        return CatalogReader(self.shop.data)

    def __call__(self, changes: Sequence[DefinitionChange], can_wait: bool) -> None:
        if self.refuses and not can_wait:
            raise OSError(errno.ENOSPC, "no room for the audit")
        self.changes += changes
        self.waited.append(can_wait)

    @property
    def subjects(self) -> list[tuple[str, str]]:
        return [(change.act, change.subject) for change in self.changes]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def told(shop: Shop) -> Told:
    return Told(shop)


def test_each_change_is_told_once_with_what_was_and_what_is(shop: Shop, told: Told) -> None:
    told.boot()
    shop.edit(f"{BANNER}name: Shipping\n")
    shop.edit(f"# a comment\n{BANNER}name: Shipping\n")
    shop.edit("currency: CZK\n", "shop.yaml")
    shop.edit(STOPPED)
    (shop.definitions / "shop.yaml").unlink()
    shop.settle()
    assert told.subjects == [
        ("definition", "banner"), ("definition", "banner"), ("definition", "shop.yaml"), ("decision", "banner"),
        ("definition", "shop.yaml"),
    ]  # fmt: skip
    first, renamed, money, decided, gone = told.changes
    assert (first.before, money.before, gone.after) == (None, None, None)
    assert first.after is not None
    assert renamed.before == first.after
    assert renamed.after is not None
    assert (renamed.after["fingerprint"], renamed.after["status"]) == (first.after["fingerprint"], "running")
    assert renamed.after["definition"] != first.after["definition"]
    assert decided.after is not None
    assert decided.after["decision"] == {"outcome": "shipped", "variant": "threshold"}
    assert [change.halts for change in told.changes] == [False, False, False, True, False]


def test_a_start_over_the_same_files_tells_nothing(shop: Shop, told: Told) -> None:
    told.boot()
    shop.keeper = shop.new_keeper()
    again = Told(shop)
    shop.keeper.boot()
    assert again.changes == []
    assert len(told.changes) == 1


def test_an_order_by_hand_is_no_change_of_a_file(shop: Shop, told: Told) -> None:
    told.boot()
    shop.order("pause")
    shop.settle()
    assert shop.keeper.catalog.experiments["banner"].status == "paused"
    assert len(told.changes) == 1


def test_what_cannot_be_told_is_not_served_but_for_what_halts(shop: Shop, told: Told) -> None:
    follower = told.boot()
    told.refuses = True
    shop.edit("key: second\nstatus: running\nvariants: [a, b]\ngoal: csat\n", "second.yaml")
    assert "no room for the audit" in str(shop.keeper.errors[0])
    follower.poll()
    assert list(follower.catalog.experiments) == ["banner"]
    (shop.definitions / "second.yaml").unlink()
    shop.edit(BANNER.replace("running", "paused"))
    follower.poll()
    assert follower.catalog.experiments["banner"].status == "paused"
    shop.edit(BANNER)
    follower.poll()
    assert follower.catalog.experiments["banner"].status == "paused"
    told.refuses = False
    shop.settle()
    follower.poll()
    assert follower.catalog.experiments["banner"].status == "running"
    assert told.waited == [True, True, False]
