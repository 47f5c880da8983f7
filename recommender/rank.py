"""From a wish to a list, over one shelf and in buffers that are kept."""

import numpy as np

from recommender.arrays import Bools, Ints
from recommender.listing import Listing
from recommender.scratch import Scratch
from recommender.shelf import Shelf
from recommender.wishes import Ranking, Wish


class Ranker:
    """Puts lists together over one shelf; it owns the buffers, so one list at a time."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._scratch = Scratch(shelf.model.size if shelf.model is not None else 0)
        self._open = np.ones(shelf.size + 1, np.bool_)  # what no wish blocks; the last one stands for no place (−1)
        self._open[-1] = False

    def rank(self, wish: Wish, day: float) -> Ranking:
        """The list. It has `limit` products whenever so many may be shown."""
        listing = Listing(self.shelf, self._scratch, self._open, wish, day)
        blocked = listing.blocked()
        self._open[blocked] = False
        try:
            return listing.ranking()
        finally:
            self._open[blocked] = True
            self._open[-1] = False

    def free(self, places: Ints) -> Bools:
        """Which of the places are not blocked for the list that is being made."""
        return self._open.take(places)
