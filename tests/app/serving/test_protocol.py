"""The protocol's edges that a well-behaved client never touches: limits, back-pressure, many connections."""

import contextlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from servers.one_worker import PUBLISHABLE, OneWorker
from servers.patience import until

from app.serving.protocol import ReceiptProtocol
from app.serving.server import server_config

FLAG = "/ofrep/v1/evaluate/flags/banner"
READ_SIZE = 256 * 1024  # of uvloop
BODY = {"context": {"targetingKey": "v", "resonate.expose": False}}


def address(worker: OneWorker) -> tuple[str, int]:
    host, port = worker.url.removeprefix("http://").split(":")
    return host, int(port)


def protocol_of(worker: OneWorker, connection: socket.socket) -> Any:
    """The worker's end of a connection that it has accepted."""
    peer = connection.getsockname()
    [protocol] = until(lambda: [each for each in worker.connections() if each.client == peer], "it is accepted")
    return protocol


def test_a_connection_that_is_kept_and_idle_is_closed_in_time(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker:
        worker._server.config.timeout_keep_alive = 1  # pyright: ignore[reportPrivateUsage] - the usual 65 s are long
        with socket.create_connection(address(worker), timeout=20) as connection:
            for _ in range(2):  # it is kept
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = HTTPResponse(connection)
                answer.begin()
                assert (answer.status, bool(answer.read())) == (200, True)
            assert connection.recv(4096) == b""


def test_a_client_that_does_not_read_its_answers_is_not_read_from(worker: OneWorker) -> None:
    request, sent = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", 0
    with socket.create_connection(address(worker)) as connection:
        connection.setblocking(False)

        def is_not_read() -> bool:
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                while sent < 64 << 20:
                    sent += connection.send(request[sent % len(request) :] + request * 500)
            flow = protocol_of(worker, connection).flow
            return flow.write_paused and flow.read_paused

        until(is_not_read, "the answers pile up and the server reads no more")
        assert 500 * len(request) < sent < 64 << 20  # long before
    with worker.client() as client:
        assert client.get("/healthz").status_code == 200


def test_requests_that_queue_up_stop_the_reading(worker: OneWorker) -> None:
    body = json.dumps(BODY).encode()
    head = f"POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: a\r\nX-API-Key: {PUBLISHABLE}\r\n".encode()
    request, sent, longest = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), 0, 0
    with socket.create_connection(address(worker)) as connection:
        connection.setblocking(False)
        protocol = protocol_of(worker, connection)

        def is_not_read() -> bool:
            nonlocal sent, longest
            with contextlib.suppress(BlockingIOError):
                while sent < 256 << 20:
                    sent += connection.send((request * 500)[sent % len(request) :])
                    longest = max(longest, len(protocol.pipeline))
            longest = max(longest, len(protocol.pipeline))
            return sent >= 256 << 20 or (protocol.flow.write_paused and protocol.flow.read_paused)

        until(is_not_read, "the answers pile up and the server reads no more")
        assert sent < 256 << 20
        assert longest * len(request) < 2 * READ_SIZE  # what one read holds


def test_a_request_that_began_beside_the_one_before_is_under_way_and_not_idle(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, socket.create_connection(address(worker), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        protocol = protocol_of(worker, connection)
        for part in (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHo", b"st: a\r\n\r\n"):
            idle: list[bool] = []
            seen = threading.Event()

            def feed(part: bytes = part, idle: list[bool] = idle, seen: threading.Event = seen) -> None:
                protocol.data_received(part)
                idle.append(protocol.hang_up in protocol.idle)
                seen.set()

            protocol.loop.call_soon_threadsafe(feed)
            assert seen.wait(20)
        assert idle == [False]


def test_reading_stops_while_answers_pile_up_and_goes_on_when_they_are_gone(worker: OneWorker) -> None:
    with socket.create_connection(address(worker), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.read()  # head and body may come apart
        protocol = protocol_of(worker, connection)
        paused = threading.Event()
        protocol.loop.call_soon_threadsafe(lambda: (protocol.pause_writing(), paused.set()))
        assert paused.wait(20)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        with worker.client() as another:  # what came later is answered
            assert [another.get("/healthz").status_code for _ in range(5)] == [200] * 5
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(4096)
        assert protocol.flow.read_paused
        protocol.loop.call_soon_threadsafe(protocol.resume_writing)
        connection.settimeout(20)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_idle_connections_leave_others_alone(worker: OneWorker) -> None:
    idle = [socket.create_connection(address(worker)) for _ in range(300)]
    try:
        with worker.client() as client:
            assert all(client.post(FLAG, json=BODY).status_code == 200 for _ in range(50))
    finally:
        for connection in idle:
            connection.close()


def test_connections_beyond_the_limit_are_told_to_come_back() -> None:
    async def application(scope: object, receive: object, send: object) -> None:
        raise AssertionError("not asked")

    server = uvicorn.Server(server_config(application, host="127.0.0.1", port=0, lifespan="off", limit_concurrency=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the server listens")
    port = server.servers[0].sockets[0].getsockname()[1]
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    until(lambda: len(server.server_state.connections) == 2, "both connections are held")
    answer = httpx.get(f"http://127.0.0.1:{port}/")
    for connection in held:
        connection.close()
    server.should_exit = True
    thread.join(5)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["code"] == "too_many_connections"


def test_many_connections_at_once_get_each_their_own_answer(worker: OneWorker) -> None:
    def one(number: int) -> bool:
        with worker.client() as client:
            body = {"visitor_id": f"many-{number}", "experiments": ["banner"]}
            answer = client.post("/v1/personalize", json=body, headers={"x-request-id": f"r-{number}"})
            return answer.headers["x-request-id"] == f"r-{number}" and answer.status_code == 200

    with ThreadPoolExecutor(16) as together:
        assert all(together.map(one, range(64)))


def test_the_protocol_is_what_the_worker_runs() -> None:
    assert server_config(lambda *_: None).http.func is ReceiptProtocol


def test_an_answer_that_fails_when_it_is_there_ends_its_connection_and_no_other(worker: OneWorker) -> None:
    """Who waits for it would wait for ever; what waits for the store is finished by a task of its own."""

    async def fails() -> None:
        raise KeyError("nobody foresaw it")

    with socket.create_connection(address(worker), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        protocol = protocol_of(worker, connection)
        worker.loop.call_soon_threadsafe(protocol.wait_for, fails(), True)
        assert connection.recv(4096) == b""
    with worker.client() as client:
        assert client.post(FLAG, json=BODY).status_code == 200
