"""A supervisor that the system gives nothing for a while, such as descriptors, goes on as soon as it does."""

import os
import resource
import signal

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.faults import assign, degraded, pid_of
from servers.patience import until

pytestmark = pytest.mark.xdist_group("faults")


def test_a_worker_that_dies_while_the_supervisor_may_open_no_file_is_replaced_once_it_may(
    start_service: StartService,
) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    usual = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (4, usual[1]))
    os.kill(pid_of(service, "worker"), signal.SIGKILL)
    for told in ("worker cannot be started", "the system gives the supervisor too little"):
        until(lambda told=told: told in service.log_text(), f"it is said: {told}", tell=service.told)
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, usual)
    with service.client(timeout=60) as client:
        assert assign(client, "who waits").status_code == 200
    until(lambda: not degraded(service), "nothing is wrong any more", tell=service.told)
    assert service.stop() == 0
