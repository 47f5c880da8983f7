"""Counters are right across workers: any of them tells the sum of all, also of those that died."""

import signal
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.one_worker import SECRET, OneWorker

from app.metrics.counted import counter_samples
from app.metrics.exposition import lines
from app.runtime.board import Board, Desk
from app.runtime.telemetry import Telemetry

OTHER_WORKER = """
import os, signal, sys
from app.runtime.board import Board, Desk
from app.runtime.telemetry import Telemetry
telemetry = Telemetry(Board.attach(int(sys.argv[1])).desk("worker", 1), ["/v1/track"])
for _ in range(1000):
    telemetry.answered("/v1/track", 200, 0.004)
    telemetry.events("stored", 2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def text_of(telemetry: Telemetry) -> str:
    return "".join(lines(counter_samples(telemetry, {})))


def samples(text: str) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


def test_what_killed_workers_counted_stays_counted_and_their_successors_go_on() -> None:
    board = Board.make(2)
    telemetry = Telemetry(board.desk("worker"), ["/v1/track"])
    telemetry.answered("/v1/track", 200, 0.5)
    telemetry.answered("/never/heard/of", 418, 0.5)
    for _ in range(2):  # the second one in the place of the first
        command = [sys.executable, "-c", OTHER_WORKER, str(board.descriptor)]
        assert subprocess.run(command, check=False, pass_fds=[board.descriptor]).returncode == -signal.SIGKILL
    told = samples(text_of(telemetry))
    assert told[("resonate_http_requests_total", "/v1/track", "200")] == 2001
    assert told[("resonate_http_requests_total", "other", "other")] == 1
    assert told[("resonate_http_request_seconds_count", "/v1/track")] == 2001
    assert told[("resonate_http_request_seconds_bucket", "/v1/track", "0.005")] == 2000
    assert told[("resonate_events_total", "stored")] == 4000


def test_a_worker_of_another_release_begins_anew_and_is_added_to_nobodys() -> None:
    board = Board.make(2)
    old, other = (Telemetry(desk, ["/old"]) for desk in board.desks("worker"))
    for each in (old, other):
        each.answered("/old", 200, 0.1)
    new = Telemetry(board.desk("worker"), ["/new"])
    assert new.counters.total(("requests", "/new", "200")) == 0
    assert "/old" not in text_of(new)
    assert other.counters.total(("requests", "/old", "200")) == 1


def test_more_counters_than_a_worker_has_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="raise COUNTERS"):
        Telemetry(Desk.alone(), [f"/route/{number}" for number in range(1_000)])


def test_the_endpoint_counts_requests_events_and_exposures_by_outcome(worker: OneWorker) -> None:
    with worker.client(SECRET) as client:
        before = samples(client.get("/metrics").text)
        batch = [{"type": "page", "anonymousId": "v", "messageId": "twice"}] * 2 + [{"type": "nonsense"}]
        client.post("/v1/batch", json={"batch": batch})
        client.post("/ofrep/v1/evaluate/flags/banner", json={"context": {"targetingKey": "counted"}})
        client.get("/v1/experiments/x/results", headers={"authorization": "Bearer wrong"})
        after = samples(client.get("/metrics").text)

    def grown(*name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown("resonate_events_total", "stored") == 1
    assert grown("resonate_events_total", "duplicate") == 1
    assert grown("resonate_events_total", "rejected") == 1
    assert grown("resonate_exposures_total", "logged") == 1
    assert grown("resonate_http_requests_total", "/v1/batch", "200") == 1
    assert grown("resonate_http_requests_total", "/v1/experiments/{key}/results", "401") == 1
    assert after[("resonate_store_available",)] == 1
    assert any(name[0] == "resonate_worker_resident_bytes" for name in after)
