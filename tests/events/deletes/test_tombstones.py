"""Who was erased is read as it was written down."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from worlds.drawn import values

from events.deletes.tombstones import Tombstone, add_tombstones, read_tombstones


@settings(max_examples=25)
@given(st.lists(values(Tombstone), max_size=4, unique_by=lambda stone: stone.field))
def test_tombstones_are_read_as_they_were_added_one_by_one(stones: list[Tombstone]) -> None:
    with TemporaryDirectory() as data:
        for stone in stones:
            add_tombstones(Path(data), [stone])
        assert read_tombstones(Path(data)) == stones
