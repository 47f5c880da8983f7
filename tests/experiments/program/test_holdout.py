"""The holdout report: who is in which arm, what is counted of them, and what was shipped beside it."""

import random
from pathlib import Path
from typing import Any

import pytest
from worlds.catalog_folders import Shop as CatalogShop
from worlds.event_log import received, write_log
from worlds.programmes import Programme, moment
from worlds.readout_studies import DAY, HOUR, START, Shop

from app.cli.output import say_holdout
from events.engines.duckdb import EventLog
from events.records import Record
from experiments.answers.encoding import plain
from experiments.assignment.assign import assign
from experiments.assignment.bucketing import position
from experiments.program.holdout import HoldoutQuery, HoldoutReports, UnknownHoldout, held_back
from experiments.readout.read import Readouts
from experiments.readout.study import InvalidDate, ReadoutQuery, UnknownMetric

SHARE = 0.2
SHIPPED = "{outcome: shipped, variant: b}"
HOLDOUTS = "q1: {share: 20%, start: 2026-01-05, metrics: [purchase_rate, revenue_per_visitor]}\n"
BANNER = "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\nholdouts: [q1]\n"


def traffic(visitors: int = 1_500, seed: int = 2) -> Shop:
    """Visitors who come back, buy, sign in and are exposed where they are not held back; machines and forgers."""
    chance, shop = random.Random(seed), Shop()
    for number in range(visitors):
        name = f"v{number}"
        held = position("holdout:q1", name) < SHARE
        first = START + chance.randrange(-3 * DAY, 12 * DAY)
        for visit in range(chance.randrange(1, 4)):
            user = f"u{number}" if number % 5 == 0 else None
            shop.add("page", name, first + visit * 2 * DAY, page_view_id=f"p{number}-{visit}", user_id=user)
        if not held and chance.random() < 0.5:
            shop.expose(name, "b" if number % 2 else "control", first + HOUR)
        if chance.random() < (0.2 if held else 0.3):
            shop.buy(name, first + chance.randrange(10 * DAY), value=float(chance.randrange(5, 90)))
        if number % 20 == 0:  # by the backend, which knows the user alone
            shop.buy(f"u{number}", first + DAY, user_id=f"u{number}")
        if number % 30 == 0:
            shop.add("page", f"machine{number}", first, bot=True)
            shop.expose(f"forger{number}", "b", first, forged=True)
    return shop


def reported(data: Path, records: list[Record], days: float = 40, holdouts: str = HOLDOUTS) -> Any:
    """What answers with the reports over a real catalogue and a real log."""
    shop = CatalogShop(data, now=moment(1))
    shop.boot(banner=BANNER, holdouts=holdouts)
    write_log(shop.data, received(records), cut=700)
    archive = shop.archive()
    readouts = Readouts(EventLog(shop.data), archive, now=lambda: moment(days))
    reports = HoldoutReports(readouts, archive)
    return lambda query=HoldoutQuery(), key="q1": reports.report(key, query)  # noqa: B008 - frozen


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return traffic().records


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> Any:
    return reported(tmp_path_factory.mktemp("holdout"), records)


def counted(records: list[Record], since: int = START, window: int = 7 * DAY) -> dict[str, tuple[int, int, float]]:
    """Per arm units, buyers and revenue, by a plain reading of the records."""
    real = [each for each in records if not each.bot and not each.forged]
    visitor_of = {each.user_id: each.visitor_id for each in real if each.user_id and each.user_id != each.visitor_id}
    arrived: dict[str, int] = {}
    for each in sorted(real, key=lambda each: each.time):
        if each.time >= since and not (each.user_id == each.visitor_id and each.user_id in visitor_of):
            arrived.setdefault(each.visitor_id, each.time)
    bought: dict[str, float] = {}
    for each in real:
        owner = (
            visitor_of.get(each.user_id or "", each.visitor_id) if each.user_id == each.visitor_id else each.visitor_id
        )
        if each.event == "Order Completed" and owner in arrived and 0 <= each.time - arrived[owner] < window:
            bought[owner] = bought.get(owner, 0.0) + (each.value or 0.0)
    found: dict[str, tuple[int, int, float]] = {}
    for arm, keeps in (("held_back", True), ("everyone", False)):
        units = [unit for unit in arrived if (position("holdout:q1", unit) < SHARE) is keeps]
        found[arm] = len(units), sum(unit in bought for unit in units), sum(bought.get(unit, 0.0) for unit in units)
    return found


def test_both_arms_are_counted_as_a_plain_reading_of_the_log_counts_them(report: Any, records: list[Record]) -> None:
    expected, found = counted(records), report()
    rate, revenue = found["metrics"]
    for arm, other in zip(rate["arms"], revenue["arms"], strict=True):
        units, buyers, amount = expected[arm["variant"]]
        assert (arm["units"], arm["numerator"], other["numerator"]) == (units, buyers, pytest.approx(amount))
    assert [arm["variant"] for arm in rate["arms"]] == ["held_back", "everyone"]


