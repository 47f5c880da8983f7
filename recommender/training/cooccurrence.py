"""What is bought together: blocked products of the basket matrix, of which each product keeps its nearest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from recommender.model.identifiers import Doubles, Floats, Ints
from recommender.model.model import Closeness
from recommender.model.purchases import Purchases
from recommender.training.counting import HALF_LIFE_DAYS, spans
from recommender.training.sparse import SparseMatrix, sparse


@dataclass(frozen=True, slots=True)
class Margins:
    """Of each product: `counts` the baskets that hold it, `companions` the other lines of those baskets.

    Of the baskets that a person makes in one half-life each product, and each pair, counts once.
    """

    counts: Floats
    companions: Floats

    @classmethod
    def of(cls, common: "CommonBaskets") -> "Margins":
        baskets, again = common.baskets, common.again
        counts: Doubles = np.bincount(baskets.indices, minlength=baskets.shape[1]) - again.diagonal()
        lines: Doubles = baskets.T @ np.diff(baskets.indptr).astype(np.float64) - np.asarray(again.sum(1)).ravel()
        return cls(counts.astype(np.float32), (lines - counts).astype(np.float32))

    def nearness(self, closeness: Closeness) -> "Nearness":
        """The formula of `Nearness` with everything that depends on one product alone worked out."""
        counts, all_companions = np.maximum(self.counts, 1), max(float(self.companions.sum()), 1.0)
        size = 1 + self.companions / counts
        return Nearness(
            source=(counts**-closeness.alpha).astype(np.float32),
            target=(counts ** (closeness.alpha - 1) * size**-closeness.crowding).astype(np.float32),
            companions=self.companions,
            chance=(closeness.chance / all_companions * self.companions).astype(np.float32),
            doubt=np.float32(closeness.doubt),
        )


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near product j is to product i, from the c_ij baskets that hold both:

    max(c_ij − β r_i r_j / R, 0) / (c_i^α c_j^(1−α)) · c_ij / (c_ij + s) · n_j^−κ

    The asymmetric cosine (Aiolli, Efficient top-N recommendation for very large scale binary rated datasets, RecSys
    2013, eq. 2, on baskets instead of users), less what chance alone puts together (r_i other lines stand in the
    baskets of i, R in all), doubted where it rests on few baskets, and less for what mostly lies in large baskets (n_j
    lines on average). `weights.Closeness` holds α, β, s and κ.
    """

    source: Floats
    target: Floats
    companions: Floats
    chance: Floats
    doubt: np.float32

    def scores(self, sources: Ints, items: Ints, supports: Ints) -> Floats:
        """The score of each pair; 0 where `items` is −1."""
        scores = supports.astype(np.float32)
        trust = scores + self.doubt
        np.divide(scores, trust, out=trust, where=trust > 0)
        scores -= self.companions.take(sources) * self.chance.take(items, mode="clip")
        np.maximum(scores, 0, out=scores)
        scores *= trust
        scores *= self.source.take(sources)
        scores *= self.target.take(items, mode="clip")
        return scores


