"""Answers to those who refuse: counted by experiment and shop day, told once, and kept while the store is away."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from events.ingest.refusals import Refusals
from events.records import Record
from events.store.availability import StoreUnavailable

BRATISLAVA = ZoneInfo("Europe/Bratislava")
NOON = datetime(2026, 11, 29, 12, tzinfo=BRATISLAVA)


class Log:
    """Takes records, or refuses them all."""

    def __init__(self) -> None:
        self.is_away = False
        self.records: list[Record] = []

    async def append(self, records: Sequence[Record]) -> None:
        if self.is_away:
            raise StoreUnavailable("store_unavailable")
        self.records += records


@pytest.mark.anyio
async def test_what_was_counted_is_told_once_with_the_beginning_of_its_day_and_waits_while_the_log_is_away() -> None:
    log, now = Log(), [NOON.timestamp()]
    refusals = Refusals(log, lambda: BRATISLAVA, map(str, count()), lambda: now[0])  # pyright: ignore
    await refusals.tell()
    assert log.records == []
    for experiment in ("a", "a", "b"):
        refusals.add(experiment, 0)
    now[0] += 13 * 3600
    refusals.add("a", 0)
    log.is_away = True
    await refusals.tell()
    refusals.add("b", 1)
    log.is_away = False
    await refusals.tell()
    await refusals.tell()
    first, second = (round(datetime(2026, 11, day, tzinfo=BRATISLAVA).timestamp() * 1e6) for day in (29, 30))
    told = [(record.experiment, record.phase, record.time, record.value) for record in log.records]
    assert told == [("a", 0, first, 2.0), ("b", 0, first, 1.0), ("a", 0, second, 1.0), ("b", 1, second, 1.0)]
    assert len({record.message_id for record in log.records}) == 4
    assert {(record.visitor_id, record.variant, record.network) for record in log.records} == {("", None, None)}
