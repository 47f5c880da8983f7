"""Connections: no network has them all, whoever reads nothing loses theirs, and the limit is one that can be kept."""

import resource
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import PUBLISHABLE, OneWorker
from servers.patience import HUNG_SECONDS, until

from app.limits.connections import OpenConnections, Readers
from app.limits.networks import Networks

TRUSTED = (ip_network("10.0.0.0/8"),)


@given(st.lists(st.tuples(st.sampled_from(["9.9.9.9", "8.8.8.8", "10.0.0.1", ""]), st.booleans()), max_size=60))
def test_no_network_has_more_than_its_connections_and_what_is_closed_is_free_again(
    moves: list[tuple[str, bool]],
) -> None:
    crowd, inside = OpenConnections(Networks(TRUSTED), most=3), Counter[str]()
    for address, leaves in moves:
        if leaves and inside[address]:
            crowd.leave("" if address in ("10.0.0.1", "") else address)
            inside[address] -= 1
        elif not leaves:
            entered = crowd.enter(address)
            assert (entered is None) == (inside[address] >= 3 and address in ("9.9.9.9", "8.8.8.8"))
            inside[address] += entered is not None


def test_one_line_a_minute_says_that_there_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    crowd = OpenConnections(Networks(), most=1, clock=lambda: now)
    for now in (0.0, 1.0, 59.0, 61.0):  # noqa: B007 - the clock of the crowd
        crowd.enter("9.9.9.9")
        crowd.tell("all callers", 7)
    assert [record.getMessage() for record in caplog.records] == [
        "7 connections of all callers are open, further ones get 503",
        "1 connections of 9.9.9.9 are open, further ones get 503",
    ]


def told(connection: socket.socket) -> bytes:
    body = b'{"context":{"targetingKey":"v"}}'
    lines = (f"Authorization: Bearer {PUBLISHABLE}", f"Content-Length: {len(body)}", "", "")
    head = "\r\n".join(("POST /ofrep/v1/evaluate/flags/banner HTTP/1.1", "Host: x", *lines))
    connection.sendall(head.encode() + body)
    return connection.recv(4096)


def opened(worker: OneWorker, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", httpx.URL(worker.url).port or 0), 10, (source, 0))


def test_one_network_too_often_gets_503_and_another_is_served(tmp_path: Path) -> None:
    with OneWorker(tmp_path, max_connections_per_network=4) as worker:
        crowd = [opened(worker, "127.0.0.2") for _ in range(5)]
        until(lambda: len(worker.connections()) == 5, "all are open")
        answers = sorted(told(connection)[:12] for connection in crowd)
        other = opened(worker, "127.0.0.3")
        assert told(other)[:12] == b"HTTP/1.1 200"
        assert answers == [b"HTTP/1.1 200"] * 4 + [b"HTTP/1.1 503"]
        for connection in (*crowd, other):
            connection.close()
        until(lambda: not worker.connections(), "all are closed", HUNG_SECONDS)
        again = opened(worker, "127.0.0.2")
        assert told(again)[:12] == b"HTTP/1.1 200"
        again.close()


@dataclass(eq=False)
class Connection:
    """A connection as `Readers` looks at it."""

    size: int = 0
    reads: int = 0
    aborted: bool = False
    transport: Any = field(init=False)

    def __post_init__(self) -> None:
        self.transport = self

    def get_write_buffer_size(self) -> int:
        return self.size

    def abort(self) -> None:
        self.aborted = True


LAZY, SLOW, STREAM, IDLE = "takes nothing", "takes a little", "takes a stream that goes on", "has nothing to take"


def test_only_who_takes_nothing_for_thirty_seconds_is_hung_up_on() -> None:
    crowd = {LAZY: Connection(9), SLOW: Connection(90_000), STREAM: Connection(100), IDLE: Connection(0)}
    readers = Readers(crowd.values())
    for second in range(120):
        crowd[LAZY].size += second < 20  # more is written all the same
        crowd[SLOW].size -= second % 25 == 0
        crowd[STREAM].size += 100
        crowd[STREAM].reads += second % 25 == 0
        readers.watch(float(second), 0.0)
        if second < 30:
            assert not crowd[LAZY].aborted
    assert [name for name, connection in crowd.items() if connection.aborted] == [LAZY]


def test_an_answer_that_nobody_reads_closes_its_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.limits.connections.UNREAD_SECONDS", 0.4)
    monkeypatch.setattr("app.limits.connections.LOOK_SECONDS", 0.1)
    with OneWorker(tmp_path) as worker:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", httpx.URL(worker.url).port or 0))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        until(lambda: any(each.transport.get_write_buffer_size() for each in worker.connections()), "it is not read")
        until(lambda: not worker.connections(), "it is closed", HUNG_SECONDS)
        connection.close()


def test_the_limit_of_open_files_is_raised_and_the_connections_fit_into_it() -> None:
    code = (
        "import resource, sys; from app.limits.connections import connection_limits;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:3])));"
        "print(connection_limits(int(sys.argv[3]))[0], resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    cases = {
        (256, 2000, 1000): (1000, 2000),
        (256, 700, 1000): (444, 700),
        (1500, 2000, 1000): (1000, 2000),
        (256, 256, 1000): (128, 256),
    }
    assert hard == resource.RLIM_INFINITY or hard >= 2000
    for (soft, most, wanted), expected in cases.items():
        command = [sys.executable, "-c", code, str(soft), str(most), str(wanted)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert tuple(map(int, found)) == expected


def test_streams_have_files_beside_the_connections_and_give_way_where_there_are_few() -> None:
    code = (
        "import resource, sys; from app.limits.connections import connection_limits;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:3])));"
        "print(*connection_limits(1000, 600))"
    )
    for (soft, most), expected in {(256, 2000): (1000, 600), (256, 1200): (644, 300)}.items():
        command = [sys.executable, "-c", code, str(soft), str(most)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert tuple(map(int, found)) == expected
