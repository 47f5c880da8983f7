"""`POST /v1/recommendations` with a live history against FastAPI's hello world, and what a second worker costs.

People bought ten products each, drawn as the world's lines are. 4,096 of them ask in turn, so that every list is
made anew, then 50 of them, who ask again for what was made within a quarter of an hour. The worker waits for the store
as long as it takes, else lists without a history would make a busy machine look fast; how many came so is said.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import psutil

from app.worker import resources
from benchmarks import http_servers
from benchmarks.http import CLIENT_CORES, Case, Measured, definitions, free_port, measure, post, wait_for
from benchmarks.recommender import lines, serving_world
from events.ingest.history import History
from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper
from recommender.model.artefact import publish_version, write_artefact

PEOPLE, BOUGHT, BATCH = 4_096, 10, 64
ROUNDS, SECONDS = 5, 3
HELLO = Case("hello world (FastAPI)", "hello", "/")
ANEW, AGAIN = (
    Case(name, "patient", "/v1/recommendations",
         post(f"""'{{"visitor_id":"v-live-' .. n % {people} .. '","strategy":"for_you","limit":10}}'"""))
    for name, people in (("every list made anew", PEOPLE), ("people who ask again", 50))
)  # fmt: skip

Server = tuple[int, psutil.Process]


def http() -> None:
    """Requests a second and CPU, in turn with the hello world on the same core."""
    with tempfile.TemporaryDirectory() as folder, store(Path(folder)) as data:
        publish_world(data)
        with server("patient", data) as ours, server("hello", data) as hello:
            _buy(ours[0])
            for case in (ANEW, AGAIN):
                measure(case, *ours, SECONDS)  # warms up
                before = _late(ours[0])
                pairs = [(measure(case, *ours, SECONDS), measure(HELLO, *hello, SECONDS)) for _ in range(ROUNDS)]
                asked, late = (now - then for now, then in zip(_late(ours[0]), before, strict=True))
                ratio = statistics.median(one.rate / other.rate for one, other in pairs)
                by_cpu = statistics.median(other.cpu / one.cpu for one, other in pairs)
                mine, others = [_medians(column) for column in zip(*pairs, strict=True)]
                print(
                    f"{case.name:24} {mine.rate:6.0f} requests/s, {mine.cpu:4.0f} µs CPU, p99 {mine.p99:5.1f} ms; "
                    f"hello world {others.rate:6.0f}, {others.cpu:4.0f} µs; ratio {ratio:.2f}, by CPU {by_cpu:.2f} "
                    f"(goal 0.6); without history {late / max(asked, 1):.1%}"
                )


def memory() -> None:
    """What a second worker adds to the machine (PSS of both less that of one), with a model and without."""
    added: list[float] = []
    for with_model in (False, True):
        with tempfile.TemporaryDirectory() as folder, store(Path(folder)) as data:
            if with_model:
                publish_world(data)
            with server("ours", data) as first:
                _ask(first[0])
                alone = _shared_mb(first[1])
                with server("ours", data) as second:
                    _ask(second[0])
                    added.append(_shared_mb(first[1]) + _shared_mb(second[1]) - alone)
                    resident = second[1].memory_info().rss / 1e6
    print(
        f"a second worker adds {added[0]:.0f} MB without a model, {added[1]:.0f} MB with one: the model's part is "
        f"{added[1] - added[0]:.0f} MB (goal 30); resident {resident:.0f} MB"
    )


def _medians(rounds: Sequence[Measured]) -> Measured:
    return Measured(*(statistics.median(getattr(each, field) for each in rounds) for field in ("rate", "cpu", "p99")))


@contextmanager
def store(folder: Path) -> Generator[Path]:
    """A data directory with its store running on the clients' cores."""
    data = folder / "data"
    data.mkdir()
    definitions(folder / "definitions")
    CatalogKeeper(folder / "definitions", data, lambda: datetime.now(UTC)).boot()
    running = EmbeddedStore(data)
    running.start()
    if running.pid is not None:
        os.sched_setaffinity(running.pid, CLIENT_CORES)
    try:
        yield data
    finally:
        running.stop()


@contextmanager
def server(name: str, data: Path) -> Generator[Server]:
    """One of the servers of `main`, ready to be asked."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.recommender_http", name, str(port), str(data)])
    try:
        wait_for(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def publish_world(data: Path) -> None:
    """Makes the model of `serving_world` the live one."""
    model = serving_world()
    facts = {
        "cut_off": "2026-01-01T00:00:00+00:00",
        "weights": model.weights.as_json(),
        "strategies": sorted(model.strategies),
    }
    write_artefact(data / "models", "v1", model.arrays.as_dict(), facts)
    publish_version(data / "models", "v1")


def _buy(port: int) -> None:
    """Every person's order."""
    dice = np.random.default_rng(3)
    _, products = lines(200_000)
    with _client(port, "pk_benchmark") as client:
        for start in range(0, PEOPLE, BATCH):
            batch = [_order(number, dice.choice(products, BOUGHT).tolist()) for number in range(start, start + BATCH)]
            client.post("/v1/batch", json={"batch": batch}).raise_for_status()


def _order(person: int, products: Sequence[int]) -> dict[str, object]:
    bought = [{"product_id": f"sku-{code}", "quantity": 1, "price": 1} for code in products]
    properties = {"order_id": f"o-{person}", "products": bought}
    return {"type": "track", "anonymousId": f"v-live-{person}", "event": "Order Completed", "properties": properties}


def _ask(port: int) -> None:
    with _client(port, "pk_benchmark") as client:
        for number in range(1_000):
            body = {"visitor_id": f"v-{number}", "items": [f"sku-{number}"], "strategy": "bought_together"}
            client.post("/v1/recommendations", json=body).raise_for_status()


def _late(port: int) -> tuple[int, int]:
    """How many lists were asked for, and how many of them another strategy served."""
    with _client(port, "sk_benchmark") as client:
        served = client.get("/v1/recommender").json()["strategies"]["for_you"]
    return served["requests"], served["fallbacks"]


def _client(port: int, key: str) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=60)


def _shared_mb(process: psutil.Process) -> float:
    """Memory of a process, of shared pages its share."""
    return process.memory_full_info().pss / 1e6


def main(name: str, port: int, data: Path) -> None:
    """Serves as one of `benchmarks.http_servers`, or as `patient`: our worker, waiting for histories while it takes."""
    if name == "patient":
        resources.History = partial(History, wait_seconds=10.0)  # type: ignore[assignment,misc]
    http_servers.main("ours" if name == "patient" else name, port, data)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
