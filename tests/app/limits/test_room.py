"""Where too many connections are open the idle ones go first; who must be refused hears it, and nobody is reset."""

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import REPOSITORY, SMALLEST_DEFINITIONS, StartService
from hypothesis import given
from hypothesis import strategies as st
from servers.patience import HUNG_SECONDS, until
from servers.service import SECRET_KEY, Service

from app.limits.connections import EXHAUSTED, EXHAUSTED_SECONDS, OpenConnections
from app.limits.networks import Networks
from app.limits.room import AT_ONCE, IDLE_SECONDS, SPARE, Queue, Room

FILES = 256
MOST = 10


class Crowd:
    """Connections by number, and the queue of those that are silent. Some take long to take their last answer."""

    def __init__(self, slow: frozenset[int] = frozenset()) -> None:
        """`slow` are those that have not taken all of it yet."""
        self.open: set[int] = set()
        self.silent: Queue = {}
        self.gone: list[int] = []
        self._slow = slow

    def be_silent(self, number: int, since: float) -> None:
        def hang_up() -> None:
            self.gone.append(number)
            if number not in self._slow:
                self.open.discard(number)

        self.silent[hang_up] = since


def room_of(crowd: Crowd) -> Room:
    return Room(crowd.open, MOST, crowd.silent, files=FILES)


@given(
    busy=st.integers(0, 2 * MOST),
    silences=st.lists(st.floats(0.0, 5.0), max_size=3 * MOST),
    slow=st.sets(st.integers(0, 3 * MOST)),
)
def test_who_was_silent_longest_goes_and_none_that_speaks(busy: int, silences: list[float], slow: set[int]) -> None:
    crowd = Crowd(frozenset(slow))
    for number, since in enumerate(sorted(silences)):
        crowd.open.add(number)
        crowd.be_silent(number, since)
    crowd.open |= {1000 + number for number in range(busy)}
    before, now = len(crowd.open), 5.0
    room_of(crowd).watch(now)
    assert crowd.gone == list(range(len(crowd.gone)))  # in the order of their silence
    old = sum(now - since >= IDLE_SECONDS for since in silences)
    if before <= 0.9 * MOST:
        assert crowd.gone == []
    else:
        assert len(crowd.open) <= 0.9 * MOST or len(crowd.gone) == old


def test_a_newcomer_stays_where_somebody_idle_can_go_and_else_not() -> None:
    crowd = Crowd()
    room = room_of(crowd)
    crowd.open |= set(range(MOST + 1))
    assert not room.has_room(30, now=10.0)
    assert room.has_time(30)
    crowd.be_silent(0, since=9.5)  # not for long enough
    assert not room.has_room(30, now=10.0)
    assert room.has_room(30, now=11.0)
    crowd.open |= {100 + number for number in range(AT_ONCE + 1)}
    assert not room.has_time(30)


def test_files_that_others_have_open_count_as_well() -> None:
    crowd = Crowd()
    crowd.open |= {1, 2}
    room = room_of(crowd)
    assert room.has_room(FILES - SPARE - 1, now=10.0)
    assert not room.has_room(FILES - SPARE, now=10.0)
    assert room.has_time(FILES - AT_ONCE - 1)
    assert not room.has_time(FILES - AT_ONCE)
    crowd.be_silent(1, since=0.0)
    assert room.has_room(FILES - 1, now=10.0)  # the next one takes the number of whom it took the place of
    assert crowd.gone == [1]


def test_who_still_takes_its_last_answer_leaves_no_room_yet() -> None:
    crowd = Crowd(slow=frozenset({1}))
    crowd.open |= {1, 2}
    room = room_of(crowd)
    crowd.be_silent(1, since=0.0)
    assert not room.has_room(FILES - 1, now=10.0)
    assert (crowd.gone, crowd.open) == ([1], {1, 2})  # it goes once it has it


