"""From purchases to the arrays of a model, with weights that are given."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from recommender.model.frequency import habits
from recommender.model.identifiers import Floats, Index, Ints, Texts, person_digest
from recommender.model.model import ModelArrays, Weights, person_order
from recommender.model.purchases import Purchases, codes
from recommender.training.cooccurrence import Neighbours, Progress, common_baskets, neighbours
from recommender.training.counting import HALF_LIFE_DAYS, once_each, speaking
from recommender.training.ease import Taste, person_matrix, taste


def popularity(purchases: Purchases, at_day: float, half_life_days: float) -> Floats:
    """How many people buy each product, once in a half-life, each counted by what is left of it at `at_day`."""
    purchases = once_each(purchases, at_day, half_life_days)
    left = 0.5 ** ((at_day - purchases.days) / half_life_days)
    return np.bincount(purchases.products, left, len(purchases.product_ids)).astype(np.float32)


def first_time_buyers(purchases: Purchases, at_day: float, half_life_days: float) -> Floats:
    """How many people bought each product for the first time, the older the less."""
    return popularity(purchases.where(purchases.first_purchases()), at_day, half_life_days)


RISE_SHORT: Final = 14.0
RISE_LONG: Final = 56.0
PATH: Final = " > "  # between the levels of a category


def build(
    purchases: Purchases, categories: Sequence[str], at_day: float, weights: Weights, progress: Progress | None = None
) -> ModelArrays:
    """Everything a model holds; `categories` is the category path of each product, "" where it is unknown."""
    shared = speaking(purchases)
    nearest = neighbours(common_baskets(shared, at_day), weights.closeness, progress=progress)
    matrix = person_matrix(shared, at_day, weights.habit_half_life)
    return assembled(purchases, categories, at_day, weights, nearest, taste(matrix, weights.regularisation))


def assembled(
    purchases: Purchases,
    categories: Sequence[str],
    at_day: float,
    weights: Weights,
    nearest: Neighbours,
    tastes: Taste,
) -> ModelArrays:
    """A model's arrays from its parts; `purchases` are all, of which those that may speak for others do."""
    shared = speaking(purchases)
    size = len(purchases.product_ids)
    ids, index = Texts.of(purchases.product_ids), Index.of(purchases.product_ids)
    category_names, category = codes(categories)
    _, family = codes([path.partition(PATH)[0] for path in categories])
    names = Texts.of(category_names)
    row = np.full(size, -1, np.int32)
    row[tastes.products] = np.arange(len(tastes.products), dtype=np.int32)
    people = np.fromiter(map(person_digest, purchases.person_ids), np.uint64, len(purchases.person_ids))
    digests, own = person_order(habits(purchases, at_day, weights.habit_half_life), people)
    firsts = first_time_buyers(shared, at_day, weights.habit_half_life)
    return ModelArrays(
        id_blob=ids.blob,
        id_offsets=ids.offsets,
        id_digests=index.digests,
        id_places=index.places,
        popularity=popularity(shared, at_day, HALF_LIFE_DAYS),
        baskets=np.bincount(shared.products, minlength=size).astype(np.float32),
        rise_short=first_time_buyers(shared, at_day, RISE_SHORT),
        rise_long=first_time_buyers(shared, at_day, RISE_LONG),
        category=category,
        family=family,
        category_share=_shares(category, firsts),
        family_share=_shares(family, firsts),
        category_blob=names.blob,
        category_offsets=names.offsets,
        neighbour_items=nearest.items,
        neighbour_scores=nearest.scores,
        neighbour_supports=nearest.supports,
        taste_row=row,
        taste_items=tastes.items,
        taste_weights=tastes.weights,
        customer_digests=digests,
        habit_offsets=own.offsets,
        habit_items=own.items,
        habit_counts=own.counts,
        habit_decayed=own.decayed,
        habit_recent=own.recent,
        habit_last=own.last,
        habit_first=own.first,
    )


def _shares(labels: Ints, firsts: Floats) -> Floats:
    sums = np.bincount(labels, firsts, int(labels.max(initial=-1)) + 1)
    return (sums / max(float(sums.sum()), 1e-9)).astype(np.float32)
