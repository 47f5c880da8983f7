"""Shifted sums lose nothing that a comparison could take for something."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cube.sums import COLUMNS, ENTRY, OWN, PRODUCTS, STEPS, Shifts, columns_of, joint_moments, looks_of
from experiments.statistics.cuped import adjust_means
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import JointMoments

SIZES = st.integers(2, 400)
AMOUNTS = st.floats(1e-3, 1e4)


def summed(units: int, buyers: int, held: float, shifts: Shifts) -> JointMoments:
    """An arm whose units all had the same before their exposure, as the SQL adds them up."""
    rows = [(float(unit < buyers), 0.0, held, 0.0, 1.0) for unit in range(units)]
    shifted = [dict(zip(COLUMNS, (y - shifts.y, d, x - shifts.x, e, h), strict=True)) for y, d, x, e, h in rows]
    row = {name: sum(each[name] for each in shifted) for name in COLUMNS}
    row |= {pair: sum(each[pair[0]] * each[pair[1]] for each in shifted) for pair in PRODUCTS}
    row |= {"n": float(units), "nonzero": float(buyers), "total_y": float(buyers), "total_d": 0.0}
    row |= {"total_x": sum(held for _ in rows), "total_e": 0.0}
    return columns_of(joint_moments(row, (units, units), shifts), {"y": "y", "x": "x", "h": "has_history"})


@given(sizes=st.tuples(SIZES, SIZES), held=st.just(0.0) | AMOUNTS, mean=AMOUNTS, share=st.floats(0.1, 0.9))
def test_what_all_units_share_is_no_covariate(sizes: tuple[int, int], held: float, mean: float, share: float) -> None:
    """Its shift, which is the mean of other units as well, leaves rounding: two arms must not be adjusted by that."""
    shifts = Shifts(y=share, d=0.0, x=mean, e=0.0)
    control, treatment = (summed(units, round(share * units), held, shifts) for units in sizes)
    found = adjust_means(control, treatment)
    assert isinstance(found, NoEstimate)
    assert found.reason == Caveat.COVARIATE_CONSTANT


@given(st.lists(AMOUNTS, min_size=1, max_size=50), st.floats(1e-3, 1e3), st.integers(0, 99))
def test_amounts_that_cancel_are_a_mean_of_nothing(amounts: list[float], shift: float, seed: int) -> None:
    """What comes in and goes out again, in any order: a lift on what the rounding leaves would be of billions."""
    values = [*amounts, *(-amount for amount in amounts)]
    random.Random(seed).shuffle(values)
    zeros = dict.fromkeys(("n", *COLUMNS, *PRODUCTS, "total_d", "total_x", "total_e"), 0.0)
    row = zeros | {"n": float(len(values)), "nonzero": float(len(values)), "total_y": sum(values)}
    row |= {"y": sum(value - shift for value in values), "yy": sum((value - shift) ** 2 for value in values)}
    units = len(values), 0
    assert joint_moments(row, units, Shifts(shift, 0.0, 0.0, 0.0)).mean("y") == 0.0
    entered, brought = dict.fromkeys(ENTRY, 0.0), dict.fromkeys((*STEPS, *OWN), 0.0)
    brought |= {"own_y": sum(values), "own_yy": sum(value**2 for value in values), "own_nonzero": float(len(values))}
    here = {"entered": 0, "arm": 0, "day": 0}
    tables = [{name: np.array([value]) for name, value in (here | found).items()} for found in (entered, brought)]
    looks = looks_of({**tables[0], "n": np.array([len(values)])}, *tables, Shifts(0.0, 0.0, 0.0, 0.0), [0])
    assert looks.daily[0][0].mean("y") == 0.0
    row |= {"total_y": row["total_y"] + max(amounts)}
    assert joint_moments(row, units, Shifts(shift, 0.0, 0.0, 0.0)).mean("y") == pytest.approx(max(amounts) / units[0])
