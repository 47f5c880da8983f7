"""A process that hangs is named, ended and replaced; what was acknowledged before, meanwhile and after counts once."""

import os
import signal

import httpx
import psutil
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import Journal, goes_on, restless, verdict
from servers.faults import assign, degraded, pid_of, seconds_until_ready
from servers.patience import until
from servers.service import Service

from app.runtime.ailments import AilmentCode

pytestmark = pytest.mark.xdist_group("faults")
HANGS: dict[str, AilmentCode] = {
    "worker": "worker_stalled",
    "writer": "writer_stalled",
    "analysis": "analysis_stalled",
    "store": "store_timeout",
}


@pytest.fixture
def service(start_service: StartService) -> Service:
    """One whose processes are replaced when they hang, as is usual."""
    return start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="2", RESONATE_HUNG_SECONDS="8")


def names(service: Service, code: str) -> bool:
    """Whether a worker that answers names it."""
    try:
        return any(cause.partition(":")[0] == code for cause in degraded(service))
    except httpx.HTTPError:
        return False


@pytest.mark.drawn(2)
@pytest.mark.parametrize("role", sorted(HANGS))
def test_who_hangs_is_named_and_replaced_and_costs_nothing(service: Service, role: str) -> None:
    service.results("free-shipping-banner")
    journal = Journal()
    with restless(service, f"client-{role}") as path:
        goes_on(path, 50)
        hung = pid_of(service, role)
        os.kill(hung, signal.SIGSTOP)
        until(lambda: names(service, HANGS[role]), f"{HANGS[role]} is named", tell=service.told)
        until(lambda: not psutil.pid_exists(hung), f"the {role} that hangs is ended", tell=service.told)
        seconds_until_ready(service, journal)
        goes_on(path, 50)
    service.results("free-shipping-banner")
    assert pid_of(service, role) != hung
    until(lambda: not degraded(service), "nothing is wrong any more", tell=service.told)
    verdict(service, journal.read(path)).hold()
    assert f"{role} gave no sign of life" in service.log_text()


def test_the_only_worker_that_hangs_is_replaced_and_who_waits_in_the_queue_is_served(
    start_service: StartService,
) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_HUNG_SECONDS="4")
    hung = pid_of(service, "worker")
    os.kill(hung, signal.SIGSTOP)
    with service.client(timeout=60) as client:
        assert assign(client, "who waits").status_code == 200
    assert pid_of(service, "worker") != hung


def test_a_readout_that_waits_when_the_analysis_is_replaced_is_told_to_ask_again(service: Service) -> None:
    service.results("free-shipping-banner")
    hung = pid_of(service, "analysis")
    os.kill(hung, signal.SIGSTOP)
    with service.client(timeout=60) as client:
        path = "/v1/experiments/free-shipping-banner/results"
        answers = [client.get(path), client.get(path)]  # the first waits in vain or in the queue
    told = [(each.status_code, each.json().get("code"), each.headers.get("retry-after")) for each in answers]
    assert {each[0] for each in told} <= {200, 503}
    assert all(each[1:] == ("analysis_restarted", "2") for each in told if each[0] == 503)
    assert not psutil.pid_exists(hung)
    service.results("free-shipping-banner")
