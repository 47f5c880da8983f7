"""What people did after a cut-off, as questions with answers: the next basket, novel products, a hidden product."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.model.identifiers import Bools, Floats, Ints
from recommender.model.purchases import Purchases

TOP: Final = 10
MIN_BASKETS: Final = 5
SMALLEST_BASKET: Final = 3
_DISCOUNT: Final = 1 / np.log2(np.arange(2, TOP + 2))


@dataclass(frozen=True, slots=True)
class PredictionTask:
    """A person, the products at hand (of a cart), and what they bought then."""

    person: int
    cart: Ints
    bought: frozenset[int]


def kept_products(history: Purchases, min_baskets: int = MIN_BASKETS) -> Bools:
    """The products that evaluation looks at: those in at least so many baskets before the cut-off."""
    return np.bincount(history.products, minlength=len(history.product_ids)) >= min_baskets


def next_baskets(history: Purchases, window: Purchases) -> list[PredictionTask]:
    """The first basket of each known person in the window."""
    known = np.bincount(history.people, minlength=len(history.person_ids)) > 0
    first: dict[int, int] = {}
    baskets: dict[int, set[int]] = {}
    lines = zip(window.people.tolist(), window.baskets.tolist(), window.products.tolist(), strict=True)
    for person, basket, product in lines:
        if known[person] and first.setdefault(person, basket) == basket:
            baskets.setdefault(person, set()).add(product)
    return [PredictionTask(person, _NO_CART, frozenset(bought)) for person, bought in sorted(baskets.items())]


def novel_products(history: Purchases, window: Purchases) -> list[PredictionTask]:
    """What each known person bought in the window and had never bought before."""
    width = len(history.product_ids)
    before = np.unique(history.people.astype(np.int64) * width + history.products)
    during = np.unique(window.people.astype(np.int64) * width + window.products)
    new = during[~np.isin(during, before, assume_unique=True)]
    known = np.bincount(history.people, minlength=len(history.person_ids)) > 0
    bought: dict[int, set[int]] = {}
    for person, product in zip((new // width).tolist(), (new % width).tolist(), strict=True):
        if known[person]:
            bought.setdefault(person, set()).add(product)
    return [PredictionTask(person, _NO_CART, frozenset(products)) for person, products in sorted(bought.items())]


def hidden_products(window: Purchases, count: int, seed: int = 0) -> list[PredictionTask]:
    """Baskets of at least three products, of which one is hidden."""
    baskets: dict[tuple[int, int], list[int]] = {}
    lines = zip(window.people.tolist(), window.baskets.tolist(), window.products.tolist(), strict=True)
    for person, basket, product in lines:
        baskets.setdefault((basket, person), []).append(product)
    large = [
        (person, sorted(bought)) for (_, person), bought in sorted(baskets.items()) if len(bought) >= SMALLEST_BASKET
    ]
    dice = np.random.default_rng(seed)
    questions: list[PredictionTask] = []
    for place in dice.permutation(len(large))[:count]:
        person, bought = large[place]
        hidden = bought[dice.integers(len(bought))]
        cart = np.array([product for product in bought if product != hidden], np.int32)
        questions.append(PredictionTask(person, cart, frozenset([hidden])))
    return questions


def gain(top: Ints, bought: frozenset[int]) -> float:
    """NDCG@10 of one list."""
    hits = sum(_DISCOUNT[place] for place, product in enumerate(top[:TOP].tolist()) if product in bought)
    return float(hits / _DISCOUNT[: min(TOP, len(bought))].sum())


def hit(top: Ints, bought: frozenset[int]) -> float:
    """HR@10 of one list."""
    return float(not bought.isdisjoint(top[:TOP].tolist()))


def recall(top: Ints, bought: frozenset[int]) -> float:
    """Recall@10 of one list."""
    return len(bought.intersection(top[:TOP].tolist())) / min(TOP, len(bought))


def best(items: Ints, scores: Floats, count: int = TOP) -> Ints:
    """The products of the largest scores, best first; equal ones in order of code."""
    if len(items) > count:
        places = np.argpartition(-scores, count - 1)
        edge = scores[places[count - 1]]
        places = np.flatnonzero(scores >= edge)
    else:
        places = np.arange(len(items))
    return items[places[np.lexsort((items[places], -scores[places]))][:count]]


_NO_CART: Final = np.empty(0, np.int32)
