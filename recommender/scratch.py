"""Buffers of the model's size in which the products of a request are summed up and looked up.

An item of −1 is an empty place: it falls into the last cell of each buffer, which stands for no product.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.arrays import Floats, Ints

MANY: Final = 2_000  # so much evidence is worth a look for what is weak in it
LEAST: Final = 1e-30  # a sum that is not 0
SAMPLE: Final = 8  # part of the evidence by which the weak is told


class Scratch:
    """Buffers that every request reuses; one request at a time."""

    def __init__(self, size: int) -> None:
        self._places = np.zeros(size + 1, np.intp)
        self._sums = np.zeros(size + 1, np.float32)

    def summed(self, items: Ints, values: Floats, more: Ints, best: int | None = None) -> tuple[Ints, Floats]:
        """Each product of `items` and `more` once (those of `more` last), and the sum of its values.

        Where `is_cut`, products of small sums are left out, unless they are in `more`: about `best` are kept or more,
        and none of a smaller sum than one that is left out.
        """
        codes = items.astype(np.intp)
        self._sums[codes] = 0
        if len(more):
            self._sums[more] = 0
        np.add.at(self._sums, codes, values)
        if best is not None and is_cut(len(codes), best):
            codes = codes.take(self._strong(items, best))
        if len(more):
            codes = np.concatenate((codes, more.astype(np.intp)))
        found = codes.take(self._once(codes))
        return found.astype(np.int32), self._sums.take(found)

    def sums_at(self, wanted: Ints, items: Ints, values: Floats) -> Floats:
        """The sum of the values of each wanted product among the items."""
        self._sums[wanted] = 0
        codes = items.astype(np.intp)
        self._sums[codes] = 0
        np.add.at(self._sums, codes, values)
        return self._sums.take(wanted)

    def places(self, items: Ints, wanted: Ints) -> npt.NDArray[np.intp]:
        """For each of `items` its place in `wanted`, −1 where it is not there."""
        codes = items.astype(np.intp)
        self._places[codes] = -1
        self._places[wanted] = np.arange(len(wanted))
        return self._places.take(codes)

    def _strong(self, items: Ints, best: int) -> npt.NDArray[np.intp]:
        """Where sums stand that reach the `best`-th largest of a part of all sums."""
        sums = self._sums.take(items)
        sample = sums[: len(sums) // SAMPLE].copy()
        sample.partition(len(sample) - best)
        return (sums >= max(sample[len(sample) - best], LEAST)).nonzero()[0]

    def _once(self, codes: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Where each product stands for the last time."""
        places = np.arange(len(codes))
        self._places[codes] = places
        self._places[-1] = -1
        return (self._places.take(codes) == places).nonzero()[0]


def is_cut(count: int, best: int | None) -> bool:
    """Whether so many values are enough to look for the best only."""
    return best is not None and count > max(MANY, 2 * SAMPLE * best)
