"""Whatever of a part is damaged and whoever reads it: nothing of it is believed, the part is named, and it heals."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from oracles.writing import record
from worlds.event_log import Received, write_log

from app.processes.entry import train_once
from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import add_tombstones
from events.engines.duckdb import EventLog
from events.engines.sql import Statement
from events.log.export import Exporter
from events.parts.part import DataDamaged, Part
from events.privacy.person import held, person_of

START = 1_790_000_000_000_000
ROWS = 20  # of each part
IN_BOTH = "in-both"


class Readers:
    """Everybody who reads the log in one process; what they know of a part they keep."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = EventLog(data)
        self.exporter = Exporter(self.log.reader)

    def readout(self) -> object:
        with self.log.open(self.log.snapshot()) as engine:
            return engine.rows(Statement.of("SELECT count(*), count(DISTINCT visitor_id), sum(value) FROM events"))

    def unverified_readout(self) -> object:
        with self.log.open(self.log.reader.snapshot()) as engine:
            return engine.rows(Statement.of("SELECT count(*), count(DISTINCT visitor_id), sum(value) FROM events"))

    def hidden(self) -> object:
        return self.log.reader.snapshot().hidden.rows.to_pydict()

    def export(self) -> object:
        return self.exporter.page(None, 10 * ROWS)

    def export_of_the_sound_part(self) -> object:
        return self.exporter.page(None, ROWS // 2)

    def person(self) -> object:
        return held(self.log.reader, "visitor", IN_BOTH)

    def erasure(self) -> object:
        return person_of(self.log.reader, "visitor", IN_BOTH)

    def erasure_of_another(self) -> object:
        return person_of(self.log.reader, "visitor", "v-0-3")

    def people(self) -> object:
        return [self.log.reader.people(part).tolist() for part in self.log.reader.parts()]

    def training(self) -> object:
        """What the trainer reports; the damage that it names is raised, as by the others."""
        train_once(self.data)
        report = json.loads((self.data / "models" / "last-training.json").read_text())
        if report["outcome"] == "failed":
            raise DataDamaged(
                next(name for name in report["reasons"][0].split() if name.endswith(".parquet")), "failed"
            )
        return report["outcome"], report["reasons"]


def part_of_rows(number: int, extra: list[tuple[str, str]]) -> list[Received]:
    names = [*extra, *((f"m-{number}-{row}", f"v-{number}-{row}") for row in range(ROWS - len(extra)))]
    at = START + number * 1_000_000
    return [Received(record(message, who, value=1.0 + number), at + row) for row, (message, who) in enumerate(names)]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def exchange(path: Path) -> None:
    """Other rows, which can be read: as many, of the same part of another log."""
    other = path.parents[3] / "other"
    write_log(other, part_of_rows(7, []), cut=ROWS)
    path.write_bytes(next((other / "log").rglob(f"*{path.suffix}")).read_bytes())


Harm = Callable[[Path], None]
WORLDS: Mapping[str, list[tuple[str, str]]] = {  # the part that is damaged has these rows too
    "nothing is hidden": [("m-own", IN_BOTH)],
    "a repeat": [("m-shared", IN_BOTH), ("m-0-3", "v-0-3-again")],
    "erased rows": [("m-own", IN_BOTH), ("m-gone", "gone")],
}
READERS: tuple[str, ...] = (
    "readout", "unverified_readout", "hidden", "export", "export_of_the_sound_part", "person", "erasure",
    "erasure_of_another", "people", "training",
)  # fmt: skip
NEED_NO_ROWS = {"erasure_of_another", "people"}  # of a part that holds nothing of whom they ask for
NEED_ROWS_THAT_HIDE = {"hidden", "export_of_the_sound_part"}


def refused(world: str, rows: Harm | None, ids: Harm | None) -> set[str]:
    """Who needs what is damaged; a file of rows that is gone is missed by all, and digests are made again of rows."""
    if rows is None:
        return set()
    if rows is Path.unlink or ids is not None:
        return set(READERS)
    return set(READERS) - NEED_NO_ROWS - (NEED_ROWS_THAT_HIDE if world == "nothing is hidden" else set())


@pytest.mark.drawn(20)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("ids", [None, Path.unlink, flip], ids=lambda harm: f"digests-{named(harm)}")
@pytest.mark.parametrize(
    "rows", [None, flip, truncate, empty, exchange, Path.unlink], ids=lambda harm: f"rows-{named(harm)}"
)
def test_a_damaged_part_is_named_by_whoever_reads_it_and_right_again_once_restored(
    tmp_path: Path, rows: Harm | None, ids: Harm | None, world: str
) -> None:
    data, part = world_of(tmp_path, WORLDS[world])
    right = {reader: answer(Readers(data), reader) for reader in READERS}
    sound = {path: path.read_bytes() for path in (part.path, part.digests)}
    for harm, path in ((rows, part.path), (ids, part.digests)):
        if harm is not None:
            harm(path)
    asked = {reader: Readers(data) for reader in READERS}  # each meets the damage first
    expected = right | dict.fromkeys(refused(world, rows, ids), part.path.name)
    assert {reader: answer(asked[reader], reader) for reader in READERS} == expected
    restore(sound)
    assert {reader: answer(asked[reader], reader) for reader in READERS} == right


def named(harm: Harm | None) -> str:
    return "sound" if harm is None else harm.__name__


def answer(readers: Readers, reader: str) -> object:
    """What a reader says, or the name of the part that it says is damaged."""
    try:
        return getattr(readers, reader)()
    except DataDamaged as damage:
        return damage.name


@pytest.mark.parametrize("reader", ["readout", "export", "person", "erasure"])
def test_what_breaks_after_it_was_read_whole_is_named_too(tmp_path: Path, reader: str) -> None:
    data, part = world_of(tmp_path, WORLDS["nothing is hidden"])
    readers = Readers(data)
    readers.log.snapshot()
    sound = {part.path: part.path.read_bytes()}
    truncate(part.path)
    for _ in range(2):
        with pytest.raises(DataDamaged, match=part.path.name):
            getattr(readers, reader)()
    restore(sound)
    assert getattr(readers, reader)() == getattr(Readers(data), reader)()


def test_trouble_that_is_not_the_parts_is_not_called_its_damage(tmp_path: Path, monkeypatch: Any) -> None:
    data, _ = world_of(tmp_path, WORLDS["nothing is hidden"])
    readers = Readers(data)
    with monkeypatch.context() as broken:
        broken.setattr("pyarrow.parquet.ParquetFile.read", failing)
        with pytest.raises(OSError, match="no memory"):
            readers.person()
    assert readers.person() == Readers(data).person()


def test_a_part_is_read_whole_once_however_many_read_it(tmp_path: Path, monkeypatch: Any) -> None:
    data, _ = world_of(tmp_path, WORLDS["a repeat"])
    hashed: list[str] = []
    monkeypatch.setattr("events.parts.part.verify", lambda part: hashed.append(part.path.name))
    readers = Readers(data)
    for reader in (*READERS[:-1], *READERS[:-1]):
        getattr(readers, reader)()
    assert len(hashed) == len(set(hashed)) == 2


def world_of(folder: Path, extra: list[tuple[str, str]]) -> tuple[Path, Part]:
    """A data directory of two parts, and its second one, which has these rows too."""
    data = folder / "data"
    parts = write_log(data, part_of_rows(0, [("m-both", IN_BOTH)]) + part_of_rows(1, extra), cut=ROWS)
    add_tombstones(data, [tombstone("visitor", "gone", {0: 1 << 62}, 1)])
    return data, parts[1]


def restore(sound: Mapping[Path, bytes]) -> None:
    for path, content in sound.items():
        path.unlink(missing_ok=True)
        path.write_bytes(content)


def failing(*_: object, **__: object) -> None:
    raise OSError("no memory")
