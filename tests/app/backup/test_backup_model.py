"""Backups of a log to which anything happens: each comes back as a dictionary held it, but for who was erased since."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from oracles.log_model import SHARDS, LogAgainstModel, Row, messages, told, visitors
from oracles.proving import examples
from oracles.writing import written_ids
from redis import Redis
from servers.stores import StoreServer

from app.backup.making import make_backup
from app.backup.restoring import restore_backup
from app.runtime.settings import load_settings
from events.deletes.tombstones import Tombstone
from events.log.export import Exporter
from events.log.reader import LogReader
from events.privacy.journal import ErasureJournal
from events.records import stream_text
from events.store.keys import SHARDS as RECORDED
from events.store.keys import events_key
from events.writer.decoding import Entry


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    running = StoreServer(tmp_path / "store").start()
    yield running
    running.kill()


class BackedUpLog(LogAgainstModel):
    """The stream is a real one; what stands in parts may be in it still, as after a crash before it was trimmed."""

    server: StoreServer

    def __init__(self) -> None:
        super().__init__()
        self.store = Redis.from_url(self.server.url)
        self.store.flushall()
        self.store.set(RECORDED, SHARDS)
        self.outside = TemporaryDirectory()
        self.journal = ErasureJournal(Path(self.outside.name) / "erasures.ndjson")
        self.journal.prepare(self.data)
        self.settings = load_settings(
            {
                "RESONATE_DATA": str(self.data),
                "RESONATE_REDIS_URL": self.server.url,
                "RESONATE_ERASURE_JOURNAL": str(self.journal.path),
            }
        )
        self.forgets = True
        self.kept: list[tuple[Path, list[Row]]] = []

    def teardown(self) -> None:
        self.store.close()
        self.outside.cleanup()
        super().teardown()

    def acknowledge(self, shard: int, entry: Entry) -> None:
        super().acknowledge(shard, entry)
        fields: dict[Any, Any] = {"n": entry.size, "t": 0, "e": entry.events}
        self.store.xadd(events_key(shard), fields, id=stream_text(entry.stream_number))

    def let_go(self, shard: int) -> None:
        if self.forgets and self.waiting[shard]:
            last = self.waiting[shard][-1].stream_number
            self.store.xtrim(events_key(shard), minid=stream_text(last + 1), approximate=False)
        super().let_go(shard)

    def hide(self, stones: Sequence[Tombstone]) -> None:
        self.journal.append(stones)
        super().hide(stones)

    @rule(message=messages, visitor=visitors, merged=st.booleans())
    def back_up_before_it_is_trimmed(self, message: int, visitor: int, merged: bool) -> None:
        """The writer has just put into a part, and maybe merged, what the stream has too."""
        self.append(message, visitor)
        shard = visitor % SHARDS
        waiting, self.forgets = self.waiting[shard], False
        self.cut(shard)
        if merged:
            self.compact(1e9)
        self.back_up()
        self.waiting[shard], self.forgets = waiting, True
        self.let_go(shard)

    @rule()
    def back_up(self) -> None:
        folder = Path(self.outside.name) / f"backup-{len(self.kept)}"
        make_backup(self.settings, folder)
        self.kept.append((folder, [*self.rows, *self.unwritten]))

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0, 99))
    def restore_one(self, which: int) -> None:
        """Also one of long ago: who was erased since is not in it."""
        self._comes_back(*self.kept[which % len(self.kept)])

    @invariant()
    def the_newest_comes_back(self) -> None:
        for folder, held in self.kept[-1:]:
            self._comes_back(folder, held)

    def _comes_back(self, folder: Path, held: list[Row]) -> None:
        with TemporaryDirectory() as outside:
            data = Path(outside) / "restored"
            restored = restore_backup(folder, data, [self.journal.path], lambda done, total: None)
            assert restored.log.is_sound
            assert Counter(written_ids(data)) <= Counter(row.message for row in held)  # hidden ones too
            assert told(Exporter(LogReader(data))) == self.expected(held)


def test_each_backup_comes_back_as_what_a_dictionary_held_but_for_who_was_erased_since(server: StoreServer) -> None:
    machine = type("BackedUpLog", (BackedUpLog,), {"server": server})
    drawn = settings(max_examples=examples(12), stateful_step_count=15, deadline=None)
    run_state_machine_as_test(machine, settings=drawn)
