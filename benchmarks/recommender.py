"""Training and serving beside implicit 0.7.3, in one run: `python -m benchmarks.recommender [PART …]`.

Every figure comes from a process of its own. `training`: 10 M synthetic lines over 100,000 products, what goes with
what; CPU seconds and the memory that the training added at its peak. `serving`: one request with a history of 50
products over 100,000 products × 100 neighbours, in turn with implicit. `http` and `memory`: see `recommender_http`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

LINES, PRODUCTS, ORDERS, PEOPLE = 10_000_000, 100_000, 1_300_000, 400_000
HISTORY, NEIGHBOURS, REQUESTS = 50, 100, 3_000


def lines(count: int = LINES) -> tuple[Any, Any]:
    """Orders and products of synthetic lines: a long tail, and neighbourhoods that are bought together."""
    dice = np.random.default_rng(7)
    orders = np.sort(dice.integers(0, ORDERS, count)).astype(np.int32)
    centre = dice.integers(0, PRODUCTS, ORDERS)[orders]
    near = (centre + dice.geometric(0.02, count)) % PRODUCTS
    popular = np.minimum(dice.zipf(1.3, count) - 1, PRODUCTS - 1)
    return orders, np.where(dice.random(count) < 0.6, near, popular).astype(np.int32)


def train_ours() -> None:
    from recommender.model.model import Closeness
    from recommender.model.purchases import LineCodes, Purchases
    from recommender.training.cooccurrence import common_baskets, neighbours

    orders, products = lines()
    codes = LineCodes(orders, products, orders)
    purchases = Purchases.coded(codes, np.zeros(len(orders)), range(ORDERS), range(PRODUCTS))  # type: ignore[arg-type]
    _measured(lambda: neighbours(common_baskets(purchases, 0.0), Closeness(), NEIGHBOURS))


def train_implicit() -> None:
    import scipy.sparse
    from implicit.nearest_neighbours import CosineRecommender

    orders, products = lines()
    model = CosineRecommender(K=NEIGHBOURS, num_threads=1)

    def fit() -> None:
        cells = (np.ones(len(orders), np.float32), (orders, products))
        model.fit(scipy.sparse.csr_matrix(cells, shape=(ORDERS, PRODUCTS)), show_progress=False)

    _measured(fit)


def _measured(act: Callable[[], object]) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: making the lines does not count
    before, cpu = psutil.Process().memory_info().rss, time.process_time()
    act()
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    added = int(peak.split()[1]) * 1024 - before
    print(json.dumps({"cpu_seconds": time.process_time() - cpu, "added_mb": added / 1e6}))


def neighbourhoods() -> tuple[Any, Any]:
    """100 neighbours of every product, with scores, best first; carts of 50 products are drawn over them."""
    dice = np.random.default_rng(8)
    popular = dice.zipf(1.2, (PRODUCTS, NEIGHBOURS)) - 1
    items = np.where(popular < PRODUCTS, popular, 0) + dice.integers(0, PRODUCTS, (PRODUCTS, NEIGHBOURS))
    scores = -np.sort(-dice.random((PRODUCTS, NEIGHBOURS), np.float32), axis=1)
    return (items % PRODUCTS).astype(np.int32), scores


def carts() -> Any:
    """The products of each request, each once."""
    dice = np.random.default_rng(9)
    return np.stack([dice.choice(PRODUCTS, HISTORY, replace=False) for _ in range(REQUESTS)]).astype(np.int32)


def serving_world() -> Any:
    """The model of a shop of 100,000 products, with every row of neighbours full."""
    from dataclasses import replace

    from recommender.model.model import Model, Weights
    from recommender.model.purchases import LineCodes, Purchases
    from recommender.ranking.request import STRATEGIES
    from recommender.training.build import build

    orders, products = lines(500_000)
    days = np.sort(np.random.default_rng(8).uniform(0, 120, len(orders)))
    names = [f"sku-{number}" for number in range(PRODUCTS)]
    people = (orders % PEOPLE).astype(np.int32)
    codes = LineCodes(people, products, orders)
    purchases = Purchases.coded(codes, days, [f"c-{n}" for n in range(PEOPLE)], names)
    arrays = build(purchases, [f"C{n % 200}" for n in range(PRODUCTS)], 120.0, Weights())
    items, scores = neighbourhoods()
    supports = np.ones_like(items)
    arrays = replace(arrays, neighbour_items=items, neighbour_scores=scores, neighbour_supports=supports)
    return Model(arrays, Weights(), 120.0, frozenset(STRATEGIES))


def serve_ours() -> None:
    from recommender.ranking.assortment import Assortment
    from recommender.ranking.histories import habit_now
    from recommender.ranking.rank import Ranker
    from recommender.ranking.request import ListRequest, PastPurchase

    model = serving_world()
    ranker = Ranker(Assortment(model, None))
    asked: dict[str, list[tuple[ListRequest, Any]]] = {"bought_together": [], "for_you": [], "buy_again": []}
    for cart in carts():
        names = tuple(f"sku-{code}" for code in cart)
        bought = tuple(PastPurchase(name, 119.0) for name in names)
        habit = habit_now(model, None, bought, 120.0)
        asked["bought_together"].append((ListRequest("bought_together", 10, cart=names), None))
        asked["for_you"].append((ListRequest("for_you", 10, purchases=bought), habit))
        asked["buy_again"].append((ListRequest("buy_again", 10), habit))
    for name, each in asked.items():
        times = [
            _microseconds(lambda request=request, own=own: ranker.rank(request, own, 120.0)) for request, own in each
        ]
        print(json.dumps({"strategy": name, **_latency(times)}))


def nearest(model: Any, scratch: Any, cart: Any) -> Any:
    """What implicit's `recommend` does: the ten products that the cart's neighbours speak for most, not of the cart."""
    from recommender.ranking.candidates import neighbourhood
    from recommender.ranking.rank import largest

    near = neighbourhood(model, cart)
    found, sums = scratch.summed(near.items, near.strengths, cart, 60)
    found, sums = found[: -len(cart)], sums[: -len(cart)]  # the cart stands last
    best = largest(sums, found, 10)
    return found[best], sums[best]


def serve_nearest() -> None:
    """The ten best of the same carts by implicit and by us, in turn."""
    import scipy.sparse
    from implicit._nearest_neighbours import NearestNeighboursScorer
    from implicit.nearest_neighbours import CosineRecommender

    items, scores = neighbourhoods()
    model = CosineRecommender(K=NEIGHBOURS, num_threads=1)
    cells = (scores.ravel().astype(np.float64), items.ravel(), np.arange(PRODUCTS + 1) * NEIGHBOURS)
    similarity = scipy.sparse.csr_matrix(cells, shape=(PRODUCTS, PRODUCTS))
    similarity.sum_duplicates()
    model.fit(scipy.sparse.identity(PRODUCTS, "float32", "csr"), show_progress=False)
    model.similarity, model.scorer = similarity, NearestNeighboursScorer(similarity)
    rows = [
        scipy.sparse.csr_matrix((np.ones(HISTORY, np.float32), (np.zeros(HISTORY, int), cart)), shape=(1, PRODUCTS))
        for cart in carts()
    ]
    from recommender.ranking.candidates import Scratch

    ours, scratch = serving_world(), Scratch(PRODUCTS)
    asked: list[list[Callable[[], object]]] = [
        [lambda row=row: model.recommend(0, row, N=10, filter_already_liked_items=True) for row in rows],
        [lambda cart=cart: nearest(ours, scratch, cart) for cart in carts()],
    ]
    same = sum(set(peer()[0]) == set(own()[0]) for peer, own in zip(*asked, strict=True))
    times = zip(*([_microseconds(call) for call in pair] for pair in zip(*asked, strict=True)), strict=True)
    for name, column in zip(("implicit recommend", "ours, the same"), times, strict=True):
        print(json.dumps({"strategy": name, "same_lists": same / REQUESTS, **_latency(column)}))


def _microseconds(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU time of a call."""
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    call()
    return (time.perf_counter_ns() - wall) / 1e3, (time.thread_time_ns() - cpu) / 1e3


