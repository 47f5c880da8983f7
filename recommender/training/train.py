"""One training: weights fitted on the last weeks, judged there on other people, then a model of all purchases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kit.time import DAY_SECONDS
from recommender.model.model import ModelArrays, Weights
from recommender.model.purchases import Purchases
from recommender.ranking.request import STRATEGIES
from recommender.ranking.serving import as_served, model_facts
from recommender.training.build import build
from recommender.training.cooccurrence import Progress
from recommender.training.fitting import FittingWindow, blended, fitted
from recommender.training.scorecard import Score, scorecard

ORDERS: Final = 200
PEOPLE: Final = 50  # with at least two products
PRODUCTS: Final = 10


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a training has to go by."""

    orders: int
    people: int
    products: int

    @classmethod
    def of(cls, purchases: Purchases) -> "Amounts":
        if not len(purchases):
            return cls(0, 0, 0)
        width = max(1, len(purchases.product_ids))
        pairs = np.unique(purchases.people.astype(np.int64) * width + purchases.products)
        _, counts = np.unique(pairs // width, return_counts=True)
        return cls(purchases.orders, int((counts >= 2).sum()), len(np.unique(purchases.products)))

    def missing(self) -> list[str]:
        """What is too little, as sentences; empty when there is enough."""
        demands = (
            ("orders", self.orders, ORDERS),
            ("people with two products", self.people, PEOPLE),
            ("products bought", self.products, PRODUCTS),
        )
        return [f"{found} {name}, at least {needed} are needed" for name, found, needed in demands if found < needed]


WINDOW_DAYS: Final = 28.0
SHARE_OF_SPAN: Final = 0.25  # of a short past at most so much is held back for fitting
POPULAR_ONLY: Final = frozenset({"popular"})


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model with what is known of it; `table` is its validation, empty when there was too little to fit on."""

    arrays: ModelArrays
    weights: Weights
    strategies: frozenset[str]
    at_day: float
    amounts: Amounts
    table: Mapping[str, Score]
    missing: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """What a report and the manifest say."""
        return {
            "orders": self.amounts.orders,
            "customers": self.amounts.people,
            "products": self.amounts.products,
            **model_facts(self.weights, self.at_day, self.strategies),
            "validation": {task: score.as_json() for task, score in self.table.items()},
            "missing": list(self.missing),
        }


def train_model(
    purchases: Purchases,
    categories: Sequence[str],
    at_day: float,
    progress: Progress | None = None,
    drafts: Path | None = None,
) -> TrainedModel:
    """A model of the purchases before `at_day`; below the minimum of data one that only knows what is popular.

    The cut-off is a whole second, as the manifest writes it. `drafts` is where the model that is judged is written to
    be loaded, by default among temporary files.
    """
    at_day = round(at_day * DAY_SECONDS) / DAY_SECONDS
    past = purchases.before(at_day)
    amounts = Amounts.of(past)
    missing = amounts.missing()
    if missing:
        arrays = build(past, categories, at_day, Weights())
        return TrainedModel(arrays, Weights(), POPULAR_ONLY, at_day, amounts, {}, missing)
    days = min(WINDOW_DAYS, SHARE_OF_SPAN * (at_day - past.start))
    window = FittingWindow(past, categories, at_day - days, days)
    weights, arrays = fitted(window)
    # What is judged: blends fitted on every second question, judged on the others, and written and loaded as workers
    # load it, so that nothing of a model can be lost on the way.
    half = blended(window, arrays, weights, slice(0, None, 2))
    judged = as_served(arrays, half, window.day, frozenset(STRATEGIES), drafts)
    del arrays  # only the loaded model is kept
    table = scorecard(window, judged, slice(1, None, 2))
    del judged
    arrays = build(past, categories, at_day, weights, progress)
    return TrainedModel(arrays, weights, frozenset(STRATEGIES), at_day, amounts, table, [])
