"""What systemd hears, by a socket of the test's own."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.patience import HUNG_SECONDS, until

from app.processes.notify import Notifier


@pytest.fixture(params=["a path", "an abstract name"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "a path" else f"@resonate-{os.getpid()}-{tmp_path.name}"


@pytest.fixture
def heard(place: str) -> Iterator[Callable[[], list[str]]]:
    """What was said since the last call."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind("\0" + place[1:] if place.startswith("@") else place)
        ours.setblocking(False)

        def since() -> list[str]:
            said: list[str] = []
            while True:
                try:
                    said.append(ours.recv(4096).decode())
                except BlockingIOError:
                    return said

        yield since


class Clock:
    """The time that the notifier sees."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_taken_out_of_the_environment_and_meant_for_one_process(place: str) -> None:
    environment = {"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    notifier = Notifier.of(environment)
    assert (notifier.address, notifier.watchdog_seconds, environment) == (place, 30.0, {"HOME": "/"})
    for told, pid in (("", ""), ("0", ""), ("soon", ""), ("30000000", "1")):
        assert (
            Notifier.of({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": told, "WATCHDOG_PID": pid}).watchdog_seconds is None
        )


def test_ready_changes_and_the_end_are_said_once_each(place: str, heard: Callable[[], list[str]]) -> None:
    notifier = Notifier(place)
    notifier.look(list, healthy=True)
    assert heard() == []  # nothing, before it is ready
    notifier.ready(list)
    for causes in ([], ["store_down"], ["store_down"], ["store_down", "keys_invalid"], []):
        notifier.look(lambda causes=causes: causes, healthy=True)
    assert heard() == [
        "READY=1\nSTATUS=ready", "STATUS=degraded: store_down", "STATUS=degraded: store_down, keys_invalid",
        "STATUS=ready",
    ]  # fmt: skip
    assert [notifier.stopping(), notifier.stopping()] == [True, False]
    notifier.look(lambda: ["store_down"], healthy=True)
    assert heard() == ["STOPPING=1\nSTATUS=draining"]


def test_it_says_that_it_lives_thrice_in_its_time_and_only_while_all_do(
    place: str, heard: Callable[[], list[str]]
) -> None:
    clock = Clock()
    notifier = Notifier(place, 30.0, clock)
    notifier.look(list, healthy=True)
    notifier.ready(list)
    assert heard() == ["READY=1\nSTATUS=ready"]
    for second in range(31):
        clock.now = 100.0 + second
        notifier.look(list, healthy=True)
    assert heard() == ["WATCHDOG=1"] * 4
    for second in range(31, 90):
        clock.now = 100.0 + second
        notifier.look(list, healthy=False)
    assert heard() == []
    notifier.look(list, healthy=True)
    assert heard() == ["WATCHDOG=1"]


def test_what_finds_no_room_is_said_later(place: str, heard: Callable[[], list[str]]) -> None:
    notifier = Notifier(place)
    notifier.ready(list)
    for number in range(10_000):  # more than may wait to be read
        notifier.look(lambda number=number: [f"cause_{number}"], healthy=True)
    last = "STATUS=degraded: cause_9999"
    first = heard()
    assert first[0] == "READY=1\nSTATUS=ready"
    assert len(first) < 10_000
    notifier.look(lambda: ["cause_9999"], healthy=True)
    assert heard() == [last]


def test_nobody_who_listens_is_no_fault(tmp_path: Path) -> None:
    for notifier in (Notifier(), Notifier(str(tmp_path / "gone"), 0.001), Notifier("@nobody-listens-here", 0.001)):
        notifier.ready(list)
        notifier.look(lambda: ["store_down"], healthy=True)
        assert notifier.stopping()


def test_a_service_tells_its_life(
    place: str, heard: Callable[[], list[str]], start_service: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    monkeypatch.setenv("WATCHDOG_USEC", "750000")  # a third of it is a turn of the supervisor's loop
    said: list[str] = []

    def is_told(word: str) -> bool:
        said.extend(heard())
        return any(line == word for each in said for line in each.split("\n"))

    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    until(lambda: is_told("READY=1"), "it is ready")
    until(lambda: not is_told("") and said.count("WATCHDOG=1") > 2, "it lives")
    (service.definitions / "free-shipping-banner.yaml").write_text("key: [")
    until(lambda: is_told("STATUS=degraded: definitions_invalid"), "what is wrong is told")
    assert service.process is not None
    os.kill(service.pid, signal.SIGSTOP)  # a loop that does not turn says nothing
    heard()
    os.kill(service.pid, signal.SIGCONT)
    service.process.send_signal(signal.SIGTERM)
    until(lambda: is_told("STOPPING=1"), "it ends")
    assert service.process.wait(HUNG_SECONDS) == 0