def test_that_there_are_none_left_is_noted_until_some_time_after_the_last_refusal() -> None:
    noted: list[tuple[str, str | None]] = []
    now = 0.0
    crowd = OpenConnections(Networks(), 5, lambda: now, lambda code, named: noted.append((code, named)))
    for now in (1.0, 2.0):  # noqa: B007 - the clock of the crowd
        crowd.exhausted(10)
    for now in (2.0 + EXHAUSTED_SECONDS, 2.1 + EXHAUSTED_SECONDS, 60.0):
        crowd.watch(now, 0.0)
    assert noted == [(EXHAUSTED, ""), (EXHAUSTED, ""), (EXHAUSTED, None)]


def connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=HUNG_SECONDS)


def ask(connection: socket.socket, path: str = "/healthz") -> bytes:
    """The whole answer on a connection that is kept or closed."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
    return read(connection)


def read(connection: socket.socket) -> bytes:
    said = connection.recv(65_536)
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def narrow(start_service: StartService) -> Iterator[Service]:
    """A service whose worker may have 256 files open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    entry, where = "servers.few_files", str(REPOSITORY / "tests")
    yield start_service(SMALLEST_DEFINITIONS, entry=entry, RESONATE_WORKERS="1", PYTHONPATH=where)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


BUSY = f"POST /v1/track HTTP/1.1\r\nhost: a\r\nx-api-key: {SECRET_KEY}\r\ncontent-length: 90\r\n\r\n".encode()
CLOSING = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def test_three_hundred_silent_connections_leave_everybody_else_served(narrow: Service) -> None:
    with ExitStack() as opened:
        kept = opened.enter_context(connected(narrow))
        for _ in range(300):
            opened.enter_context(connected(narrow))
            if _ % 30 == 0:
                assert ask(kept).startswith(b"HTTP/1.1 200")

        def is_served() -> bool:
            with connected(narrow) as other:
                answer = ask(other)
            assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")), answer
            assert b"\r\nretry-after: 1\r\n" in answer or answer.startswith(b"HTTP/1.1 200")
            return answer.startswith(b"HTTP/1.1 200")

        until(is_served, "the silent ones make way")
        assert all(is_served() for _ in range(100))
        assert b"200" in ask(kept)[:12]
    assert "connections and" in narrow.log_text()
    assert "the hard limit is 256" in narrow.log_text()


def test_where_all_are_busy_newcomers_hear_503_and_the_cause_is_named_until_it_is_over(narrow: Service) -> None:
    with ExitStack() as opened:
        kept = opened.enter_context(connected(narrow))
        assert ask(kept).startswith(b"HTTP/1.1 200")
        busy: list[socket.socket] = []

        def is_refused() -> bool:
            assert ask(kept).startswith(b"HTTP/1.1 200")  # it is not idle for long enough
            for _ in range(20):
                busy.append(opened.enter_context(connected(narrow)))
                busy[-1].sendall(BUSY + b" ")
            with connected(narrow) as other:
                answer = ask(other)
            if answer.startswith(b"HTTP/1.1 200"):
                return False
            assert answer.startswith(b"HTTP/1.1 503"), answer
            assert b"\r\nretry-after: 1\r\n" in answer
            assert b"too_many_connections" in answer
            return True

        until(is_refused, "all connections are busy")
        assert b"connections_exhausted" in ask(kept, "/readyz")
        assert b"200 OK" in ask(kept, "/readyz")[:15]
    with narrow.client() as client:
        until(lambda: client.get("/readyz").json()["degraded"] == [], "there are connections again")


def test_a_hard_limit_that_is_too_low_stops_the_start_and_says_what_to_raise(tmp_path: Path) -> None:
    command = f"ulimit -n 96; exec {sys.executable} -P -m app.cli.main serve --data {tmp_path}/data --port 0"
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=HUNG_SECONDS, check=False)
    assert told.returncode == 1
    assert "96 files may be open at once, a service needs at least 256: raise the hard limit" in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "data").exists()
