"""The readout of random shops agrees, cell by cell, with a second one written in plain Python."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from oracles.readout_oracle import DAY, Oracle, World
from worlds.observed_worlds import observed
from worlds.readout_worlds import METRICS, START, world

from experiments.cube.observations import MetricObservation
from experiments.statistics.moments import JointMoments

NAMES = {metric.name: metric for metric in METRICS}


def agree(ours: JointMoments, theirs: JointMoments) -> None:
    assert (ours.count, ours.nonzero) == (theirs.count, theirs.nonzero)
    if theirs.count:
        names = ours.columns
        assert ours.means == pytest.approx(theirs.means, abs=1e-9), names
        assert ours.comoments == pytest.approx(theirs.comoments, rel=1e-9, abs=1e-6), names


def check_all(made: World, data: Path) -> None:
    oracle = Oracle(replace(made, longest=7 * DAY))
    with observed(made, data) as observer:
        for rule in observer.cube.plan.rules:
            found = observer.observe(rule, ("device",))
            for ours, theirs in zip(found.arms, oracle.moments(NAMES[rule.name]), strict=True):
                agree(ours, theirs)
            check_levels(found)
            check_days(found, oracle)
        left_out = {metric.name: oracle.unconverted(metric) for metric in METRICS}
        assert observer.cube.excluded()[2] == {name: count for name, count in left_out.items() if count}


def check_levels(found: MetricObservation) -> None:
    for number, whole in enumerate(found.arms):
        assert sum(arms[number].nonzero for arms in found.levels["device"].values()) == whole.nonzero


def check_days(found: MetricObservation, oracle: Oracle) -> None:
    assert found.looks is not None
    for day, arms in zip(found.looks.days, found.looks.cumulative, strict=True):
        for ours, theirs in zip(arms, oracle.moments(NAMES[found.rule.name], until_day=day), strict=True):
            agree(ours, theirs)


@pytest.mark.parametrize("seed", range(8))
def test_every_metric_and_every_day_agrees_with_the_oracle(seed: int, tmp_path: Path) -> None:
    check_all(world(seed), tmp_path)


@pytest.mark.parametrize("identity", ["first_touch", "strict"])
@pytest.mark.parametrize("unit", ["visitor", "user"])
def test_units_and_identities_of_every_kind_agree_with_the_oracle(unit: str, identity: str, tmp_path: Path) -> None:
    check_all(world(40, unit=unit, identity=identity), tmp_path)


def test_a_stopped_experiment_takes_neither_later_exposures_nor_later_identities(tmp_path: Path) -> None:
    check_all(world(50, stop=START + 2 * DAY), tmp_path)


@pytest.mark.parametrize("rates", [{"USD": 3.0}, {"USD": 0.25, "GBP": 1.17}, {"EUR": 4.0, "GBP": 2.0}])
def test_shops_with_rates_agree_with_the_oracle(rates: dict[str, float], tmp_path: Path) -> None:
    check_all(world(60, rates=rates, currency="USD" if "EUR" in rates else "EUR"), tmp_path)


@pytest.mark.slow
@pytest.mark.drawn(2)
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_more_shops_agree_with_the_oracle(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    timezone = chance.choice(["UTC", "America/New_York", "Asia/Kolkata"])
    rates: dict[str, float] = chance.choice([{}, {"USD": 3.0}, {"GBP": 1.17, "USD": 0.925}])
    check_all(world(seed, timezone=timezone, rates=rates), tmp_path)
