"""The hidden rows are exactly the repeats and the erased, however the parts are cut, merged and dated."""

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from oracles.writing import record
from worlds.event_log import Received, write_log

from events.deletes import duplicates
from events.deletes.erased_rows import tombstone
from events.deletes.hidden import HiddenRows
from events.deletes.tombstones import add_tombstones, read_tombstones
from events.parts.digests import PartDigests
from events.parts.part import Contents, live_parts
from events.records import stream_number
from events.writer.compaction import Compaction

START = 1_790_000_000_000_000
SEVEN_HOURS = 25_200_000_000
who = st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 9), st.integers(0, 2))
sent = st.lists(who, max_size=30)
fresh = count()


def log_of(data: Path, copies: list[tuple[int, int, int, int]], cut: int = 3) -> None:
    """Messages of visitors, each received some hours after the start, in two shards."""
    for shard in (0, 1):
        own = [copy for copy in copies if copy[1] % 2 == shard]
        events = [
            Received(
                record(f"m-{m}", f"v-{v}", type="exposure" if v == 3 else "track", authority=believed),
                START + day * SEVEN_HOURS,
            )
            for m, v, day, believed in own
        ]
        write_log(data, events, cut=cut, shard=shard)


def all_rows(data: Path) -> list[dict[str, Any]]:
    return [row for part in live_parts(data / "log") for row in pq.ParquetFile(part.path).read().to_pylist()]


def place(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["shard"], row["stream_id"], row["position"]


def expected(data: Path) -> tuple[set[tuple[int, int, int]], set[tuple[int, ...]]]:
    """By definition: of the copies of a message that are not erased, of each authority all but the one received first;
    and those that were told with more authority, since when."""
    first: dict[tuple[str, int], tuple[int, int, int]] = {}
    hidden, outranked = set[tuple[int, int, int]](), set[tuple[int, ...]]()
    until = {stone.digest: stone.positions for stone in read_tombstones(data)}
    visible: list[dict[str, Any]] = []
    for row in sorted(all_rows(data), key=lambda row: (row["stream_id"], row["shard"], row["position"])):
        positions = until.get(tombstone("visitor", row["visitor_id"], {}, 0).digest, {})
        if row["stream_id"] <= positions.get(row["shard"], -1):
            hidden.add(place(row))
            continue
        visible.append(row)
        if first.setdefault((row["message_id"], row["authority"]), place(row)) != place(row):
            hidden.add(place(row))
    for row in visible:
        better = [
            other["received_at"]
            for other in visible
            if other["message_id"] == row["message_id"] and other["authority"] > row["authority"]
        ]
        if better and row["type"] != "exposure":
            outranked.add((*place(row), min(better)))
    return hidden, outranked


def found(rows: HiddenRows, data: Path) -> tuple[set[tuple[int, int, int]], set[tuple[int, ...]]]:
    hidden, outranked = rows.positions(live_parts(data / "log"))
    since = {(*place(row), row["since"]) for row in outranked.to_pylist()}
    return {place(row) for row in hidden.to_pylist()}, since


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(copies=sent, cut=st.integers(1, 9), erased=st.sets(st.integers(0, 3), max_size=2), until=st.integers(0, 9))
def test_hidden_rows_are_the_repeats_and_the_erased(
    tmp_path: Path, copies: list[tuple[int, int, int, int]], cut: int, erased: set[int], until: int
) -> None:
    data = tmp_path / str(next(fresh))
    log_of(data, copies, cut)
    data.mkdir(exist_ok=True)
    rows = HiddenRows(data, Contents())
    assert found(rows, data) == expected(data)
    number = stream_number((START + until * SEVEN_HOURS) // 1000, 500_000)
    add_tombstones(data, [tombstone("visitor", f"v-{visitor}", {0: number, 1: number}, 1) for visitor in erased])
    assert found(rows, data) == expected(data)
    Compaction(data, 0, lambda: START / 1e6 + 10 * 86_400).run()
    assert found(rows, data) == expected(data) == found(HiddenRows(data, Contents()), data)


def test_what_did_not_change_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(tmp_path, [(n, n, n, 0) for n in range(8)])
    rows = HiddenRows(tmp_path, Contents())
    parts = live_parts(tmp_path / "log")
    first = rows.positions(parts)
    monkeypatch.setattr(Contents, "digests", lambda *_: pytest.fail("read again"))
    assert rows.positions(parts) is first


def test_two_messages_with_one_digest_are_no_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(tmp_path, [(1, 0, 0, 0), (2, 0, 0, 0), (2, 0, 1, 0)])
    same = PartDigests(np.array([7, 7, 7], np.uint64), np.array([], np.uint64))
    monkeypatch.setattr(Contents, "digests", lambda *_: same)
    monkeypatch.setattr(duplicates, "digests", lambda names, _: np.full(len(names), 7, np.uint64))
    assert HiddenRows(tmp_path, Contents()).positions(live_parts(tmp_path / "log")).rows.num_rows == 1


def test_a_user_is_hidden_by_the_user_id_alone(tmp_path: Path) -> None:
    events = [record("m-1", "x", user_id="u"), record("m-2", "u"), record("m-3", "x")]
    write_log(tmp_path, [Received(event, START) for event in events])
    add_tombstones(tmp_path, [tombstone("user", "u", {0: 1 << 62}, 1)])
    hidden = HiddenRows(tmp_path, Contents()).positions(live_parts(tmp_path / "log"))
    assert hidden.rows.column("stream_id").to_pylist() == [stream_number(START // 1000, 0)]
