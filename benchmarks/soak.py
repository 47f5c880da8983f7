"""Memory, descriptors and threads of a service under steady mixed load with backups, then what a crowd costs.

`python -m benchmarks.soak [SECONDS [VISITORS]]` (480 and 32 by default): so many visitors a second, each an exposure
and 20 events, whose batch is sent twice; a readout each 15 s and a backup each 30 s. It counts from when the first
training and the first readout are done. Prints what was answered, and of each process the last minute's resident memory
against the first's, and for each minute the median of that and the most descriptors and threads. Then p99 of
assignments alone, beside 1,000 silent connections, and while the store stands still; at the end the whole export.
"""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx
import psutil
from conftest import SMALLEST_DEFINITIONS
from oracles.promise import Journal, restless, verdict
from servers.faults import assign, frozen
from servers.patience import until
from servers.service import Service, running

EVENTS_OF_ONE = 20
READOUT_SECONDS, BACKUP_SECONDS, LOOK_SECONDS = 15.0, 30.0, 1.0
MEBIBYTE = 1 << 20
SILENT_CONNECTIONS = 1_000
EXPERIMENT = "free-shipping-banner"

Look = tuple[float, int, int]  # MiB, descriptors, threads
Seen = dict[str, list[list[Look]]]  # by process and minute


def look(service: Service) -> dict[str, Look]:
    """What each process of the tree holds, by name; who comes and goes (the trainer) by its number."""
    named = {"supervisor": [psutil.Process(service.pid)], **service.processes()}
    found: dict[str, Look] = {}
    for role, processes in named.items():
        for number, process in enumerate(sorted(processes, key=lambda each: each.pid)):
            with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                size = process.memory_info().rss / MEBIBYTE
                found[f"{role} {number}"] = size, process.num_fds(), process.num_threads()
    return found


def watch(service: Service, seconds: float) -> Seen:
    """Looks at it once a second."""
    seen: Seen = {}
    began = time.monotonic()
    while (moment := time.monotonic() - began) < seconds:
        for name, found in look(service).items():
            minutes = seen.setdefault(name, [[] for _ in range(-int(-seconds // 60))])
            minutes[int(moment // 60)].append(found)
        time.sleep(LOOK_SECONDS)
    return seen


def warm_up(service: Service) -> None:
    """Until all that is loaded once was."""
    trained = service.data / "models" / "last-training.json"
    until(lambda: trained.exists() and read(service) == "200", "a training and a readout are done", 900)


@contextlib.contextmanager
def each(seconds: float, act: Callable[[], str]) -> Generator[Counter[str]]:
    """Acts at once and then so often beside the block; how often each outcome was."""
    outcomes: Counter[str] = Counter()
    ended = threading.Event()

    def go_on() -> None:
        due = time.monotonic()
        while not ended.wait(max(0.0, due - time.monotonic())):
            outcomes[act()] += 1
            due += seconds

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield outcomes
    finally:
        ended.set()
        thread.join()


def read(service: Service) -> str:
    """The status of a readout and why none came; by the client that contradicts a wrong one."""
    with service.client() as client:
        answer = client.get(f"/v1/experiments/{EXPERIMENT}/results")
        return f"{answer.status_code} {answer.json().get('code', '')}".strip()


def back_up(service: Service, target: Path) -> str:
    """The exit code of a backup, which is not kept."""
    command = [sys.executable, "-P", "-m", "app.cli.main", "backup", str(target)]
    ended = subprocess.run(command, env=service.environment(), stdout=subprocess.DEVNULL, check=False).returncode
    shutil.rmtree(target, ignore_errors=True)
    return str(ended)


def report(seen: Seen) -> None:
    """Lines for each process that was there in each minute."""
    for name, minutes in seen.items():
        if all(minutes):
            sizes = [statistics.median(size for size, _, _ in minute) for minute in minutes]
            descriptors, threads = ([max(each[place] for each in minute) for minute in minutes] for place in (1, 2))
            print(f"{name:12} MiB {sizes[-1] / sizes[0]:.3f}: {' '.join(f'{size:.1f}' for size in sizes)}")
            print(f"{'':12} descriptors {' '.join(map(str, descriptors))}; threads {' '.join(map(str, threads))}")


def percentile_99(service: Service, journal: Journal | None = None, count: int = 2_000) -> float:
    """Milliseconds of an assignment; with a journal, of one that exposes (the journal knows what was logged)."""
    took: list[float] = []
    with service.client(timeout=5) as client:
        for number in range(count):
            began = time.perf_counter()
            answer = expose(client, f"v-{number}") if journal else assign(client, f"v-{number}")
            took.append((time.perf_counter() - began) * 1e3)
            assert answer.status_code == 200, answer.text
            if journal:
                note(journal, answer.json()["metadata"])
    return statistics.quantiles(took, n=100)[98]


def expose(client: httpx.Client, visitor: str) -> httpx.Response:
    """Evaluates and exposes."""
    return client.post(f"/ofrep/v1/evaluate/flags/{EXPERIMENT}", json={"context": {"targetingKey": visitor}})


def note(journal: Journal, told: dict[str, str]) -> None:
    """What was logged must be exported; what was not may be."""
    journal.sent.add(told["exposure_id"])
    if told["exposure"] == "logged":
        journal.acknowledged.add(told["exposure_id"])


def crowd(service: Service, journal: Journal) -> None:
    """What silent connections and a store that stands still cost an assignment."""
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


def main(seconds: int = 480, visitors: int = 32) -> None:
    """Run once and print."""
    one_network = {"RESONATE_MAX_CONNECTIONS_PER_NETWORK": "10000"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), SMALLEST_DEFINITIONS, RESONATE_WORKERS="2", **one_network) as service,
    ):
        backup = Path(folder) / "backup"
        with restless(service, "client", events=EVENTS_OF_ONE, rate=visitors) as path:
            warm_up(service)
            with (
                each(READOUT_SECONDS, lambda: read(service)) as readouts,
                each(BACKUP_SECONDS, lambda: back_up(service, backup)) as backups,
            ):
                seen = watch(service, seconds)
        journal = Journal().read(path)
        told = f"{len(journal.acknowledged)} events, {len(journal.exposed)} exposures"
        print(f"{told}; readouts {dict(readouts)}, backups {dict(backups)} by exit code; load {os.getloadavg()[0]:.1f}")
        print(f"answers {dict(journal.statuses)}, {journal.unanswered} without one")
        report(seen)
        crowd(service, journal)
        print(verdict(service, journal, timeout_seconds=600))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
