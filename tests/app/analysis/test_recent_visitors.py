"""An audience that nobody met lately is told from one that somebody did, and from one of which nothing is known."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from worlds.event_log import received, write_log

from app.analysis.site_history import FEWEST, site_history
from events.engines.duckdb import EventLog
from events.records import EXPOSURE, Record
from experiments.catalog.publisher import CatalogKeeper
from experiments.catalog.reader import CatalogReader
from experiments.definitions.model import Audience, Experiment, Variant
from experiments.readout.read import Readouts

VARIANTS = (Variant(key="control", weight=0.5, payload={}), Variant(key="other", weight=0.5, payload={}))
DAY_SECONDS = 86_400


def experiment(*segments: str, **where: Any) -> Experiment:
    return Experiment(
        key="new", name="new", variants=VARIANTS, goals=("purchase_rate",), holdouts=("everyone",),
        audience=Audience(segments=segments, where=where),
    )  # fmt: skip


def matching(data: Path, asked: Experiment) -> int | None:
    return site_history(Readouts(EventLog(data), CatalogReader(data))).matching_visitors(asked)


def site(data: Path, visitors: int, days_ago: float = 1) -> Path:
    """A site whose visitors were exposed with attributes: every fourth on a phone."""
    (data / "definitions").mkdir(parents=True)
    (data / "definitions" / "segments.yaml").write_text("members: {where: {tier: gold}}\n")
    CatalogKeeper(data / "definitions", data, lambda: datetime.now(UTC)).boot()
    moment = int((time.time() - days_ago * DAY_SECONDS) * 1e6)
    write_log(data, received([exposure(number, moment + number) for number in range(visitors)]))
    return data


def exposure(number: int, moment: int) -> Record:
    device = "mobile" if number % 4 == 0 else "desktop"
    properties = {"device": device, "age": number, "tags": ["new"]}
    return Record(
        message_id=f"m-{number}", visitor_id=f"v-{number}", type=EXPOSURE, time=moment, experiment="old", phase=1,
        variant="control", properties=properties,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, 200),
        ({"device": "mobile"}, 50),
        ({"age": {"$lt": 20}, "tags": {"$elemMatch": {"$eq": "new"}}}, 20),
        ({"id": "v-7"}, 1),
        ({"device": "fridge"}, 0),
    ],
)
def test_the_audience_is_asked_of_everyone_seen_lately(tmp_path: Path, where: dict[str, Any], expected: int) -> None:
    assert matching(site(tmp_path, 200), experiment(**where)) == expected


def test_segments_are_those_that_are_served(tmp_path: Path) -> None:
    site(tmp_path, 200)
    assert matching(tmp_path, experiment("members")) == 0
    assert matching(tmp_path, experiment("not-served-yet")) is None


def test_too_few_visitors_or_too_long_ago_say_nothing(tmp_path: Path) -> None:
    assert matching(site(tmp_path / "few", FEWEST - 1), experiment(device="fridge")) is None
    assert matching(site(tmp_path / "old", 200, days_ago=8), experiment(device="fridge")) is None
