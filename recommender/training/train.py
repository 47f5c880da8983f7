"""One training: weights fitted on the last weeks, judged there on other people, then a model of all purchases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kit.time import DAY_SECONDS
from recommender.model.model import Model, ModelArrays, Weights
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
    purchases: Purchases
    categories: Sequence[str]
    kept: tuple[str, ...] = ()  # strategies that serve with what the live model has for them

    def as_json(self) -> dict[str, Any]:
        """What a report and the manifest say."""
        return {
            "orders": self.amounts.orders,
            "customers": self.amounts.people,
            "products": self.amounts.products,
            **model_facts(self.weights, self.at_day, self.strategies),
            "kept": list(self.kept),
            "validation": {task: score.as_json() for task, score in self.table.items()},
            "missing": list(self.missing),
        }


@dataclass(frozen=True, slots=True)
class JudgedModel:
    """Weights fitted on a window, and the model before it that they give, as workers would load it."""

    window: FittingWindow
    weights: Weights
    model: Model

    def answers(self, asked: FittingWindow) -> dict[str, Score]:
        """How well it answers every second question of a window, those that it was not blended on."""
        return scorecard(asked, self.model, slice(1, None, 2))


def window_days(past: Purchases, at_day: float) -> float:
    """How much of the past is held back for fitting."""
    return min(WINDOW_DAYS, SHARE_OF_SPAN * (at_day - past.start))


def judged_model(
    past: Purchases, categories: Sequence[str], at_day: float, days: float, drafts: Path | None
) -> JudgedModel:
    """What is judged: blends fitted on every second question, and written and loaded as workers load it, so that
    nothing of a model can be lost on the way."""
    window = FittingWindow(past, categories, at_day - days, days)
    weights, arrays = fitted(window)
    half = blended(window, arrays, weights, slice(0, None, 2))
    return JudgedModel(window, weights, as_served(arrays, half, window.day, frozenset(STRATEGIES), drafts))


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
        return TrainedModel(arrays, Weights(), POPULAR_ONLY, at_day, amounts, {}, missing, past, categories)
    judged = judged_model(past, categories, at_day, window_days(past, at_day), drafts)
    return completed(judged, past, categories, at_day, progress)


def completed(
    judged: JudgedModel, past: Purchases, categories: Sequence[str], at_day: float, progress: Progress | None = None
) -> TrainedModel:
    """The model of everything before `at_day`, by the weights of one that was judged."""
    table = judged.answers(judged.window)
    arrays = build(past, categories, at_day, judged.weights, progress)
    strategies, amounts = frozenset(STRATEGIES), Amounts.of(past)
    return TrainedModel(arrays, judged.weights, strategies, at_day, amounts, table, [], past, categories)
