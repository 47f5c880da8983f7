"""A process that gets no more memory costs what its kill costs: nothing acknowledged is lost, and others answer."""

import contextlib
import resource
import sys

import psutil
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import Journal, goes_on, restless, verdict
from servers.faults import pid_of, seconds_until_ready
from servers.service import Service

pytestmark = [
    pytest.mark.xdist_group("faults"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of another process"),
]
ROOM_BYTES = 1 << 20


@pytest.fixture
def service(start_service: StartService) -> Service:
    """One whose processes are replaced when they hang, as is usual."""
    return start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="2", RESONATE_HUNG_SECONDS="8")


@pytest.mark.drawn(1)
@pytest.mark.parametrize("role", ["analysis", "worker", "writer", "store"])
def test_whoever_gets_no_more_memory_goes_on_or_is_replaced_and_costs_nothing(service: Service, role: str) -> None:
    service.results("free-shipping-banner")
    journal = Journal()
    with restless(service, f"client-{role}") as path:
        goes_on(path, 50)
        short = psutil.Process(pid_of(service, role))
        most = short.memory_info().vms + ROOM_BYTES
        resource.prlimit(short.pid, resource.RLIMIT_AS, (most, most))
        with service.client() as client:
            answers = [client.get("/v1/experiments/free-shipping-banner/results").status_code for _ in range(3)]
        goes_on(path, 100)
        with contextlib.suppress(psutil.NoSuchProcess):  # the system ends what goes on without memory
            short.kill()
        seconds_until_ready(service, journal)
        goes_on(path, 50)
    assert set(answers) <= {200, 503}
    verdict(service, journal.read(path)).hold()
