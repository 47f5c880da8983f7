"""Signs of invented conversions: what chance does is none, and whoever invents for one arm gives at least one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from experiments.cube.forgery import ALPHA, ToldByPages, signs
from experiments.validation.forged_worlds import ForgedWorld, share_named

HONEST = ToldByPages(1000, 30, 10, {number: 1 for number in range(950)} | {2000: 50})
COUNTS = st.integers(0, 3000)


def with_invented(invented: int, networks: int, **other: int) -> ToldByPages:
    told = {number: 1 for number in range(950)} | {2000: 50} | {5000 + n: invented // networks for n in range(networks)}
    return ToldByPages(1000 + invented, other.get("unbacked", 30), other.get("soon", 10), told)


def kinds(*arms: ToldByPages) -> list[tuple[str, int]]:
    return [(sign.kind, sign.arm) for sign in signs(arms)]


def test_many_units_of_one_arm_from_few_networks_are_a_sign_and_said_with_their_figures() -> None:
    assert kinds(HONEST, HONEST) == []
    found = signs([HONEST, with_invented(60, 3)])
    assert [(each.kind, each.arm, each.units, each.networks, each.elsewhere) for each in found] == [
        ("networks", 1, 60, 3, 0)
    ]
    assert found[0].p < ALPHA


def test_a_network_of_many_people_in_both_arms_is_none() -> None:
    carrier = {2000: 900} | {number: 1 for number in range(100)}
    assert kinds(ToldByPages(1000, 0, 0, carrier), ToldByPages(1000, 0, 0, {**carrier, 2000: 990})) == []


def test_what_backends_know_nothing_of_is_a_sign_only_where_they_tell_of_the_rest() -> None:
    assert kinds(HONEST, with_invented(60, 60, unbacked=90)) == [("unbacked", 1)]
    alone = [ToldByPages(1000, 1000), ToldByPages(1100, 1100)]
    assert kinds(*alone) == []


def test_conversions_at_once_are_a_sign_where_most_are_and_elsewhere_they_are_not() -> None:
    quick = ToldByPages(1000, 30, 600, HONEST.networks)
    assert kinds(HONEST, quick) == [("soon", 1)]
    assert kinds(quick, quick) == []


def test_the_p_of_a_network_is_the_binomials_for_as_many_as_could_be_a_sign() -> None:
    arms = [ToldByPages(1000, 0, 0, {number: 1 for number in range(1000)})] * 2
    found = signs([arms[0], ToldByPages(1030, 0, 0, {**arms[1].networks, 7000: 30})])
    assert found[0].p == pytest.approx(2 * binom.sf(29, 30, 1030 / 2030))


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, st.dictionaries(st.integers(0, 9), COUNTS)), max_size=4))
def test_whatever_was_told_there_is_an_answer_and_each_sign_is_larger_here_than_elsewhere(
    told: list[tuple[int, int, int, dict[int, int]]],
) -> None:
    arms = [
        ToldByPages(units + sum(networks.values()), min(units, unbacked), min(units, soon), networks)
        for units, unbacked, soon, networks in told
    ]
    for sign in signs(arms):
        assert sign.units * sign.elsewhere_of > sign.elsewhere * sign.of
        assert 0.0 <= sign.p < ALPHA


@pytest.mark.parametrize("backed", [False, True])
def test_honest_shops_are_seldom_named_and_forged_ones_mostly(backed: bool) -> None:
    world, rng = ForgedWorld(1000, backed), np.random.default_rng(7)
    assert share_named(300, rng, world) <= 0.01
    assert share_named(40, rng, ForgedWorld(1000, backed, forged=True)) >= 0.95
