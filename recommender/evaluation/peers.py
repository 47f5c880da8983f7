"""The library people would reach for, implicit, asked the same questions in the same run (dev dependency).

TIFU-KNN, the published peer for the next basket, written after its paper (evaluation only).

Hu, He, Gao and Zhang, Modeling personalized item frequency information for next-basket recommendation, SIGIR 2020.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recommender.model.identifiers import Bools, Doubles, Floats, Ints
from recommender.model.purchases import Purchases
from recommender.training.cooccurrence import basket_matrix
from recommender.training.fitting import FittingWindow
from recommender.training.prediction_tasks import TOP, PredictionTask, best, gain
from recommender.training.scorecard import Lists
from recommender.training.sparse import SparseMatrix, sparse

NEIGHBOURS: Final = 100
FACTORS: Final = 64
NAMES: Final = ("cosine", "tfidf", "bm25", "als")


class Peer:
    """One model of implicit, fitted to people and to baskets. Raises ImportError where it is not installed."""

    def __init__(self, name: str, window: FittingWindow) -> None:
        self.kept = np.flatnonzero(window.kept)
        history = window.history
        lines = (np.ones(len(history), np.float32), (history.people, history.products))
        shape = (len(history.person_ids), len(history.product_ids))
        self.people = sparse.csr_matrix(lines, shape=shape)[:, self.kept].tocsr()
        self.baskets = basket_matrix(history)[:, self.kept].tocsr()
        self.by_person, self.by_basket = _model(name), _model(name)
        self.by_person.fit(self.people, show_progress=False)
        self.by_basket.fit(self.baskets, show_progress=False)
        self.column = np.full(len(window.kept), -1, np.int32)
        self.column[self.kept] = np.arange(len(self.kept), dtype=np.int32)

    def answers(self, task: str, questions: Sequence[PredictionTask]) -> Lists:
        """Ten products in answer to each question."""
        if not task.startswith("completion"):
            rows = np.array([question.person for question in questions], np.int32)
            known = self.people[rows]
            found, scores = self.by_person.recommend(rows, known, N=TOP, filter_already_liked_items=task == "novel")
        else:
            carts = [self.column[question.cart] for question in questions]
            lengths = [len(cart) for cart in carts]
            rows = np.repeat(np.arange(len(carts)), lengths)
            cells = (np.ones(sum(lengths), np.float32), (rows, np.concatenate(carts)))
            matrix: SparseMatrix = sparse.csr_matrix(cells, shape=(len(carts), len(self.kept)))
            options: dict[str, Any] = {"recalculate_user": True} if hasattr(self.by_basket, "factors") else {}
            rows = np.arange(len(carts), dtype=np.int32)
            found, scores = self.by_basket.recommend(rows, matrix, N=TOP, filter_already_liked_items=True, **options)
        real: Bools = np.isfinite(scores) & (scores > _NOTHING)
        codes: Ints = self.kept[np.maximum(found, 0)].astype(np.int32)
        return [row[mask] for row, mask in zip(codes, real, strict=True)]


def _model(name: str) -> Any:
    from implicit.als import AlternatingLeastSquares  # pyright: ignore[reportMissingImports]
    from implicit.nearest_neighbours import (  # pyright: ignore[reportMissingImports]
        BM25Recommender,
        CosineRecommender,
        TFIDFRecommender,
    )

    if name == "als":
        return AlternatingLeastSquares(factors=FACTORS, random_state=0, num_threads=1)
    kinds = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}
    return kinds[name](K=NEIGHBOURS, num_threads=1)


_NOTHING: Final = -1e30  # implicit marks what it left out with the smallest float


AT_ONCE: Final = 200  # people


@dataclass(frozen=True, slots=True)
class TifuSettings:
    """k, m, r_b, r_g and α of the paper."""

    neighbours: int
    groups: int
    within_decay: float
    group_decay: float
    own_share: float


TRIED: Final = (
    TifuSettings(300, 7, 1.0, 0.6, 0.7),  # these four as in table 3 of the paper, for its four data sets
    TifuSettings(900, 3, 0.9, 0.7, 0.9),
    TifuSettings(900, 3, 0.9, 0.6, 0.2),
    TifuSettings(300, 7, 0.9, 0.7, 0.7),
    TifuSettings(300, 30, 1.0, 0.9, 0.7),  # and for the many baskets that a household of Complete Journey has
    TifuSettings(300, 20, 0.9, 0.9, 0.5),
)


def tifu_answers(window: FittingWindow, questions: Sequence[PredictionTask], settings: TifuSettings) -> list[Ints]:
    """Ten products for each question, own ones and those of the nearest people."""
    vectors = person_vectors(window.history, settings)
    lists: list[Ints] = []
    products = np.arange(vectors.shape[1], dtype=np.int32)
    for scores in _scores(vectors, [question.person for question in questions], settings):
        lists += [best(products, np.where(window.kept, row, -1)) for row in scores]
    return lists


def fitted_tifu(window: FittingWindow) -> TifuSettings:
    """The settings that foretell most of a window's next baskets."""

    def value(settings: TifuSettings) -> float:
        lists = tifu_answers(window, window.next_baskets, settings)
        return float(np.mean([gain(top, asked.bought) for top, asked in zip(lists, window.next_baskets, strict=True)]))

    return max(TRIED, key=value)


