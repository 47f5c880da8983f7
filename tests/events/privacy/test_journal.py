"""The erasure journal: a line an id, each bound to the one before it; what cannot be believed or written is refused."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.writing import exported_ids, record, writing

from events.authority import Authority
from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import Tombstone, add_tombstones, mirror_tombstones, person_of_key, read_tombstones
from events.ingest.history import History, HistoryUpdates
from events.ingest.stream import Stream
from events.log.reader import LogReader
from events.privacy.erasure import erase
from events.privacy.journal import ErasureJournal, JournalUnusable, replay
from events.store.connection import Connection
from events.store.keys import history_key, log_in_key
from events.store.shared_reads import SharedReads

ORDER = {"event": "Order Completed", "order_id": "o-1", "product_ids": ["p"], "quantities": [1.0], "prices": [2.0]}


def stone(identifier: str, position: int = 7, *, unnamed: bool = False) -> Tombstone:
    return tombstone("visitor", identifier, {0: position}, 1_790_000_000_123_456, unnamed=unnamed)


@pytest.fixture
def journal(tmp_path: Path) -> ErasureJournal:
    (tmp_path / "elsewhere").mkdir()
    found = ErasureJournal(tmp_path / "elsewhere" / "erasures.ndjson")
    found.prepare(tmp_path / "data")
    return found


def test_what_is_written_is_read_again_whole(journal: ErasureJournal) -> None:
    written = [stone("v-1"), stone("v-2", unnamed=True), tombstone("user", "u-1", {0: 1 << 61, 3: 4}, 2)]
    journal.append(written[:1])
    journal.append(written[1:])
    assert [each.tombstone for each in journal.erasures()] == written
    assert [each.sequence for each in journal.erasures()] == [1, 2, 3]
    assert journal.lines(after=2) == journal.path.read_bytes().splitlines()[2:]
    assert b"v-1" not in journal.path.read_bytes()


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_none_and_the_next_one_takes_its_place(journal: ErasureJournal, cut: int) -> None:
    journal.append([stone("v-1"), stone("v-2")])
    os.truncate(journal.path, journal.path.stat().st_size - cut)
    assert [each.tombstone for each in journal.erasures()] == [stone("v-1")]
    journal.append([stone("v-3")])
    assert [each.tombstone for each in journal.erasures()] == [stone("v-1"), stone("v-3")]


@given(st.integers(0, 3), st.sampled_from(["lost", "changed", "doubled"]))
def test_a_line_that_does_not_follow_the_one_before_it_is_refused(number: int, how: str) -> None:
    path = Path(tempfile.gettempdir())
    journal = ErasureJournal(path / f"erasures-{os.getpid()}.ndjson")
    journal.path.write_bytes(b"")
    journal.append([stone(f"v-{each}") for each in range(5)])
    lines = journal.path.read_bytes().splitlines(keepends=True)
    changed = {"lost": [], "changed": [lines[number].replace(b'"0":7', b'"0":8')], "doubled": [lines[number]] * 2}
    journal.path.write_bytes(b"".join([*lines[:number], *changed[how], *lines[number + 1 :]]))
    with pytest.raises(JournalUnusable, match="line"):
        journal.append([stone("v-9")])
    journal.path.unlink()


def test_a_journal_inside_the_data_directory_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(data / "deep")
    for folder in (data, data / "deep", tmp_path / "link", data / ".." / "data"):
        with pytest.raises(JournalUnusable, match="inside the data directory"):
            ErasureJournal(folder / "e.ndjson").prepare(data)
    with pytest.raises(JournalUnusable, match="make or mount it"):
        ErasureJournal(tmp_path / "unmounted" / "e.ndjson").prepare(data)
    ErasureJournal(tmp_path / "e.ndjson").prepare(data)


def test_a_write_that_breaks_off_leaves_the_journal_as_it_was(
    journal: ErasureJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append([stone("v-1")])
    before, write = journal.path.read_bytes(), os.pwrite

    def half(descriptor: int, content: bytes, at: int) -> int:
        write(descriptor, content[: len(content) // 2], at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(JournalUnusable, match="No space left"):
        journal.append([stone("v-2")])
    assert journal.path.read_bytes() == before


def test_replaying_brings_directory_and_journal_together(journal: ErasureJournal, tmp_path: Path) -> None:
    data = tmp_path / "data"
    add_tombstones(data, [stone("before there was a journal"), stone("v-1", 5)])
    journal.append([stone("v-1", 9), stone("v-2")])
    assert replay(journal, data) == 2
    assert replay(journal, data) == 0
    assert {each.field: each.positions for each in read_tombstones(data)} == {
        stone("before there was a journal").field: {0: 7}, stone("v-1").field: {0: 9}, stone("v-2").field: {0: 7}
    }  # fmt: skip
    assert len(journal.lines()) == 3
    (data / "tombstones.json").write_text("[{")
    with pytest.raises(JournalUnusable, match=r"tombstones\.json"):
        replay(journal, data)


@pytest.mark.anyio
async def test_an_erasure_that_the_journal_does_not_take_is_refused_with_nothing_half_done(
    connection: Connection, stream: Stream, tmp_path: Path, journal: ErasureJournal
) -> None:
    await stream.append([record("m-1", "v-1", **ORDER)])
    shutil.rmtree(journal.path.parent)
    async with writing(connection, tmp_path):
        with pytest.raises(JournalUnusable):
            await erase(connection, LogReader(tmp_path), "visitor", "v-1", journal=journal)
        assert (exported_ids(tmp_path), read_tombstones(tmp_path)) == (["m-1"], [])
        assert len((await History(SharedReads(connection)).recent(["v:v-1"])).purchases) == 1
        journal.path.parent.mkdir()
        journal.prepare(tmp_path / "data")
        await erase(connection, LogReader(tmp_path), "visitor", "v-1", journal=journal)
    assert exported_ids(tmp_path) == []
    assert [each.tombstone for each in journal.erasures()] == read_tombstones(tmp_path)


@pytest.mark.anyio
async def test_a_store_that_is_an_older_copy_forgets_what_it_holds_of_the_erased(
    connection: Connection, tmp_path: Path
) -> None:
    bought = [record(f"m-{user}", f"v-{user}", user_id=user, authority=Authority.BACKEND, **ORDER) for user in "ab"]
    await HistoryUpdates(connection, lambda *_: None).apply(bought)
    await connection.client.hset(log_in_key(7), "v-c", "x")
    add_tombstones(tmp_path, [stone("v-a"), tombstone("user", "a", {0: 7}, 1)])
    await mirror_tombstones(connection, tmp_path, forgets=True)
    left = {person_of_key(key.decode()) for key in await connection.client.keys("{[hp]:*")}
    assert left == {("visitor", "v-b"), ("user", "b")}


def test_a_key_of_the_store_says_whose_it_is() -> None:
    for identifier in ("v-1", "a:b", "}", "{h:x}", "é"):
        for person, kind in (("v", "visitor"), ("u", "user")):
            assert person_of_key(history_key(f"{person}:{identifier}")) == (kind, identifier)
