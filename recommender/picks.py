"""The products picked so far: one of each group, and of a category no more than diversity lets in."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from recommender import reasons
from recommender.arrays import Floats, Ints
from recommender.reasons import Because
from recommender.shelf import NO_GROUP, Shelf
from recommender.wishes import Ranked

Places: TypeAlias = npt.NDArray[np.int64]


class Picks:
    """Places on the shelf in order, each with its score and the reason for it."""

    def __init__(self, shelf: Shelf, limit: int, diversity: float) -> None:
        self.shelf = shelf
        self.limit = limit
        self.cap = max(1, round(limit * (1 - diversity))) if diversity > 0 else limit
        self.items: dict[int, float] = {}
        self.because: dict[int, Because] = {}
        self._groups: set[int] = set()
        self._categories: dict[int, int] = {}

    @property
    def full(self) -> bool:
        return len(self.items) >= self.limit

    def offer(self, places: Ints, scores: Floats, *, strict: bool = True) -> list[int]:
        """Takes what fits, best first, and says what was new."""
        taken: list[int] = []
        left = self.limit - len(self.items)
        if left <= 0:
            return taken
        capped = self.cap < self.limit
        groups, categories = self.shelf.groups(places), self.shelf.category.take(places).tolist()
        for place, score, group, category in zip(places.tolist(), scores.tolist(), groups, categories, strict=True):
            if place in self.items:
                continue
            if strict and (group in self._groups or (capped and self._categories.get(category, 0) >= self.cap)):
                continue
            self.items[place] = score
            taken.append(place)
            if group != NO_GROUP:
                self._groups.add(group)
            if capped:
                self._categories[category] = self._categories.get(category, 0) + 1
            if len(taken) == left:
                break
        return taken

    def list(self) -> tuple[Ranked, ...]:
        """The products as they are shown."""
        shelf, because, products = self.shelf, self.because, self.shelf.products
        return tuple([
            Ranked(
                shelf.ids[place],
                round(score, 6),
                position,
                because.get(place) or reasons.popular(shelf, place),
                None if products is None else products.shown(place),
            )
            for position, (place, score) in enumerate(self.items.items(), 1)
        ])  # fmt: skip


def largest(values: Floats, places: Ints, count: int) -> Places:
    """Where the largest values stand, best first; equal ones in order of place on the shelf."""
    if len(values) <= count:
        return np.lexsort((places, -values))
    ordered = values.copy()
    ordered.partition(len(values) - count)
    where = (values >= ordered[len(values) - count]).nonzero()[0]
    order = np.lexsort((places.take(where), -values.take(where)))
    return where.take(order[:count])


def usual(labels: Ints, values: Floats, wanted: Ints) -> Floats:
    """The mean value of each wanted label among the labelled values; 0 where there is none."""
    size = int(max(labels.max(initial=-1), wanted.max(initial=-1))) + 1
    counts = np.bincount(labels, minlength=size)
    sums = np.bincount(labels, values, size)
    return (sums / np.maximum(counts, 1)).astype(np.float32)[wanted]
