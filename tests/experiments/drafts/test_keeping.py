"""A draft is created once and whole; what is somebody's own, and what ran, no page ever writes again."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from experiments.catalog.overrides import Order, order
from experiments.catalog.publisher import CatalogKeeper
from experiments.definitions.schema import SCHEMA_FILE
from experiments.drafts.keeping import (
    ChangedMeanwhile,
    DraftRefused,
    Drafts,
    KeyTaken,
    NotEditable,
    WrittenDraft,
    draft_written,
    text_digest,
)

TEXT = "key: sale\nvariants: [control, offer]\ngoal: purchase_rate\n"
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def by(email: str, text: str = TEXT) -> WrittenDraft:
    return draft_written(text, email, "2026-11-29T12:00:00Z", {"key": "sale", "goal": "purchase_rate"})


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    (tmp_path / "definitions").mkdir()
    return Drafts(tmp_path / "definitions", tmp_path / "data")


def test_a_new_draft_is_a_file_of_its_text_and_may_be_edited(drafts: Drafts) -> None:
    drafts.create("sale", TEXT, by("ada"))
    found = drafts.find("sale")
    assert found is not None
    assert (found.text, found.kept_from, found.seen) == (TEXT, "", text_digest(TEXT))
    assert found.written is not None
    assert (found.written.by, found.written.fields["goal"]) == ("ada", "purchase_rate")
    assert {path.name for path in drafts.definitions.iterdir()} == {"sale.yaml", SCHEMA_FILE}


def test_of_many_who_create_the_same_one_succeeds_and_its_file_is_whole(drafts: Drafts) -> None:
    def create(number: int) -> bool:
        text = f"{TEXT}# {'x' * 10_000}{number}\n"
        try:
            drafts.create("sale", text, by(f"ada-{number}", text))
        except KeyTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(16)))
    assert sum(made) == 1
    found = drafts.find("sale")
    assert found is not None
    assert found.written is not None
    assert (found.text.endswith(f"x{made.index(True)}\n"), found.written.by) == (True, f"ada-{made.index(True)}")
    assert found.kept_from == ""


@pytest.mark.parametrize("name", ["sale.yaml", "sale.yml"])
def test_what_is_there_is_never_written_over(drafts: Drafts, name: str) -> None:
    (drafts.definitions / name).write_text("somebody's own")
    with pytest.raises(KeyTaken, match=name):
        drafts.create("sale", TEXT, by("ada"))
    with pytest.raises(NotEditable, match="was not written by a page"):
        drafts.replace("sale", text_digest("somebody's own"), TEXT, by("ada"))
    assert (drafts.definitions / name).read_text() == "somebody's own"


@pytest.mark.parametrize(
    "key", ["../sale", "..", "/etc/passwd", "a/b", "a\\b", "sale\n", "sale\0", ".sale", "", "SALE"]
)
def test_a_key_that_leads_elsewhere_is_none(drafts: Drafts, key: str) -> None:
    assert drafts.find(key) is None
    assert "is no key" in drafts.taken(key)
    with pytest.raises(KeyTaken):
        drafts.create(key, TEXT, by("ada"))
    assert list(drafts.definitions.iterdir()) == []
    assert not any(path.suffix == ".yaml" for path in drafts.definitions.parent.rglob("*"))


@pytest.mark.parametrize("key", ["shop", "metrics", "segments", "holdouts", "recommendations"])
def test_files_of_the_shop_are_no_experiments(drafts: Drafts, key: str) -> None:
    (drafts.definitions / f"{key}.yaml").write_text("timezone: UTC\n")
    assert drafts.find(key) is None
    with pytest.raises(KeyTaken, match="choose another key"):
        drafts.create(key, TEXT, by("ada"))


def test_a_link_that_leads_out_of_the_folder_is_not_followed(drafts: Drafts, tmp_path: Path) -> None:
    os.symlink(tmp_path / "elsewhere.yaml", drafts.definitions / "sale.yaml")
    with pytest.raises(KeyTaken):
        drafts.create("sale", TEXT, by("ada"))
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_the_second_of_two_editors_is_told_who_was_faster(drafts: Drafts) -> None:
    drafts.create("sale", TEXT, by("ada"))
    first, second = TEXT + "name: Ada's\n", TEXT + "name: Bea's\n"
    drafts.replace("sale", text_digest(TEXT), first, by("ada", first))
    with pytest.raises(ChangedMeanwhile, match="ada saved another version"):
        drafts.replace("sale", text_digest(TEXT), second, by("bea", second))
    found = drafts.find("sale")
    assert found is not None
    assert (found.text, found.kept_from) == (first, "")
    drafts.replace("sale", text_digest(first), second, by("bea", second))


def test_what_was_changed_by_hand_is_its_authors(drafts: Drafts) -> None:
    drafts.create("sale", TEXT, by("ada"))
    (drafts.definitions / "sale.yaml").write_text(TEXT + "# mine\n")
    with pytest.raises(NotEditable, match="changed by hand"):
        drafts.replace("sale", text_digest(TEXT), TEXT, by("ada"))
    assert (drafts.definitions / "sale.yaml").read_text() == TEXT + "# mine\n"


def test_what_is_gone_is_not_written_again(drafts: Drafts) -> None:
    drafts.create("sale", TEXT, by("ada"))
    (drafts.definitions / "sale.yaml").unlink()
    with pytest.raises(NotEditable, match="is gone"):
        drafts.replace("sale", text_digest(TEXT), TEXT, by("ada"))
    drafts.create("sale", TEXT, by("bea"))  # it never ran: its key is free


def test_what_was_started_is_never_edited_nor_its_key_taken_again(drafts: Drafts, tmp_path: Path) -> None:
    drafts.create("sale", TEXT, by("ada"))
    keeper = CatalogKeeper(drafts.definitions, tmp_path / "data", lambda: NOW)
    catalog = keeper.boot()
    found = drafts.find("sale")
    assert found is not None
    assert found.kept_from == ""  # the catalogue has the draft, and nobody was served it
    order(tmp_path / "data", catalog, Order("sale", "start"), NOW)
    with pytest.raises(NotEditable, match="has been started"):  # before the order is carried out already
        drafts.replace("sale", text_digest(TEXT), TEXT, by("ada"))
    keeper.poll()
    (drafts.definitions / "sale.yaml").unlink()
    with pytest.raises(KeyTaken, match="ran before"):
        drafts.create("sale", TEXT, by("ada"))


def test_a_damaged_record_makes_the_file_somebodys_own(drafts: Drafts, tmp_path: Path) -> None:
    drafts.create("sale", TEXT, by("ada"))
    (tmp_path / "data" / "drafts" / "sale.json").write_text("{")
    with pytest.raises(NotEditable, match="was not written by a page"):
        drafts.replace("sale", text_digest(TEXT), TEXT, by("ada"))


def test_drafts_are_bounded(drafts: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.drafts.keeping.MOST_DRAFTS", 1)
    drafts.create("sale", TEXT, by("ada"))
    with pytest.raises(DraftRefused, match="delete the files"):
        drafts.create("sale-2", TEXT, by("ada"))
