"""Kills at random moments while a client in a process of its own goes on sending: the promise of the log holds."""

import random
import signal
import time
from collections.abc import Sequence

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import Journal, Verdict, restless, verdict
from servers.faults import KILLS, REPOSITORY, kill_all, pid_of, seconds_until_ready, until
from servers.patience import patience
from servers.service import ENTRY, Service

from events.log.verify import verify_log

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: they measure time


def put_through(service: Service, kinds: Sequence[str], seed: int) -> tuple[Verdict, dict[str, list[float]]]:
    """Each kind of kill in turn at a random moment; the verdict and the seconds until ready of each kind."""
    chance = random.Random(seed)
    journal = Journal()
    ready: dict[str, list[float]] = {}
    with restless(service, f"client-{seed}") as path:
        for kind in kinds:
            time.sleep(chance.uniform(0.1, 1.0))
            KILLS[kind](service)
            ready.setdefault(kind, []).append(seconds_until_ready(service, journal))
        time.sleep(0.5)
    return verdict(service, journal.read(path)), ready


def test_kills_of_single_processes_cost_nothing_and_every_answer_comes_in_time(service: Service) -> None:
    kept, ready = put_through(service, [kind for kind in KILLS if kind != "all"], seed=1)
    print(kept, ready)
    kept.hold()
    assert kept.acknowledged > 300
    assert kept.slowest_seconds < patience(2)
    assert max(map(max, ready.values())) < patience(2)
    assert verify_log(service.data).is_sound


def test_a_power_cut_costs_nothing(service: Service) -> None:
    kept, ready = put_through(service, ["all", "store", "all"], seed=2)
    print(kept, ready)
    kept.hold()
    assert max(map(max, ready.values())) < patience(2)
    assert verify_log(service.data).is_sound


@pytest.mark.slow
@pytest.mark.parametrize("point", ["after_tmp", "after_fsync", "after_link", "after_trim"])
def test_a_writer_that_always_dies_at_the_same_point_costs_nothing(start_service: StartService, point: str) -> None:
    """It dies there again and again while clients send; then the service is killed and started with a sound writer."""
    variables = {"RESONATE_WORKERS": "1", "DIES_AT": point, "PYTHONPATH": str(REPOSITORY / "tests")}
    service = start_service(SMALLEST_DEFINITIONS, entry="servers.dying_writer", **variables)
    with restless(service, "client", clients=2) as path:
        until(lambda: service.log_text().count("writer ended with signal SIGKILL") >= 3, 60)
        first = pid_of(service, "worker")
    assert pid_of(service, "worker") == first  # nobody else is drawn into it
    service.entry = ENTRY
    kill_all(service)
    service.wait_ready()
    assert service.log_text().count(signal.SIGKILL.name) >= 3
    verdict(service, Journal().read(path)).hold()
    assert verify_log(service.data).is_sound
