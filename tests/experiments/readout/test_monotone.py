"""What may not matter does not: more of the same, which arm is called control, the unit of money.

That parts, order and repetition of the log do not matter is in `test_readout.py`, of moments in `test_moments.py`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples, judged, speaks
from worlds.drawn_readouts import RULES, Drawn, answered, observed, world

from experiments.answers.comparison import ComparisonReadout
from experiments.cube.observations import MetricObservation
from experiments.readout.metrics import metric_readout, settled
from experiments.readout.samples import Judge
from experiments.statistics.estimate import Caveat, NoEstimate

NEVER = NoEstimate(Caveat.NOT_A_TEST)
SEEDS = st.integers(0, 2**62)
MIRRORED = {"wins": "loses", "loses": "wins", "unclear": "unclear"}


def comparisons(made: Drawn) -> list[ComparisonReadout]:
    readout, _ = answered(made)
    return [each for metric in readout.metrics for each in metric.comparisons]


@speaks(open=0.05)
@settings(max_examples=examples(100))
@given(SEEDS)
def test_more_units_at_the_same_rates_never_close_the_gate(seed: int) -> None:
    made = world(seed)
    for few, many in zip(comparisons(made), comparisons(replace(made, copies=2 * made.copies)), strict=True):
        assert many.gate.open or not few.gate.open
        judged(1 if few.gate.open else NEVER, "open")


def mirrored(value: Any) -> Any:
    """What was observed, with control and treatment in each other's place."""
    if isinstance(value, dict):
        return {name: mirrored(item) for name, item in value.items()}
    return tuple(reversed(value))


def swapped(found: MetricObservation) -> MetricObservation:
    looks = found.looks and replace(
        found.looks,
        cumulative=tuple(map(mirrored, found.looks.cumulative)),
        daily=tuple(map(mirrored, found.looks.daily)),
    )
    sides = {name: mirrored(getattr(found, name)) for name in ("arms", "immature", "samples", "cohorts", "until")}
    responders = found.responders and mirrored(found.responders)
    return replace(found, **sides, looks=looks, levels={}, responders=responders)


def judged_by(judge: Judge, made: Drawn, found: dict[str, MetricObservation]) -> Iterator[ComparisonReadout]:
    # which side a margin forgives is no matter of the arms, so none is given
    studied = [replace(each, margin=None) for each in made.study.metrics if each.role != "guardrail"]
    rows = [metric_readout(judge, each, found[each.metric.name], None, "unit") for each in studied]
    for metric in settled(judge, rows):
        yield from metric.comparisons


@speaks(wins=0.02, loses=0.02, p=0.1)
@settings(max_examples=examples(150))
@given(SEEDS)
def test_swapping_the_arms_mirrors_the_verdicts(seed: int) -> None:
    """At every weight, of every metric and method; the Bayesian one, whose loss is relative to control, never turns."""
    made = replace(world(seed), effect=(0.6, -0.5, 1.0)[seed % 3], turns=99, empty=None)
    made = replace(made, weights=made.weights[:2])
    found = {each.metric.name: observed(made, RULES[each.metric.name]) for each in made.study.metrics}
    turned = replace(made.judge, weights=made.judge.weights[::-1])
    pairs = [judged_by(made.judge, made, found), judged_by(turned, made, {n: swapped(o) for n, o in found.items()})]
    for one, other in zip(*pairs, strict=True):
        for name in ("wins", "loses"):
            judged(1 if one.verdict == name else NEVER, name)
        if made.plan.method == "bayesian":
            assert other.verdict in (MIRRORED[one.verdict], "unclear") or one.verdict == "unclear"
        else:
            assert other.verdict == MIRRORED[one.verdict]
            if judged(one.p, "p"):
                assert other.p == pytest.approx(one.p, rel=1e-6, abs=1e-300)
            else:  # which arm is asked first may give another reason
                assert isinstance(other.p, NoEstimate)


@speaks(p=0.05)
@settings(max_examples=examples(150))
@given(SEEDS, st.sampled_from([1e-6, 0.01, 0.235, 3.0, 1e6]))
def test_the_unit_of_money_changes_no_p_and_no_verdict(seed: int, factor: float) -> None:
    made = replace(world(seed), shrink=1.0)
    made = replace(made, goals=("revenue", "order_value"), secondary=("balance", "engaged"), guardrails=())
    for one, other in zip(comparisons(made), comparisons(replace(made, shrink=factor)), strict=True):
        assert (other.verdict, other.gate.open) == (one.verdict, one.gate.open)
        if judged(one.p, "p"):
            assert other.p == pytest.approx(one.p, rel=1e-6, abs=1e-300)
        else:
            assert other.p == one.p
