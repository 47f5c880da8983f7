"""A refused strategy goes on with what it had, whatever the new model's products are numbered like."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from worlds.shop_worlds import DAY, products_of_taste, taste_lines
from worlds.told_purchases import Told, told_purchases

from recommender.model.model import Model
from recommender.publishing.former import NEAREST, PER_PRODUCT, Former, with_former
from recommender.ranking.request import STRATEGIES
from recommender.training.train import TrainedModel, train_model

OLD = [Told(*line) for line in taste_lines(150, seed=3)]
NEWS = [Told(f"late-{n}", product, f"late-{n}", DAY + 0.3) for n in range(30) for product in ("novelty", "tea-0")]


@cache
def trained(*told: Told) -> TrainedModel:
    purchases = told_purchases(told)
    categories = [products_of_taste().get(name, "News") for name in purchases.product_ids]
    return train_model(purchases, categories, DAY + bool(len(told) > len(OLD)))


@cache
def worlds() -> tuple[Former, TrainedModel]:
    """The model of the evening before, and the night's, whose products have other codes and lack one of them."""
    before = trained(*OLD)
    left = [line for line in OLD if line.product != "wine-7"]
    model = Model(before.arrays, before.weights, before.at_day, before.strategies)
    return Former("v1", model), trained(*NEWS, *reversed(left))


def by_name(model: Model, name: str) -> dict[str, Any]:
    """A column of products by their names; of rows of products near it what stands in them, by name."""
    column = getattr(model.arrays, name)
    rows = model.arrays.taste_row if name.startswith("taste") else np.arange(model.size)
    if column.ndim == 1:
        return {model.ids[code]: float(column[code]) for code in range(model.size)}
    items = model.arrays.taste_items if name.startswith("taste") else model.arrays.neighbour_items
    return {
        model.ids[code]: {
            model.ids[item]: float(value)
            for item, value in zip(items[rows[code]].tolist(), column[rows[code]].tolist(), strict=True)
            if item >= 0 and not name.endswith("items")
        }
        for code in range(model.size) if rows[code] >= 0
    }  # fmt: skip


def without(told: dict[str, Any]) -> dict[str, Any]:
    """What is left of a column when a product is gone, and what others say of it."""
    return {
        name: {other: said for other, said in row.items() if other != "wine-7"} if isinstance(row, dict) else row
        for name, row in told.items() if name != "wine-7"
    }  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_refused_strategy_keeps_its_arrays_and_no_other_one_does(strategy: Any) -> None:
    former, new = worlds()
    kept = with_former(new, former, {strategy})
    assert (kept.kept, kept.strategies) == ((strategy,), new.strategies)
    model = Model(kept.arrays, kept.weights, kept.at_day, kept.strategies)
    for each in STRATEGIES:
        for name in (*PER_PRODUCT.get(each, ()), *NEAREST.get(each, ())):
            if each == strategy:
                found = by_name(model, name)
                empty: Any = {} if isinstance(found["tea-0"], dict) else 0.0
                assert found.pop("novelty", empty) == empty
                assert found == without(by_name(former.model, name))
            else:
                assert np.array_equal(getattr(kept.arrays, name), getattr(new.arrays, name))
    own = {"for_you": "for_you", "buy_again": "buy_again", "bought_together": "together"}
    for each, name in own.items():
        source = former.model.weights if each == strategy else new.weights
        assert getattr(kept.weights, name) == getattr(source, name)


def test_a_strategy_without_a_former_one_does_not_serve() -> None:
    former, new = worlds()
    assert with_former(new, None, {"for_you"}).strategies == {"buy_again", "bought_together", "popular"}
    poor = Former("v0", Model(former.model.arrays, former.model.weights, DAY, frozenset({"popular"})))
    assert with_former(new, poor, {"for_you"}).strategies == {"buy_again", "bought_together", "popular"}
