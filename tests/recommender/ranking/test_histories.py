"""What is bought now counts in the next list, once."""

from pathlib import Path

import pytest
from worlds.shop_worlds import DAY, purchases_of, taste_lines, taste_world, write_trained

from kit.time import DAY_SECONDS, DAY_US
from recommender.model.artefact import read_artefact
from recommender.model.identifiers import person_digest
from recommender.model.model import Model
from recommender.ranking.histories import habit_now
from recommender.ranking.request import PastPurchase
from recommender.ranking.serving import model_of
from recommender.training.train import train_model


@pytest.fixture(scope="module")
def model() -> Model:
    trained = taste_world()
    return Model(trained.arrays, trained.weights, trained.at_day, trained.strategies)


def test_a_purchase_after_the_cut_off_joins_the_habit(model: Model) -> None:
    before = model.habit(person_digest("u:regular"))
    assert before is not None
    after = habit_now(model, before, [PastPurchase("bread-3", DAY + 1), PastPurchase("wine-5", DAY + 2)], DAY + 2)
    assert after is not None
    counts = {model.ids[int(item)]: float(count) for item, count in zip(after.items, after.counts, strict=True)}
    assert (counts["bread-3"], counts["wine-5"]) == (16, 1)
    last = {model.ids[int(item)]: float(day) for item, day in zip(after.items, after.last, strict=True)}
    assert last["wine-5"] == pytest.approx(DAY + 2, abs=0.01)


def test_a_history_older_than_the_model_does_not_count_twice(model: Model) -> None:
    before = model.habit(person_digest("u:regular"))
    assert before is not None
    old = [PastPurchase("bread-3", DAY - 2), PastPurchase("bread-3", DAY - 9)]
    after = habit_now(model, before, old, DAY)
    assert after is not None
    assert after.counts.tolist() == before.counts.tolist()
    assert after.decayed.tolist() == pytest.approx(before.decayed.tolist())


@pytest.mark.parametrize("seconds", [-1e-6, 0, 1e-6, 0.3])
def test_a_purchase_within_the_second_of_the_cut_off_counts_once(tmp_path: Path, seconds: float) -> None:
    bought_us = int(DAY) * DAY_US + round(seconds * 1e6)
    purchases = purchases_of([*taste_lines(20), ("regular", "caviar", "o-late", bought_us / DAY_US)])
    trained = train_model(purchases, [""] * len(purchases.product_ids), DAY + 0.4 / DAY_SECONDS)
    model = model_of(read_artefact(tmp_path, write_trained(tmp_path, trained)))
    habit = habit_now(
        model, model.habit(person_digest("u:regular")), [PastPurchase("caviar", bought_us / DAY_US)], DAY + 1
    )
    assert habit is not None
    counts = dict(zip([model.ids[int(item)] for item in habit.items], habit.counts.tolist(), strict=True))
    assert counts["caviar"] == 1


def test_of_somebody_the_model_never_met_everything_counts(model: Model) -> None:
    habit = habit_now(model, None, [PastPurchase("tea-1", DAY - 300), PastPurchase("unknown", DAY)], DAY)
    assert habit is not None
    assert [model.ids[int(item)] for item in habit.items] == ["tea-1"]
    assert habit_now(model, None, [PastPurchase("unknown", DAY)], DAY) is None
    assert habit_now(model, None, [], DAY) is None


def test_habits_fade_with_time(model: Model) -> None:
    before = model.habit(person_digest("u:regular"))
    assert before is not None
    later = habit_now(model, before, [], DAY + model.weights.habit_half_life)
    assert later is not None
    assert later.decayed.tolist() == pytest.approx((before.decayed / 2).tolist())
