"""Training and serving beside implicit 0.7.3, in one run: `python -m benchmarks.recommender [training|serving|http] …`.

Every figure comes from a process of its own. Training: 10 M synthetic lines over 100,000 products, what goes with what;
CPU seconds and the memory that the training added at its peak. Serving: one request with a history of 50 products over
100,000 products × 100 neighbours. HTTP: `POST /v1/recommendations` with a live history against FastAPI's hello world.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

LINES, PRODUCTS, ORDERS, CUSTOMERS = 10_000_000, 100_000, 1_300_000, 400_000
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
    from recommender.cooccurrence import basket_matrix, neighbours
    from recommender.purchases import Purchases
    from recommender.weights import Closeness

    orders, products = lines()
    days = np.zeros(len(orders))
    purchases = Purchases(orders, products, orders, days, range(ORDERS), range(PRODUCTS))  # type: ignore[arg-type]
    _measured(lambda: neighbours(basket_matrix(purchases), Closeness(), NEIGHBOURS))


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
    """The products of each request."""
    return np.random.default_rng(9).integers(0, PRODUCTS, (REQUESTS, HISTORY))


def serving_world() -> Any:
    """The model of a shop of 100,000 products, with every row of neighbours full."""
    from dataclasses import replace

    from recommender.building import build
    from recommender.model import Model
    from recommender.purchases import Purchases
    from recommender.strategies import STRATEGIES
    from recommender.weights import Weights

    orders, products = lines(500_000)
    days = np.sort(np.random.default_rng(8).uniform(0, 120, len(orders)))
    names = [f"sku-{number}" for number in range(PRODUCTS)]
    customers = (orders % CUSTOMERS).astype(np.int32)
    purchases = Purchases(customers, products, orders, days, [f"c-{n}" for n in range(CUSTOMERS)], names)
    arrays = build(purchases, [f"C{n % 200}" for n in range(PRODUCTS)], 120.0, Weights())
    items, scores = neighbourhoods()
    supports = np.ones_like(items)
    arrays = replace(arrays, neighbour_items=items, neighbour_scores=scores, neighbour_supports=supports)
    return Model(arrays, Weights(), 120.0, frozenset(STRATEGIES))


def serve_ours() -> None:
    from recommender.histories import Bought, habit_now
    from recommender.rank import Ranker
    from recommender.shelf import Shelf
    from recommender.wishes import Wish

    model = serving_world()
    ranker = Ranker(Shelf(model, None))
    wishes: dict[str, list[Wish]] = {"bought_together": [], "for_you": [], "buy_again": []}
    for cart in carts():
        names = tuple(f"sku-{code}" for code in cart)
        habit = habit_now(model, None, [Bought(name, 119.0) for name in names], 120.0)
        wishes["bought_together"].append(Wish("bought_together", 10, cart=names))
        wishes["for_you"].append(Wish("for_you", 10, habit=habit, bought=dict.fromkeys(names, 119.0)))
        wishes["buy_again"].append(Wish("buy_again", 10, habit=habit))
    for name, asked in wishes.items():
        print(
            json.dumps({"strategy": name, **_latency([lambda wish=wish: ranker.rank(wish, 120.0) for wish in asked])})
        )
    from recommender.candidates import _evidence, powered
    from recommender.tasks import best

    def bare(cart: Any) -> Any:
        _, items, cosines = _evidence(model, cart)
        found, sums = ranker.scratch.summed(items, powered(cosines, 1.0), cart[:0])
        return best(found, sums, 10)

    calls = [lambda cart=cart: bare(cart) for cart in carts().astype(np.int32)]
    print(json.dumps({"strategy": "scores and top 10 alone", **_latency(calls)}))


def serve_implicit() -> None:
    import scipy.sparse
    from implicit._nearest_neighbours import NearestNeighboursScorer
    from implicit.nearest_neighbours import CosineRecommender

    items, scores = neighbourhoods()
    model = CosineRecommender(K=NEIGHBOURS, num_threads=1)
    cells = (scores.ravel().astype(np.float64), items.ravel(), np.arange(PRODUCTS + 1) * NEIGHBOURS)
    similarity = scipy.sparse.csr_matrix(cells, shape=(PRODUCTS, PRODUCTS))
    similarity.sum_duplicates()
    model.fit(scipy.sparse.identity(PRODUCTS, np.float32, "csr"), show_progress=False)
    model.similarity, model.scorer = similarity, NearestNeighboursScorer(similarity)
    rows = [
        scipy.sparse.csr_matrix((np.ones(HISTORY, np.float32), (np.zeros(HISTORY, int), cart)), shape=(1, PRODUCTS))
        for cart in carts()
    ]
    asked = [lambda row=row: model.recommend(0, row, N=10, filter_already_liked_items=True) for row in rows]
    print(json.dumps({"strategy": "implicit recommend", **_latency(asked)}))


def _latency(calls: list[Callable[[], object]]) -> dict[str, float]:
    """p50 and p99 in µs, the first tenth as warm-up."""
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1e6)
    steady = times[len(times) // 10 :]
    return {"p50_us": round(statistics.median(steady), 1), "p99_us": round(float(np.quantile(steady, 0.99)), 1)}


def http() -> None:
    """Requests a second of a visitor with a live history, against FastAPI's hello world, in turn on the same core."""
    from benchmarks.http import Case, definitions, measure, post, servers
    from events.server import EmbeddedStore
    from experiments.catalog_store import CatalogKeeper
    from recommender.artefact import publish, write_artefact

    hello = Case("hello", "hello", "/")
    body = """'{"visitor_id":"v-live-' .. n % 50 .. '","strategy":"for_you","limit":10}'"""
    ours = Case("recommendations", "ours", "/v1/recommendations", post(body))
    model = serving_world()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        definitions(Path(folder) / "definitions")
        CatalogKeeper(Path(folder) / "definitions", data, lambda: datetime.now(UTC)).boot()
        facts = {
            "cut_off": "2026-01-01T00:00:00+00:00",
            "weights": model.weights.as_json(),
            "strategies": sorted(model.strategies),
        }
        write_artefact(data / "models", "v1", model.arrays.as_dict(), facts)
        publish(data / "models", "v1")
        store = EmbeddedStore(data)
        store.start()
        try:
            with servers(data) as running:
                _buy(running["ours"][0])
                pairs = [
                    (measure(ours, *running["ours"], 3.0), measure(hello, *running["hello"], 3.0)) for _ in range(5)
                ]
                mapped = running["ours"][1].memory_full_info()
        finally:
            store.stop()
    _tell(pairs, mapped)


