"""The engine over the log: locked, verified once, and with its values bound in the tree."""

import csv
import io
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from worlds.event_log import received, write_log

from events.engines.duckdb import EngineLimits, EventLog, QueryTimeout
from events.engines.sql import (
    Expression,
    Statement,
    StatementError,
    all_of,
    any_of,
    inline_table,
    union_all,
    with_tables,
)
from events.engines.tables import Table, csv_bytes
from events.records import Record

COUNT = Statement.of("SELECT count(*) AS n FROM events AS e")


def asked(text: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(text).fetchall()


def records(count: int) -> list[Record]:
    return [
        Record(message_id=f"m{n}", type="track", event="Seen", visitor_id=f"v{n}", time=n * 1_000_000,
               properties={"size": n, "kind": "a", "deep": {"er": n % 2 == 0}})
        for n in range(1, count + 1)
    ]  # fmt: skip


def test_the_engine_reads_the_log_and_nothing_else(tmp_path: Path) -> None:
    write_log(tmp_path / "data", received(records(3)))
    (tmp_path / "secret.csv").write_text("a\n1\n")
    log = EventLog(tmp_path / "data")
    with log.open(log.snapshot()) as engine:
        assert engine.rows(COUNT) == [(3,)]
        for text in (f"SELECT * FROM read_csv('{tmp_path}/secret.csv')", "SELECT * FROM '/etc/passwd'"):
            with pytest.raises(Exception, match=r"disabled|does not exist"):
                engine.rows(Statement.of(text))


@pytest.mark.parametrize("text", ["DROP TABLE events", "SELECT 1; SELECT 2", "COPY events TO 'x'", "SET threads = 8"])
def test_only_a_single_select_is_run(text: str) -> None:
    with pytest.raises(StatementError):
        Statement.of(text)


def test_rows_of_quarantine_repeated_rows_and_later_rows_are_not_seen(tmp_path: Path) -> None:
    kept = records(5)
    quarantined = Record(message_id="q", type="page", visitor_id="v", time=9_000_000, quarantined=True)
    write_log(tmp_path, received([*kept, kept[0], quarantined]))
    log = EventLog(tmp_path)
    with log.open(log.snapshot()) as engine:
        assert engine.rows(COUNT) == [(5,)]
        assert engine.rows(COUNT.tables(events="received")) == [(6,)]
    with log.open(log.snapshot(), received_until_us=3_000_000) as engine:
        assert engine.rows(COUNT) == [(3,)]


def test_properties_are_typed_columns_and_reach_into_objects(tmp_path: Path) -> None:
    write_log(tmp_path, received(records(2)))
    log = EventLog(tmp_path)
    names = ("size", "kind", "deep.er", 'it\'s "odd"')
    with log.open(log.snapshot(), None, names) as engine:
        columns = "e.number_0, e.text_1, e.number_1, e.text_2, e.text_3"
        rows = engine.rows(Statement.of(f"SELECT {columns} FROM events AS e ORDER BY e.time"))
    assert rows == [(1.0, "a", None, "false", None), (2.0, "a", None, "true", None)]


def test_an_empty_log_has_a_typed_view(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    snapshot = log.snapshot()
    with log.open(snapshot, None, ("a",)) as engine:
        assert engine.rows(COUNT) == [(0,)]
    assert snapshot.watermark_us is None


def test_an_engine_that_is_interrupted_says_so_and_stays_stopped(tmp_path: Path) -> None:
    write_log(tmp_path, received(records(2)))
    log = EventLog(tmp_path, EngineLimits(timeout_seconds=30))
    with log.open(log.snapshot()) as engine:
        log.interrupt()
        with pytest.raises(QueryTimeout, match="30 s"):
            engine.rows(COUNT)
    log.interrupt()  # nothing runs: nothing happens


@given(value=st.one_of(st.text(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_value_comes_back_as_it_was_bound(value: str | int | float) -> None:
    if isinstance(value, str) and ("\x00" in value or not value.isprintable()):
        return
    text = Statement.of("SELECT $value AS v").bind(value=value).render()
    assert asked(text) == [(value,)]


def test_a_value_that_is_not_bound_is_named() -> None:
    with pytest.raises(StatementError, match="first, second"):
        Statement.of("SELECT $first AS a, $second AS b").render()


def test_bound_conditions_keep_their_brackets() -> None:
    either = any_of([Expression.of("a = 1"), Expression.of("b")])
    text = Statement.of("SELECT 1 AS x FROM t WHERE c AND $either").bind(either=either).render()
    assert text.endswith("WHERE c AND ((a = 1) OR b)")
    assert all_of([]).render("duckdb") == "TRUE"
    assert any_of([]).render("duckdb") == "FALSE"


def test_statements_become_one_with_the_tables_that_they_read() -> None:
    tables = {
        "base": inline_table({"n": [1, 2, 3]}),
        "unread": inline_table({"n": [0]}),
        "double": Statement.of("SELECT b.n * 2 AS n FROM base AS b"),
    }
    both = union_all([Statement.of("SELECT sum(d.n) AS n FROM double AS d"), Statement.of("SELECT 7 AS n")])
    text = with_tables(both, tables).render(pretty=True)
    assert "unread" not in text
    assert sorted(asked(text)) == [(7,), (12,)]


def test_csv_has_a_header_and_empty_fields_for_what_is_missing() -> None:
    assert csv_bytes(Table({"a": [1.5, None], "b": ["x,y", "é"]})).decode() == 'a,b\r\n1.5,"x,y"\r\n,é\r\n'


@pytest.mark.parametrize("written", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_a_text_that_begins_like_a_formula_is_a_text_in_csv(written: str) -> None:
    [_, [number, text]] = csv.reader(io.StringIO(csv_bytes(Table({"a": [-1.5], "b": [written]})).decode(), newline=""))
    assert (number, text) == ("-1.5", f"'{written}")


def test_what_is_missing_is_nan_or_none_and_no_number_or_text_that_stands_for_it(tmp_path: Path) -> None:
    write_log(tmp_path, received([replace(records(1)[0], network=7, user_id="u"), *records(2)[1:]]))
    log = EventLog(tmp_path)
    with log.open(log.snapshot()) as engine:
        found = engine.columns(Statement.of("SELECT e.network, e.user_id, e.value FROM events AS e ORDER BY e.time"))
    assert found["network"].tolist()[0] == 7
    assert [name for name in ("network", "value") if found[name][1] == found[name][1]] == []
    assert found["user_id"].tolist() == ["u", None]
