"""Kills at random moments while a client in a process of its own goes on sending: the promise of the log holds."""

import random
import signal
from collections.abc import Sequence

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import Journal, Verdict, goes_on, restless, verdict
from servers.faults import KILLS, REPOSITORY, kill_all, pid_of, seconds_until_ready
from servers.patience import until
from servers.service import ENTRY, Service

from events.log.verify import verify_log

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy


def put_through(service: Service, kinds: Sequence[str], seed: int) -> Verdict:
    """Each kind of kill in turn, at a random moment of the clients' sending, which goes on by itself; the verdict."""
    chance = random.Random(seed)
    journal = Journal()
    with restless(service, f"client-{seed}") as path:
        for kind in kinds:
            goes_on(path, chance.randrange(20, 400))
            KILLS[kind](service)
            seconds_until_ready(service, journal)
        goes_on(path, 100)
    return verdict(service, journal.read(path))


def test_kills_of_single_processes_cost_nothing_and_every_answer_comes_in_time(service: Service) -> None:
    kept = put_through(service, [kind for kind in KILLS if kind != "all"], seed=1)
    print(kept)
    kept.hold()
    assert kept.acknowledged > 300
    assert verify_log(service.data).is_sound


def test_a_power_cut_costs_nothing(service: Service) -> None:
    kept = put_through(service, ["all", "store", "all"], seed=2)
    print(kept)
    kept.hold()
    assert verify_log(service.data).is_sound


@pytest.mark.slow
@pytest.mark.drawn(1)
@pytest.mark.parametrize("point", ["after_tmp", "after_fsync", "after_link", "after_trim"])
def test_a_writer_that_always_dies_at_the_same_point_costs_nothing(start_service: StartService, point: str) -> None:
    """It dies there again and again while clients send; then the service is killed and started with a sound writer."""
    variables = {"RESONATE_WORKERS": "1", "DIES_AT": point, "PYTHONPATH": str(REPOSITORY / "tests")}
    service = start_service(SMALLEST_DEFINITIONS, entry="servers.dying_writer", **variables)
    with restless(service, "client", clients=2) as path:
        until(
            lambda: service.log_text().count("writer ended with signal SIGKILL") >= 3,
            "the writer has died three times",
            tell=service.told,
        )
        first = pid_of(service, "worker")
    assert pid_of(service, "worker") == first  # nobody else is drawn into it
    service.entry = ENTRY
    kill_all(service)
    service.wait_ready()
    assert service.log_text().count(signal.SIGKILL.name) >= 3
    verdict(service, Journal().read(path)).hold()
    assert verify_log(service.data).is_sound
