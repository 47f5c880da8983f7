"""The export gives every event exactly once, in order, whatever happens to the log between two pages."""

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest
from oracles.writing import exported, record
from worlds.event_log import Received, write_log

from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import add_tombstones
from events.log import export
from events.log.export import Exporter, InvalidCursor
from events.log.reader import LogReader
from events.parts.part import DataDamaged, live_parts
from events.records import COLUMNS, stream_number
from events.writer.compaction import Compaction

START = 1_790_000_000_000_000
NEXT_DAY = START / 1e6 + 100_000


def log_of(data: Path, count: int, shard: int = 0, cut: int = 10) -> None:
    events = [record(f"m-{shard}-{n:03d}", f"v-{n % 7}", properties={"n": n}) for n in range(count)]
    write_log(data, [Received(event, START + n * 1000) for n, event in enumerate(events)], cut=cut, shard=shard)


def names(rows: list[dict[str, object]]) -> list[object]:
    return [row["message_id"] for row in rows]


def test_rows_have_the_columns_names_without_nulls_and_json_as_objects(tmp_path: Path) -> None:
    log_of(tmp_path, 1)
    row = exported(tmp_path)[0]
    assert set(row) <= set(COLUMNS)
    assert None not in row.values()
    assert row["properties"] == {"n": 0}
    assert row["stream_id"] == f"{START // 1000}-0"
    assert row["time"] == START
    assert row["received_at"] == START


@pytest.mark.parametrize("limit", [1, 7, 10, 1000])
def test_pages_add_up_to_the_log_in_order_of_positions(tmp_path: Path, limit: int) -> None:
    log_of(tmp_path, 45)
    log_of(tmp_path, 25, shard=1)
    expected = [f"m-0-{n:03d}" for n in range(45)] + [f"m-1-{n:03d}" for n in range(25)]
    assert names(exported(tmp_path, limit)) == expected


def test_a_page_is_as_long_as_was_asked_while_there_are_rows(tmp_path: Path) -> None:
    log_of(tmp_path, 45)
    assert len(Exporter(LogReader(tmp_path)).page(None, 32).rows) == 32


def test_the_cursor_of_the_end_goes_on_with_what_comes_later(tmp_path: Path) -> None:
    log_of(tmp_path, 5)
    end = Exporter(LogReader(tmp_path)).page(None, 100)
    assert Exporter(LogReader(tmp_path)).page(end.cursor, 100) == ([], end.cursor)
    log_of(tmp_path, 5, shard=1)
    assert names(Exporter(LogReader(tmp_path)).page(end.cursor, 100).rows) == [f"m-1-{n:03d}" for n in range(5)]


def test_an_empty_log_has_a_cursor_too(tmp_path: Path) -> None:
    page = Exporter(LogReader(tmp_path)).page(None, 10)
    assert page.rows == []
    assert Exporter(LogReader(tmp_path)).page(page.cursor, 10) == page


