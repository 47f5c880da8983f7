"""Short of time a worker refuses pages first, then those with a proof, and no backend."""

import time
from pathlib import Path

import pytest
from servers.one_worker import SECRET, OneWorker
from servers.patience import until

from app.limits.pressure import Pressure

CALLERS = {"page": (False, False), "proven": (False, True), "backend": (True, False)}


@pytest.mark.parametrize(
    ("late", "refused"),
    [
        ([0.1, 0.1], []),
        ([5.0], []),  # a start, or another process
        ([5.0, 0.1, 5.0], []),
        ([0.3, 0.3], ["page"]),
        ([0.3, 5.0], ["page"]),
        ([5.0, 5.0], ["page", "proven"]),
        ([5.0, 5.0, 0.0], []),
    ],
)
def test_pages_are_refused_first_and_backends_never(late: list[float], refused: list[str]) -> None:
    pressure = Pressure(iter(range(1, 9)).__next__)
    for number, seconds in enumerate(late, 1):
        pressure.watch(float(number), seconds)
    found = [name for name, (secret, proving) in CALLERS.items() if pressure.refuses(secret=secret, proving=proving)]
    assert found == refused
    assert pressure.is_on == bool(refused)


def test_a_loop_that_waits_for_other_processes_refuses_nobody() -> None:
    pressure = Pressure(lambda: 7.0)
    for number in range(4):
        pressure.watch(float(number), 5.0)
    assert not pressure.is_on


def test_a_late_worker_refuses_pages_and_takes_what_backends_send(tmp_path: Path) -> None:
    event = {"anonymousId": "v", "event": "E"}
    with OneWorker(tmp_path) as worker, worker.client() as page, worker.client(SECRET) as backend:
        pressure = worker.app.cold.state.resources.access.pressure
        for _ in range(2):
            pressure.watch(-1e9, 5.0)  # so that it worked for more than no time
        refused, taken = page.post("/v1/track", json=event), backend.post("/v1/track", json=event)
        pressure.watch(-1e9, 0.0)
        again = page.post("/v1/track", json=event)
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
    assert (taken.status_code, again.status_code) == (200, 200)


def test_how_late_the_loop_is_comes_from_the_loop(tmp_path: Path) -> None:
    heard = list[float]()
    with OneWorker(tmp_path) as worker, worker.client() as page:
        assert page.get("/healthz").status_code == 200
        worker.app.deadlines.watchers.append(lambda _, late: heard.append(late))
        until(lambda: heard, "the loop is in time")
        worker.loop.call_soon_threadsafe(time.sleep, 1.0)
        until(lambda: max(heard) > 0.5, "the loop was late")
