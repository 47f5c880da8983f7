"""The list of experiments: a sentence of each, of what was read last or is read now."""

import csv
import io
from pathlib import Path
from typing import Any

from worlds.catalog_folders import BANNER, Shop

from app.analysis.overview import COLUMNS, Overview
from events.engines.duckdb import EventLog
from events.engines.tables import csv_bytes, table_of
from experiments.readout.read import Readouts
from experiments.readout.study import ReadoutQuery

LATER = BANNER.replace("key: banner", "key: later") + "start: 2027-01-12\n"
UNREAD = "Not read yet: its result is computed when somebody asks for it."


def overview(tmp_path: Path) -> tuple[Overview, Shop]:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER, later=LATER, idea=BANNER.replace("key: banner", "key: idea").replace("running", "draft"))
    shop.wait(hours=1)
    archive = shop.archive()
    return Overview(Readouts(EventLog(shop.data), archive, lambda: shop.now), archive), shop


def entries(found: Overview, shop: Shop) -> dict[str, dict[str, Any]]:
    return {each["key"]: each for each in found.listed(shop.now)["experiments"]}


def test_what_nobody_has_read_says_so_and_what_has_not_begun_says_when(tmp_path: Path) -> None:
    found, shop = overview(tmp_path)
    listed = entries(found, shop)
    assert listed["banner"]["sentence"].endswith(UNREAD)
    assert listed["banner"]["as_of"] is None
    assert "Not started: it starts on 12 January 2027" in listed["later"]["sentence"]
    assert "Not started: it is a draft" in listed["idea"]["sentence"]


def test_what_was_paused_before_it_began_says_so_however_often_it_is_read(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER.replace("status: running", "status: paused"))
    archive = shop.archive()
    found = Overview(Readouts(EventLog(shop.data), archive, lambda: shop.now), archive)
    for _ in range(2):
        assert entries(found, shop)["banner"]["sentence"].endswith(
            "Paused before it began: nobody has been assigned yet."
        )
        found.read(ReadoutQuery())


def test_what_was_read_is_said_with_its_moment_until_its_definition_is_another(tmp_path: Path) -> None:
    found, shop = overview(tmp_path)
    found.read(ReadoutQuery())
    known = entries(found, shop)["banner"]
    assert known["sentence"].endswith("Keep running: nobody has been exposed yet.")
    assert (known["action"], known["alarm"], known["day"], known["units"]) == ("keep_running", False, 0, 0)
    assert known["as_of"] <= shop.now
    assert [check["code"] for check in known["checks"]] == ["no_exposures"]
    shop.write(BANNER + "phase: 1\n")
    shop.settle()
    assert entries(found, shop)["banner"]["sentence"].endswith(UNREAD)


def test_the_list_is_a_table_too(tmp_path: Path) -> None:
    found, shop = overview(tmp_path)
    text = csv_bytes(table_of(found.rows(shop.now), COLUMNS)).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["experiment"] for row in rows] == ["banner", "idea", "later"]
    assert rows[1]["state"] == "draft"
    assert all(row["sentence"] for row in rows)
    assert {"name", "owner", "state", "start", "end", "outcome", "sentence"} <= rows[0].keys()
