"""Short of time a worker refuses pages first, then those with a proof, and no backend."""

import itertools
import math
import time
from pathlib import Path

import pytest
from servers.one_worker import SECRET, OneWorker
from servers.patience import HUNG_SECONDS, until

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


@pytest.mark.parametrize(
    ("memory", "disk", "refused", "causes"),
    [
        (0.75, 2.0, [], ()),
        (0.76, 2.0, [], ("store_memory_high",)),
        (0.8, 1.99, [], ("disk_low", "store_memory_high")),
        (0.81, 2.0, ["page"], ("store_memory_high",)),
        (0.91, 2.0, ["page", "proven"], ("store_memory_high",)),
        (1.0, 2.0, ["page", "proven"], ("store_memory_high",)),
        (0.0, 0.99, ["page"], ("disk_low",)),
        (0.0, 0.49, ["page", "proven"], ("disk_low",)),
        (0.0, 0.24, ["page", "proven", "backend"], ("disk_low",)),
        (0.95, 0.99, ["page", "proven"], ("disk_low", "store_memory_high")),
    ],
)
def test_events_are_refused_from_the_least_believed_on(
    memory: float, disk: float, refused: list[str], causes: tuple[str, ...]
) -> None:
    pressure = Pressure()
    told = pressure.events
    pressure.measure(memory, disk)
    assert ([authority.word for authority in told], pressure.causes) == (refused, causes)
    assert set(told.values()) <= set(causes)
    assert not pressure.is_on  # no request is refused for it
    pressure.measure(0.0, 2.0)
    assert (told, pressure.causes) == ({}, ())


@pytest.mark.parametrize(("floors", "share", "causes"), [
    (9.0, 0.05, ()), (9.0, 0.049, ("disk_low",)), (math.inf, 0.01, ()),
])  # fmt: skip
def test_of_a_large_disk_a_twentieth_is_told_of_unless_no_floor_is_wanted(
    floors: float, share: float, causes: tuple[str, ...]
) -> None:
    pressure = Pressure()
    pressure.measure(0.0, floors, share)
    assert (pressure.causes, pressure.events) == (causes, {})


@pytest.mark.parametrize(("crowding", "refused"), [(0.9, []), (0.92, ["page"]), (0.96, ["page", "proven"])])
def test_the_last_connections_are_for_backends(crowding: float, refused: list[str]) -> None:
    pressure = Pressure()
    pressure.watch(1.0, 0.0, crowding)
    found = [name for name, (secret, proving) in CALLERS.items() if pressure.refuses(secret=secret, proving=proving)]
    assert (found, pressure.is_crowded) == (refused, bool(refused))


def test_a_page_that_is_refused_for_its_connection_gives_it_back(tmp_path: Path) -> None:
    event = {"anonymousId": "v", "event": "E"}
    with OneWorker(tmp_path) as worker, worker.client() as page, worker.client(SECRET) as backend:
        pressure = worker.app.cold.state.resources.access.pressure
        assert [page.post("/v1/track", json=event).status_code, backend.post("/v1/track", json=event).status_code] == [
            200, 200
        ]  # fmt: skip
        pressure.watch(1.0, 0.0, 0.92)
        refused = page.post("/v1/track", json=event)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        until(lambda: len(worker.connections()) == 1, "the page's connection is closed", HUNG_SECONDS)
        assert backend.post("/v1/track", json=event).status_code == 200


def test_short_of_memory_or_disk_a_worker_refuses_events_alone_and_says_so(tmp_path: Path) -> None:
    event, evaluate = {"anonymousId": "v", "event": "E"}, {"context": {"targetingKey": "v"}}
    with OneWorker(tmp_path) as worker, worker.client() as page, worker.client(SECRET) as backend:
        pressure = worker.app.cold.state.resources.access.pressure
        worker.app.cold.state.resources.access.pressure.measure = lambda *_: None  # it looks by itself too
        for free, told in ((0.9, (503, 200)), (0.2, (503, 503))):
            Pressure.measure(pressure, 0.0, free)
            answers = [client.post("/v1/track", json=event) for client in (page, backend)]
            assert tuple(answer.status_code for answer in answers) == told
            assert {answer.json()["code"] for answer in answers if answer.status_code == 503} == {"disk_low"}
            shown = page.post("/ofrep/v1/evaluate/flags/banner", json=evaluate)
            assert (shown.status_code, shown.json()["metadata"]["exposure"]) == (200, "unlogged")
            assert page.get("/readyz").json()["degraded"] == ["disk_low", "page_events_refused"]
        Pressure.measure(pressure, 0.0, 1.0)
        assert page.post("/v1/track", json=event).status_code == 200


@pytest.mark.parametrize(("share", "late", "refuses"), [(0.0, 5.0, False), (0.5, 0.39, False), (0.5, 0.41, True)])
def test_what_other_processes_take_is_no_shortage(share: float, late: float, refuses: bool) -> None:
    worked = itertools.count(0.0, share)
    pressure = Pressure(lambda: next(worked))
    for number in range(4):
        pressure.watch(float(number), late)
    assert pressure.is_on == refuses


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
