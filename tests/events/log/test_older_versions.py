"""What an older version wrote says of each row whether a backend sent it: that is its authority."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracles.writing import exported, record
from worlds.event_log import received, write_log

from events.authority import Authority
from events.engines.duckdb import EventLog
from events.engines.sql import Statement
from events.parts.part import SCHEMA, live_parts
from events.parts.sealing import Place, write_part
from events.writer.compaction import Compaction
from events.writer.decoding import Entry, rows

START = 1_790_000_000_000_000
LATER = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
OLDER = pa.schema(
    [field for field in SCHEMA if field.name not in {"authority", "cart"}] + [pa.field("backend", pa.bool_())]
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log whose first part is of an older version: a page's row, one of before `backend`, and a backend's."""
    events = [record(f"m-{n}", time=START + n) for n in range(3)]
    (part,) = write_log(tmp_path / "now", received(events))
    table = pq.ParquetFile(part.path).read()
    older = table.select([name for name in OLDER.names if name != "backend"])
    older = older.append_column("backend", pa.array([False, None, True], pa.bool_())).cast(OLDER)
    with monkeypatch.context() as patched:
        patched.setattr("events.parts.sealing.SCHEMA", OLDER)
        write_part(Place(tmp_path / "log", part.date, part.name, int(table["stream_id"][-1].as_py())), [older])
    return tmp_path


def told(data: Path) -> list[tuple[str, str]]:
    return [(row["message_id"], row["authority"]) for row in exported(data)]


AUTHORITIES = [("m-0", "page"), ("m-1", "page"), ("m-2", "backend")]


def test_the_export_gives_its_rows_their_authority(data: Path) -> None:
    assert told(data) == AUTHORITIES


def test_readouts_count_its_rows_by_authority(data: Path) -> None:
    log = EventLog(data)
    with log.open(log.snapshot(), None, ()) as engine:
        counted = {view: engine.rows(Statement.of(f"SELECT count(*) FROM {view}")) for view in VIEWS}
    assert counted == {"events": [(3,)], "events_proven": [(1,)], "events_backend": [(1,)]}


VIEWS = ("events", "events_proven", "events_backend")


def test_merged_with_newer_parts_they_keep_it(data: Path) -> None:
    newer = [record("m-9", time=START + 60_000_000, authority=Authority.PROVEN)]
    table = pq.ParquetFile(write_log(data / "newer", received(newer))[0].path).read()
    (old,) = live_parts(data / "log")
    write_part(
        Place(data / "log", old.date, old.name._replace(low=1, high=1), int(table["stream_id"][0].as_py())), [table]
    )
    assert Compaction(data, 0, lambda: LATER).run()
    assert len(live_parts(data / "log")) == 1
    assert told(data) == [*AUTHORITIES, ("m-9", "proven")]


def test_entries_that_still_wait_in_the_stream_keep_it(data: Path) -> None:
    sent = [msgspec.to_builtins(record(f"m-{n}")) for n in range(2)]
    for each in sent:
        each.pop("authority", None)
    sent[1]["backend"] = True
    table = rows(0, [Entry(START << 10, 2, msgspec.json.encode(sent))], START)
    assert table["authority"].to_pylist() == [Authority.PAGE, Authority.BACKEND]
