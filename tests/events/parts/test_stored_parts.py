"""What lies beside the rows of the log is read as it was written: names, manifests, digests, the ledger."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds.drawn import values

from events.parts.digests import PartDigests, read_digests, write_digests
from events.parts.ledger import Dropped, Loss, change_dropped, read_dropped
from events.parts.manifest import Manifest, PartName, part_name, read_manifest, write_manifest
from events.records import position_number, stream_number, stream_text

FEW = settings(max_examples=25)
NUMBERS = st.integers(0, 2**62)
WORDS = st.lists(st.integers(0, 2**64 - 1), max_size=20).map(lambda words: np.array(sorted(words), np.uint64))


@FEW
@given(values(Manifest))
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    with TemporaryDirectory() as folder:
        write_manifest(Path(folder) / "part.json", manifest)
        assert read_manifest(Path(folder) / "part.json") == manifest


@given(st.integers(0, 1023), st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1), st.integers(0, 99))
def test_a_part_is_found_by_its_name(shard: int, one: int, other: int, generation: int) -> None:
    low, high = sorted((one, other if generation else one))
    name = PartName(shard, low, high, generation)
    assert part_name(name.stem) == name


@FEW
@given(st.dictionaries(NUMBERS, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3)), st.lists(values(Loss), max_size=3))
def test_the_ledger_of_what_is_gone_is_read_as_it_was_written(
    shards: dict[int, list[tuple[int, int]]], lost: list[Loss]
) -> None:
    with TemporaryDirectory() as log:
        change_dropped(Path(log), lambda _: Dropped(shards, lost))
        assert read_dropped(Path(log)) == Dropped(shards, lost)


@FEW
@given(WORDS, WORDS)
def test_digests_are_read_as_they_were_written(
    messages: np.typing.NDArray[np.uint64], people: np.typing.NDArray[np.uint64]
) -> None:
    with TemporaryDirectory() as folder:
        write_digests(Path(folder) / "part.ids", PartDigests(messages, people))
        found = read_digests(Path(folder) / "part.ids")
    assert found is not None
    assert (found.messages.tolist(), found.people.tolist()) == (messages.tolist(), people.tolist())


@given(st.integers(0, 2**42), st.integers(0, 2**20 - 1))
def test_a_stream_id_is_the_stores_own_again(milliseconds: int, sequence: int) -> None:
    text = stream_text(stream_number(milliseconds, sequence))
    assert text == f"{milliseconds}-{sequence}"
    assert position_number(text.encode()) == stream_number(milliseconds, sequence)