def _tell(pairs: list[tuple[Any, ...]], memory: Any) -> None:
    """Medians of the rounds, and their ratios."""
    ratio = statistics.median(one.rate / other.rate for one, other in pairs)
    by_cpu = statistics.median(other.cpu / one.cpu for one, other in pairs)
    for name, column in zip(("POST /v1/recommendations", "hello world"), zip(*pairs, strict=True), strict=True):
        rate, cpu, p99 = (
            statistics.median(getattr(each, field) for each in column) for field in ("rate", "cpu", "p99")
        )
        print(f"{name}: {rate:.0f} requests/s, {cpu:.0f} µs CPU, p99 {p99:.1f} ms")
    print(f"ratio {ratio:.2f}, by CPU {by_cpu:.2f} (goal 0.6); worker {memory.rss / 1e6:.0f} MB resident, "
          f"{memory.uss / 1e6:.0f} MB its own")  # fmt: skip


def _buy(port: int) -> None:
    """Fifty visitors with ten purchases each."""
    import httpx

    dice = np.random.default_rng(3)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer pk_benchmark"}) as client:
        for visitor in range(50):
            products = [
                {"product_id": f"sku-{code}", "quantity": 1, "price": 1} for code in dice.integers(0, PRODUCTS, 10)
            ]
            properties = {"order_id": f"o-{visitor}", "products": products}
            event = {"anonymousId": f"v-live-{visitor}", "event": "Order Completed", "properties": properties}
            client.post("/v1/track", json=event).raise_for_status()


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
    for row in [*_alone("serve_ours"), *_alone("serve_implicit")]:
        print(f"{row['strategy']:24} p50 {row['p50_us']:7.1f} µs   p99 {row['p99_us']:7.1f} µs")


PARTS: dict[str, Callable[[], None]] = {
    each.__name__: each for each in (training, serving, http, train_ours, train_implicit, serve_ours, serve_implicit)
}


def main() -> None:
    """The parts that were named, else the three of the table."""
    for name in sys.argv[1:] or ["training", "serving", "http"]:
        PARTS[name]()


if __name__ == "__main__":
    main()
