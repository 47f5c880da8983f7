"""Who reads longer than replaced parts stay hears that they went, never that the log is damaged; and can read again."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from oracles.writing import record
from worlds.event_log import received, write_log

from app.analysis.client import AnalysisError
from app.analysis.server import answer_query
from app.analysis.state import Analysis
from events.authority import Authority
from events.engines.duckdb import EventLog
from events.engines.sql import Statement
from events.log.reader import Snapshot
from events.log.verify import verify_log
from events.parts.part import PartReplaced
from events.writer.compaction import Compaction
from recommender.training.sources import logged_purchases

LATER = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
COUNT = Statement.of("SELECT count(*) FROM events")


def log_of(data: Path) -> None:
    write_log(data, received([record(f"m-{n}", time=1_790_000_000_000_000 + n) for n in range(6)]), cut=1)


def merge(data: Path) -> None:
    """All parts into one, and those it replaced away."""
    for _ in range(2):
        Compaction(data, 0, lambda: LATER).run()


def test_a_log_that_is_merged_while_it_is_verified_is_sound_and_read_whole(tmp_path: Path) -> None:
    log_of(tmp_path)
    report = verify_log(tmp_path, lambda done, of: merge(tmp_path))
    assert (report.damages, report.parts, report.rows) == ((), 1, 6)


def test_a_readout_of_parts_that_were_merged_is_refused_for_a_moment_and_is_no_damage(tmp_path: Path) -> None:
    log_of(tmp_path)
    log, noted = EventLog(tmp_path), list[tuple[str, str | None]]()
    snapshot = log.snapshot()
    merge(tmp_path)
    analysis = cast(Analysis, SimpleNamespace(note=lambda code, detail: noted.append((code, detail))))

    async def readout(query: object) -> Any:
        with Analysis.telling_health(analysis), log.open(snapshot) as engine:
            return engine.rows(COUNT)

    with pytest.raises(AnalysisError) as refused:
        asyncio.run(answer_query(readout, cast(Any, None)))
    assert (refused.value.status, refused.value.code, noted) == (503, "analysis_timeout", [])
    with log.open(log.snapshot()) as engine:
        assert engine.rows(COUNT) == [(6,)]


def test_a_training_whose_parts_are_merged_reads_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(tmp_path)
    snapshots, snapshot = list[Snapshot](), EventLog.snapshot

    def seen_too_early(log: EventLog) -> Snapshot:
        snapshots.append(snapshot(log))
        merge(tmp_path)
        return snapshots[-1]

    monkeypatch.setattr(EventLog, "snapshot", seen_too_early)
    assert logged_purchases(tmp_path, Authority.PAGE).every.orders == 0
    assert [len(each.parts) for each in snapshots] == [6, 1]


def test_a_part_whose_rows_alone_are_gone_is_damaged(tmp_path: Path) -> None:
    log_of(tmp_path)
    log = EventLog(tmp_path)
    snapshot = log.snapshot()
    snapshot.parts[0].path.unlink()
    with pytest.raises(Exception, match="is damaged") as raised, log.open(snapshot):
        pass
    assert not isinstance(raised.value, PartReplaced)