def person_vectors(history: Purchases, settings: TifuSettings) -> SparseMatrix:
    """People × products: the decayed mean of groups of baskets, each the decayed mean of its own (eq. 1 and 2)."""
    seen, first, places = np.unique(history.baskets, return_index=True, return_inverse=True)
    rank = np.empty(len(seen), np.int32)  # of each basket in order of time; lines are in that order
    rank[np.argsort(first, kind="stable")] = np.arange(len(seen), dtype=np.int32)
    people, places = np.unique(history.people.astype(np.int64) << 32 | rank[places], return_inverse=True)
    owner = people >> 32
    counts = np.bincount(owner)[owner]  # baskets of the basket's person
    first = np.searchsorted(owner, owner)
    later = counts - 1 - (np.arange(len(owner)) - first)  # baskets that came after it
    size = -(-counts // settings.groups)
    group = later // size
    members = np.minimum(size, counts - group * size)
    weights: Doubles = settings.within_decay ** (later % size) * settings.group_decay**group / members
    weights /= settings.groups
    lines = (weights[places].astype(np.float32), (history.people, history.products))
    return sparse.csr_matrix(lines, shape=(len(history.person_ids), len(history.product_ids)))


def _scores(vectors: SparseMatrix, people: Sequence[int], settings: TifuSettings) -> Iterator[Floats]:
    """The scores of all products for some people at a time: α u + (1 − α) of the neighbours' mean (eq. 3)."""
    squares = np.asarray(vectors.multiply(vectors).sum(1)).ravel()
    known = np.flatnonzero(np.diff(vectors.indptr))
    for start in range(0, len(people), AT_ONCE):
        rows = np.array(people[start : start + AT_ONCE])
        own = vectors[rows]
        distances = squares[known][None, :] - 2 * np.asarray((own @ vectors[known].T).toarray())
        distances[known[None, :] == rows[:, None]] = np.inf
        count = min(settings.neighbours, len(known) - 1)
        nearest = known[np.argpartition(distances, count - 1, axis=1)[:, :count]]
        share = np.full(nearest.size, 1 / count, np.float32)
        mean = sparse.csr_matrix((share, nearest.ravel(), np.arange(len(rows) + 1) * count), (len(rows), len(squares)))
        others = np.asarray((mean @ vectors).toarray(), np.float32)
        mine = np.asarray(own.toarray(), np.float32)
        yield (settings.own_share * mine + (1 - settings.own_share) * others).astype(np.float32)