KEPT: Final = 100
ROWS_AT_ONCE: Final = 2_000
CELLS_PER_BLOCK: Final = 1_000_000  # of the product of matrices; few rows where products are popular, else many
LARGEST_BASKET: Final = 200  # cost grows with the square of a basket
NOBODY: Final = -1

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Each product's nearest products, one row each, best first; `items` is −1 where there are fewer.

    `supports` is in how many baskets both were, `scores` how near they are.
    """

    items: Ints
    scores: Floats
    supports: Ints


def basket_matrix(purchases: Purchases) -> SparseMatrix:
    """Baskets × products, 1 where the basket holds the product; of a huge basket only its first lines count."""
    rows, columns = purchases.baskets, purchases.products
    counts = np.bincount(rows)
    if counts.max(initial=0) > LARGEST_BASKET:
        order = np.argsort(rows, kind="stable")
        place = np.empty(len(rows), np.int64)  # how many lines of the same basket come before
        place[order] = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows[order]]
        kept = place < LARGEST_BASKET
        rows, columns = rows[kept], columns[kept]
    shape = (len(counts), len(purchases.product_ids))
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


@dataclass(frozen=True, slots=True)
class CommonBaskets:
    """Baskets × products, and products × products: in how many of the baskets too many each pair is.

    A person counts once for each pair and half-life, so of n baskets of one person in one half-life that hold a pair,
    n − 1 are too many.
    """

    baskets: SparseMatrix
    again: SparseMatrix

    def factors(self) -> tuple[SparseMatrix, SparseMatrix]:
        """Two matrices whose product is in how many baskets that count each pair is."""
        size = self.baskets.shape[1]
        left, right = self.baskets.T.tocsr(), self.baskets
        if self.again.nnz:
            left = sparse.hstack([left, -self.again], format="csr")
            right = sparse.vstack([right, sparse.identity(size, np.float32, "csr")], format="csr")
        return left, right


def common_baskets(purchases: Purchases, at_day: float) -> CommonBaskets:
    """The baskets of purchases, and what is too much of them.

    A pair is in several baskets of a person in a half-life only where both its products are: of those, person by
    person, the pairs are counted, a block of them at a time.
    """
    baskets = basket_matrix(purchases)
    size = baskets.shape[1]
    person, day = np.zeros(baskets.shape[0], np.int64), np.zeros(baskets.shape[0])  # of each basket
    person[purchases.baskets], day[purchases.baskets] = purchases.people, purchases.days
    ages = spans(day, at_day, HALF_LIFE_DAYS).astype(np.int64)
    groups = (ages - ages.min(initial=0)) * max(1, len(purchases.person_ids)) + person  # a person's half-life
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    several = np.flatnonzero(sizes[group] > 1)
    part = baskets[several]
    rows = np.repeat(several, np.diff(part.indptr))
    keys = group[rows] * size + part.indices
    keys, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    twice = counts > 1
    columns, chosen = np.cumsum(twice) - 1, twice[places]
    cells = (np.ones(int(chosen.sum()), np.float32), (rows[chosen], columns[places[chosen]]))
    repeated = sparse.csr_matrix(cells, shape=(len(group), int(twice.sum())))
    products = (keys[twice] % size).astype(np.int32)
    left = repeated.T.tocsr()
    found = [(np.empty(0, np.float32), np.empty(0, np.int32), np.empty(0, np.int32))]
    for block in row_blocks(left @ np.diff(repeated.indptr).astype(np.float64), CELLS_PER_BLOCK):
        pairs = (left[block] @ repeated).tocoo()
        more = pairs.data > 1
        found.append((pairs.data[more] - 1, products[block][pairs.row[more]], products[pairs.col[more]]))
    many, ones, others = (np.concatenate(column) for column in zip(*found, strict=True))
    return CommonBaskets(baskets, sparse.csr_matrix((many, (ones, others)), shape=(size, size)))


def row_blocks(cells: Doubles, most: int) -> Iterator[slice]:
    """Rows in blocks of so many cells at most, or of one row that alone has more."""
    ends = np.cumsum(cells)
    start = 0
    while start < len(cells):
        before = ends[start - 1] if start else 0.0
        stop = max(start + 1, int(np.searchsorted(ends, before + most, "right")))
        yield slice(start, stop)
        start = stop


def neighbours(
    common: CommonBaskets,
    closeness: Closeness,
    kept: int = KEPT,
    progress: Progress | None = None,
    block_cells: int = CELLS_PER_BLOCK,
) -> Neighbours:
    """For each product the `kept` products that share most baskets for what they are, and how near they are.

    Memory is one block of rows at a time.
    """
    nearness = Margins.of(common).nearness(closeness)
    size = common.baskets.shape[1]
    items, supports = np.full((size, kept), NOBODY, np.int32), np.zeros((size, kept), np.int32)
    lengths = np.diff(common.baskets.indptr).astype(np.float64)
    cells = np.minimum(common.baskets.T @ lengths, size)  # filled by each row at most
    left, right = common.factors()
    del common
    for rows in row_blocks(cells, block_cells):
        _keep_best(left[rows] @ right, rows.start, nearness.target, items[rows], supports[rows])
        if progress is not None:
            progress(rows.stop, size)
    del left, right  # the scores take their place in memory
    return ranked(items, supports, nearness)


def ranked(items: Ints, supports: Ints, nearness: Nearness) -> Neighbours:
    """The same pairs with their scores, best first, in place; what is not near at all is taken out."""
    scores = np.empty(items.shape, np.float32)
    for start in range(0, len(items), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        sources = np.arange(start, min(start + ROWS_AT_ONCE, len(items)), dtype=np.int32)
        found = nearness.scores(sources[:, None], items[rows], supports[rows])
        order = np.argsort(-found, axis=1, kind="stable")
        scores[rows] = np.take_along_axis(found, order, axis=1)
        for column in (items, supports):
            column[rows] = np.take_along_axis(column[rows], order, axis=1)
        items[rows][scores[rows] <= 0] = NOBODY
    return Neighbours(items, scores, supports)


def _keep_best(block: SparseMatrix, start: int, target: Floats, items: Ints, supports: Ints) -> None:
    """Fills the rows of one block, in order of place; a product is no neighbour of its own."""
    columns = np.append(block.indices, np.int32(NOBODY))  # the last place stands for nobody
    counts = np.append(block.data, np.float32(0))
    scores = -counts * target.take(columns, mode="clip")  # the smaller the better, as numpy sorts
    own = np.repeat(np.arange(start, start + len(items), dtype=np.int32), np.diff(block.indptr))
    scores[:-1][columns[:-1] == own] = 0
    kept = items.shape[1]
    places = np.full(items.shape, len(columns) - 1, np.intp)
    for row, (low, high) in enumerate(pairwise(block.indptr.tolist())):
        if high - low > kept:
            places[row] = scores[low:high].argpartition(kept - 1)[:kept]
            places[row] += low
        else:
            places[row, : high - low] = np.arange(low, high)
    places.sort(axis=1)
    places[scores.take(places) >= 0] = len(columns) - 1
    items[:] = columns.take(places)
    supports[:] = counts.take(places)
