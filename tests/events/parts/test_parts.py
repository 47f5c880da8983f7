"""Parts are immutable, listed without gaps, and never read when they are not what was written."""

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.writing import record
from servers.patience import until
from worlds.event_log import received, write_log

from events.parts.digests import MESSAGE_SEED, digest, digests, found_in, table_digests
from events.parts.manifest import PartName, part_name
from events.parts.part import SCHEMA, Contents, DataDamaged, Part, PartListing, live_parts, survey, verify
from events.parts.sealing import PartExists, Place, adopt, footer_stream_number, write_part

DAY = 86_400_000_000
START = 1_790_000_000_000_000


def make_log(data: Path, count: int = 5) -> list[Part]:
    return write_log(data, received([record(f"m-{n}", f"v-{n}", time=START + n) for n in range(count)]), cut=1)


def test_the_parts_that_were_written_are_live_in_order(tmp_path: Path) -> None:
    parts = make_log(tmp_path)
    assert live_parts(tmp_path / "log") == parts
    for part in parts:
        verify(part)


def test_a_folder_without_a_log_has_no_parts(tmp_path: Path) -> None:
    assert live_parts(tmp_path / "log") == []


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("harm", [flip_a_bit, truncate, empty])
def test_a_part_that_changed_is_damaged_by_name(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    part = make_log(tmp_path)[2]
    harm(part.path)
    with pytest.raises(DataDamaged, match="sha256") as raised:
        verify(part)
    assert raised.value.name == "0-000000000002.parquet"


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_deleted_part_is_damaged_by_name(tmp_path: Path, number: int) -> None:
    make_log(tmp_path)[number].path.unlink()
    with pytest.raises(DataDamaged, match="missing") as raised:
        live_parts(tmp_path / "log")
    assert raised.value.name == f"0-{number:012d}.parquet"


@pytest.mark.parametrize("number", [0, 2])
def test_a_part_deleted_with_its_manifest_is_damaged_by_name(tmp_path: Path, number: int) -> None:
    part = make_log(tmp_path)[number]
    part.path.unlink()
    part.path.with_suffix(".json").unlink()
    with pytest.raises(DataDamaged, match="missing") as raised:
        live_parts(tmp_path / "log")
    assert raised.value.name == f"0-{number:012d}.parquet"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x00" * 200])
def test_a_part_whose_manifest_is_lost_is_damaged_by_name(tmp_path: Path, content: bytes | None) -> None:
    manifest = make_log(tmp_path)[1].path.with_suffix(".json")
    manifest.unlink() if content is None else manifest.write_bytes(content)
    with pytest.raises(DataDamaged, match="manifest") as raised:
        live_parts(tmp_path / "log")
    assert raised.value.name == "0-000000000001.parquet"


def test_a_part_that_was_copied_under_the_next_number_is_damaged_by_name(tmp_path: Path) -> None:
    parts = make_log(tmp_path)
    copy = parts[-1].path.with_name("0-000000000005.parquet")
    shutil.copy(parts[-1].path, copy)
    shutil.copy(parts[-1].path.with_suffix(".json"), copy.with_suffix(".json"))
    found = survey(tmp_path / "log")
    assert [(damage.name, damage.cause) for damage in found.damages] == [
        (copy.name, f"it holds what part {parts[-1].path.name} holds already")
    ]
    assert found.parts == parts


@pytest.mark.parametrize("changed_at", [1_700_000_000, 4_000_000_000])
def test_a_log_where_nothing_changed_is_not_listed_again_whatever_clock_its_disk_goes_by(
    tmp_path: Path, changed_at: int
) -> None:
    make_log(tmp_path)
    for folder in (tmp_path / "log", *(tmp_path / "log").iterdir()):
        os.utime(folder, (changed_at, changed_at))
    listing = PartListing(tmp_path / "log")
    until(lambda: listing.survey() is listing.survey(), "the folders are known to stand still")
    added = write_part(_place(tmp_path, 5), [_row("m-9")])
    assert listing.live()[-1] == added


def test_every_damage_is_found_at_once(tmp_path: Path) -> None:
    parts = make_log(tmp_path, 9)
    parts[1].path.unlink()
    parts[4].path.with_suffix(".json").unlink()
    parts[7].path.unlink()
    assert [damage.name[-9:-8] for damage in survey(tmp_path / "log").damages] == ["1", "4", "7"]


def test_a_long_lived_listing_sees_what_is_added_and_what_is_lost(tmp_path: Path) -> None:
    parts = make_log(tmp_path)
    listing = PartListing(tmp_path / "log")
    assert listing.live() == parts == listing.live()
    added = write_part(_place(tmp_path, 5), [_row("m-9")])
    assert listing.live() == [*parts, added]
    parts[3].path.unlink()
    with pytest.raises(DataDamaged):
        listing.live()


def test_a_name_is_given_once(tmp_path: Path) -> None:
    first = write_part(_place(tmp_path, 0), [_row("m-1")])
    with pytest.raises(PartExists):
        write_part(_place(tmp_path, 0), [_row("m-2")])
    verify(first)
    assert not list((tmp_path / "log").rglob(".tmp-*"))


def test_the_newest_part_is_not_live_until_its_manifest_stands(tmp_path: Path) -> None:
    parts = make_log(tmp_path)
    parts[-1].path.with_suffix(".json").unlink()
    assert live_parts(tmp_path / "log") == parts[:-1]


def test_a_part_without_its_manifest_is_adopted_as_it_was(tmp_path: Path) -> None:
    part = write_part(_place(tmp_path, 0), [_row("m-1")])
    part.path.with_suffix(".json").unlink()
    part.digests.unlink()
    found = PartListing(tmp_path / "log").newest(0)
    assert found is not None
    assert adopt(found, tmp_path / "log") == part
    assert live_parts(tmp_path / "log") == [part]


def test_a_file_that_is_another_part_is_not_adopted(tmp_path: Path) -> None:
    part = write_part(_place(tmp_path, 0), [_row("m-1")])
    shutil.copy(part.path, part.path.with_name("0-000000000001.parquet"))
    found = PartListing(tmp_path / "log").newest(0)
    assert found is not None
    with pytest.raises(ValueError, match="does not say that it is this part"):
        adopt(found, tmp_path / "log")


def test_the_footer_says_how_far_the_part_reaches(tmp_path: Path) -> None:
    part = write_part(_place(tmp_path, 3), [_row("m-1")])
    assert footer_stream_number(part.path) == 1_000_003


@given(st.builds(PartName, st.integers(0, 999), st.integers(0, 10**11), st.just(0), st.just(0)))
def test_a_name_reads_back_as_it_was_spelled(name: PartName) -> None:
    plain = name._replace(high=name.low)
    merged = name._replace(high=name.low + 7, generation=3)
    assert part_name(plain.stem) == plain
    assert part_name(merged.stem) == merged
    assert merged.covers(plain)
    assert not plain.covers(merged)
    assert not plain.covers(plain)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(texts), st.integers(0, 2**32))
