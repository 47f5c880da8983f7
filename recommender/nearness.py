"""How near two products are, from the baskets that hold both."""

from dataclasses import dataclass

import numpy as np

from recommender.arrays import Doubles, Floats, Ints
from recommender.sparse import SparseMatrix
from recommender.weights import Closeness


@dataclass(frozen=True, slots=True)
class Margins:
    """Of each product: `counts` the baskets that hold it, `companions` the other lines of those baskets."""

    counts: Floats
    companions: Floats

    @classmethod
    def of(cls, baskets: SparseMatrix) -> "Margins":
        counts = np.bincount(baskets.indices, minlength=baskets.shape[1])
        lines: Doubles = baskets.T @ np.diff(baskets.indptr).astype(np.float64)
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
