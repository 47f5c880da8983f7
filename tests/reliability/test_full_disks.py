"""Full disks under the store and under the parts: named, no restart loop, healed when space returns, nothing lost."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.promise import Journal, verdict
from servers.faults import assign, degraded, seconds_until_ready, track
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service, write_definitions
from servers.small_disk import fill, small_disk

from events.store.health import read_state

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

fresh = count().__next__
HEALED = "nothing is degraded any more"


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Service]:
    """A service that is not started yet; its data directory is where a small disk can be mounted."""
    service = Service(tmp_path / "data", write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS), {})
    service.variables |= {"RESONATE_WORKERS": "1", "RESONATE_DISK_FLOOR_MB": "0"}  # as where a quota knows the end
    yield service
    service.end()


def acknowledged_until_refused(service: Service, journal: Journal) -> str:
    """Sends events until one is refused; the cause."""
    with service.client(timeout=20) as client:
        for number in range(5_000):
            message_id = f"m-{number}"
            journal.sent.add(message_id)
            event = {"event": "Note", "anonymousId": "v", "messageId": message_id, "properties": {"note": "x" * 20_000}}
            answer = client.post("/v1/track", json=event)
            if answer.status_code != 200:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) >= 1
                return str(answer.json()["code"])
            journal.acknowledged.add(message_id)
    return "never"


def test_a_full_disk_under_the_store_is_named_and_heals(cramped: Service) -> None:
    with small_disk(cramped.data / "store"):
        cramped.start()
        journal = Journal()
        ballast = fill(cramped.data / "store", leave_bytes=400_000)
        acknowledged_until_refused(cramped, journal)
        until(lambda: "store_disk_full" in degraded(cramped), "the full disk is named")
        with cramped.client(timeout=20) as client:
            assert assign(client, "v-1").status_code == 200
            refused = track(client, "m-refused")
        assert (refused.status_code, refused.json()["code"]) == (503, "store_disk_full")
        restarts = restarts_of(cramped)
        ballast.unlink()
        seconds_until_ready(cramped, journal)
        assert restarts <= 3
        until(lambda: degraded(cramped) == [], HEALED)
        verdict(cramped, journal).hold()
        assert cramped.stop() == 0


def test_below_its_floor_a_disk_is_for_backends_and_below_a_quarter_for_nobody(cramped: Service) -> None:
    """Of 64 MB the floor is 5 %."""
    cramped.variables["RESONATE_DISK_FLOOR_MB"] = "512"
    with small_disk(cramped.data, 64):
        cramped.start()
        with cramped.client(PUBLISHABLE_KEY) as page, cramped.client() as backend:
            for left, told in ((2_400_000, [503, 200]), (500_000, [503, 503])):
                ballast = fill(cramped.data, leave_bytes=left)

                def answers(told: list[int] = told) -> list[str]:
                    answered = [track(client, f"m-{fresh()}") for client in (page, backend)]
                    codes = [each.json().get("code", "") for each in answered]
                    return codes if [each.status_code for each in answered] == told else []

                assert set(until(answers, f"it is noticed that {left} bytes are left")) <= {"disk_low", ""}
                assert degraded(cramped) == ["disk_low", "page_events_refused"]
                assert assign(page, "v-1").status_code == 200
                ballast.unlink()
                until(lambda: track(page, f"m-{fresh()}").status_code == 200, "there is room again")
            until(lambda: degraded(cramped) == [], HEALED)
        assert cramped.stop() == 0


def restarts_of(service: Service) -> int:
    state = read_state(service.data)
    assert state is not None
    return state.restarts


def test_a_full_disk_at_the_start_serves_assignments_and_heals(cramped: Service) -> None:
    with small_disk(cramped.data / "store"):
        ballast = fill(cramped.data / "store")
        cramped.start()
        with cramped.client(timeout=20) as client:
            assert assign(client, "v-1").status_code == 200
            assert track(client, "m-1").status_code == 503
        assert degraded(cramped) == ["store_disk_full"]
        journal = Journal()
        ballast.unlink()
        seconds_until_ready(cramped, journal)
        verdict(cramped, journal).hold()
        assert cramped.stop() == 0


def test_a_full_disk_under_the_parts_is_named_and_heals(cramped: Service) -> None:
    """Events are still taken: they wait, durable, in the store."""
    with small_disk(cramped.data / "log", 2):
        cramped.start()
        journal = Journal()
        seconds_until_ready(cramped, journal)
        ballast = fill(cramped.data / "log")
        with cramped.client(timeout=20) as client:
            for number in range(50):
                journal.sent.add(f"m-{number}")
                assert track(client, f"m-{number}").status_code == 200
                journal.acknowledged.add(f"m-{number}")
            until(lambda: degraded(cramped) == ["log_disk_full"], "the full disk is named")
            assert assign(client, "v-1").status_code == 200
            waiting = client.get("/v1/export/events")
            assert waiting.status_code == 200
            assert int(waiting.headers["x-resonate-pending"]) >= 50
        ballast.unlink()
        until(lambda: degraded(cramped) == [], HEALED)
        verdict(cramped, journal).hold()
        assert cramped.stop() == 0


@pytest.mark.slow
def test_one_full_disk_under_everything_keeps_assignments_and_heals(cramped: Service) -> None:
    """Store, parts, definitions' snapshot, counters and the analysis share three megabytes."""
    with small_disk(cramped.data):
        cramped.start()
        journal = Journal()
        seconds_until_ready(cramped, journal)
        ballast = fill(cramped.data, leave_bytes=300_000)
        acknowledged_until_refused(cramped, journal)
        with cramped.client(timeout=20) as client:
            assert [assign(client, f"v-{number}").status_code for number in range(50)] == [200] * 50
        until(lambda: degraded(cramped) != [], "the full disk is named")
        ballast.unlink()
        seconds_until_ready(cramped, journal)
        until(lambda: degraded(cramped) == [], HEALED)
        verdict(cramped, journal).hold()
        assert cramped.stop() == 0
