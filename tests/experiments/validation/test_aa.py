"""A/A tests on real traffic: an honest test finds what is not there as often as it says."""

import random
from pathlib import Path

import numpy as np
import pytest
from oracles.estimates import moments_of
from worlds.readout_studies import DAY, SMALLEST, START, Shop, readouts

from events.authority import Authority
from events.consent import Consent
from events.permitted import permitted
from experiments.statistics.arms import Pair, mean_arm
from experiments.statistics.comparison import Question, answer_at
from experiments.validation.aa import aa_rates, crossed_anytime, crossed_fixed

FILES = {
    "banner.yaml": SMALLEST
    + "goals: [purchase_rate]\nsecondary: [revenue_per_visitor, average_order_value, return_d7]\n"
}


def traffic(visitors: int) -> Shop:
    chance, shop = random.Random(11), Shop()
    for number in range(visitors):
        time = START + chance.randrange(10 * DAY)
        shop.expose(f"v{number}", chance.choice(["control", "b"]), time)
        for _ in range(chance.randrange(3)):
            shop.buy(f"v{number}", time + chance.randrange(6 * DAY), value=float(chance.randrange(1, 200)))
        shop.add("page", f"v{number}", time + chance.randrange(14 * DAY))
    return shop


def test_the_sites_own_traffic_split_anew_finds_nothing_more_often_than_alpha(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = readouts(tmp_path, traffic(800).records, 40, FILES)
    rates = aa_rates(found, "banner", runs=400, progress=lambda done, total: seen.append((done, total)))
    assert {rate.metric for rate in rates} == {
        "purchase_rate",
        "revenue_per_visitor",
        "average_order_value",
        "return_d7",
    }
    for rate in rates:
        assert rate.false_positive_rate <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5, rate
    assert seen[-1] == (1600, 1600)
    assert rates == aa_rates(found, "banner", runs=400)


def test_the_tests_of_many_runs_are_those_of_one_comparison() -> None:
    chance = np.random.default_rng(3)
    control, treatment = chance.normal(5, 2, 900), chance.normal(5.3, 2, 900)
    sums = np.array([[[_sums(control)]], [[_sums(treatment)]]])
    arms = [mean_arm(moments_of(values)) for values in (control, treatment)]
    pair = Pair(*arms)
    for alpha in (0.001, 0.01, 0.05, 0.3):
        question = Question(alpha=alpha, planned_units=1800)
        fixed = answer_at(pair, question, "fixed", alpha)
        anytime = answer_at(pair, question, "anytime", alpha)
        assert crossed_fixed(sums, alpha, ratio=False)[0] == (fixed.p <= alpha)
        assert crossed_anytime(sums, alpha, 1800, ratio=False)[0] == (anytime.p <= alpha)


def _sums(values: np.ndarray) -> list[float]:
    return [len(values), values.sum(), 0.0, np.square(values).sum(), 0.0, 0.0]


@pytest.mark.slow
def test_early_days_with_an_order_or_two_do_not_make_a_ratio_win(tmp_path: Path) -> None:
    chance, shop = random.Random(2), Shop()
    for number in range(1500):
        time = START + chance.randrange(20 * DAY)
        shop.expose(f"v{number}", "control", time)
        if chance.random() < 0.05:
            shop.buy(f"v{number}", time + chance.randrange(DAY), value=float(chance.randrange(20, 60)))
    rates = aa_rates(readouts(tmp_path, shop.records, 40, FILES), "banner", runs=1000)
    ratio = next(rate for rate in rates if (rate.metric, rate.method) == ("average_order_value", "anytime"))
    assert ratio.false_positive_rate <= 0.05


def mixed(visitors: int) -> Shop:
    """Traffic as it is stored of visitors who allow all, a count, or nothing; who allows more buys more."""
    chance, sent = random.Random(17), Shop()
    modes: dict[str, Consent] = {}
    for number in range(visitors):
        name, mode = f"v{number}", chance.choice(list(Consent))
        modes[name], time = mode, START + chance.randrange(10 * DAY)
        sent.expose(name, chance.choice(["control", "b"]), time, properties={"plan": "gold"})
        sent.add("identify", name, time, user_id=f"u{number}", authority=Authority.BACKEND)
        for _ in range(chance.randrange(2 + mode)):
            by_user = chance.random() < 0.4  # that of the user alone, as a payment says it
            value, when = float(chance.randrange(1, 200)), time + chance.randrange(6 * DAY)
            sent.buy(name, when, value, user_id=f"u{number}" if by_user else None, authority=Authority.BACKEND)
    kept = Shop()
    kept.records = [
        each for record in sent.records if (each := permitted(record, modes[record.visitor_id])) is not None
    ]
    return kept


@pytest.mark.parametrize("runs", [300, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.drawn(0)])])
@pytest.mark.parametrize("mode", ["measure", "personal", "both"])
def test_nothing_is_found_among_visitors_of_any_consent_more_often_than_alpha(
    mode: str, runs: int, tmp_path: Path
) -> None:
    shop = mixed(1_500)
    wanted = {"measure", "personal"} if mode == "both" else {mode}
    assert {record.consent for record in shop.records} == {"measure", "personal"}
    found = readouts(tmp_path, [record for record in shop.records if record.consent in wanted], 40, FILES)
    standard_error = (0.05 * 0.95 / runs) ** 0.5
    for rate in aa_rates(found, "banner", runs=runs):
        assert rate.false_positive_rate <= 0.05 + (2 if runs > 1_000 else 3) * standard_error, rate
