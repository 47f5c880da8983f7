"""Whether a readout can be trusted: who is left out, how the variants filled, and who else is at work."""

import random
from pathlib import Path

from oracles.estimates import existing
from worlds.readout_studies import DAY, GOAL, HOUR, RICH, START, Definitions, Shop, readouts

from experiments.catalog.phases import Shipping, freeze
from experiments.definitions.content import CatalogContent
from experiments.readout.study import ReadoutQuery
from kit.time import moment_of


def test_another_currency_is_left_out_of_sums_and_counted(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "b")
    shop.buy("v1", START + HOUR, currency="USD")
    found = readouts(tmp_path, shop.records, 30, RICH).read("banner")
    assert found.metric("revenue_per_visitor").arms[1].numerator == 0
    assert found.metric("purchase_rate").arms[1].numerator == 1
    assert found.health.excluded.currency == {"revenue_per_visitor": 1, "average_order_value": 1}


def test_bots_forged_and_forced_exposures_are_counted_and_left_out(tmp_path: Path) -> None:
    shop = Shop()
    for number, mark in enumerate(["bot", "forged", "forced", "quarantined"]):
        shop.expose(f"v{number}", "b", **{mark: True})
    shop.expose("v9", "b")
    health = readouts(tmp_path, shop.records, 2, GOAL).read("banner").health
    left_out = health.excluded
    assert (left_out.bots, left_out.forged, left_out.forced, left_out.quarantined) == (1, 1, 1, 1)
    assert health.srm.observed == (0, 1)


def test_a_unit_that_saw_both_variants_stays_with_its_first_and_is_reported(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "control", START)
    shop.expose("v1", "b", START + HOUR)
    health = readouts(tmp_path, shop.records, 2, GOAL).read("banner").health
    assert health.srm.observed == (1, 0)
    assert health.multi_exposure.rate == 1.0
    assert "multi_exposure" in [check.code for check in health.checks]


def test_the_days_on_which_everybody_saw_one_variant_are_named_once_the_phase_ran_on(tmp_path: Path) -> None:
    found = readouts(tmp_path, Shop().records, 30, GOAL)
    catalog = found.archive.latest()
    content = CatalogContent(metrics=tuple(catalog.metrics.values()))
    days = {"since": moment_of(START + 9 * DAY), "until": moment_of(START + 11 * DAY)}
    shipped = (Shipping(**days, variant="b"), Shipping(since=moment_of(START + 20 * DAY), variant="b"))
    frozen = freeze(catalog.experiments["banner"], content, moment_of(START))
    found.archive = Definitions(catalog, frozen.model_copy(update={"shipped": shipped}))
    checks = {check.code: check.detail for check in found.read("banner").health.checks}
    assert checks["shipped_in_between"] == (
        "Variant b was shown to everyone from 2026-01-14 00:00 to 2026-01-16 00:00 UTC, then it ran on:"
        " write `phase: 1` to begin anew."
    )
    before = found.read("banner", ReadoutQuery(at=moment_of(START + 10 * DAY))).health.checks
    assert "shipped_in_between" not in [check.code for check in before]


def test_a_lopsided_allocation_is_unhealthy_whatever_the_goal_says(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(2000):
        shop.expose(f"v{number}", "control" if number % 4 else "b", START + number * 1_000)
    found = readouts(tmp_path, shop.records, 5, GOAL).read("banner")
    assert found.health.srm.alarm
    assert found.decision.action == "unhealthy"


def test_a_day_that_is_still_open_rings_no_alarm(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(400):
        shop.expose(f"v{number}", "b" if number % 2 else "control")
    for number in range(300):
        shop.expose(f"w{number}", "b", START + DAY)
    for days, alarm in ((1.5, False), (2.5, True)):
        srm = readouts(tmp_path / str(days), shop.records, days, GOAL).read("banner").health.srm
        assert (srm.alarm, srm.observed) == (alarm, (200, 500))
        assert existing(srm.p) < 1e-9


def test_experiments_that_change_each_others_effect_are_reported(tmp_path: Path) -> None:
    chance, shop = random.Random(5), Shop()
    for number in range(4000):
        ours, other = chance.choice(["control", "b"]), chance.choice(["control", "x"])
        shop.expose(f"v{number}x", ours, START + number * 1_000)
        shop.expose(f"v{number}x", other, START + number * 1_000, experiment="other")
        if chance.random() < (0.5 if (ours, other) == ("b", "x") else 0.2):
            shop.buy(f"v{number}x", START + HOUR + number)
    files = GOAL | {"other.yaml": "key: other\nstatus: running\nvariants: [control, x]\ngoal: purchase_rate\n"}
    checks = readouts(tmp_path, shop.records, 10, files).read("banner").health.checks
    assert [check.code for check in checks] == ["interaction"]
    assert "other" in checks[0].detail
