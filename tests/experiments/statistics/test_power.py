"""Planning: any allocation, whole days, and a value or None at every edge."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import existing, means, power_of
from oracles.proving import judged, speaks
from statsmodels.stats.power import TTestIndPower

from experiments.statistics.arms import gate_of, pair, proportion_arm
from experiments.statistics.comparison import Question, compare
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.power import (
    Design,
    detectable_lift,
    duration_days,
    gate_opens_day,
    inflation,
    required_units,
    whole_units,
)

designs = st.builds(
    Design,
    alpha=st.sampled_from([0.01, 0.05, 0.1]),
    power=st.sampled_from([0.8, 0.9]),
    ratio=st.sampled_from([1 / 9, 0.5, 1.0, 4.0, 9.0, 99.0]),
)


@speaks(units=0.5)
@given(lift=st.floats(0.01, 0.5), design=designs)
def test_units_lift_and_power_are_one_relation(lift: float, design: Design) -> None:
    units = required_units(5.0, 25.0, lift, design) or 0.0
    power = power_of(5.0, 25.0, lift, units, design)
    small = units <= max(2.0, 2.0 / design.ratio)  # no arm may have fewer than two units
    if not judged(NoEstimate(Caveat.NOT_ENOUGH_UNITS) if small else units, "units"):
        assert power >= design.power
        return
    assert power == pytest.approx(design.power, abs=1e-7)
    assert detectable_lift(5.0, 25.0, units, design) == pytest.approx(lift, rel=1e-5)


def test_nine_to_one_is_solved_where_tea_tasting_raises() -> None:
    units = required_units(0.02, 0.0196, 0.05, Design(ratio=9.0))
    assert units is not None
    assert 10 * units == pytest.approx(1_709_308, rel=1e-5)


@speaks(expected=0.5)
@given(units=st.floats(2.0, 1e5), shift=st.floats(0.0, 12.0), design=designs)
def test_power_meets_statsmodels_where_that_has_a_number(units: float, shift: float, design: Design) -> None:
    units = max(units, 2.0 / design.ratio)
    size = shift / math.sqrt(units * design.ratio / (1.0 + design.ratio))
    expected = float(TTestIndPower().power(size, units, design.alpha, design.ratio))
    ours = power_of(1.0, 1.0, size, units, design)
    assert 0.0 <= ours <= 1.0 + 1e-12
    if judged(NoEstimate(Caveat.OUT_OF_RANGE) if math.isnan(expected) else expected, "expected"):
        assert ours == pytest.approx(expected, abs=1e-9)


def test_power_is_what_the_test_delivers() -> None:
    rng, design = np.random.default_rng(1), Design(power=0.8)
    units = math.ceil(required_units(5.0, 4.0, 0.1, design) or 0)
    found = 0
    for _ in range(1000):
        arms = means(rng.normal(5.0, 2.0, units), rng.normal(5.5, 2.0, units))
        found += existing(compare(arms, Question()).fixed.p) < 0.05
    assert found / 1000 == pytest.approx(0.8, abs=0.03)


def test_the_edges_of_planning_are_values_or_none() -> None:
    design = Design()
    assert required_units(5.0, 25.0, 0.0, design) is None
    assert required_units(0.0, 25.0, 0.1, design) is None
    assert required_units(5.0, 25.0, 1e-9, design) is None
    assert required_units(5.0, 0.0, 0.1, design) == 2.0
    assert required_units(5.0, 1e-6, 0.5, design) == 2.0
    assert detectable_lift(0.0, 1.0, 100, design) is None
    assert detectable_lift(5.0, 1.0, 1, design) is None
    assert detectable_lift(5.0, 0.0, 100, design) == 0.0
    assert existing(detectable_lift(5.0, 1.0, 2, design) or 0.0) > 0.2
    assert power_of(5.0, 1e-12, 0.5, 1e7, design) == 1.0


def test_days_are_whole_and_count_both_arms() -> None:
    assert whole_units(1000.2, (0.1, 0.9)) == (1001, 9002)
    assert duration_days(1001 + 9002, 500.0) == math.ceil((1001 + 9002) / 500)
    assert duration_days(3, 1e9) == 1
    assert duration_days(1000, 0.0) is None


def test_the_gate_opens_on_the_first_day_the_smallest_arm_expects_ten_of_either_kind() -> None:
    assert [gate_opens_day(1000.0, (0.9, 0.1), rate) for rate in (0.02, 0.98, 0.03, 0.1)] == [5, 5, 4, 1]
    assert gate_opens_day(1000.0, (0.9, 0.1), 0.98, rate=False) == 1
    assert gate_opens_day(1000.0, (0.5, 0.0, 0.5), 0.004) == 5
    assert gate_opens_day(1000.0, (0.9, 0.1), 0.0) is gate_opens_day(0.0, (0.5, 0.5), 0.1) is None


@pytest.mark.parametrize(("weights", "rate"), [((0.9, 0.1), 0.03), ((0.5, 0.5), 0.004), ((0.05, 0.95), 0.98)])
def test_the_planned_day_is_that_on_which_the_gate_of_the_readout_opens(
    weights: tuple[float, ...], rate: float
) -> None:
    day = gate_opens_day(1000.0, weights, rate)
    assert day is not None
    units = [[round(1000 * weight * days) for weight in weights] for days in (day - 1, day)]
    gates = [gate_of(pair(*(proportion_arm(each, round(each * rate)) for each in arms))) for arms in units]
    assert [gate.open for gate in gates] == [False, True]


def test_methods_cost_units_and_the_fixed_one_none() -> None:
    assert inflation("fixed", 0.05, 0.8) == inflation("bayesian", 0.05, 0.8) == 1.0
    assert 1.0 < inflation("planned", 0.05, 0.8) < 1.2 < inflation("anytime", 0.05, 0.8) < 2.5
    dear = Design(inflation=inflation("anytime", 0.05, 0.8))
    cheap, costly = required_units(5.0, 25.0, 0.1, Design()), required_units(5.0, 25.0, 0.1, dear)
    assert (costly or 0.0) / (cheap or 1.0) == pytest.approx(dear.inflation)


def test_statistics_load_neither_statsmodels_nor_scipys_distributions_until_a_plan_is_asked_for() -> None:
    code = (
        "import sys, pkgutil, importlib, experiments.statistics as package\n"
        "for module in pkgutil.iter_modules(package.__path__):\n"
        "    importlib.import_module(f'experiments.statistics.{module.name}')\n"
        "print(sorted({'scipy.stats', 'statsmodels', 'pandas', 'duckdb', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("alpha", [1e-4, 0.01, 0.05, 0.2])
def test_without_an_effect_the_power_is_alpha_also_for_a_handful_of_units(alpha: float) -> None:
    for units in np.linspace(2.0, 4.0, 81):  # from two degrees of freedom on, where the density bends sharply at 0
        assert power_of(1.0, 1.0, 0.0, float(units), Design(alpha=alpha)) == pytest.approx(alpha, abs=1e-11)
