"""Fits how near two products are: baskets of the window with one product hidden, found again by what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from recommender.model.model import Closeness
from recommender.ranking.candidates import powered
from recommender.training.cooccurrence import Margins, Nearness, Neighbours
from recommender.training.prediction_tasks import PredictionTask

CHOICES: Final[Mapping[str, Sequence[float]]] = {
    "alpha": (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9),
    "chance": (0.0, 0.25, 0.5, 0.75, 1.0),
    "doubt": (0.0, 1.0, 2.0, 4.0, 8.0),
    "crowding": (0.0, 0.25, 0.5, 0.75, 1.0),
}
POWERS: Final = (1.0, 1.5, 2.0)
ROUNDS: Final = 3
MOST_PAIRS: Final = 4_000_000  # of a product at hand and a neighbour of it


class HiddenProducts:
    """Questions laid out so that a formula is judged on all of them in a few passes over arrays."""

    def __init__(self, questions: Sequence[PredictionTask], nearest: Neighbours) -> None:
        size, kept = nearest.items.shape
        lengths = np.array([len(question.cart) for question in questions], np.int64)
        self._count = int(np.searchsorted(lengths.cumsum() * kept, MOST_PAIRS, "right"))
        asked = questions[: self._count]
        cart = np.concatenate([np.empty(0, np.int32), *(question.cart for question in asked)])
        of_cart = np.repeat(np.arange(self._count), lengths[: self._count])
        keys = (of_cart[:, None] * size + nearest.items[cart]).ravel()
        taken = (nearest.items[cart].ravel() >= 0) & ~np.isin(keys, of_cart * size + cart)
        products, self._places = np.unique(keys[taken], return_inverse=True)
        self._questions = products // size
        self._sources = np.repeat(cart, kept)[taken]
        self._items = nearest.items[cart].ravel()[taken]
        self._supports = nearest.supports[cart].ravel()[taken]
        hidden = np.array([next(iter(question.bought)) for question in asked], np.int64)
        wanted = np.arange(self._count) * size + hidden
        self._found = np.isin(wanted, products)
        self._hidden = np.searchsorted(products, wanted[self._found])

    def gain(self, nearness: Nearness, power: float) -> float:
        """The mean of 1 / log2(1 + rank) over the hidden products, 0 for one that nothing speaks for."""
        if not len(self._hidden):
            return 0.0
        strengths = powered(nearness.scores(self._sources, self._items, self._supports), power)
        sums = np.bincount(self._places, strengths)
        own = np.full(self._count, np.inf)
        own[self._found] = sums[self._hidden]
        before = np.bincount(self._questions, sums > own[self._questions], self._count)
        gains = np.where(own > 0, 1 / np.log2(before + 2), 0)
        return float(gains[self._found].sum() / self._count)


def fitted_closeness(hidden: HiddenProducts, margins: Margins) -> tuple[Closeness, float]:
    """The formula that finds the hidden products earliest, and the power of its scores that suits it.

    One number after the other is set to the best of its choices, until none of them changes any more.
    """
    closeness, power = Closeness(), POWERS[1]
    for _ in range(ROUNDS):
        before = closeness, power
        for name in CHOICES:
            closeness = _improved(hidden, margins, closeness, power, name)
        power = _best_power(hidden, margins.nearness(closeness), power)
        if before == (closeness, power):
            break
    return closeness, power


def _improved(hidden: HiddenProducts, margins: Margins, closeness: Closeness, power: float, name: str) -> Closeness:
    """The best choice for one number; the current one where none is better."""
    tried = [closeness, *(replace(closeness, **{name: choice}) for choice in CHOICES[name])]
    return max(tried, key=lambda each: hidden.gain(margins.nearness(each), power))


def _best_power(hidden: HiddenProducts, nearness: Nearness, power: float) -> float:
    return max((power, *POWERS), key=lambda each: hidden.gain(nearness, each))
