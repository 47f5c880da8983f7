"""Every figure of customers' experience as it is by hand, over generated shops: values, intervals, days."""

import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from oracles import experience_oracle as by_hand
from oracles.proving import examples, happened, speaks
from worlds.event_log import Received, write_log
from worlds.experience_worlds import SHOP_FILES, DrawnExperience, experiences
from worlds.readout_studies import DAY, HOUR, START, readouts

from experiments.cx.asked import ExperienceQuery
from experiments.cx.report import customer_experience, experience_rows

EXACT = 1e-9
SHIFTS = [(0, 0, 1440), (1, 540, 1050), (6, 60, 240), (6, 540, 720)]


def asked(data: Path, world: DrawnExperience, query: ExperienceQuery) -> dict[str, Any]:
    """The answer of a shop as of its last day. All was received lately: one part is written sooner than one a day."""
    reader = readouts(data, [], world.days, SHOP_FILES)
    lately = START + world.days * DAY - HOUR
    told = sorted(world.records, key=lambda each: each.time)
    write_log(data, [Received(record, lately + place) for place, record in enumerate(told)], cut=10_000)
    return customer_experience(reader, reader.archive.latest(), query)


def shop_of(world: DrawnExperience) -> by_hand.LookedAt:
    """The same shop for whoever computes by hand."""
    return by_hand.LookedAt(world.records, ZoneInfo("Europe/Bratislava"), START + world.days * DAY, SHIFTS)


def dates(first: str, last: str) -> list[str]:
    """All days from one to another."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=day)).isoformat() for day in range((end - begin).days + 1)]


def same(told: Sequence[float] | None, expected: Sequence[float] | None) -> bool:
    """Whether two intervals are one, or neither is there."""
    if told is None or expected is None:
        return told is None and expected is None
    return list(told) == [close(end) for end in expected]


def close(value: float | None) -> Any:
    """What a number equals, but for its last digits."""
    return value if value is None else pytest.approx(value, rel=EXACT, abs=EXACT)


def agree(told: dict[str, Any], expected: by_hand.Figure) -> None:
    """A KPI is what was computed by hand."""
    assert told["value"] == close(expected.value)
    assert same(told["ci"], expected.ci), (told["kpi"], told["ci"], expected.ci)
    counts = [told[name] for name in ("answers", "immature", "unusable", "asked")]
    assert counts == [expected.answers, expected.immature, expected.unusable, expected.asked], told["kpi"]
    rate = expected.responded / expected.asked if expected.asked else None
    assert told["response_rate"] == close(rate)
    happened(f"interval_{told['unit']}", told["ci"] is not None)


@speaks(interval_rate=0.3, interval_points=0.1, interval_score=0.1, interval_hours=0.05, interval_per_100_orders=0.1)
@settings(max_examples=examples(20))
@given(world=experiences(most=150))
def test_every_figure_and_its_interval_is_what_one_computes_by_hand(world: DrawnExperience) -> None:
    with tempfile.TemporaryDirectory() as data:
        found = asked(Path(data), world, ExperienceQuery(since="2026-01-20", until="2026-02-25", compare="previous"))
    shop, days = shop_of(world), dates(found["from"], found["to"])
    before = dates(found["previous_from"], found["previous_to"])
    assert [tile["kpi"] for tile in found["kpis"]] == list(by_hand.KPIS)
    for tile in found["kpis"]:
        expected = by_hand.KPIS[tile["kpi"]](shop, days, lambda _: True)
        agree(tile, expected)
        earlier = by_hand.KPIS[tile["kpi"]](shop, before, lambda _: True)
        assert tile["previous"] == close(earlier.value)
        assert same(tile["difference_ci"], by_hand.recovered(expected, earlier))


@settings(max_examples=examples(4))
@given(world=experiences(most=30))
def test_every_day_of_a_series_looks_back_as_many_days_as_the_window_has(world: DrawnExperience) -> None:
    query = ExperienceQuery(since="2026-02-01", until="2026-02-10", window=9)
    with tempfile.TemporaryDirectory() as data:
        found = asked(Path(data), world, query)
    shop = shop_of(world)
    for tile in found["kpis"]:
        assert [point["date"] for point in tile["series"]] == dates("2026-02-01", "2026-02-10")
        for point in tile["series"][::3]:
            first = date.fromisoformat(point["date"]) - timedelta(days=8)
            expected = by_hand.KPIS[tile["kpi"]](shop, dates(first.isoformat(), point["date"]), lambda _: True)
            assert point["value"] == close(expected.value)
            assert same(point["ci"], expected.ci)
            assert point["answers"] == expected.answers


@speaks(served=0.15)
@settings(max_examples=examples(4))
@given(world=experiences())
def test_hours_of_service_are_those_between_opening_and_end(world: DrawnExperience) -> None:
    query = ExperienceQuery(since="2026-01-10", until="2026-03-05")
    with tempfile.TemporaryDirectory() as data:
        found = asked(Path(data), world, query)
    shop, days = shop_of(world), dates("2026-01-10", "2026-03-05")
    clock = by_hand.service_clock(shop)
    for tile in found["kpis"]:
        if tile["unit"] != "hours":
            assert tile["in_service"] is None
            continue
        end, q = ("answered" if "first" in tile["kpi"] else "resolved"), 0.9 if "p90" in tile["kpi"] else 0.5
        expected = by_hand.waited(shop, end, q, days, clock=clock)
        happened("served", expected.value is not None)
        assert tile["in_service"]["value"] == close(expected.value)


@settings(max_examples=examples(4))
@given(world=experiences(most=100))
def test_levels_with_few_answers_are_one(world: DrawnExperience) -> None:
    with tempfile.TemporaryDirectory() as data:
        found = asked(Path(data), world, ExperienceQuery(since="2026-01-06", until="2026-03-05", by="channel"))
    shop, days = shop_of(world), dates("2026-01-06", "2026-03-05")
    for kpi in ("csat", "nps", "ces", "first_response", "resolution_rate", "reopen_rate", "tickets_per_100_orders"):
        tiles = {tile["level"]: tile for tile in found["kpis"] if tile["kpi"] == kpi}

        def channel(record: Any, among: Sequence[str]) -> bool:
            return (record.properties or {}).get("channel", "") in among

        alone = {
            name: by_hand.KPIS[kpi](shop, days, lambda each, name=name: channel(each, (name,)))
            for name in ("email", "chat", "phone")
        }
        large = [name for name, figure in alone.items() if figure.answers >= 20]
        assert set(tiles) - {None, "few"} == set(large)
        for name in large:
            assert tiles[name]["value"] == close(alone[name].value)
            assert (tiles[name]["answers"], same(tiles[name]["ci"], alone[name].ci)) == (alone[name].answers, True)
        small = [name for name in alone if name not in large]
        if "few" in tiles:
            pooled = by_hand.KPIS[kpi](shop, days, lambda each, small=small: channel(each, small))
            assert (tiles["few"]["answers"], same(tiles["few"]["ci"], pooled.ci)) == (pooled.answers, True)


def test_rows_of_the_table_are_the_tiles_and_their_days(tmp_path: Path) -> None:
    found = asked(tmp_path, DrawnExperience(0, 70, 0, repeated=False), ExperienceQuery(until="2026-03-01"))
    rows = list(experience_rows(found))
    assert len(rows) == 13 * 91
    assert [row["date"] for row in rows[:2]] == [None, "2025-12-02"]
