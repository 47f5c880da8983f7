"""One question to the readouts: what is asked by which name, from when, remembered, or refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from worlds.event_log import Received, log_rows, received
from worlds.readout_studies import DAY, GOAL, RICH, START, Shop, crowd, readouts

from events.engines.duckdb import EngineLimits, QueryTimeout
from events.parts.arrow import arrow
from events.parts.manifest import PartName
from events.parts.part import SCHEMA, DataDamaged, live_parts
from events.parts.sealing import Place, write_part
from events.writer.decoding import received_date
from experiments.readout.study import (
    InvalidDate,
    NotFound,
    ReadoutQuery,
    UnknownDimension,
    UnknownExperiment,
    UnknownMetric,
    UnknownPhase,
    parsed_at,
)


def test_a_past_look_can_be_repeated(tmp_path: Path) -> None:
    shop = crowd(100)
    now = readouts(tmp_path, shop.records, 30, GOAL)
    past = now.read("banner", ReadoutQuery(at=datetime.fromtimestamp((START + 2 * DAY) / 1e6, UTC)))
    known = [r for r in shop.records if r.type == "exposure" and r.time + 1_000 <= START + 2 * DAY]
    assert sum(arm.units for arm in past.metrics[0].arms) == len(known)
    with pytest.raises(InvalidDate, match="future"):
        now.read("banner", ReadoutQuery(at=now.now() + timedelta(days=1)))


def test_unknown_names_are_answered_with_suggestions(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(20).records, 30, RICH)
    with pytest.raises(UnknownExperiment, match="did you mean banner"):
        found.read("baner")
    with pytest.raises(UnknownMetric, match="did you mean purchase_rate"):
        found.read("banner", ReadoutQuery(metric="purchase_rat"))
    with pytest.raises(UnknownPhase, match="there is 0"):
        found.read("banner", ReadoutQuery(phase=3))
    with pytest.raises(UnknownDimension, match="device"):
        found.read("banner", ReadoutQuery(dimension="devise"))
    with pytest.raises(InvalidDate, match="2026-01-20T09:00:00Z"):
        parsed_at("yesterday")


def test_a_metric_that_the_experiment_does_not_name_is_post_hoc(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(50).records, 30, GOAL)
    rows = found.read("banner", ReadoutQuery(metric="pages_per_visitor")).metrics
    assert [(row.metric, row.post_hoc, row.role) for row in rows] == [("pages_per_visitor", True, "secondary")]
    assert not found.read("banner").metrics[0].post_hoc


def test_all_running_experiments_stand_in_one_list(tmp_path: Path) -> None:
    rows = readouts(tmp_path, crowd(60).records, 30, RICH).results(pending=3)
    assert {row["metric"] for row in rows} >= {"purchase_rate", "refund_rate"}
    assert all(row["experiment"] == "banner" and row["pending"] == 3 for row in rows)


def test_a_repeated_question_is_answered_from_memory_until_something_arrives(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(50).records, 30, GOAL)
    first = found.read("banner")
    assert found.read("banner", ReadoutQuery(pending=5)).metrics is first.metrics
    more = Shop()
    more.expose("late", "b", START + 6 * DAY, message_id="late")
    event = received(more.records)[0]
    write_part_after(tmp_path, event.record, event.received_at)
    assert found.read("banner").metrics is not first.metrics
    assert found.etag(found.read("banner")) != found.etag(first)


def write_part_after(data: Path, record: Any, received_at: int) -> None:
    sequence = max(part.high for part in live_parts(data / "log")) + 1
    row = log_rows([Received(record, received_at)])[0] | {"stream_id": 1 << 62}
    place = Place(data / "log", received_date(received_at), PartName(0, sequence, sequence, 0), 1 << 62)
    write_part(place, [arrow.Table.from_pylist([row], schema=SCHEMA)])


def test_a_damaged_part_is_named_and_never_a_wrong_number(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(50).records, 30, GOAL)
    part = next((tmp_path / "log").glob("*/*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(DataDamaged, match=part.name):
        found.read("banner")


def test_an_analysis_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    found = readouts(tmp_path, crowd(300).records, 30, RICH)
    found.log.limits = EngineLimits(timeout_seconds=0.02)
    with pytest.raises(QueryTimeout, match=r"0\.02 s"):
        found.read("banner")


@pytest.mark.parametrize(
    ("key", "query"),
    [
        ("baner", ReadoutQuery()),
        ("banner", ReadoutQuery(phase=7)),
        ("banner", ReadoutQuery(metric="purchase_rte")),
    ],
    ids=["experiment", "phase", "metric"],
)
def test_what_there_is_not_is_said_of_a_log_that_is_damaged_too(tmp_path: Path, key: str, query: ReadoutQuery) -> None:
    """But for dimensions, which the log itself names."""
    found = readouts(tmp_path, crowd(50).records, 30, GOAL)
    next((tmp_path / "log").glob("*/*.parquet")).unlink()
    with pytest.raises(NotFound):
        found.read(key, query)
    with pytest.raises(DataDamaged):
        found.read("banner")
