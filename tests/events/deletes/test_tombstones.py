"""Who was erased is read as it was written down."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.writing import exported_ids, record
from worlds.drawn import values
from worlds.event_log import Received, write_log

from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import Tombstone, add_tombstones, read_tombstones
from events.records import stream_number

START = 1_790_000_000_000_000


@settings(max_examples=25)
@given(st.lists(values(Tombstone), max_size=4, unique_by=lambda stone: stone.field))
def test_tombstones_are_read_as_they_were_added_one_by_one(stones: list[Tombstone]) -> None:
    with TemporaryDirectory() as data:
        for stone in stones:
            add_tombstones(Path(data), [stone])
        assert read_tombstones(Path(data)) == stones


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_who_was_erased_whole_and_later_but_for_what_names_a_user_is_both(tmp_path: Path, order: list[int]) -> None:
    rows = [record("m-0", "k", user_id="b"), record("m-1", "k"), record("m-2", "k", user_id="b"), record("m-3", "k")]
    write_log(tmp_path, [Received(row, START) for row in [*rows, record("m-4", "k")]])
    until = {n: {0: stream_number(START // 1000, n)} for n in range(len(rows))}
    stones = [tombstone("visitor", "k", until[0], 1), tombstone("visitor", "k", until[3], 2, unnamed=True)]
    for number in order:
        add_tombstones(tmp_path, [stones[number]])
    assert exported_ids(tmp_path) == ["m-2", "m-4"]


def test_tombstones_of_older_versions_hide_the_whole_visitor(tmp_path: Path) -> None:
    write_log(tmp_path, [Received(record("m-0", "k", user_id="b"), START)])
    add_tombstones(tmp_path, [tombstone("visitor", "k", {0: 1 << 62}, 1)])
    file = tmp_path / "tombstones.json"
    file.write_text(file.read_text().replace(',"unnamed":false', ""))
    assert "unnamed" not in file.read_text()
    assert exported_ids(tmp_path) == []
