"""A real A/B test with known answers: 90,189 players of a mobile game, the first gate at level 30 or 40."""

from pathlib import Path

import pandas as pd
import pytest
from oracles.estimates import ends, existing, moments_of

from experiments.statistics.arms import Pair, mean_arm, pair, proportion_arm
from experiments.statistics.comparison import Comparison, Question, compare
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.sample_ratio import balance


@pytest.fixture(scope="module")
def players(shared: Path) -> pd.DataFrame:
    path = shared / "data" / "cookie_cats.csv"
    if not path.is_file():
        pytest.skip(f"the data {path.name} are not beside the checkout")
    return pd.read_csv(path)


def retention(players: pd.DataFrame, column: str) -> Comparison:
    arms = (players.loc[players.version == version, column] for version in ("gate_30", "gate_40"))
    return compare(pair(*(proportion_arm(len(arm), int(arm.sum())) for arm in arms)), Question())


def rounds(players: pd.DataFrame) -> Pair | NoEstimate:
    arms = (players.loc[players.version == version, "sum_gamerounds"] for version in ("gate_30", "gate_40"))
    return pair(*(mean_arm(moments_of(arm.to_numpy())) for arm in arms))


def test_the_split_is_shown_and_rings_no_alarm(players: pd.DataFrame) -> None:
    counts = players.version.value_counts()
    health = balance([(int(counts["gate_30"]), int(counts["gate_40"]))], [1, 1])
    assert health.p == pytest.approx(0.0086079878, abs=5e-11)
    assert not health.alarm


def test_retention_after_seven_days_is_answered_to_the_printed_digits(players: pd.DataFrame) -> None:
    comparison = retention(players, "retention_7")
    pooled = existing(comparison.pooled)
    assert comparison.fixed.p == pytest.approx(0.00155653018, abs=5e-12)
    assert ends(comparison.fixed.difference_ci) == pytest.approx([-0.01328167703, -0.00312091960], abs=5e-12)
    assert comparison.lift == pytest.approx(-0.043119, abs=5e-7)
    assert ends(comparison.fixed.ci) == pytest.approx([-0.068902, -0.016635], abs=5e-7)
    assert pooled.statistic == pytest.approx(-3.1643589, abs=5e-8)
    assert pooled.p == pytest.approx(0.00155424998, abs=5e-12)


def test_retention_after_a_day_is_answered_to_the_printed_digits(players: pd.DataFrame) -> None:
    comparison = retention(players, "retention_1")
    pooled = existing(comparison.pooled)
    assert comparison.fixed.p == pytest.approx(0.07441443714, abs=5e-12)
    assert pooled.statistic == pytest.approx(-1.7840862, abs=5e-8)
    assert pooled.p == pytest.approx(0.0744096553, abs=5e-11)


def test_one_outlier_is_most_of_the_difference_in_rounds(players: pd.DataFrame) -> None:
    with_it = compare(rounds(players), Question())
    without = compare(rounds(players[players.sum_gamerounds < 49_854]), Question())
    assert with_it.fixed.p == pytest.approx(0.37592438409, abs=5e-12)
    assert without.fixed.p == pytest.approx(0.9494686215, abs=5e-11)