def _latency(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    """p50 and p99 in µs of wall and of CPU time (which a busy machine spoils less), the first tenth as warm-up."""
    steady = np.array(times[len(times) // 10 :])
    (wall, cpu), (wall_tail, cpu_tail) = np.quantile(steady, [0.5, 0.99], axis=0).tolist()
    return {"p50_us": wall, "p99_us": wall_tail, "p50_cpu_us": cpu, "p99_cpu_us": cpu_tail}


def _alone(name: str) -> list[dict[str, Any]]:
    """What a part prints in a process of its own, on one thread."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "benchmarks.recommender", name]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def training() -> None:
    [ours], [peer] = _alone("train_ours"), _alone("train_implicit")
    cpu, memory = ours["cpu_seconds"] / peer["cpu_seconds"], ours["added_mb"] / peer["added_mb"]
    for name, row in (("ours", ours), ("implicit cosine", peer)):
        print(f"training, {LINES:,} lines: {name} {row['cpu_seconds']:.1f} CPU s, {row['added_mb']:.0f} MB")
    print(f"ratios: CPU {cpu:.2f} (goal 1.1), memory {memory:.2f} (goal 0.5)")


def serving() -> None:
    rows = [*_alone("serve_ours"), *_alone("serve_nearest")]
    for row in rows:
        print(
            f"{row['strategy']:20} p50 {row['p50_us']:6.1f} µs, p99 {row['p99_us']:7.1f} µs; "
            f"CPU p50 {row['p50_cpu_us']:6.1f} µs, p99 {row['p99_cpu_us']:6.1f} µs (goal 1,000)"
        )
    peer, own = rows[-2:]
    wall, cpu = (own[name] / peer[name] for name in ("p50_us", "p50_cpu_us"))
    print(
        f"ours / implicit: {wall:.2f}, by CPU {cpu:.2f} (goal 0.5); {own['same_lists']:.1%} of the lists are the same"
    )


def http() -> None:
    from benchmarks.recommender_http import http

    http()


def memory() -> None:
    from benchmarks.recommender_http import memory

    memory()


PARTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (training, serving, http, memory, train_ours, train_implicit, serve_ours, serve_nearest)
}


def main() -> None:
    """The parts that were named, else the four of the table."""
    for name in sys.argv[1:] or ["training", "serving", "http", "memory"]:
        PARTS[name]()


if __name__ == "__main__":
    main()
