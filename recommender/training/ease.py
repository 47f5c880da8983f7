"""What goes with a person's taste: EASE, a linear model of every popular product from all others."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.model.identifiers import Floats, Ints
from recommender.model.purchases import Purchases
from recommender.training.sparse import SparseMatrix, sparse

LARGEST: Final = 5_000  # products; cost grows with the cube
KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Taste:
    """For each of the most bought products (`products`) the products that it speaks for most, or against.

    `items` are product codes (−1 where there are fewer), `weights` those of EASE.
    """

    products: Ints
    items: Ints
    weights: Floats


def person_matrix(purchases: Purchases, at_day: float, half_life_days: float) -> SparseMatrix:
    """People × products: how much of each purchase is left at `at_day`, at most 1."""
    left = 0.5 ** ((at_day - purchases.days) / half_life_days)
    shape = (len(purchases.person_ids), len(purchases.product_ids))
    matrix = sparse.csr_matrix((left.astype(np.float32), (purchases.people, purchases.products)), shape=shape)
    matrix.sum_duplicates()
    matrix.data = np.minimum(matrix.data, 1.0)
    return matrix


def taste(matrix: SparseMatrix, regularisation: float, largest: int = LARGEST, kept: int = KEPT) -> Taste:
    """EASE in closed form: B = I − P diag(1/diag P) with P = (X'X + λI)⁻¹; of each row the largest weights.

    Steck, Embarrassingly shallow autoencoders for sparse data, WWW 2019, eq. 8. `regularisation` is λ.
    """
    buyers = np.diff(matrix.tocsc().indptr)
    chosen = np.sort(np.argsort(-buyers, kind="stable")[:largest])
    chosen = chosen[buyers[chosen] > 0].astype(np.int32)
    part = matrix[:, chosen]
    gram = np.asarray((part.T @ part).toarray(), np.float64)
    gram[np.diag_indices(len(chosen))] += regularisation
    weights = np.linalg.inv(gram)
    weights /= -np.diag(weights).copy()
    np.fill_diagonal(weights, 0.0)
    weights = weights.astype(np.float32)
    kept = min(kept, max(1, len(chosen) - 1))
    if not len(chosen):
        return Taste(chosen, np.empty((0, kept), np.int32), np.empty((0, kept), np.float32))
    places = np.argpartition(-np.abs(weights), kept - 1, axis=1)[:, :kept]
    values = np.take_along_axis(weights, places, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    places, values = np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)
    return Taste(chosen, np.where(values != 0, chosen[places], -1).astype(np.int32), values)
