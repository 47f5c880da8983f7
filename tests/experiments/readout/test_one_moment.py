"""Every number of a comparison is of one moment, the verdict is of today, and an open window decides nothing."""

import random
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from oracles.estimates import existing
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, crowd, readouts

from experiments.answers.readout import Readout
from experiments.readout.study import ReadoutQuery
from kit.time import moment_of

WEEKLY = "goal: purchase_rate\nplan: {method: %s, days: %d, cuped: off}\n"


def bought(shop: Shop, day: int, rates: tuple[float, float], each: int = 100, after: int = HOUR) -> None:
    """So many visitors of each variant on a day, who buy at these rates, a while after their exposure."""
    for arm, variant in enumerate(("control", "b")):
        for number in range(each):
            name, time = f"{variant}-{day}-{number}", START + day * DAY + HOUR + number
            shop.expose(name, variant, time)
            if number < round(each * rates[arm]):
                shop.buy(name, time + after)


def novelty() -> Shop:
    """A week at 55 against 30 %, then three weeks at 22 against 30 %."""
    shop = Shop()
    for day in range(28):
        bought(shop, day, (0.30, 0.55 if day < 7 else 0.22))
    return shop


def plan(method: str, days: int = 28) -> dict[str, str]:
    return {"banner.yaml": SMALLEST + WEEKLY % (method, days)}


def test_what_held_once_and_does_not_today_is_unclear_and_says_so(tmp_path: Path) -> None:
    found = readouts(tmp_path, novelty().records, 28.5, plan("anytime")).read("banner")
    comparison = found.metrics[0].comparisons[0]
    assert (comparison.lift, existing(comparison.p), comparison.verdict) == (
        pytest.approx(0.0167, abs=0.02),
        1.0,
        "unclear",
    )
    assert existing(comparison.methods.anytime.p_min) < 1e-4
    assert "no_longer_supported" in comparison.reasons
    assert found.decision.action != "ship"
    assert comparison.decided is not None
    assert existing(comparison.decided.lift) > 0.5
    assert any("was ahead by" in told and "January; today" in told for told in found.decision.because)


def test_an_effect_that_wears_off_is_a_check_and_withholds_the_ship(tmp_path: Path) -> None:
    shop = novelty()
    found = readouts(tmp_path, shop.records, 40, plan("anytime")).read("banner")
    check = next(check for check in found.health.checks if check.code == "effect_changed_over_time")
    assert (check.metric, check.variant, check.withholds_ship) == ("purchase_rate", "b", True)
    early = readouts(tmp_path / "early", shop.records, 15.5, plan("anytime")).read("banner")
    assert early.metrics[0].comparisons[0].verdict == "wins"
    assert [check.code for check in early.health.checks] == [
        "effect_changed_over_time"
    ] or early.decision.action == "ship"


def test_a_stable_effect_rings_nothing(tmp_path: Path) -> None:
    shop = Shop()
    for day in range(20):
        bought(shop, day, (0.30, 0.40))
    assert readouts(tmp_path, shop.records, 30, plan("anytime")).read("banner").health.checks == ()


def test_a_look_holds_mature_units_only(tmp_path: Path) -> None:
    """The treatment buys five days later: on the seventh day most of its windows are open."""
    shop = Shop()
    for day in range(7):
        bought(shop, day, (0.21, 0.0))
        for number in range(23):
            shop.buy(f"b-{day}-{number}", START + day * DAY + 5 * DAY + 2 * HOUR)
    answers = {
        days: readouts(tmp_path / str(days), shop.records, days, plan("fixed", 7)).read("banner")
        for days in (7.5, 13.9, 14.1, 20)
    }
    comparisons = {days: found.metrics[0].comparisons[0] for days, found in answers.items()}
    assert [each.as_of_day for each in comparisons.values()] == [None, None, date(2026, 1, 18), date(2026, 1, 18)]
    assert [each.verdict for each in comparisons.values()] == ["unclear"] * 4
    assert [arm.units for arm in comparisons[14.1].arms] == [700, 700]
    assert comparisons[14.1].lift == pytest.approx(23 / 21 - 1)
    assert comparisons[7.5].reasons[0] == "waiting_for_windows"
    assert comparisons[7.5].next_look == date(2026, 1, 18)


def test_a_planned_look_that_was_read_never_changes_by_what_comes_later(tmp_path: Path) -> None:
    shop = Shop()
    for day in range(30):
        bought(shop, day, (0.20, 0.24))
    found = [
        readouts(tmp_path / str(days), shop.records, days, plan("planned", 16)).read("banner").metrics[0].comparisons[0]
        for days in (11.2, 14.9, 15.2)
    ]
    assert [existing(each.methods.planned).look for each in found] == [1, 1, 2]
    assert (found[0].p, found[0].ci, found[0].arms) == (found[1].p, found[1].ci, found[1].arms)
    assert [arm.units for arm in found[0].arms] == [400, 400]


def test_after_a_stop_the_last_look_waits_for_the_windows_too(tmp_path: Path) -> None:
    shop = Shop()
    for day in range(10):
        bought(shop, day, (0.20, 0.35), after=6 * DAY)
    files = {"banner.yaml": plan("planned")["banner.yaml"] + "end: 2026-01-15\n"}
    before, after = (readouts(tmp_path / str(days), shop.records, days, files).read("banner") for days in (16.5, 17.1))
    assert (before.state, before.decision.action, before.decision.days_left) == ("ended", "ship", 1)
    assert (before.metrics[0].comparisons[0].arms[0].units, after.metrics[0].comparisons[0].arms[0].units) == (
        700,
        1000,
    )
    assert (after.state, after.closed, after.decision.action) == ("closed", True, "ship")
    assert existing(after.metrics[0].comparisons[0].methods.planned).look == 4


