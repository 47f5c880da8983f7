"""Compaction makes few files of many and changes nothing that anybody reads."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from oracles.writing import exported, exported_ids, record, written_ids
from worlds.event_log import Received, received, write_log

from benchmarks.log import shop_events
from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import add_tombstones
from events.parts.part import Contents, DataDamaged, Part, PartListing, live_parts, verify
from events.records import Record
from events.writer.compaction import MOST_PARTS, OLDEST_SECONDS, Compaction, merged
from events.writer.resumption import newest_on_disk

START = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
SECOND = 1_000_000
DAY = 86_400 * SECOND
SAME_DAY = START / 1e6 + 600
NEXT_DAY = SAME_DAY + 86_400
LATER = datetime(2030, 1, 1, tzinfo=UTC).timestamp()


def events(count: int, visitors: int = 7, start: int = START) -> list[Record]:
    return [record(f"m-{n:05d}", f"v-{n % visitors}", time=start + (n * 7919 % count) * 1000) for n in range(count)]


def log_of(data: Path, count: int, cut: int = 1) -> list[Part]:
    return write_log(data, [Received(event, START + n * 1000) for n, event in enumerate(events(count))], cut=cut)


def compact(data: Path, now: float, grace_seconds: float = 0) -> list[Part]:
    return Compaction(data, grace_seconds, lambda: now).run()


def test_an_open_day_is_merged_once_32_parts_stand(tmp_path: Path) -> None:
    parts = log_of(tmp_path, MOST_PARTS - 1)
    assert compact(tmp_path, SAME_DAY) == []
    assert live_parts(tmp_path / "log") == parts
    log_of(tmp_path / "more", MOST_PARTS)
    merge = compact(tmp_path / "more", SAME_DAY)
    assert [(part.low, part.high, part.generation) for part in merge] == [(0, MOST_PARTS - 1, 1)]
    assert live_parts(tmp_path / "more" / "log") == merge


def test_fewer_are_merged_once_the_oldest_is_15_minutes_old(tmp_path: Path) -> None:
    log_of(tmp_path, 3)
    assert compact(tmp_path, START / 1e6 + OLDEST_SECONDS - 1) == []
    [merge] = compact(tmp_path, START / 1e6 + OLDEST_SECONDS)
    assert (merge.low, merge.high, merge.generation) == (0, 2, 1)
    assert compact(tmp_path, START / 1e6 + 10 * OLDEST_SECONDS) == []  # nothing stands beside it


def test_an_open_day_is_merged_once_a_minute_at_most_however_many_parts_come(tmp_path: Path) -> None:
    beats = iter([0.0, 0.0, 59.0, 60.0, 60.0])
    compaction = Compaction(tmp_path, 0, lambda: SAME_DAY, pace=lambda: next(beats))
    log_of(tmp_path, MOST_PARTS)
    assert len(compaction.run()) == 1
    later = [Received(event, START + n * 1000) for n, event in enumerate(events(2 * MOST_PARTS))]
    come(write_log(tmp_path / "later", later, cut=1)[MOST_PARTS:], tmp_path)
    assert compaction.run() == []
    assert [part.low for part in compaction.run()] == [MOST_PARTS]


def come(parts: Sequence[Part], data: Path) -> None:
    """These parts of another log stand in this one from now on."""
    for part in parts:
        folder = data / "log" / part.path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        for path in (part.path, part.digests, part.path.with_suffix(".json")):
            (folder / path.name).hardlink_to(path)


PARTS_A_MINUTE = 4
MINUTES = 100


def test_what_is_an_hour_old_takes_few_bytes_and_is_written_again_seldom(tmp_path: Path) -> None:
    """One event a second, a part of each ten seconds, merged by the minute: a slow day, which is the worst."""
    step = 60 // PARTS_A_MINUTE
    sent = [Received(event, START + n * SECOND) for n, event in enumerate(shop_events(60 * MINUTES, 1))]
    parts = write_log(tmp_path / "sent", sent, cut=step)
    now = START / 1e6
    compaction = Compaction(tmp_path, 0, lambda: now, pace=lambda: now)
    written = 0
    for minute in range(MINUTES):
        come(parts[minute * PARTS_A_MINUTE : (minute + 1) * PARTS_A_MINUTE], tmp_path)
        now += 60.0
        merges = compaction.run()
        assert len(merges) <= 1
        written += sum(part.rows for part in merges)
        standing = live_parts(tmp_path / "log")
        assert len(standing) < 4 * MOST_PARTS
        old = [part for part in standing if part.max_received_at / 1e6 <= now - 3600]
        assert sum(part.bytes for part in old) <= 60 * sum(part.rows for part in old)
    assert sum(part.rows for part in standing) == sum(part.rows for part in parts)
    assert written <= 4 * len(sent)
    assert exported_ids(tmp_path, 10_000) == sorted(event.record.message_id for event in sent)


def test_a_closed_day_becomes_one_part(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    assert [part.name.stem for part in compact(tmp_path, NEXT_DAY)] == ["0-000000000000-000000000004.1"]
    assert compact(tmp_path, NEXT_DAY) == []


def test_a_merge_holds_the_same_rows_in_order_of_visitor_and_time(tmp_path: Path) -> None:
    log_of(tmp_path, 100, cut=9)
    before = exported(tmp_path)
    part = compact(tmp_path, NEXT_DAY)[0]
    verify(part)
    assert exported(tmp_path) == before
    table = pq.ParquetFile(part.path).read()
    order = list(zip(table.column("visitor_id").to_pylist(), table.column("time").to_pylist(), strict=True))
    assert order == sorted(order)


def test_a_large_day_is_merged_slice_by_slice(tmp_path: Path) -> None:
    parts = log_of(tmp_path, 1000, cut=90)
    slices = list(merged(Contents(), parts, [], slice_rows=150))
    assert len(slices) > 3
    visitors = [set(table.column("visitor_id").to_pylist()) for table in slices]
    assert sum(len(own) for own in visitors) == len(set().union(*visitors)) == 7
    assert sum(table.num_rows for table in slices) == 1000


def test_replaced_parts_stay_for_those_who_read_them_and_then_go(tmp_path: Path) -> None:
    parts = log_of(tmp_path, 5)
    compact(tmp_path, NEXT_DAY, grace_seconds=3600)
    compact(tmp_path, NEXT_DAY, grace_seconds=3600)
    assert all(part.path.exists() for part in parts)
    compact(tmp_path, LATER, grace_seconds=3600)
    left = sorted(path.name for path in parts[0].path.parent.iterdir())
    assert left == [f"0-000000000000-000000000004.1{suffix}" for suffix in (".ids", ".json", ".parquet")]


def test_a_merge_that_never_came_to_its_end_is_made_again(tmp_path: Path) -> None:
    parts = log_of(tmp_path, 5)
    merge = compact(tmp_path, NEXT_DAY, grace_seconds=3600)[0]
    merge.path.with_suffix(".json").unlink()  # as after a crash between link and manifest
    assert live_parts(tmp_path / "log") == parts
    assert compact(tmp_path, NEXT_DAY, grace_seconds=3600) == [merge]
    assert live_parts(tmp_path / "log") == [merge]


def test_a_merge_is_given_up_when_the_process_is_asked_to_end(tmp_path: Path) -> None:
    parts = log_of(tmp_path, 5)
    assert Compaction(tmp_path, 0, lambda: NEXT_DAY, lambda: True).run() == []
    assert live_parts(tmp_path / "log") == parts
    assert not list((tmp_path / "log").rglob(".tmp-*"))
    assert len(compact(tmp_path, NEXT_DAY)) == 1


def test_the_writer_goes_on_after_a_merge(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    before = newest_on_disk(tmp_path / "log", 0)
    compact(tmp_path, NEXT_DAY)
    compact(tmp_path, LATER)
    assert newest_on_disk(tmp_path / "log", 0) == before


def test_a_damaged_part_is_not_laundered_into_a_merge(tmp_path: Path) -> None:
    part = log_of(tmp_path, 5)[3]
    content = bytearray(part.path.read_bytes())
    content[-200] ^= 1
    part.path.write_bytes(content)
    assert compact(tmp_path, NEXT_DAY) == []
    with pytest.raises(DataDamaged):
        verify(part)


def test_what_stands_beside_a_damaged_part_is_merged_until_that_is_put_back(tmp_path: Path) -> None:
    part = log_of(tmp_path, 5)[3]
    sound = part.path.read_bytes()
    part.path.write_bytes(sound[:-7])
    compaction = Compaction(tmp_path, 0, lambda: NEXT_DAY)
    assert compaction.run() == []
    assert [merge.name.stem for merge in compaction.run()] == ["0-000000000000-000000000002.1"]
    assert compaction.run() == []
    part.path.write_bytes(sound)
    assert [merge.name.stem for merge in compaction.run()] == ["0-000000000000-000000000004.2"]
    assert len(exported_ids(tmp_path)) == 5


@pytest.mark.parametrize("digests_too", [True, False])
def test_a_damaged_part_with_erased_rows_keeps_no_other_from_being_merged(tmp_path: Path, digests_too: bool) -> None:
    log_of(tmp_path, 5)
    other = write_log(tmp_path, [Received(record("m", "v-1"), START)], shard=1)[0]
    add_tombstones(tmp_path, [tombstone("visitor", "v-1", {0: 1 << 62, 1: 1 << 62}, 1)])
    other.path.write_bytes(other.path.read_bytes()[:-7])
    if digests_too:
        other.digests.unlink()
    assert [part.name.stem for part in compact(tmp_path, NEXT_DAY)] == ["0-000000000000-000000000004.1"]
    with pytest.raises(DataDamaged):
        verify(other)


def test_a_gap_is_never_merged_over(tmp_path: Path) -> None:
    part = log_of(tmp_path, 5)[2]
    for path in part.path.parent.glob(f"{part.name.stem}.*"):
        path.unlink()
    assert [merge.name.stem for merge in compact(tmp_path, NEXT_DAY)] == [
        "0-000000000000-000000000001.1",
        "0-000000000003-000000000004.1",
    ]
    with pytest.raises(DataDamaged, match="missing"):
        live_parts(tmp_path / "log")


def test_a_part_of_a_shard_that_comes_late_is_still_covered(tmp_path: Path) -> None:
    """A writer that stood still through merge and grace gives an old name to a part: no reader takes it."""
    parts = log_of(tmp_path, 5)
    late = parts[2].path.read_bytes()
    merge = compact(tmp_path, NEXT_DAY)
    compact(tmp_path, LATER)
    parts[2].path.write_bytes(late)
    assert live_parts(tmp_path / "log") == merge


def test_repeats_of_the_same_person_go_and_others_stay_hidden(tmp_path: Path) -> None:
    repeated = [record("m-1", "v-1"), record("m-1", "v-1", value=2.0), record("m-1", "v-2"), record("m-2", "v-1")]
    write_log(tmp_path, [Received(event, START + n) for n, event in enumerate(repeated)], cut=1)
    before = exported(tmp_path)
    compact(tmp_path, NEXT_DAY)
    assert written_ids(tmp_path) == ["m-1", "m-1", "m-2"]
    assert exported(tmp_path) == before
    assert exported_ids(tmp_path) == ["m-1", "m-2"]


def test_the_erased_go_from_the_parts(tmp_path: Path) -> None:
    log_of(tmp_path, 50, cut=10)
    add_tombstones(tmp_path, [tombstone("visitor", "v-3", {0: 1 << 62}, 1)])
    before = exported(tmp_path)
    compact(tmp_path, SAME_DAY)  # a few parts of an open day: each is written again
    compact(tmp_path, LATER)
    assert exported(tmp_path) == before
    assert "v-3" not in _visitors(tmp_path)
    assert b"v-3" not in b"".join(path.read_bytes() for path in (tmp_path / "log").rglob("*.*") if path.is_file())
    assert compact(tmp_path, LATER) == []


def test_a_part_of_erased_people_only_stays_as_an_empty_part(tmp_path: Path) -> None:
    write_log(tmp_path, received([record("m-1", "v-1")]))
    before = newest_on_disk(tmp_path / "log", 0)
    add_tombstones(tmp_path, [tombstone("visitor", "v-1", {0: 1 << 62}, 1)])
    assert [part.rows for part in compact(tmp_path, SAME_DAY)] == [0]
    assert newest_on_disk(tmp_path / "log", 0) == before
    assert exported_ids(tmp_path) == []


def _visitors(data: Path) -> set[str]:
    tables = [pq.ParquetFile(part.path).read(columns=["visitor_id"]) for part in PartListing(data / "log").live()]
    return {name for table in tables for name in pc.unique(table.column("visitor_id")).to_pylist()}
