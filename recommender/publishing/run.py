"""A whole training: which orders it learns from, a model published or refused, a report written."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from events.authority import Authority
from kit.time import DAY_SECONDS, now_seconds
from recommender.model.artefact import MODELS, ArtefactDamaged
from recommender.model.identifiers import Index, Texts
from recommender.model.products import ProductArrays
from recommender.model.purchases import Purchases
from recommender.publishing.gate import shortfalls
from recommender.publishing.publish import NOTHING, Acceptance, Report, publish_unless_worse
from recommender.ranking.serving import published_products
from recommender.training.cooccurrence import Progress
from recommender.training.counting import speaking
from recommender.training.sources import LoggedPurchases, logged_purchases, purchases_from_table
from recommender.training.train import Amounts, TrainedModel, completed, judged_model, train_model, window_days

LearnFrom = Literal["auto", "backend", "any"]
LEAST: Final[Mapping[LearnFrom, Authority]] = {
    "auto": Authority.PROVEN, "backend": Authority.BACKEND, "any": Authority.PAGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainingTerms:
    """How a training is to be done: which orders teach, and what somebody accepts."""

    learn_from: LearnFrom = "auto"
    acceptance: Acceptance = NOTHING


def run_training(
    data: Path, table: Path | None = None, progress: Progress | None = None, terms: TrainingTerms = TrainingTerms()
) -> Report:
    """Trains on the log, or on a table, and settles what becomes of the model.

    Raises DataDamaged for a log that cannot be read, TableError for a table that cannot be used.
    """
    started = time.process_time()
    until_seconds = int(now_seconds())  # before the log is read: what comes while it is read is not of this model
    if table is None:
        logged = logged_purchases(data, LEAST[terms.learn_from])
    else:
        logged = LoggedPurchases.alike(purchases_from_table(table))
    every = logged.every
    cut_off = (
        until_seconds if table is None or not len(every) else math.ceil(every.days[-1] * DAY_SECONDS) + 1
    ) / DAY_SECONDS
    models = data / MODELS
    models.mkdir(parents=True, exist_ok=True)
    products = catalogue(data)
    places = None if products is None else places_of(products, every)
    categories = categories_of(products, every)
    learning = Learning(categories, cut_off, progress, models)
    trained, learned = learning.from_log(logged, terms.learn_from)
    sold = None if places is None else places >= 0
    seconds = time.process_time() - started
    return publish_unless_worse(models, trained, seconds, terms.acceptance, sold, {"learned_from": learned})


@dataclass(frozen=True, slots=True)
class Learning:
    """A training until its model stands: the categories of all products, the cut-off, where drafts are written."""

    categories: Sequence[str]
    at_day: float
    progress: Progress | None
    drafts: Path | None

    def from_log(self, logged: LoggedPurchases, learn_from: LearnFrom) -> tuple[TrainedModel, dict[str, Any]]:
        """The model, and what the report says of the orders that it learned from."""
        if learn_from == "auto":
            trained, chosen, why = self._better(logged)
        else:
            chosen = logged.believed if learn_from == "backend" else logged.every
            trained, why = self._of(chosen), []
        every, used = orders_by_authority(logged.every), orders_by_authority(trained.purchases)
        told: dict[str, Any] = {
            "setting": learn_from,
            "used": used,
            "left_out": {word: max(0, count - used[word]) for word, count in every.items()},
            "beyond_a_networks_share": trained.purchases.orders - speaking(trained.purchases).orders,
            "because": why,
        }
        if why and chosen is logged.every:
            told["proposal"] = "let the backend send the orders: what pages say can be invented"
        return trained, told

    def _of(self, purchases: Purchases) -> TrainedModel:
        return train_model(purchases, self.categories, self.at_day, self.progress, self.drafts)

    def _better(self, logged: LoggedPurchases) -> tuple[TrainedModel, Purchases, list[str]]:
        """A model of what is believed more than pages as soon as it is as good for those orders, else of all."""
        every, believed = logged.every.before(self.at_day), logged.believed.before(self.at_day)
        if not (every.origins.authorities == Authority.PAGE).any():
            return self._of(logged.every), logged.every, []
        missing = Amounts.of(believed).missing()
        if missing:
            return self._of(logged.every), logged.every, [f"orders that pages did not tell: {text}" for text in missing]
        days = window_days(believed, self.at_day)
        alone, whole = (
            judged_model(past, self.categories, self.at_day, days, self.drafts) for past in (believed, every)
        )
        wanting = shortfalls(alone.answers(alone.window), whole.answers(alone.window))
        if wanting:
            texts = [f"orders that pages did not tell: {text}" for text in wanting]
            return completed(whole, every, self.categories, self.at_day, self.progress), logged.every, texts
        return completed(alone, believed, self.categories, self.at_day, self.progress), logged.believed, []


def orders_by_authority(purchases: Purchases) -> dict[str, int]:
    """How many orders of each authority there are."""
    ranks = purchases.origins.authorities
    return {each.word: len(np.unique(purchases.baskets[ranks == each])) for each in sorted(Authority, reverse=True)}


def catalogue(data: Path) -> ProductArrays | None:
    """The published catalogue of products, None where there is none that can be used."""
    try:
        return published_products(data)
    except ArtefactDamaged:
        return None


def places_of(products: ProductArrays, purchases: Purchases) -> Any:
    """The place of each product bought in the catalogue, below 0 where it is not there."""
    return Index(products.id_digests, products.id_places).find(list(purchases.product_ids))


def categories_of(products: ProductArrays | None, purchases: Purchases) -> list[str]:
    """The category path of each product from the catalogue, "" where it has none."""
    if products is None:
        return [""] * len(purchases.product_ids)
    names = Texts(products.category_blob, products.category_offsets).all()
    return [names[int(products.category[place])] if place >= 0 else "" for place in places_of(products, purchases)]
