"""Python instructions of the hot paths against another checkout: what a machine that others use can compare as well.

`python -m benchmarks.instructions OTHER_CHECKOUT`. A worker of each checkout, in its own `.venv`, counts what it runs
(`sys.settrace`) from one answer to the next; of the requests the middle one is told, so that what it does now and then
beside them does not count. What it does while nobody asks has a line of its own.
What C does (JSON, HTTP, the store's parser) is not seen: `benchmarks.against` has the CPU time.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.against import BOOT, STORE
from benchmarks.http import FLAG, definitions, free_port, wait_for

SERVE = """
import sys, threading
from pathlib import Path
try:
    from app.serving.server import DrainingServer, server_config
except ModuleNotFoundError:  # an older checkout
    from app.http.protocol import server_config
    from app.http.server import DrainingServer
from benchmarks.http_servers import ours
count = 0
def counted(frame, event, argument):
    global count
    count += event == "opcode"
    return counted
def called(frame, event, argument):
    frame.f_trace_opcodes, frame.f_trace_lines = True, False
    return counted
def answer():
    for line in sys.stdin:
        print(count, flush=True)
config = server_config(ours(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]))
threading.Thread(target=answer, daemon=True).start()
sys.settrace(called)
DrainingServer(config, lambda: None, drain_seconds=5).run()
"""
REQUESTS, FIRST_REQUESTS, IDLE_SECONDS = 150, 20, 15.0
HEADERS = {"Authorization": "Bearer pk_benchmark", "Content-Type": "application/json"}
VIEWED: Mapping[str, Any] = {
    "type": "track",
    "event": "Product Viewed",
    "timestamp": "2026-11-22T00:00:00.000Z",
    "properties": {"product_id": "sku-17", "price": 19.9, "category": "toys", "list": "home", "position": 3},
    "context": {"library": {"name": "analytics.js", "version": "2.1"}, "page": {"url": "https://shop.example/p/17"}},
}


def viewed(number: int, place: int = 0) -> dict[str, Any]:
    """An event of its own."""
    return {**VIEWED, "anonymousId": f"v{number}", "messageId": f"{os.getpid()}-{number}-{place}"}


def asked(number: int, **more: Any) -> dict[str, Any]:
    """What an assignment is asked with."""
    known = {"targetingKey": f"v{number}", "device": "mobile", "country": "SK", "cart_value": 12.5}
    return {"context": {**known, **more}}


CASES: Mapping[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
    "OFREP single, no exposure": (FLAG, lambda number: asked(number, **{"resonate.expose": False})),
    "OFREP single, durable exposure": (FLAG, asked),
    "one event": ("/v1/track", viewed),
    "batch of 20": ("/v1/batch", lambda number: {"batch": [viewed(number, place) for place in range(1, 21)]}),
}


def counts(checkout: Path, data: Path) -> dict[str, float]:
    """Instructions of each case, a request, and of a second in which nobody asks."""
    python, words = str(checkout / ".venv/bin/python"), (str(data.with_name("definitions")), str(data))
    subprocess.run([python, "-c", BOOT, *words], cwd=checkout, check=True)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": checkout}
    store = subprocess.Popen([python, "-c", STORE, str(data)], **pipes)
    assert store.stdout is not None
    store.stdout.readline()
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    worker = subprocess.Popen([python, "-c", SERVE, str(port), str(data)], env=environment, **pipes)

    def count() -> int:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
        return int(worker.stdout.readline())

    try:
        wait_for(port)
        return dict(rates(port, count))
    finally:
        worker.terminate()
        worker.wait()
        store.communicate()


def rates(port: int, count: Callable[[], int]) -> Iterator[tuple[str, float]]:
    """The median of what one request of each case takes, by `count` (so far), and what a second without any does."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for name, (path, body) in CASES.items():
        counts = [count()]
        for number in range(FIRST_REQUESTS + REQUESTS):
            client.request("POST", path, json.dumps(body(number)), HEADERS)
            answer = client.getresponse()
            told = answer.read()
            assert answer.status == 200, told
            counts.append(count())
        yield name, statistics.median(after - before for before, after in pairwise(counts[FIRST_REQUESTS:]))
    before = count()
    time.sleep(IDLE_SECONDS)
    yield "a second without a request", (count() - before) / IDLE_SECONDS


def main(here: Path, there: Path) -> None:
    """Counts both and prints the table."""
    sides: list[dict[str, float]] = []
    for checkout in (here, there):
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir(mode=0o700)
            definitions(data.with_name("definitions"))
            sides.append(counts(checkout, data))
    print(f"{'case':34} {'here':>8} {'there':>8} {'ratio':>6}")
    for name, own in sides[0].items():
        print(f"{name:34} {own:8,.0f} {sides[1][name]:8,.0f} {sides[1][name] / own:6.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(__file__).resolve().parents[1], Path(sys.argv[1]).resolve())