def test_the_answer_has_the_shape_of_a_readout_without_a_decision(report: Any) -> None:
    found = report()
    assert found["holdout"] == "q1"
    assert "decision" not in found
    assert found["plan"]["method"] == "anytime"
    comparison = found["metrics"][0]["comparisons"][0]
    assert (comparison["variant"], comparison["against"]) == ("everyone", "held_back")
    assert {"lift", "ci", "p", "gate", "variance_floor", "verdict", "arms"} <= comparison.keys()
    assert comparison["gate"]["open"]
    assert not found["health"]["srm"]["alarm"]
    assert found["health"]["srm"]["expected"] == [SHARE, 1 - SHARE]
    assert found["health"]["excluded"]["bots"] > 0
    assert found["health"]["excluded"]["forged"] > 0


def test_nobody_enters_by_an_exposure(report: Any, tmp_path: Path, records: list[Record]) -> None:
    """Those who are held back are never exposed; who counted the others from their exposures would compare unlike."""
    without = reported(tmp_path, [each for each in records if each.type != "exposure"])()
    assert without["metrics"][0]["arms"] == report()["metrics"][0]["arms"]


def test_who_is_known_by_an_exposure_alone_is_in_neither_arm(
    report: Any, tmp_path: Path, records: list[Record]
) -> None:
    """A server that decides for visitors whose browsers send nothing exposes them, and never one who is held back."""
    seen, only = Shop(), [f"only{number}" for number in range(300)]
    for name in only:
        if position("holdout:q1", name) >= SHARE:
            seen.expose(name, "b", START + DAY, message_id=f"of {name}")
    found = reported(tmp_path, [*records, *seen.records])()
    assert found["metrics"][0]["arms"] == report()["metrics"][0]["arms"]
    assert found["health"]["srm"] == report()["health"]["srm"]


