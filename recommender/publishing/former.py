"""A strategy that is refused keeps what it served with: its arrays and weights, told in the new model's products."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from recommender.model.identifiers import UNKNOWN, Floats, Ints
from recommender.model.model import Model, ModelArrays, Weights
from recommender.ranking.request import STRATEGIES, Strategy
from recommender.training.train import TrainedModel

PER_PRODUCT: Final[dict[Strategy, tuple[str, ...]]] = {
    "popular": ("popularity", "baskets"),
    "for_you": ("rise_short", "rise_long"),
}
NEAREST: Final[dict[Strategy, tuple[str, ...]]] = {
    "bought_together": ("neighbour_items", "neighbour_scores", "neighbour_supports"),
    "for_you": ("taste_items", "taste_weights"),
}


@dataclass(frozen=True, slots=True)
class Former:
    """A model that serves, and its version."""

    version: str
    model: Model


def with_former(trained: TrainedModel, former: Former | None, refused: Collection[Strategy]) -> TrainedModel:
    """The trained model with the former arrays and weights of the refused strategies; without former ones without them.

    A person's own habits are always the new ones. What several strategies look at (popularity is a term of `for_you`
    and `buy_again`) is the former one only where it is its own strategy that is refused.
    """
    served = frozenset[str]() if former is None else former.model.strategies
    kept: list[Strategy] = [each for each in STRATEGIES if each in refused and each in served]
    left = (trained.strategies - set(refused)) | set(kept)
    if former is None or not kept:
        return replace(trained, strategies=left)
    arrays, weights, model = trained.arrays, trained.weights, former.model
    places = np.full(len(arrays.popularity), UNKNOWN, np.int32)  # of each product in the former model
    places[arrays.id_places] = model.index.find_digests(arrays.id_digests)
    changed: dict[str, Any] = {}
    for strategy in kept:
        for name in PER_PRODUCT.get(strategy, ()):
            changed[name] = _of_products(getattr(model.arrays, name), places)
        if strategy in NEAREST:
            changed |= _nearest(model.arrays, places, NEAREST[strategy])
        if strategy == "for_you":
            rows = model.arrays.taste_row
            changed["taste_row"] = np.where(places >= 0, rows[places], -1).astype(np.int32) if len(rows) else places
            for name in ("category", "family"):
                changed[f"{name}_share"] = _shares(arrays, model.arrays, places, name)
        weights = _weights(weights, model.weights, strategy)
    return replace(trained, arrays=replace(arrays, **changed), weights=weights, strategies=left, kept=tuple(kept))


def _of_products(values: Floats, places: Ints) -> Floats:
    """A former column; 0 for what is new."""
    return (
        np.where(places >= 0, values[places], 0).astype(np.float32)
        if len(values)
        else np.zeros(len(places), np.float32)
    )


def _nearest(former: ModelArrays, places: Ints, names: tuple[str, ...]) -> dict[str, Any]:
    """Rows of products near a product; those of `neighbour_*` by product, those of `taste_*` by the rows they have."""
    codes = np.full(len(former.popularity) + 1, UNKNOWN, np.int32)  # the last one stands for no product
    known = np.flatnonzero(places >= 0)
    codes[places[known]] = known
    items = codes[getattr(former, names[0])]
    columns = [np.where(items >= 0, getattr(former, name), 0) for name in names[1:]]
    if names[0].startswith("neighbour"):
        rows = np.where(places[:, None] >= 0, places[:, None], 0)[:, 0]
        fresh = places < 0
        items, columns = items[rows], [column[rows] for column in columns]
        items[fresh] = UNKNOWN
        for column in columns:
            column[fresh] = 0
    order = np.argsort(items < 0, axis=1, kind="stable")  # empty places stand last
    taken = [np.take_along_axis(column, order, axis=1) for column in (items, *columns)]
    return {name: column.astype(getattr(former, name).dtype) for name, column in zip(names, taken, strict=True)}


def _shares(arrays: ModelArrays, former: ModelArrays, places: Ints, name: str) -> Floats:
    """The former share of each category that has a product of former times, else the new one."""
    shares = getattr(arrays, f"{name}_share").copy()
    known = places >= 0
    shares[getattr(arrays, name)[known]] = getattr(former, f"{name}_share")[getattr(former, name)[places[known]]]
    return shares


def _weights(weights: Weights, former: Weights, strategy: Strategy) -> Weights:
    if strategy == "for_you":
        return replace(weights, for_you=former.for_you, regularisation=former.regularisation)
    if strategy == "buy_again":
        return replace(weights, buy_again=former.buy_again)
    if strategy == "bought_together":
        return replace(weights, together=former.together, closeness=former.closeness)
    return weights
