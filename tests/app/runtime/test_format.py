"""The file that says in which format a data directory is: looked at first, never lowered, never taken for damage."""

import json
from pathlib import Path

import pytest
from servers.small_disk import fill, small_disk

from app.runtime.format import FormatRefused, check_format, note_format
from events.format import UNMARKED, Format, Release
from kit.files import Ballast

OURS = Release("0.2.0", 1)
NEXT = Release("0.3.0", 2, 1, 2)


def noted(data: Path) -> dict:
    return json.loads((data / "format").read_text())


def test_an_empty_directory_gets_the_format_of_who_serves_it(tmp_path: Path) -> None:
    assert check_format(tmp_path / "none", OURS, writes=True) is None
    note_format(tmp_path, OURS)
    assert noted(tmp_path) == {"format": 1, "min_reader": 1, "min_writer": 1, "written_by": "0.2.0"}


@pytest.mark.parametrize("folder", ["catalogue", "log", "store"])
def test_data_without_the_file_is_format_1(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    assert check_format(tmp_path, OURS) == UNMARKED
    note_format(tmp_path, OURS)
    assert check_format(tmp_path, OURS) == UNMARKED


def test_a_newer_release_raises_the_number_and_an_older_one_leaves_it(tmp_path: Path) -> None:
    note_format(tmp_path, OURS)
    note_format(tmp_path, Release("0.3.0", 2, 1, 1))
    note_format(tmp_path, OURS)
    assert noted(tmp_path) == {"format": 2, "min_reader": 1, "min_writer": 1, "written_by": "0.3.0"}


def test_a_full_disk_keeps_nobody_from_serving_data_of_the_same_number(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", 1) as data:
        (data / "catalogue").mkdir()
        ballast = fill(data)
        note_format(data, OURS)
        assert check_format(data, OURS, writes=True) == UNMARKED
        with pytest.raises(OSError, match="No space left"):
            note_format(data, NEXT)  # what it writes none but itself could tell from ours
        ballast.unlink()
        note_format(data, OURS)
        assert noted(data)["format"] == 1


def test_an_upgrade_on_a_full_disk_notes_its_number_by_the_room_that_was_taken_in_advance(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=8) as data:
        (data / "log").mkdir()
        note_format(data, OURS)
        ballast = Ballast(data)
        ballast.lay()
        fill(data)
        note_format(data, NEXT)
        assert noted(data)["format"] == 2
        assert [piece.exists() for piece in ballast.pieces].count(True) == 3  # the others are for orders


def test_who_may_only_read_writes_nothing(tmp_path: Path) -> None:
    note_format(tmp_path, NEXT)
    before = (tmp_path / "format").read_bytes()
    assert check_format(tmp_path, OURS) == Format(2, 1, 2, "0.3.0")
    with pytest.raises(FormatRefused, match=r"this is 0\.2\.0, which reads it and writes up to 1"):
        note_format(tmp_path, OURS)
    assert [path.name for path in tmp_path.iterdir()] == ["format"]
    assert (tmp_path / "format").read_bytes() == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 0}', '{"format": "x"}', "\x00\xff"])
def test_a_file_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "format").write_text(content)
    with pytest.raises(FormatRefused) as refused:
        check_format(tmp_path, OURS)
    assert f"{tmp_path / 'format'} does not say in which format data directory {tmp_path} is" in str(refused.value)
    assert '{"format":1,' in str(refused.value)


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "format").mkdir()
    with pytest.raises(FormatRefused, match=rf"{tmp_path / 'format'} cannot be read: Is a directory"):
        check_format(tmp_path, OURS)


def test_what_a_newer_release_says_beside_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "format").write_text(json.dumps({**noted_of(NEXT), "min_writer": 1, "migrated_at": "2027-01-01"}))
    note_format(tmp_path, OURS)
    assert noted(tmp_path)["migrated_at"] == "2027-01-01"


def noted_of(release: Release) -> dict:
    return {"format": release.format, "min_reader": 1, "min_writer": 1, "written_by": release.version}
