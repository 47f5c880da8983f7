"""Memory and descriptors of a service under steady mixed load, and what 1,000 silent connections cost its neighbours.

`python -m benchmarks.soak [SECONDS]` (180 by default). Prints the slope of the resident memory of each process, fitted
over the second half (the first warms caches up), its open descriptors, and p99 of assignments alone, in the crowd, and
while the store stands still.
"""

import contextlib
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx
import numpy as np
import psutil
from conftest import SMALLEST_DEFINITIONS
from oracles.promise import Journal, restless, verdict
from servers.faults import assign, frozen
from servers.service import Service, running

LOOK_SECONDS = 1.0
MEBIBYTE = 1 << 20
SILENT_CONNECTIONS = 1_000

Look = dict[str, tuple[float, int]]


def look(service: Service) -> Look:
    """Resident MiB and open descriptors of each process of the tree by name."""
    found: Look = {"supervisor 0": _of(psutil.Process(service.pid))}
    for role, processes in service.processes().items():
        for number, process in enumerate(sorted(processes, key=lambda each: each.pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                found[f"{role} {number}"] = _of(process)
    return found


def _of(process: psutil.Process) -> tuple[float, int]:
    return process.memory_info().rss / MEBIBYTE, process.num_fds()


def slope_a_minute(moments: Sequence[float], values: Sequence[float]) -> float:
    """Least squares over the second half."""
    half = len(moments) // 2
    return float(np.polyfit(moments[half:], values[half:], 1)[0]) * 60


def watch(service: Service, seconds: float) -> dict[str, list[tuple[float, float, int]]]:
    """(moment, MiB, descriptors) of each process, once a second."""
    seen: dict[str, list[tuple[float, float, int]]] = {}
    began = time.monotonic()
    while (moment := time.monotonic() - began) < seconds:
        for name, (size, descriptors) in look(service).items():
            seen.setdefault(name, []).append((moment, size, descriptors))
        time.sleep(LOOK_SECONDS)
    return seen


def percentile_99(service: Service, journal: Journal | None = None, count: int = 2_000) -> float:
    """Milliseconds of an assignment; with a journal, of one that exposes (the journal knows what was logged)."""
    took: list[float] = []
    with service.client(timeout=5) as client:
        for number in range(count):
            began = time.perf_counter()
            answer = expose(client, f"v-{number}") if journal else assign(client, f"v-{number}")
            took.append((time.perf_counter() - began) * 1e3)
            assert answer.status_code == 200
            if journal:
                note(journal, answer.json()["metadata"])
    return statistics.quantiles(took, n=100)[98]


def expose(client: httpx.Client, visitor: str) -> httpx.Response:
    """Evaluates and exposes."""
    path = "/ofrep/v1/evaluate/flags/free-shipping-banner"
    return client.post(path, json={"context": {"targetingKey": visitor}})


def note(journal: Journal, told: dict[str, str]) -> None:
    """What was logged must be exported; what was not may be."""
    journal.sent.add(told["exposure_id"])
    if told["exposure"] == "logged":
        journal.acknowledged.add(told["exposure_id"])


def report(seen: dict[str, list[tuple[float, float, int]]]) -> None:
    """A line for each process."""
    print(f"{'process':14} {'MiB':>7} {'MiB/min':>8} {'descriptors first, most, last':>30}  MiB at each sixth")
    for name, looks in seen.items():
        if len(looks) < 10:
            continue  # the trainer comes and goes
        moments, sizes, descriptors = zip(*looks, strict=True)
        counts = f"{descriptors[0]}, {max(descriptors)}, {descriptors[-1]}"
        sixths = " ".join(f"{sizes[min(len(sizes) - 1, len(sizes) * part // 6)]:.0f}" for part in range(7))
        print(f"{name:14} {sizes[-1]:7.1f} {slope_a_minute(moments, sizes):8.2f} {counts:>30}  {sixths}")


def main(seconds: float = 180) -> None:
    """Run once and print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), SMALLEST_DEFINITIONS, RESONATE_WORKERS="2") as service,
    ):
        journal = Journal()
        percentile_99(service)  # warms up
        alone, exposing = percentile_99(service), percentile_99(service, journal)
        with contextlib.ExitStack() as silent:
            for _ in range(SILENT_CONNECTIONS):
                silent.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            beside = percentile_99(service)
        with frozen(service, "store"):
            outage, unlogged = percentile_99(service), percentile_99(service, journal)
        told = f"{beside:.2f} ms beside {SILENT_CONNECTIONS} silent connections, {outage:.2f} ms without a store"
        print(f"p99 of an assignment {alone:.2f} ms alone, {told}")
        print(f"p99 of one that exposes {exposing:.2f} ms, {unlogged:.2f} ms without a store (unlogged)")
        with restless(service, "client", clients=4, events=20) as path:
            seen = watch(service, seconds)
        report(seen)
        print(verdict(service, journal.read(path), timeout_seconds=600))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
