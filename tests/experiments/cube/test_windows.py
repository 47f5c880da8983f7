"""What is numbered or picked out of a group by SQL is the same in every run: no window is without an order."""

import random
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from worlds.event_log import received, write_log
from worlds.readout_studies import HOUR, START, Shop

from events.engines.duckdb import EventLog
from events.engines.sql import Statement
from experiments.cube.cube import Cube
from experiments.cube.measures import cube_plan
from experiments.cube.scope import CubeScope, Enrolment
from experiments.cube.shop_days import shop_days
from kit.time import DAY_US

REPOSITORY = Path(__file__).parents[3]
FOLDERS = ("app", "events", "experiments", "kit", "recommender")
FILES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.sql"))


def unordered(text: str) -> list[str]:
    """The windows of a statement that have no order."""
    windows = sqlglot.parse_one(text, dialect="duckdb").find_all(exp.Window)
    return [window.sql("duckdb") for window in windows if not window.args.get("order")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_window_of_the_product_has_an_order(file: Path) -> None:
    assert unordered(file.read_text()) == []


def test_a_window_without_an_order_is_found_wherever_it_stands() -> None:
    assert unordered("SELECT row_number() OVER () FROM (SELECT max(a) OVER (PARTITION BY b) FROM t) AS s") == [
        "ROW_NUMBER() OVER ()",
        "MAX(a) OVER (PARTITION BY b)",
    ]
    assert unordered("SELECT lag(a) OVER (PARTITION BY b ORDER BY c) FROM t") == []


def test_units_are_numbered_by_their_names_in_whatever_order_they_came(tmp_path: Path) -> None:
    chance, shop, days = random.Random(3), Shop(), shop_days("UTC", START - DAY_US, START + 9 * DAY_US)
    for number in range(900):
        shop.expose(f"v{chance.randrange(500)}", "b" if number % 2 else "control", START + chance.randrange(50 * HOUR))
    write_log(tmp_path, received(shop.records), cut=100)
    log, plan = EventLog(tmp_path), cube_plan((), 0)
    with log.open(log.snapshot(), None, plan.properties.names) as engine:
        enrolments = (Enrolment("banner", 0, ("control", "b")),)
        Cube(engine, CubeScope(enrolments, "visitor", "first_touch", "EUR", days), plan).expose()
        numbered = engine.rows(Statement.of("SELECT u.unit, u.unit_name FROM units AS u"))
    names = {record.visitor_id for record in shop.records}
    assert sorted(numbered) == list(enumerate(sorted(names), start=1))
