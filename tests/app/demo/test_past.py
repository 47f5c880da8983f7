"""The days before the demo's first start: told by a backend at the time of each thing, and honest about the banner."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records

from app.demo import past
from app.demo.crowd import Crowd
from app.demo.past import EARLIER_DAYS, live_earlier_days, visit
from app.demo.run import BANNER, PRODUCTS, SHOP
from app.demo.shop import read_products
from events.authority import Authority

CATALOGUE = read_products(SHOP / "products.csv")
DEFINITIONS = {file.name: file.read_text() for file in (SHOP / "definitions").iterdir()}
NOBODY = httpx.AsyncClient()
SHOWN = {"variant": "threshold", "payload": {"banner": "Free shipping"}, "in_experiment": True}


def drawn(seed: int) -> Crowd:
    return Crowd(NOBODY, NOBODY, CATALOGUE, seed)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)), st.integers(0, 10_000))
def test_every_visit_lies_on_a_day_that_is_over_and_in_its_order(now: datetime, number: int) -> None:
    crowd = drawn(1)
    visitor = crowd.earlier_visitor(number)
    arrived = past.moment_of_visit(visitor, number, now)
    told = visit(crowd, visitor, {"experiments": {BANNER: SHOWN}}, arrived)
    times = [datetime.fromisoformat(event["timestamp"]) for event in told]
    assert times == sorted(times)
    assert now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=EARLIER_DAYS) <= times[0]
    assert times[-1] < now + timedelta(minutes=10)
    assert (now.date() - times[0].date()).days in range(1, EARLIER_DAYS + 1)
    assert told[0]["event"] == "Experiment Viewed"
    assert len({event["messageId"] for event in told}) == len(told)
    assert told == visit(drawn(1), visitor, {"experiments": {BANNER: SHOWN}}, arrived)


def test_who_was_not_assigned_saw_nothing_and_does_what_others_do() -> None:
    crowd, now = drawn(1), datetime(2026, 11, 29, 12, tzinfo=UTC)
    visitor = crowd.earlier_visitor(3)
    told = visit(crowd, visitor, {"experiments": {BANNER: SHOWN | {"in_experiment": False}}}, now)
    assert "Experiment Viewed" not in {event.get("event") for event in told}
    assert told[0]["type"] == "page"


@pytest.mark.anyio
async def test_the_service_takes_every_event_once_however_often_it_is_told_and_believes_each_exposure(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "VISITORS_A_DAY", 20)
    with OneWorker(tmp_path, DEFINITIONS) as worker:
        page, backend = (
            httpx.AsyncClient(base_url=worker.url, headers={"authorization": f"Bearer {key}"}, timeout=60)
            for key in (PUBLISHABLE, SECRET)
        )
        async with page, backend:
            crowd, now = Crowd(page, backend, CATALOGUE, 1), datetime.now(UTC)
            await live_earlier_days(crowd, now)
            stored = records(worker)
            await live_earlier_days(crowd, now)
            assert len(records(worker)) == len(stored)
    exposures = [each for each in stored if each.get("event") == "Experiment Viewed"]
    assert {each["experiment"] for each in exposures} == {BANNER, "checkout-reassurance"}
    assert PRODUCTS not in {each["experiment"] for each in exposures}
    assert not any(each.get("forged") for each in exposures)
    assert {each["authority"] for each in stored} == {Authority.BACKEND}
    assert {each["device"] for each in exposures} == {"desktop", "mobile", "tablet"}


def test_the_past_has_surveys_and_tickets_each_once_and_none_ahead() -> None:
    crowd, now = drawn(7), datetime(2026, 11, 20, 14, tzinfo=UTC)
    visitors = [crowd.earlier_visitor(number) for number in range(600)]
    told = [past.service(crowd, visitor, now - timedelta(hours=9), now) for visitor in visitors]
    assert told == [past.service(crowd, visitor, now - timedelta(hours=9), now) for visitor in visitors]
    events = [event for each in told for event in each]
    assert len({event["messageId"] for event in events}) == len(events)
    assert all(datetime.fromisoformat(event["timestamp"]) <= now for event in events)
    names = Counter(event["event"] for event in events)
    assert names["Survey Shown"] > names["Survey Answered"] > 60
    assert names["Ticket Opened"] >= names["Ticket Answered"] > names["Ticket Resolved"] > 5
