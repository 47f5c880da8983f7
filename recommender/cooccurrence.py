"""What is bought together: blocked products of the basket matrix, of which each product keeps its nearest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.arrays import Floats, Ints
from recommender.purchases import Purchases
from recommender.sparse import SparseMatrix, sparse

KEPT: Final = 100
ROWS_PER_BLOCK: Final = 2_000
LARGEST_BASKET: Final = 200  # cost grows with the square of a basket
NOBODY: Final = -1

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Each product's nearest products, one row each, best first; `items` is −1 where there are fewer.

    `supports` is in how many baskets both were, `scores` the asymmetric cosine.
    """

    items: Ints
    scores: Floats
    supports: Ints

    def weighted(self, counts: Floats, alpha: float) -> "Neighbours":
        """The same neighbours under another asymmetry, in the old order; `counts` is the baskets of each product."""
        scores = self.supports / (counts[:, None] ** alpha * counts[np.maximum(self.items, 0)] ** (1 - alpha) + 1e-9)
        return Neighbours(self.items, np.where(self.items >= 0, scores, 0).astype(np.float32), self.supports)


def basket_matrix(purchases: Purchases) -> SparseMatrix:
    """Baskets × products, 1 where the basket holds the product; of a huge basket only its first lines count."""
    rows, columns = purchases.baskets, purchases.products
    counts = np.bincount(rows)
    if counts.max(initial=0) > LARGEST_BASKET:
        kept = _first_of_each(rows, counts) < LARGEST_BASKET
        rows, columns = rows[kept], columns[kept]
    shape = (len(counts), len(purchases.product_ids))
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


def _first_of_each(rows: Ints, counts: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """How many lines of the same basket come before each line."""
    order = np.argsort(rows, kind="stable")
    starts = np.cumsum(counts) - counts
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows)) - starts[rows[order]]
    return place


def neighbours(baskets: SparseMatrix, alpha: float, kept: int = KEPT, progress: Progress | None = None) -> Neighbours:
    """The `kept` products of the largest asymmetric cosine c_ij / (c_i^α c_j^(1−α)) for each product.

    Aiolli, Efficient top-N recommendation for very large scale binary rated datasets, RecSys 2013, eq. 2; on baskets
    instead of users. Memory is one block of rows at a time.
    """
    products = baskets.T.tocsr()
    size = products.shape[0]
    counts = np.diff(products.indptr).astype(np.float32)
    target = (np.maximum(counts, 1) ** -(1 - alpha)).astype(np.float32)
    source = np.maximum(counts, 1) ** -alpha
    found = Neighbours(
        np.full((size, kept), NOBODY, np.int32), np.zeros((size, kept), np.float32), np.zeros((size, kept), np.int32)
    )
    for start in range(0, size, ROWS_PER_BLOCK):
        block = products[start : start + ROWS_PER_BLOCK] @ baskets
        _keep_best(block, start, target, found)
        if progress is not None:
            progress(min(start + ROWS_PER_BLOCK, size), size)
    found.scores[:] *= source.astype(np.float32)[:, None]
    return found


def _keep_best(block: SparseMatrix, start: int, target: Floats, found: Neighbours) -> None:
    """Fills the rows of one block; a product is no neighbour of its own."""
    kept = found.items.shape[1]
    starts, columns, supports = block.indptr, block.indices, block.data
    scores = supports * target[columns]
    own = np.repeat(np.arange(start, start + block.shape[0]), np.diff(starts))
    scores[columns == own] = -1
    for row in range(block.shape[0]):
        low, high = starts[row], starts[row + 1]
        if high - low <= 1:
            continue
        best = _best(scores[low:high], kept)
        best = best[scores[low + best] > 0]
        found.items[start + row, : len(best)] = columns[low + best]
        found.scores[start + row, : len(best)] = scores[low + best]
        found.supports[start + row, : len(best)] = supports[low + best]


def _best(scores: Floats, kept: int) -> npt.NDArray[np.intp]:
    """Places of the largest scores, best first; equal ones in order of place."""
    if len(scores) > kept:
        places = np.argpartition(-scores, kept - 1)[:kept]
        places.sort()
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")]
