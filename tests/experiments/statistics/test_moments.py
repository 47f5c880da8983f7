"""Moments and co-moments: exact, additive, and safe where sums of squares cancel."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import moments_of

from experiments.statistics.moments import JointMoments, Moments, Values

values = st.floats(-1e6, 1e6, allow_subnormal=False)
samples = st.lists(values, min_size=0, max_size=40)
rows = st.lists(st.tuples(values, values, values), min_size=0, max_size=40)


def column(values: Values) -> JointMoments:
    return JointMoments.of({"y": values})


@given(left=samples, right=samples)
def test_moments_of_parts_add_up_to_moments_of_the_whole(left: list[float], right: list[float]) -> None:
    together, whole = (column(left) + column(right)).moments("y"), column(left + right).moments("y")
    assert together.count == whole.count
    assert together.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-9)
    assert together.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-3)


@given(parts=st.lists(samples, min_size=2, max_size=5), seed=st.integers(0, 99))
def test_the_order_in_which_parts_arrive_does_not_matter(parts: list[list[float]], seed: int) -> None:
    shuffled = list(np.random.default_rng(seed).permutation(len(parts)))
    forwards = sum(map(column, parts), column([])).moments("y")
    otherwise = sum((column(parts[i]) for i in shuffled), column([])).moments("y")
    assert forwards.mean == pytest.approx(otherwise.mean, rel=1e-9, abs=1e-9)
    assert forwards.m2 == pytest.approx(otherwise.m2, rel=1e-9, abs=1e-3)


@given(left=rows, right=rows)
def test_joint_moments_of_parts_add_up_to_those_of_the_whole(
    left: list[tuple[float, ...]], right: list[tuple[float, ...]]
) -> None:
    def joint(table: list[tuple[float, ...]]) -> JointMoments:
        return JointMoments.of({name: [row[i] for row in table] for i, name in enumerate(("num", "den", "x"))})

    together, whole = joint(left) + joint(right), joint(left + right)
    assert together.count == whole.count
    assert together.means == pytest.approx(whole.means, rel=1e-9, abs=1e-9)
    assert together.comoments == pytest.approx(whole.comoments, rel=1e-9, abs=1e-2)


@given(sample=st.lists(values, min_size=2, max_size=40))
def test_moments_agree_with_numpy(sample: list[float]) -> None:
    assert moments_of(sample).mean == pytest.approx(float(np.mean(sample)), rel=1e-9, abs=1e-9)
    assert moments_of(sample).variance == pytest.approx(float(np.var(sample, ddof=1)), rel=1e-9, abs=1e-6)


def test_variance_survives_a_large_mean() -> None:
    times = np.random.default_rng(1).normal(1.7e9, 100.0, 10_000)
    assert moments_of(times).variance == pytest.approx(float(np.var(times - 1.7e9, ddof=1)), rel=1e-9)
    halves = (column(times[:3000]) + column(times[3000:])).moments("y")
    assert halves.variance == pytest.approx(float(np.var(times - 1.7e9, ddof=1)), rel=1e-9)


def test_shifted_sums_give_the_same_moments_as_the_values() -> None:
    times = np.random.default_rng(2).normal(1.7e9, 100.0, 10_000)
    centred = times - 1.7e9
    sums = {"y": float(centred.sum())}, {("y", "y"): float(centred @ centred)}
    moments = JointMoments.from_sums(times.size, *sums, shifts={"y": 1.7e9}).moments("y")
    assert moments.mean == pytest.approx(float(times.mean()), rel=1e-12)
    assert moments.variance == pytest.approx(moments_of(times).variance, rel=1e-9)


def test_shifted_joint_sums_give_the_same_moments_as_the_values() -> None:
    table = np.random.default_rng(3).normal(1e8, 10.0, (2, 500))
    a, b = table - 1e8
    sums = {("num", "num"): float(a @ a), ("den", "num"): float(a @ b), ("den", "den"): float(b @ b)}
    joint = JointMoments.from_sums(
        500, {"num": float(a.sum()), "den": float(b.sum())}, sums, shifts={"num": 1e8, "den": 1e8}
    )
    direct = JointMoments.of({"num": table[0], "den": table[1]})
    assert joint.means == pytest.approx(direct.means, rel=1e-12)
    assert joint.comoments == pytest.approx(direct.comoments, rel=1e-9)


def test_every_pair_of_columns_is_found_in_either_order() -> None:
    table = np.random.default_rng(4).normal(size=(5, 50))
    names = ("num", "den", "xnum", "xden", "has_history")
    joint, expected = JointMoments.of(dict(zip(names, table, strict=True))), np.cov(table)
    for i, left in enumerate(names):
        for j, right in enumerate(names):
            assert joint.covariance(left, right) == pytest.approx(float(expected[i, j]), rel=1e-9)


@pytest.mark.parametrize("constant", [0.1, 1e15, 1e-9, -123.456])
def test_a_constant_has_no_variance_however_it_was_split(constant: float) -> None:
    parts = column([constant] * 3) + column([constant] * 7) + column([constant])
    assert parts.moments("y").variance == 0.0


def test_means_that_differ_by_rounding_are_one_constant() -> None:
    means = 0.1, math.nextafter(0.1, 1.0)
    left, right = (JointMoments(("y",), 3, (mean,), (0.0,), 3) for mean in means)
    assert (left + right).moments("y").variance == 0.0


@pytest.mark.parametrize("count", [3, 6, 10, 1000, 99_999])
def test_plain_sums_of_a_constant_leave_no_variance_of_rounding(count: int) -> None:
    squares = float(np.full(count, 0.1**2).sum())
    sums = {("y", "y"): squares, ("x", "y"): squares, ("x", "x"): squares}
    joint = JointMoments.from_sums(count, {"y": 0.1 * count, "x": 0.1 * count}, sums)
    assert joint.comoments == (0.0, 0.0, 0.0)
    assert joint.moments("y").variance == 0.0


def test_one_unit_around_1e15_is_still_a_variance() -> None:
    assert moments_of([1e15 - 1, 1e15, 1e15 + 1]).variance == 1.0


def test_conversions_are_ones_among_zeros() -> None:
    counted, listed = Moments.of_conversions(10, 3), moments_of([1.0] * 3 + [0.0] * 7)
    assert counted.count == listed.count
    assert counted.mean == pytest.approx(listed.mean)
    assert counted.m2 == pytest.approx(listed.m2)
    assert counted.total == pytest.approx(3.0)


def test_nothing_and_one_unit_have_no_variance_and_raise_nothing() -> None:
    assert (column([]) + column([])).moments("y") == Moments(0, 0.0, 0.0)
    assert moments_of([5.0]).variance == 0.0
    assert Moments.of_conversions(0, 0) == Moments(0, 0.0, 0.0)
    empty = JointMoments.of({"num": [], "den": []})
    assert empty + empty == empty
    assert JointMoments.from_sums(0, {"num": 0.0, "den": 0.0}, {}) == empty
    assert empty.covariance("num", "den") == 0.0
