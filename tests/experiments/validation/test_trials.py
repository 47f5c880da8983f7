"""Simulated experiments: their arms are those of their units, and what they decide is what the service decides."""

import numpy as np
import pytest
from oracles.estimates import existing

from experiments.statistics.arms import Arm, gate_of, mean_arm, proportion_arm, ratio_arm, variance_floor
from experiments.statistics.comparison import Question, answer_of, compare
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.sequential import looks_so_far
from experiments.validation import trials
from experiments.validation.simulation import FIGURES, error_rates
from experiments.validation.trials import (
    Arrived,
    Outcome,
    Rule,
    Trial,
    decides,
    floors,
    gates,
    rate,
    refund_rate,
    revenue,
)

ALPHA = 0.05
OUTCOMES: dict[str, Outcome] = {
    "nothing to find": rate(0.02, 0.02),
    "a rate that rises": rate(0.02, 0.06),
    "almost everybody": rate(0.97, 0.99),
    "broken": rate(0.05, 0.0),
    "revenue": revenue(0.03, 0.1, sigma=1.5),
    "refunds": refund_rate(orders=0.2, refunded=0.1),
}
RULES: tuple[Rule, ...] = ("anytime", "planned", "fixed")


def arrived(outcome: Outcome, control: int, treatment: int, looks: int = 4, runs: int = 12) -> Arrived:
    return outcome(runs, np.random.default_rng(7), np.array([[control] * looks, [treatment] * looks]))


def served(found: Arrived, rule: Rule, planned_units: int) -> list[list[bool]]:
    """What the service decides at each look of each run."""
    units = found.units.sum(axis=0)
    rows: list[list[bool]] = []
    for run in range(len(found.value)):
        row, reached = [], list[tuple[int, int]]()
        for number in range(len(units)):
            pair = found.pair(run, number)
            if gate_of(pair).open:
                reached.append((number + 1, int(units[number])))
            look = looks_so_far(reached, planned_units, len(units)) if reached else None
            question = Question(ALPHA, planned_units, look if rule == "planned" else None)
            p = answer_of(compare(pair, question), rule).p
            last = rule != "fixed" or number == len(units) - 1
            row.append(last and not isinstance(p, NoEstimate) and p <= ALPHA)
        rows.append(row)
    return rows


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("weights", [(150, 150), (500, 60), (60, 500)])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_whole_arrays_decide_what_the_service_decides(outcome: str, weights: tuple[int, int], rule: Rule) -> None:
    found = arrived(OUTCOMES[outcome], *weights)
    planned_units = 5 * sum(weights)
    assert decides(found, rule, ALPHA, planned_units).tolist() == served(found, rule, planned_units)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_gates_and_floors_are_those_of_every_pair(outcome: str) -> None:
    found = arrived(OUTCOMES[outcome], 300, 40)
    opened, floor = gates(found), floors(found)
    for run, look in np.ndindex(opened.shape):
        pair = found.pair(run, look)
        assert (opened[run, look], floor[run, look]) == (gate_of(pair).open, pytest.approx(variance_floor(pair)))


def is_like(arm: Arm, other: Arm | NoEstimate) -> None:
    expected = existing(other)
    assert (arm.count, arm.events, arm.conversions) == (expected.count, expected.events, expected.conversions)
    assert (arm.value, arm.variance) == (pytest.approx(expected.value), pytest.approx(expected.variance))


def test_arms_are_those_of_the_units_that_came() -> None:
    """The same draws again, unit by unit."""
    coming, rng = np.array([[400], [300]]), np.random.default_rng(7)
    bought = rng.binomial(coming, 0.2, (1, 2, 1))[0, :, 0]
    amounts = rng.lognormal(0.0, 1.0, bought.sum())
    money = arrived(revenue(0.2, 0.2, sigma=1.0), 400, 300, looks=1, runs=1).pair(0, 0)
    each = np.split(amounts, [bought[0]])
    for arm, paid, units in zip((money.control, money.treatment), each, (400, 300), strict=True):
        joint = JointMoments.of({"y": [*paid, *[0.0] * (units - len(paid))]})
        is_like(arm, mean_arm(joint.moments("y"), joint.nonzero))
    shares = arrived(rate(0.3, 0.1), 400, 300, looks=1, runs=1).pair(0, 0)
    is_like(shares.treatment, proportion_arm(300, shares.treatment.conversions or 0))


def test_a_refund_rate_is_the_ratio_over_its_orders() -> None:
    arm = arrived(refund_rate(orders=0.2, refunded=0.3), 400, 300, looks=1, runs=1).pair(0, 0).control
    returned, ordered = arm.events or 0, round(arm.denominators or 0.0)
    orders = [1.0] * ordered + [0.0] * (400 - ordered)
    joint = JointMoments.of({"num": [1.0] * returned + [0.0] * (400 - returned), "den": orders})
    assert (arm.value, arm.variance) == (
        pytest.approx(existing(ratio_arm(joint)).value),
        pytest.approx(existing(ratio_arm(joint)).variance),
    )
    assert existing(ratio_arm(joint)).denominators == pytest.approx(ordered)


def test_without_the_gate_and_the_floor_the_promise_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Trial.steady(rate(0.02, 0.02), 28, 4950, 50)
    money = Trial.steady(revenue(0.03, 0.03, sigma=1.5), 28, 950, 50)
    figures = [small, money]
    assert all(trial.decisions(400, np.random.default_rng(1), "anytime", ALPHA) < 0.02 for trial in figures)
    monkeypatch.setattr(trials, "floors", lambda found: np.ones_like(found.value[:, 0]))
    assert money.decisions(400, np.random.default_rng(1), "anytime", ALPHA) > 0.15  # the gate alone does not heal it
    monkeypatch.setattr(trials, "gates", lambda found: np.ones_like(found.value[:, 0], dtype=np.bool_))
    assert small.decisions(400, np.random.default_rng(1), "anytime", ALPHA) > 0.3


@pytest.mark.parametrize("rule", ["anytime", "planned"])
def test_a_bound_that_is_not_made_for_peeking_breaks_the_promise(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial.steady(rate(0.05, 0.05), 28, 2500, 2500)
    assert trial.decisions(500, np.random.default_rng(1), rule, ALPHA) < 0.07
    monkeypatch.setattr(trials, f"{rule}_critical", lambda *_: 1.959963984540054)
    assert trial.decisions(500, np.random.default_rng(1), rule, ALPHA) > 0.2


def test_runs_that_do_not_fit_into_memory_together_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial.steady(rate(0.05, 0.0), 2, 1000, 1000)
    monkeypatch.setattr(trials, "MOST_UNITS", 20_000)
    assert [len(part.value) for part in trial.arrivals(12, np.random.default_rng(1))] == [5, 5, 2]
    assert trial.decisions(12, np.random.default_rng(1), "anytime", ALPHA) == 1.0


def test_every_weight_metric_and_method_has_its_promise_and_a_tenth_of_the_runs_keeps_it() -> None:
    promised = [figure.name for figure in FIGURES if figure.name.startswith("false positives, ")]
    assert len(promised) == 60
    assert {name.split(", ")[2] for name in promised} == {"50:50", "90:10", "95:5", "99:1", "1:99"}
    rows = error_rates(["false positives", "power"], runs=400)
    assert [row for row in rows if not row.met] == []
