"""A readout says what it does not rest on: refused events, worthless orders, forged exposures, and none at all."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from worlds.catalog_folders import catalog_in
from worlds.readout_studies import DAY, GOAL, HOUR, START, Shop, readouts

from events.tallies.evaluations import Evaluated, Evaluations
from events.tallies.refused_events import Cause, Outcome, RefusedEvents, keep_refused
from experiments.answers.encoding import readout_json
from experiments.arrivals.exposing import Forged, likely_cause
from experiments.assignment.assign import CompiledExperiment, expected_variant
from experiments.readout.read import Readouts
from experiments.readout.study import ReadoutQuery

LIBRARY = {"library": {"name": "analytics-python"}}


def told(found: Readouts, code: str, query: ReadoutQuery = ReadoutQuery()) -> str | None:  # noqa: B008 - frozen
    checks = {check.code: check.detail for check in found.read("banner", query).health.checks}
    return checks.get(code)


def refuse(
    data: Path, counts: dict[str, int], library: str = "analytics-python", outcome: Outcome = "rejected"
) -> None:
    """So many events were refused by shop day."""
    known = RefusedEvents(START)
    for day, count in counts.items():
        known.add(outcome, Cause("invalid_id", "userId", library, "segment"), count, START, day)
    keep_refused(data, known)


def pages(shop: Shop, count: int, time: int, **fields: Any) -> None:
    for number in range(count):
        shop.add("page", f"v{number}", time + number, **fields)


def world(folder: Path, per_day: int = 200, days: int = 3, **fields: Any) -> tuple[Shop, Path]:
    shop = Shop()
    shop.expose("a-1", "control")
    for day in range(days):
        pages(shop, per_day, START + day * DAY + HOUR, **fields)
    return shop, folder


@pytest.mark.parametrize(("refused", "alarm"), [(2, False), (3, True), (50, True)])
def test_more_than_1_percent_of_a_day_refused_is_named(tmp_path: Path, refused: int, alarm: bool) -> None:
    shop, folder = world(tmp_path)
    refuse(folder, {"2026-01-06": refused}, library="other")
    found = told(readouts(folder, shop.records, 3.5, GOAL), "events_rejected")
    assert (found is not None) is alarm
    if alarm:
        assert found is not None
        assert f"2026-01-06: {refused} of {200 + refused} events" in found
        assert "invalid id in userId from the library other" in found
        assert "send each id as" in found
        assert "GET /v1/events/rejected" in found


def test_more_than_1_percent_of_one_library_is_named_where_the_day_is_well(tmp_path: Path) -> None:
    shop, folder = world(tmp_path, per_day=1_000)
    pages(shop, 30, START + HOUR, context=LIBRARY)
    refuse(folder, {"2026-01-05": 5})
    found = told(readouts(folder, shop.records, 2, GOAL), "events_rejected")
    assert found is not None
    assert "2026-01-05: 5 of 35 events (14.3%) from the library analytics-python" in found


def test_it_holds_for_closed_days_and_today_and_for_what_was_refused_alone(tmp_path: Path) -> None:
    shop, folder = world(tmp_path)
    refuse(folder, {"2026-01-05": 9, "2026-01-08": 7})
    refuse(folder, {"2026-01-07": 100}, outcome="repaired")
    found = readouts(folder, shop.records, 3.5, GOAL)
    assert "2026-01-08: 7 of 7 events (100.0%)" in (told(found, "events_rejected") or "")
    assert "(and on 1 more day)" in (told(found, "events_rejected") or "")
    before = ReadoutQuery(at=datetime(2026, 1, 7, tzinfo=UTC))
    assert "2026-01-05: 9 of 210 events" in (told(found, "events_rejected", before) or "")
    stranger = readouts(tmp_path / "other", shop.records, 3.5, GOAL)
    assert told(stranger, "events_rejected") is None


@pytest.mark.parametrize(("alone", "alarm"), [(1, False), (30, True)])
def test_events_that_name_a_user_alone_are_named(tmp_path: Path, alone: int, alarm: bool) -> None:
    shop, folder = world(tmp_path)
    known = RefusedEvents(START)
    known.add("dropped", Cause("user_alone", "anonymousId", "none", "segment"), alone, START, "2026-01-05")
    known.add("dropped", Cause("nothing_reads_it", "event", "none", "growthbook"), 10_000, START, "2026-01-05")
    keep_refused(folder, known)
    found = told(readouts(folder, shop.records, 2, GOAL), "users_alone")
    assert (found is not None) is alarm
    assert not alarm or "2026-01-05: 30 of " in (found or "")
    assert not alarm or "send anonymousId with every event" in (found or "")


def test_who_has_no_key_raises_no_alarm(tmp_path: Path) -> None:
    shop, folder = world(tmp_path)
    known = RefusedEvents(START)
    for code in ("unauthorized", "unknown_path"):
        known.add("rejected", Cause(code, "request", "none", "segment"), 10_000, START, "2026-01-06")
    keep_refused(folder, known)
    assert told(readouts(folder, shop.records, 3.5, GOAL), "events_rejected") is None


@pytest.mark.parametrize(("worthless", "alarm"), [(1, False), (5, True)])
def test_orders_without_a_value_are_named(tmp_path: Path, worthless: int, alarm: bool) -> None:
    shop, folder = world(tmp_path, per_day=1)
    for number in range(100 - worthless):
        shop.buy(f"v{number}", START + 2 * HOUR)
    for number in range(worthless):
        order = {"event": "Order Completed", "order_id": f"w{number}", "context": LIBRARY}
        shop.add("track", f"w{number}", START + 2 * HOUR, **order)
    found = told(readouts(folder, shop.records, 2, GOAL), "orders_without_value")
    assert (found is not None) is alarm
    if alarm:
        assert found is not None
        assert "2026-01-05: 5 of 100 orders (5.0%)" in found
        assert "send revenue, total or value" in found


def evaluate(data: Path, count: int, dialect: str, hours: float) -> None:
    told = Counter({Evaluated("banner", 0, dialect): count})
    Evaluations(data).keep(told, (START + round(hours * HOUR)) / 1e6)


def test_what_is_evaluated_often_and_exposed_never_is_named(tmp_path: Path) -> None:
    evaluate(tmp_path, 312, "ofrep_bulk", 47)
    found = told(readouts(tmp_path, [], 2, GOAL), "never_exposed")
    assert found is not None
    assert found.startswith("Evaluated 312 times by OFREP bulk in the last day, exposed 0 times")
    assert "`Experiment Viewed`" in found


@pytest.mark.parametrize(
    ("count", "hours", "exposed"),
    [(99, 47, False), (312, 47, True), (312, 1, False)],
    ids=["too seldom", "somebody was exposed", "two days ago"],
)
def test_what_is_seldom_or_exposed_is_not_named(tmp_path: Path, count: int, hours: float, exposed: bool) -> None:
    evaluate(tmp_path, count, "payload", hours)
    shop = Shop()
    if exposed:
        shop.expose("v1", "control", START + 2 * DAY - HOUR)
    assert told(readouts(tmp_path, shop.records, 2, GOAL), "never_exposed") is None


def compiled(folder: Path, phase: int = 0, unit: str = "visitor") -> CompiledExperiment:
    """The experiment of these tests in a phase."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f"key: banner\nstatus: running\nphase: {phase}\nunit: {unit}\nvariants: [control, b]\ngoal: purchase_rate\n"
    (folder / "banner.yaml").write_text(text)
    return catalog_in(folder).full.compiled["banner"]


