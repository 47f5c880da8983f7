"""One reader gives engines, export and privacy the log as it stands, and keeps nothing of what left it."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracles.writing import record
from worlds.event_log import Received, write_log

from events.authority import Authority
from events.deletes import hidden
from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import add_tombstones
from events.engines import sql
from events.engines.duckdb import EventLog
from events.log.export import Exporter
from events.log.reader import LogReader
from events.parts.manifest import PartName
from events.parts.part import Contents, Part, PartListing
from events.privacy.person import held, person_of

START = 1_790_000_000_000_000
PARTS, GENERATIONS = 100, 100


def next_generation(part: Part, generation: int) -> None:
    """Put the next generation of a part in its place, as a merge does, without reading or writing rows again."""
    folder = part.path.parent
    stems = [PartName(part.shard, part.low, part.high, number).stem for number in (generation - 1, generation)]
    before, after = ({suffix: folder / f"{stem}{suffix}" for suffix in (".parquet", ".ids", ".json")} for stem in stems)
    for suffix, path in before.items():
        os.link(path, after[suffix])
    for path in before.values():
        path.unlink()


def sizes(owner: object, name: str) -> Iterator[tuple[str, int]]:
    """How much every collection below an object of ours holds."""
    if isinstance(owner, dict | set | frozenset | list | tuple):
        yield name, len(owner)  # pyright: ignore[reportUnknownArgumentType]
    elif type(owner).__module__.startswith("events."):
        for field in getattr(type(owner), "__slots__", None) or vars(owner):
            yield from sizes(getattr(owner, field), f"{name}.{field}")


def used(log: EventLog, exporter: Exporter) -> EventLog:
    """Everything that reads the log has read it: engines, export, privacy."""
    log.snapshot()
    assert len(exporter.page(None, 2 * PARTS).rows) == PARTS - 2
    assert person_of(log.reader, "visitor", "v-3").person.visitors == {"v-3"}
    return log


def test_ten_thousand_generations_of_parts_leave_nothing_behind(tmp_path: Path) -> None:
    names = [("m-0", "v-0"), ("m-0", "v-1"), *((f"m-{number}", f"v-{number}") for number in range(2, PARTS))]
    events = [Received(record(message, visitor), START + n) for n, (message, visitor) in enumerate(names)]
    parts = write_log(tmp_path, events, cut=1)
    add_tombstones(tmp_path, [tombstone("visitor", "v-2", {0: 1 << 62}, 1)])
    log = EventLog(tmp_path)
    exporter = Exporter(log.reader)
    for generation in range(1, GENERATIONS + 1):
        for part in parts:
            next_generation(part, generation)
        log.snapshot()
        if generation % 20 == 0:
            used(log, exporter)
    fresh = EventLog(tmp_path)
    fresh_exporter = Exporter(fresh.reader)
    used(fresh, fresh_exporter)
    assert dict(sizes(log, "log")) == dict(sizes(fresh, "log"))
    assert dict(sizes(exporter, "export")) == dict(sizes(fresh_exporter, "export"))


def test_the_sql_that_names_parts_is_not_remembered(tmp_path: Path) -> None:
    """Analysts are shown it; each second there is another part."""
    events = [Received(record("m-0", f"v-{number}"), START + number) for number in range(3)]
    [part] = write_log(tmp_path, events)
    log = EventLog(tmp_path)

    def shown() -> str:
        with log.open(log.snapshot()) as engine:
            return " ".join(statement.render() for statement in engine.sources().values())

    assert part.path.name in shown()
    before = remembered()
    for generation in range(1, 4):
        next_generation(part, generation)
        assert f".{generation}.parquet" in shown()
    assert remembered() == before


def remembered() -> int:
    """How many statements the process keeps."""
    return sum(each.cache_info().currsize for each in vars(sql).values() if hasattr(each, "cache_info"))


def test_what_is_held_is_of_one_state_of_the_log_and_digests_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = {"user_id": "anna", "authority": Authority.BACKEND}
    linked = [record("m-1", "phone", **anna), record("m-2", "laptop", **anna), record("m-3", "laptop")]
    write_log(tmp_path, [Received(event, START + n) for n, event in enumerate(linked)], cut=1)
    asked: Counter[str] = Counter()
    for owner, name in ((PartListing, "live"), (Contents, "digests")):
        counted(monkeypatch, owner, name, asked)
    log_reader = LogReader(tmp_path)
    assert [row["message_id"] for row in held(log_reader, "visitor", "phone").events] == ["m-1", "m-2", "m-3"]
    assert asked == {"live": 1, "digests": 3}  # of each part once
    held(log_reader, "visitor", "phone")
    assert asked == {"live": 2, "digests": 3}


def counted(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, asked: Counter[str]) -> None:
    """Count the calls of a function or method."""
    function = getattr(owner, name)

    def counting(*arguments: Any) -> Any:
        asked[name] += 1
        return function(*arguments)

    monkeypatch.setattr(owner, name, counting)


def test_an_erasure_holds_even_where_the_first_look_at_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(tmp_path, [Received(record("m-1"), START)])
    log_reader = LogReader(tmp_path)
    assert log_reader.snapshot().hidden.rows.num_rows == 0
    add_tombstones(tmp_path, [tombstone("visitor", "v-1", {0: 1 << 62}, 1)])
    with monkeypatch.context() as broken:
        broken.setattr(hidden, "erased", failing)
        with pytest.raises(OSError, match="too many open files"):
            log_reader.snapshot()
    assert log_reader.snapshot().hidden.rows.num_rows == 1


def failing(*_: object) -> None:
    raise OSError(errno.EMFILE, "too many open files")
