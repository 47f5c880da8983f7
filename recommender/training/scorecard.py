"""How well a model foretells what was bought: each strategy against what is merely popular, with an interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recommender.model.identifiers import Bools, Doubles, Ints
from recommender.model.model import Model
from recommender.ranking.strategies import Eligible, Strategy, scored
from recommender.training.fitting import FittingWindow, outside, unowned
from recommender.training.prediction_tasks import TOP, PredictionTask, best, gain, hit, recall

RESAMPLES: Final = 1_000
POPULAR_DAYS: Final = 28.0
CHUNK: Final = 512
TASKS: Final[dict[str, Strategy]] = {
    "next_basket": "buy_again",
    "novel": "for_you",
    "completion_guest": "bought_together",
    "completion_known": "bought_together",
}
Lists = list[Ints]


@dataclass(frozen=True, slots=True)
class Score:
    """Means over the questions of one task; `differences` are NDCG (of completion: HR) less that of popularity."""

    questions: int
    ndcg: float
    hit_rate: float
    recall: float
    coverage: int  # distinct products in all lists
    popular: float  # the task's own measure (NDCG, of completion HR) of popularity
    interval: tuple[float, float]  # 95 % bootstrap interval of the difference to popularity

    def value(self, task: str) -> float:
        """What the task is judged by."""
        return self.hit_rate if task.startswith("completion") else self.ndcg

    def as_json(self) -> dict[str, Any]:
        """The figures, rounded."""
        return {
            "questions": self.questions,
            "ndcg_10": round(self.ndcg, 5),
            "hit_rate_10": round(self.hit_rate, 5),
            "recall_10": round(self.recall, 5),
            "coverage": self.coverage,
            "popular": round(self.popular, 5),
            "difference_ci": [round(end, 5) for end in self.interval],
        }


def scorecard(window: FittingWindow, model: Model, part: slice = slice(None)) -> dict[str, Score]:
    """Every task on the questions of a window."""
    lists = {task: task_lists(window, model, task, part) for task in TASKS}
    return {task: score(task, questions(window, task, part), found, popular_lists(window, model, task, part))
            for task, found in lists.items()}  # fmt: skip


def questions(window: FittingWindow, task: str, part: slice = slice(None)) -> list[PredictionTask]:
    """The questions of a task."""
    found = {"next_basket": window.next_baskets, "novel": window.novel}.get(task, window.hidden)
    return found[part]


def task_lists(window: FittingWindow, model: Model, task: str, part: slice = slice(None)) -> Lists:
    """What the task's strategy shows in answer to each question, by the code that serves."""
    lists: Lists = []
    for question in questions(window, task, part):
        situation = window.situation(model, question, known=task != "completion_guest")
        eligible = _eligible(window, model, task, question)
        found = scored(model, TASKS[task], situation, eligible, window.scratch)
        lists.append(best(found.items, found.scores))
    return lists


def popular_lists(window: FittingWindow, model: Model, task: str, part: slice = slice(None)) -> Lists:
    """What popularity shows instead: the products in most baskets of the last four weeks before the cut-off."""
    history = window.history
    recent = history.during(window.day - POPULAR_DAYS, window.day)
    counts = np.bincount(recent.products, minlength=len(history.product_ids))
    order = np.argsort(-counts, kind="stable").astype(np.int32)
    lists: Lists = []
    for question in questions(window, task, part):
        eligible, found, start = _eligible(window, model, task, question), order[:0], 0
        while len(found) < TOP and start < len(order):
            chunk = order[start : start + CHUNK]
            found = np.concatenate([found, chunk[eligible(chunk)]])
            start += CHUNK
        lists.append(found[:TOP])
    return lists


def measure(task: str) -> Callable[[Ints, frozenset[int]], float]:
    """What a task is judged by."""
    return hit if task.startswith("completion") else gain


def score(task: str, asked: Sequence[PredictionTask], lists: Lists, popular: Lists) -> Score:
    """The figures of one set of lists."""
    judge = measure(task)
    own = np.array([judge(top, question.bought) for top, question in zip(lists, asked, strict=True)])
    other = np.array([judge(top, question.bought) for top, question in zip(popular, asked, strict=True)])
    return Score(
        questions=len(asked),
        ndcg=_mean([gain(top, question.bought) for top, question in zip(lists, asked, strict=True)]),
        hit_rate=_mean([hit(top, question.bought) for top, question in zip(lists, asked, strict=True)]),
        recall=_mean([recall(top, question.bought) for top, question in zip(lists, asked, strict=True)]),
        coverage=len(set[int]().union(*(top.tolist() for top in lists))),
        popular=_mean(other),
        interval=bootstrap(own - other),
    )


def bootstrap(values: Doubles, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the mean, resampling questions."""
    if not len(values):
        return 0.0, 0.0
    dice = np.random.default_rng(seed)
    means = [values[dice.integers(len(values), size=len(values))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _eligible(window: FittingWindow, model: Model, task: str, question: PredictionTask) -> Eligible:
    if task == "novel":
        return unowned(window.kept, window.situation(model, question).habit)
    if task.startswith("completion"):
        return outside(window.kept, question)
    kept: Bools = window.kept
    return lambda items: kept[items]


def _mean(values: Sequence[float] | Doubles) -> float:
    return float(np.mean(values)) if len(values) else 0.0