def test_the_same_question_is_computed_once_while_the_log_stands_still(
    tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, opened = reported(tmp_path, records), list[object]()
    whole = EventLog.open
    monkeypatch.setattr(EventLog, "open", lambda log, *asked: opened.append(asked) or whole(log, *asked))
    first = report()
    assert report(HoldoutQuery(look=ReadoutQuery(pending=3))) == first | {"pending": 3}
    assert len(opened) == 1
    late = Record(message_id="late", type="page", visitor_id="late", time=START + DAY)
    write_log(tmp_path / "data", received([late]), shard=1)
    assert sum(arm["units"] for arm in report()["metrics"][0]["arms"]) == 1 + sum(
        arm["units"] for arm in first["metrics"][0]["arms"]
    )
    assert len(opened) == 2


def test_membership_is_that_of_the_assignment(tmp_path: Path) -> None:
    shop = CatalogShop(tmp_path, now=moment(1))
    catalog = shop.boot(banner=BANNER, holdouts=HOLDOUTS).catalog
    units = [f"unit-{number}" for number in range(2_000)] + ["žlutý kůň", "🐎", "a" * 200]
    kept_out = [
        unit
        for unit in units
        if assign(catalog.full.compiled["banner"], unit, {}, moment(1).timestamp()).because == "holdout"
    ]
    assert held_back("q1", SHARE, units) == kept_out
    assert 0.17 < len(kept_out) / len(units) < 0.23


def test_dates_narrow_who_arrived_and_anew_from_their_first_event_there(report: Any, records: list[Record]) -> None:
    found = report(HoldoutQuery("2026-01-12", None, "purchase_rate"))
    units = {arm["variant"]: (arm["units"], arm["numerator"]) for arm in found["metrics"][0]["arms"]}
    assert units == {arm: counts[:2] for arm, counts in counted(records, START + 7 * DAY).items()}
    assert not found["metrics"][0]["comparisons"][0]["cuped"]
    with pytest.raises(InvalidDate, match="to: 2026-01-04T00:00Z is not after"):
        report(HoldoutQuery(None, "2026-01-04"))


def test_a_beginning_behind_the_end_is_told_by_its_own_name(tmp_path: Path) -> None:
    report = reported(tmp_path, [], holdouts="q1: {share: 20%, start: 2026-01-05, end: 2026-01-20}\n")
    with pytest.raises(InvalidDate, match="from: 2026-01-20T00:00Z is not before 2026-01-20T00:00Z, the end"):
        report(HoldoutQuery("2026-01-20"))


def test_a_holdout_that_ended_before_it_was_there_holds_nobody(tmp_path: Path, records: list[Record]) -> None:
    found = reported(tmp_path, records, holdouts="q1: {share: 20%, end: 2026-01-05}\n")()
    assert [arm["units"] for arm in found["metrics"][0]["arms"]] == [0, 0]
    assert found["closed"]


@pytest.mark.parametrize("text", ["", "soon", "9999-12-31T23:59:59-14:00"])
def test_what_is_no_date_is_refused(report: Any, text: str) -> None:
    with pytest.raises(InvalidDate, match=f"from: '{text}' is no date"):
        report(HoldoutQuery(text))


def test_a_past_look_sees_what_was_received_by_then(report: Any) -> None:
    early = report(HoldoutQuery(look=ReadoutQuery(at=moment(5))))
    assert early["as_of"] == "2026-01-10T00:00:00Z"
    assert early["metrics"][0]["arms"][1]["units"] < report()["metrics"][0]["arms"][1]["units"]


def test_names_that_do_not_exist_are_told_with_those_that_do(report: Any) -> None:
    with pytest.raises(UnknownHoldout, match="there is no holdout 'q2'; there is q1"):
        report(key="q2")
    with pytest.raises(UnknownMetric, match="did you mean purchase_rate"):
        report(HoldoutQuery(metric="purchase_rat"))


def test_what_a_file_leaves_out_is_the_day_it_was_first_there_and_the_goals_that_name_it(tmp_path: Path) -> None:
    shop = CatalogShop(tmp_path, now=moment(1.4))
    shop.boot(banner=BANNER, holdouts="q1: {share: 20%}\n")
    shop.wait(days=3)
    assert shop.edit("q1: {share: 20%}\nq2: {share: 1%}\n", "holdouts.yaml") == []
    archive = shop.archive()
    first, second = HoldoutReports(Readouts(EventLog(shop.data), archive, now=lambda: moment(9)), archive).listed()
    assert (first["start"], first["metrics"]) == ("2026-01-06T00:00:00Z", ["purchase_rate"])
    assert (first["experiments"], first["unit"]) == (["banner"], "visitor")
    assert second["start"] == "2026-01-09T00:00:00Z"


def test_shipped_changes_stand_beside_what_was_measured_of_all_together(tmp_path: Path) -> None:
    programme = Programme(tmp_path)
    programme.shop.write("q1: {share: 20%}\n", "holdouts.yaml")
    programme.begin("banner", "badge", "price", holdout="q1")
    for key, rate in {"banner": 0.36, "badge": 0.33, "price": 0.2}.items():
        programme.crowd(key, (0.30, rate))
    programme.conclude("banner", 14, SHIPPED)
    programme.conclude("badge", 15, SHIPPED)
    programme.conclude("price", 16, "{outcome: rolled_back}")
    readouts, archive = programme.readouts(40)
    found = HoldoutReports(readouts, archive).report("q1", HoldoutQuery())
    assert [(each["experiment"], each["variant"], each["on"]) for each in found["shipped"]] == [
        ("badge", "b", "2026-01-20"),
        ("banner", "b", "2026-01-19"),
    ]
    assert found["sum_of_lifts"] == pytest.approx(0.3)
    assert 0.0 < found["shrunk_sum"] < 0.3
    assert all(low < each["lift"] < high for each in found["shipped"] for low, high in [each["ci"]])


def test_what_is_still_open_or_unhealthy_was_shipped_all_the_same_but_says_no_lift(tmp_path: Path) -> None:
    programme = Programme(tmp_path)
    programme.shop.write("q1: {share: 20%}\n", "holdouts.yaml")
    programme.begin("banner", "badge", "broken", holdout="q1")
    programme.crowd("banner", (0.30, 0.36))
    programme.crowd("badge", (0.30, 0.33))
    programme.crowd("broken", (0.30, 0.40), (400, 200))
    for day, key in ((14, "banner"), (15, "broken"), (20, "badge")):
        programme.conclude(key, day, SHIPPED)
    found = HoldoutReports(*programme.readouts(26)).report("q1", HoldoutQuery())
    assert [(each["experiment"], each["lift"]) for each in found["shipped"]] == [
        ("badge", None),
        ("banner", pytest.approx(0.2)),
        ("broken", None),
    ]
    assert [each["ci"] is None for each in found["shipped"]] == [True, False, True]
    assert found["sum_of_lifts"] == pytest.approx(0.2)
    later = HoldoutReports(*programme.readouts(40)).report("q1", HoldoutQuery())
    assert later["sum_of_lifts"] == pytest.approx(0.3)


def test_a_metric_in_points_is_summed_and_shown_in_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    programme = Programme(tmp_path)
    programme.shop.write("q1: {share: 20%}\n", "holdouts.yaml")
    programme.begin("banner", "badge", goal="nps", holdout="q1")
    programme.survey("banner", ((0.0, 7.0, 10.0), (0.0, 10.0, 10.0)))
    programme.survey("badge", ((0.0, 7.0, 10.0), (7.0, 7.0, 10.0)))
    for day, key in ((14, "banner"), (15, "badge")):
        programme.conclude(key, day, SHIPPED)
    readouts, archive = programme.readouts(40)
    found = HoldoutReports(readouts, archive).report("q1", HoldoutQuery())
    own = [readouts.read(key).metrics[0].comparisons[0] for key in ("badge", "banner")]
    assert [each["lift"] for each in found["shipped"]] == [each.difference for each in own]
    assert [each["ci"] for each in found["shipped"]] == [plain(each.difference_ci) for each in own]
    assert found["sum_of_lifts"] == pytest.approx(sum(each["lift"] for each in found["shipped"]))
    assert found["sum_of_lifts"] > 50.0
    say_holdout(found)
    told = capsys.readouterr().out
    assert f"adds up to {found['sum_of_lifts']:+.4g} points, shrunk to {found['shrunk_sum']:+.4g} points" in told
    assert "%" not in told.partition("shipped meanwhile")[2]