def test_before_the_first_day_closes_nothing_is_decided(tmp_path: Path) -> None:
    shop = Shop()
    bought(shop, 0, (0.10, 0.90))
    for days, verdict in ((0.9, "unclear"), (1.1, "wins")):
        comparison = (
            readouts(tmp_path / str(days), shop.records, days, plan("anytime")).read("banner").metrics[0].comparisons[0]
        )
        assert (existing(comparison.p) < 1e-4, comparison.verdict) == (True, verdict)
        assert (comparison.as_of_day is None) == (days < 1)


def test_decided_on_is_the_first_day_on_which_the_verdict_stood(tmp_path: Path) -> None:
    records = crowd(3000, lift=0.6).records
    found = readouts(tmp_path, records, 30, plan("anytime")).read("banner").metrics[0].comparisons[0]
    assert found.decided is not None
    assert found.decided_on is not None
    closed = datetime(found.decided_on.year, found.decided_on.month, found.decided_on.day, tzinfo=UTC).timestamp()
    days = [(closed - START / 1e6) / 86_400 + after for after in (0.5, 1.5)]
    day_before, that_day = (
        readouts(tmp_path / str(day), records, day, plan("anytime")).read("banner").metrics[0].comparisons[0]
        for day in days
    )
    assert (day_before.verdict, that_day.verdict) == ("unclear", "wins")
    assert (found.decided.p, found.decided.arms) == (that_day.p, that_day.arms)


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_a_verdict_is_by_the_family_of_the_p_beside_it_whatever_the_windows_of_its_goals(
    correction: str, tmp_path: Path
) -> None:
    """Day 5 judges who signed up (a day's window), day 11 who bought (a week's), and with that who signed up anew."""
    shop = Shop()
    bought(shop, 0, (0.30, 0.40), each=1000)
    for arm, signed_up in (("control", 300), ("b", 345)):
        for number in range(signed_up):
            shop.add("track", f"{arm}-0-{number}", START + 2 * HOUR, event="Signed Up")
    files = {
        "banner.yaml": SMALLEST + "goals: [signed_up, purchase_rate]\n"
        f"plan: {{method: fixed, days: 5, cuped: off, correction: {correction}}}\n",
        "metrics.yaml": "signed_up: {type: proportion, event: Signed Up, window: 1 day}\n",
    }
    made = readouts(tmp_path, shop.records, 30, files)
    early, late = (made.read("banner", ReadoutQuery(at=moment_of(START + day * DAY))) for day in (9, 13))
    alone, together = (found.metrics[0].comparisons[0] for found in (early, late))
    assert (alone.as_of_day, alone.p, alone.verdict) == (together.as_of_day, together.p, "unclear")
    assert existing(alone.p_adjusted) == pytest.approx(2.0 * existing(together.p_adjusted))
    assert existing(together.p_adjusted) == pytest.approx(existing(together.p))
    assert existing(together.p_adjusted) < 0.05 < existing(alone.p_adjusted)
    assert (together.verdict, together.decided_on) == ("wins", date(2026, 1, 16))


def test_an_end_that_lies_ahead_is_not_the_end(tmp_path: Path) -> None:
    files = {"banner.yaml": plan("fixed")["banner.yaml"] + "end: 2026-02-20\n"}
    found = readouts(tmp_path, [], 5, files).read("banner")
    assert (found.state, found.decision.action, found.decision.days_left) == ("enrolling", "keep_running", 28 + 7)
    assert found.decision.because == ("Nobody has been exposed yet.",)


def test_the_watermark_is_never_newer_than_the_answer(tmp_path: Path) -> None:
    asked = readouts(tmp_path, crowd(50).records, 30, plan("anytime"))
    later = moment_of(START + 31 * DAY)
    for query in (ReadoutQuery(watermark=later), ReadoutQuery(watermark=later, at=moment_of(START + 9 * DAY))):
        found: Readout = asked.read("banner", query)
        assert found.watermark == found.as_of
        assert (
            asked.read("banner", ReadoutQuery(watermark=moment_of(START + 40 * DAY), at=query.at)).watermark
            == found.as_of
        )


def test_arms_that_differed_before_anybody_was_exposed_withhold_the_ship(tmp_path: Path) -> None:
    chance, shop = random.Random(4), Shop()
    for number in range(2000):
        variant, name, time = ("b", "control")[number % 2], f"v{number}", START + number * 60_000_000
        shop.expose(name, variant, time)
        if chance.random() < (0.5 if variant == "b" else 0.3):
            shop.buy(name, time - DAY)
        if chance.random() < (0.5 if variant == "b" else 0.3):
            shop.buy(name, time + HOUR)
    found = readouts(tmp_path, shop.records, 20, {"banner.yaml": SMALLEST + "goal: purchase_rate\n"}).read("banner")
    check = next(check for check in found.health.checks if check.code == "unequal_before_exposure")
    assert (check.metric, check.variant, check.withholds_ship) == ("purchase_rate", "b", True)
    assert "before their exposure b had 0.5" in check.detail
    assert found.decision.action != "ship"


def test_a_cohort_is_shown_once_its_windows_have_closed(tmp_path: Path) -> None:
    shop = Shop()
    for day in range(10):
        bought(shop, day, (0.20, 0.30), after=3 * DAY)
    series = readouts(tmp_path, shop.records, 12.5, plan("anytime")).read("banner").metrics[0].series
    cohorts = [row for row in series if row.kind == "cohort"]
    assert [row.closed for row in cohorts] == [True] * 5 + [False] * 5
    assert [(row.value, row.control_value) for row in cohorts[:5]] == [(pytest.approx(0.3), pytest.approx(0.2))] * 5
    assert [(row.units, row.value) for row in cohorts[5:]] == [(100, None)] * 5