def wrong(own: CompiledExperiment, visitor: str, right: CompiledExperiment | None = None, other: str = "") -> Forged:
    """A forged exposure of a visitor: the variant is that of another phase, of another id, or simply the other one."""
    drawn = expected_variant(right or own, other or visitor, other or visitor)
    variant = drawn if right or other else {"control": "b", "b": "control"}[str(drawn)]
    return Forged(visitor, None, str(variant), {})


@pytest.fixture
def own(tmp_path: Path) -> CompiledExperiment:
    return compiled(tmp_path / "own", phase=1)


NAMES = [f"v-{number}" for number in range(60)]


def test_a_variant_that_does_not_exist_is_named(own: CompiledExperiment) -> None:
    forged = [Forged(name, None, "blue", {}) for name in NAMES]
    assert "a variant that does not exist, such as 'blue'; send a key of control, b" in likely_cause(forged, [own])


def test_an_old_payload_is_known_by_its_phase(tmp_path: Path, own: CompiledExperiment) -> None:
    before = compiled(tmp_path / "before", phase=0)
    forged = [
        each
        for each in (wrong(own, name, right=before) for name in NAMES)
        if each.variant != expected_variant(own, each.visitor_id, None)
    ]
    assert len(forged) > 10
    assert "right for phase 0, which is over" in likely_cause(forged, [own, before])


