"""The library people would reach for, implicit, asked the same questions in the same run (dev dependency)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from recommender.arrays import Bools, Ints
from recommender.cooccurrence import basket_matrix
from recommender.fitting import Window
from recommender.scorecard import Lists
from recommender.sparse import SparseMatrix, sparse
from recommender.tasks import TOP, Question

NEIGHBOURS: Final = 100
FACTORS: Final = 64
NAMES: Final = ("cosine", "tfidf", "bm25", "als")


class Peer:
    """One model of implicit, once fitted to customers and once to baskets."""

    def __init__(self, name: str, window: Window) -> None:
        self.kept = np.flatnonzero(window.kept)
        history = window.history
        lines = (np.ones(len(history), np.float32), (history.customers, history.products))
        shape = (len(history.customer_ids), len(history.product_ids))
        self.customers = sparse.csr_matrix(lines, shape=shape)[:, self.kept].tocsr()
        self.baskets = basket_matrix(history)[:, self.kept].tocsr()
        self.by_customer, self.by_basket = _model(name), _model(name)
        self.by_customer.fit(self.customers, show_progress=False)
        self.by_basket.fit(self.baskets, show_progress=False)
        self.column = np.full(len(window.kept), -1, np.int32)
        self.column[self.kept] = np.arange(len(self.kept), dtype=np.int32)

    def answers(self, task: str, questions: Sequence[Question]) -> Lists:
        """Ten products in answer to each question."""
        if task.startswith("completion"):
            return self._completed(questions)
        rows = np.array([question.customer for question in questions], np.int32)
        known = self.customers[rows]
        found, scores = self.by_customer.recommend(rows, known, N=TOP, filter_already_liked_items=task == "novel")
        return self._codes(found, np.isfinite(scores) & (scores > _NOTHING))

    def _completed(self, questions: Sequence[Question]) -> Lists:
        carts = [self.column[question.cart] for question in questions]
        lengths = [len(cart) for cart in carts]
        rows = np.repeat(np.arange(len(carts)), lengths)
        cells = (np.ones(sum(lengths), np.float32), (rows, np.concatenate(carts)))
        matrix: SparseMatrix = sparse.csr_matrix(cells, shape=(len(carts), len(self.kept)))
        options: dict[str, Any] = {"recalculate_user": True} if hasattr(self.by_basket, "factors") else {}
        everyone = np.arange(len(carts), dtype=np.int32)
        found, scores = self.by_basket.recommend(everyone, matrix, N=TOP, filter_already_liked_items=True, **options)
        return self._codes(found, np.isfinite(scores) & (scores > _NOTHING))

    def _codes(self, found: Any, real: Bools) -> Lists:
        codes: Ints = self.kept[np.maximum(found, 0)].astype(np.int32)
        return [row[mask] for row, mask in zip(codes, real, strict=True)]


def peer_answers(window: Window, asked: Mapping[str, Sequence[Question]], name: str) -> dict[str, Lists]:
    """A peer's lists for every task. Raises ImportError where implicit is not installed."""
    peer = Peer(name, window)
    return {task: peer.answers(task, questions) for task, questions in asked.items()}


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
