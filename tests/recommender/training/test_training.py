"""Training: fitted, judged, published or refused with reasons."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.shop_worlds import DAY, purchases_of, taste_lines, taste_world

from recommender.model.artefact import current_version
from recommender.publishing.gate import refusals
from recommender.publishing.publish import REPORT, publish_unless_worse
from recommender.training.scorecard import Score, bootstrap
from recommender.training.train import Amounts, train_model

GOOD = Score(400, 0.30, 0.5, 0.3, 50, 0.10, (0.15, 0.25))


def test_the_world_of_tastes_is_foretold_better_than_by_popularity() -> None:
    table = taste_world().table
    assert {task for task, score in table.items() if score.interval[0] > 0} >= {"novel"}
    assert table["novel"].ndcg > 1.5 * table["novel"].popular


def test_the_same_purchases_train_the_same_model() -> None:
    purchases = purchases_of(taste_lines(120))
    first, second = (train_model(purchases, [""] * len(purchases.product_ids), DAY) for _ in range(2))
    assert first.weights == second.weights
    assert {name: array.tobytes() for name, array in first.arrays.as_dict().items()} == {
        name: array.tobytes() for name, array in second.arrays.as_dict().items()
    }


def test_too_little_data_gives_a_model_that_only_knows_what_is_popular(tmp_path: Path) -> None:
    purchases = purchases_of(taste_lines(20))
    trained = train_model(purchases, [""] * len(purchases.product_ids), DAY)
    assert trained.strategies == {"popular"}
    report = publish_unless_worse(tmp_path, trained, 0.1)
    assert report.outcome == "too_little_data"
    assert any("at least 200 are needed" in reason for reason in report.reasons)
    assert current_version(tmp_path) == report.version
    assert json.loads((tmp_path / REPORT).read_text())["outcome"] == "too_little_data"


@pytest.mark.parametrize("lines", [[], [("c", "p", "o", DAY + 1)]])
def test_nothing_at_all_trains_too(lines: list[tuple[str, str, str, float]], tmp_path: Path) -> None:
    from recommender.model.purchases import Purchases

    purchases = purchases_of(lines) if lines else Purchases.of([], [], [], [])
    report = publish_unless_worse(tmp_path, train_model(purchases, [""] * len(purchases.product_ids), DAY), 0.0)
    assert report.outcome == "too_little_data"
    assert Amounts.of(purchases.before(DAY)) == Amounts(0, 0, 0)


def test_a_strategy_worse_than_popularity_is_refused_and_its_former_one_stays(tmp_path: Path) -> None:
    version = publish_unless_worse(
        tmp_path, replace(taste_world(), table={"next_basket": GOOD, "novel": GOOD}), 0.0
    ).version
    bad = replace(GOOD, ndcg=0.05, interval=(-0.08, -0.02))
    report = publish_unless_worse(tmp_path, replace(taste_world(), table={"next_basket": GOOD, "novel": bad}), 0.0)
    assert report.reasons == ("novel: worse than popularity, 0.0500 against 0.1000 (95 % [-0.0800, -0.0200])",)
    assert report.facts["versions"]["for_you"] == version
    others = {strategy for strategy, serving in report.facts["versions"].items() if serving == report.version}
    assert others == {"buy_again", "bought_together", "popular"}
    assert current_version(tmp_path) == report.version


def test_a_model_worse_than_the_live_one_beyond_tolerance_is_refused() -> None:
    live = {
        "strategies": ["for_you", "popular"],
        "validation": {"novel": GOOD.as_json(), "next_basket": GOOD.as_json()},
    }
    worse = replace(GOOD, ndcg=0.20, interval=(0.05, 0.15))
    found = refusals(replace(taste_world(), table={"next_basket": GOOD, "novel": worse}), live)
    assert found == {"for_you": ["novel: 2.00 times popularity, the live model reached 3.00; 20% less is borne"]}
    nearly = replace(GOOD, ndcg=0.28, interval=(0.13, 0.23))
    assert refusals(replace(taste_world(), table={"next_basket": GOOD, "novel": nearly}), live) == {}


def test_too_little_data_never_replaces_a_live_model() -> None:
    poor = replace(taste_world(), missing=["3 orders, at least 200 are needed"])
    assert refusals(poor, {"strategies": ["for_you", "popular"]})
    assert refusals(poor, {"strategies": ["popular"]}) == {}


def test_the_interval_of_a_difference_holds_its_mean() -> None:
    import numpy as np

    values = np.random.default_rng(1).normal(0.2, 1, 4000)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 4000**0.5, rel=0.15)