@pytest.mark.parametrize("place", ["beside", "hashValue", "user"])
def test_another_id_that_was_hashed_is_looked_for(own: CompiledExperiment, place: str) -> None:
    forged: list[Forged] = []
    for name in NAMES:
        found = wrong(own, name, other=f"gb-{name}")
        other = f"gb-{name}"
        forged.append(
            {
                "beside": found._replace(beside=[other]),
                "hashValue": found._replace(properties={"hashValue": other}),
                "user": found._replace(user_id=other),
            }[place]
        )
    assert "right for another id of the same page; give the clients one id" in likely_cause(forged, [own])


def test_users_who_are_not_named_are_said(tmp_path: Path) -> None:
    members = compiled(tmp_path / "members", unit="user")
    forged = [Forged(name, None, "b", {}) for name in NAMES]
    assert "send userId with `Experiment Viewed`" in likely_cause(forged, [members])


def test_of_invented_exposures_no_setting_is_blamed(own: CompiledExperiment) -> None:
    forged = [wrong(own, name)._replace(beside=[f"other-{name}"]) for name in NAMES]
    assert "no other id of their pages gives it either" in likely_cause(forged, [own])


@pytest.mark.parametrize(("forged", "alarm"), [(5, False), (10, True)])
def test_over_5_percent_forged_exposures_are_named_with_the_other_id_of_their_page(
    tmp_path: Path, forged: int, alarm: bool
) -> None:
    own, shop = compiled(tmp_path / "own"), Shop()
    for number in range(100 - forged):
        shop.expose(f"v-{number}", str(expected_variant(own, f"v-{number}", None)))
    numbers = [n for n in range(200) if expected_variant(own, f"a-{n}", None) != expected_variant(own, f"g-{n}", None)]
    for number in numbers[:forged]:
        page = {"network": number, "url": f"https://shop.example/p/{number}"}
        variant = str(expected_variant(own, f"g-{number}", None))
        shop.expose(f"a-{number}", variant, START + HOUR, forged=True, **page)
        shop.add("page", f"g-{number}", START + HOUR + 1_000_000, **page)
    found = told(readouts(tmp_path, shop.records, 1.5, GOAL), "exposures_forged")
    assert (found is not None) is alarm
    if alarm:
        assert found is not None
        assert found.startswith("10 of the 100 exposures of the last 7 days (10%) name a variant")
        assert "another id of the same page" in found


def test_exposures_that_another_id_drew_are_counted(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(6):
        context = {"hashed_id": f"g-{number}"} if number < 4 else {}
        source = "ofrep" if number == 5 else "client"
        shop.expose(f"v-{number}", "b", context=context, bot=number == 0, exposure_source=source)
    found = readouts(tmp_path, shop.records, 1, GOAL).read("banner")
    assert found.health.hashed_elsewhere == 3
    assert readout_json(found)["health"]["hashed_elsewhere"] == 3
