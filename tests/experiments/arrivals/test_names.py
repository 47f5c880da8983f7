"""Whoever sends events invents names: what is asked of them has an end, and nothing is left out of a sum."""

import duckdb
import pytest

from events.records import SURVEYS, TICKETS
from experiments.arrivals.names import LIBRARY, arrivals_sql, hint_of

INVENTED = """
CREATE TABLE {table} AS
SELECT range AS received_at, 'track' AS type, 'Invented ' || range AS event, NULL AS value,
  '{{"library": {{"name": "' || CASE WHEN range = 7 THEN ' Analytics-Python ' ELSE 'invented-' || range END || '"}}}}'
    AS context
FROM range(30000)
"""


def test_libraries_that_are_not_known_are_one() -> None:
    with duckdb.connect() as log:
        log.execute(INVENTED.format(table="received"))
        asked = arrivals_sql("received").bind(per=LIBRARY, since=0, until=99_999, refused="refused")
        rows = log.execute(asked.render()).fetchall()
    assert sorted(rows) == [("analytics-python", 1), ("other", 29_999)]


def test_of_more_names_than_are_looked_at_the_sum_is_known() -> None:
    with duckdb.connect() as log:
        log.execute(INVENTED.format(table="events"))
        rows = log.execute(arrivals_sql("event_names").bind(since=0, day=29_990, refused="refused").render()).fetchall()
    assert len(rows) == 20_000
    assert {row[-2:] for row in rows} == {(30_000, 10)}


@pytest.mark.parametrize("name", sorted(SURVEYS | TICKETS))
def test_nothing_is_wrong_with_what_customers_experience_reads(name: str) -> None:
    assert hint_of("track", name, {"Ticket Opened": ["tickets_per_order"]}, 0.0) is None


def test_a_slip_in_the_name_of_such_an_event_is_told() -> None:
    hint = hint_of("track", "Ticket Anwsered", {"Order Completed": ["purchase_rate"]}, 0.0)
    assert hint is not None
    assert hint["message"] == "no metric reads 'Ticket Anwsered'; did you mean Ticket Answered?"