def test_a_digest_depends_on_the_text_alone(names: list[str], seed: int) -> None:
    together = digests(pa.array(["x" * 100, *names], pa.string()).slice(1), seed)
    assert together.tolist() == [digest(name, seed) for name in names]
    assert len(set(together.tolist())) == len(set(names))


@given(st.lists(st.integers(0, 50)), st.sets(st.integers(0, 50)))
def test_what_is_found_stands_in_both(held: list[int], wanted: set[int]) -> None:
    found = found_in(np.array(sorted(held), np.uint64), np.array(sorted(wanted), np.uint64))
    assert found.tolist() == sorted(wanted & set(held))


@pytest.mark.parametrize("harm", [flip_a_bit, truncate, empty, Path.unlink])
def test_digests_that_are_lost_are_made_again(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    part = write_part(_place(tmp_path, 0), [_row(f"m-{number}") for number in range(9)])
    harm(part.digests)
    again = Contents().digests(part)
    assert again.messages.tolist() == sorted(digest(f"m-{number}", MESSAGE_SEED) for number in range(9))
    assert again.people.tolist() == table_digests(_row("m-1")).people.tolist()


def _place(data: Path, sequence: int) -> Place:
    return Place(data / "log", date(2026, 9, 21), PartName(0, sequence, sequence, 0), 1_000_000 + sequence)


def _row(message_id: str) -> pa.Table:
    row = {"shard": 0, "stream_id": 1 << 62, "position": 0, "received_at": START, "time": START, "type": "track"}
    return pa.Table.from_pylist([row | {"message_id": message_id, "visitor_id": "v"}], schema=SCHEMA)
