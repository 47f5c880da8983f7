"""Retention drops whole days, keeps where the writer goes on, and is never mistaken for damage."""

from pathlib import Path

import pytest
from oracles.writing import exported_ids, record
from worlds.event_log import Received, write_log

from events.parts.ledger import Dropped, read_dropped
from events.parts.manifest import PartName
from events.parts.part import DataDamaged, live_parts
from events.writer.compaction import Compaction
from events.writer.resumption import newest_on_disk
from events.writer.writer import retain

START = 1_790_000_000_000_000
DAY = 86_400_000_000


def now(day: int) -> float:
    return (START + day * DAY) / 1e6


def log_of(data: Path, days: int) -> None:
    write_log(data, [Received(record(f"m-{n}", f"v-{n}"), START + n * DAY // 2) for n in range(days * 2)], cut=1)


def test_days_older_than_the_retention_go(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    retain(tmp_path / "log", 2, now(4))
    assert sorted({part.date.isoformat() for part in live_parts(tmp_path / "log")}) == [
        "2026-09-23",
        "2026-09-24",
        "2026-09-25",
        "2026-09-26",
    ]
    assert not list((tmp_path / "log").glob("date=2026-09-21/*"))
    assert retain(tmp_path / "log", 2, now(4)) == []


def test_the_newest_part_stays_however_old_it_is(tmp_path: Path) -> None:
    log_of(tmp_path, 3)
    before = newest_on_disk(tmp_path / "log", 0)
    retain(tmp_path / "log", 1, now(400))
    assert len(live_parts(tmp_path / "log")) == 1
    assert newest_on_disk(tmp_path / "log", 0) == before


def test_a_part_that_is_lost_is_missed_although_retention_ran(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    retain(tmp_path / "log", 2, now(4))
    first = live_parts(tmp_path / "log")[0]
    for path in first.path.parent.glob(f"{first.name.stem}.*"):
        path.unlink()
    with pytest.raises(DataDamaged, match=first.name.stem):
        live_parts(tmp_path / "log")


def test_files_that_a_crash_left_are_no_part_of_the_log_and_go_the_next_time(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    kept = {part.path: part.path.read_bytes() for part in live_parts(tmp_path / "log")}
    retain(tmp_path / "log", 2, now(4))
    expected = exported_ids(tmp_path)
    for path, content in kept.items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(content)
    assert exported_ids(tmp_path) == expected
    retain(tmp_path / "log", 2, now(4))
    assert not list((tmp_path / "log").glob("date=2026-09-21/*"))


def test_merged_days_go_too(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    Compaction(tmp_path, 0, lambda: now(9)).run()
    retain(tmp_path / "log", 2, now(4))
    assert len(live_parts(tmp_path / "log")) == 4


def test_a_machine_without_a_clock_drops_nothing(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    assert retain(tmp_path / "log", 2, 0.0) == []
    assert len(live_parts(tmp_path / "log")) == 10


def test_the_ledger_joins_what_lies_side_by_side(tmp_path: Path) -> None:
    names = [PartName(0, 4, 4, 0), PartName(0, 0, 3, 1), PartName(0, 7, 7, 0), PartName(1, 0, 0, 0)]
    ledger = Dropped().with_names(names)
    assert ledger.shards == {0: [(0, 4), (7, 7)], 1: [(0, 0)]}
    assert [ledger.after(0, sequence) for sequence in (0, 5, 7)] == [5, 5, 8]
    assert read_dropped(tmp_path) == Dropped()