@pytest.mark.parametrize("read_ahead", [3, 12, 50_000])  # laid out by chunk, read anew for each, one chunk
@pytest.mark.parametrize("keep", [True, False])
def test_compaction_between_two_pages_changes_nothing(
    tmp_path: Path, keep: bool, read_ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK_ROWS", read_ahead)
    log_of(tmp_path, 45)
    exporter, rows, cursor = Exporter(LogReader(tmp_path)), [], None
    while (page := exporter.page(cursor, 4)).rows:
        rows += page.rows
        cursor = page.cursor
        exporter = exporter if keep else Exporter(LogReader(tmp_path))
        if len(rows) == 20:
            Compaction(tmp_path, 0, lambda: NEXT_DAY).run()
            Compaction(tmp_path, 0, lambda: NEXT_DAY * 2).run()
    assert names(rows) == [f"m-0-{n:03d}" for n in range(45)]


@pytest.mark.parametrize("has_room", [True, False])
def test_a_large_merged_part_comes_in_order_with_and_without_room_to_lay_it_out(
    tmp_path: Path, has_room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK_ROWS", 7)
    monkeypatch.setattr(export, "_LAID_OUT", 5)
    laid_out: list[Any] = []

    def temporary_file(**options: Any) -> Any:
        if not has_room:
            raise OSError(errno.ENOSPC, "no space left on device")
        laid_out.append(options)
        return tempfile.TemporaryFile(**options)

    monkeypatch.setattr(export, "TemporaryFile", temporary_file)
    log_of(tmp_path, 90)
    Compaction(tmp_path, 0, lambda: NEXT_DAY).run()
    assert len(live_parts(tmp_path / "log")) == 1
    exporter, rows, cursor = Exporter(LogReader(tmp_path)), [], None
    while (page := exporter.page(cursor, 10)).rows:
        rows, cursor = rows + page.rows, page.cursor
    assert names(rows) == [f"m-0-{n:03d}" for n in range(90)]
    assert len(laid_out) == 3 * has_room  # of 13 chunks
    assert [path.name for path in (tmp_path / "log").rglob("*") if "tmp" in path.name] == []


def test_repeats_are_given_once_and_the_first_one_wins(tmp_path: Path) -> None:
    copies = [record("m-1", value=1.0), record("m-2"), record("m-1", value=2.0), record("m-1", "v-2", value=3.0)]
    write_log(tmp_path, [Received(copy, START + n * 90_000_000_000) for n, copy in enumerate(copies)])
    rows = exported(tmp_path, 1)
    assert [(row["message_id"], row.get("value")) for row in rows] == [("m-1", 1.0), ("m-2", None)]


def test_of_repeats_in_two_shards_the_one_received_first_wins(tmp_path: Path) -> None:
    write_log(tmp_path, [Received(record("m-1", "v-1"), START + 5)], shard=0)
    write_log(tmp_path, [Received(record("m-1", "v-2"), START)], shard=1)
    assert [row["visitor_id"] for row in exported(tmp_path)] == ["v-1"]  # the same millisecond: the lower shard
    write_log(tmp_path, [Received(record("m-1", "v-3"), START - 5000)], shard=2)
    assert [row["visitor_id"] for row in exported(tmp_path)] == ["v-3"]


def test_rows_erased_between_two_pages_are_left_out(tmp_path: Path) -> None:
    log_of(tmp_path, 40)
    exporter = Exporter(LogReader(tmp_path))
    first = exporter.page(None, 14)
    add_tombstones(tmp_path, [tombstone("visitor", "v-3", {0: stream_number(START // 1000 + 35, 0)}, 1)])
    second = exporter.page(first.cursor, 100)
    late = [row["message_id"] for row in second.rows if row["visitor_id"] == "v-3"]
    assert late == ["m-0-038"]  # after the tombstone's position: they returned


def test_a_damaged_part_is_named_and_nothing_of_it_given(tmp_path: Path) -> None:
    log_of(tmp_path, 15)
    part = live_parts(tmp_path / "log")[1]
    content = bytearray(part.path.read_bytes())
    content[300] ^= 4
    part.path.write_bytes(content)
    exporter = Exporter(LogReader(tmp_path))
    page = exporter.page(None, 10)
    assert len(page.rows) == 10
    with pytest.raises(DataDamaged, match=part.path.name):
        exporter.page(page.cursor, 10)


@pytest.mark.parametrize("cursor", ["x", "!!", "eyJhIjogMX0", "bnVsbA", "ä"])
def test_a_cursor_that_no_export_gave_is_refused(tmp_path: Path, cursor: str) -> None:
    with pytest.raises(InvalidCursor, match="X-Resonate-Next-Cursor"):
        Exporter(LogReader(tmp_path)).page(cursor, 10)


def test_behind_all_that_is_there_comes_what_is_written_from_then_on(tmp_path: Path) -> None:
    log_of(tmp_path, 45)
    log_of(tmp_path, 25, shard=1)
    exporter = Exporter(LogReader(tmp_path))
    rows, cursor = exporter.page(export.LATEST, 10)
    assert rows == []
    assert exporter.page(cursor, 10).rows == []
    log_of(tmp_path, 3, shard=2)
    assert names(exporter.page(cursor, 10).rows) == [f"m-2-{n:03d}" for n in range(3)]
