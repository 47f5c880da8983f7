"""A damaged append-only file under a whole service: what is sound is kept, what is lost is said, never an empty store.

The writer stands still meanwhile, so that the events are nowhere else. What recovery keeps, byte by byte, is proved in
tests/events/store/test_recovery.py.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import Journal, exported, verdict
from servers.faults import assign, degraded, end_all, frozen, kill_all, pid_of, track
from servers.service import Service

from events.store.health import store_directory

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

EVENTS = 60


def tear(file: Path) -> None:
    """The last write came only half to the disk."""
    with file.open("ab") as end:
        end.write(b"*3\r\n$3\r\nSET\r\n$1\r\nk")


def add_garbage(file: Path) -> None:
    with file.open("ab") as end:
        end.write(os.urandom(3_000))


def make_a_hole(file: Path) -> None:
    """A block among the events was never written; before them stand our functions."""
    with file.open("r+b") as middle:
        middle.seek(file.stat().st_size * 3 // 4)
        middle.write(bytes(4096))


def crashed_with(service: Service, harm: Callable[[Path], None]) -> Journal:
    """Events that stand in the store alone, then a power cut that harms the file they stand in."""
    journal = Journal()
    with service.client(timeout=20) as client, frozen(service, "writer"):
        for number in range(EVENTS):
            message_id = f"m-{number}"
            journal.sent.add(message_id)
            assert track(client, message_id, f"v-{number}").status_code == 200
            journal.acknowledged.add(message_id)
        end_all(service)
    [file] = sorted(store_directory(service.data).rglob("*.incr.aof"))
    harm(file)
    service.start()
    return journal


@pytest.mark.drawn(1)
@pytest.mark.parametrize("harm", [tear, add_garbage])
def test_damage_behind_the_last_event_costs_nothing_and_is_said(
    start_service: StartService, harm: Callable[[Path], None]
) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    journal = crashed_with(service, harm)
    assert any(cause.startswith("store_salvaged") for cause in degraded(service))
    verdict(service, journal).hold()


def test_a_hole_costs_what_lay_behind_it_and_nothing_else(start_service: StartService) -> None:
    """`appendfsync always` makes no hole; a disk may. What is left is in order, and new events are taken."""
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    journal = crashed_with(service, make_a_hole)
    assert any(cause.startswith("store_salvaged") for cause in degraded(service))
    assert "damaged" in service.log_text()
    with service.client(timeout=20) as client:
        assert track(client, "after").status_code == 200
        assert assign(client, "v").status_code == 200
    ids = [row["message_id"] for row in exported(service)]
    kept = len(ids) - 1
    assert ids == [*(f"m-{number}" for number in range(kept)), "after"]
    assert EVENTS // 8 < kept < EVENTS
    assert len(journal.acknowledged) == EVENTS


def test_events_that_are_in_parts_survive_the_loss_of_the_whole_store(service: Service) -> None:
    """The store is only the buffer: its folder is deleted, the record stays, and new events come after it."""
    journal = Journal()
    with service.client(timeout=20) as client:
        for number in range(EVENTS):
            journal.sent.add(f"m-{number}")
            assert track(client, f"m-{number}").status_code == 200
            journal.acknowledged.add(f"m-{number}")
    verdict(service, journal).hold()
    end_all(service)
    for file in store_directory(service.data).rglob("*.aof*"):
        if file.is_file():
            file.unlink()
    service.start()
    with service.client(timeout=20) as client:
        journal.sent.add("after")
        assert track(client, "after").status_code == 200
        journal.acknowledged.add("after")
        assert track(client, "m-3").status_code == 200  # the store forgot it, the readout has not
    assert pid_of(service, "writer")
    ids = [row["message_id"] for row in exported(service)]
    assert sorted(ids) == sorted(journal.acknowledged)


def test_killing_everything_right_after_an_acknowledgement_keeps_it(service: Service) -> None:
    for number in range(3):
        with service.client(timeout=20) as client:
            assert track(client, f"m-{number}").status_code == 200
        kill_all(service)
        service.wait_ready()
    assert sorted(row["message_id"] for row in exported(service)) == ["m-0", "m-1", "m-2"]
