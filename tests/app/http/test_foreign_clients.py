"""Clients and proxies that we did not write, at their defaults: each request is answered once, each event kept once."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, OneWorker, records
from servers.patience import HUNG_SECONDS
from servers.proxies import PROXIES, program, proxied
from servers.slow_client import told
from servers.wire import said
from worlds.request_streams import BOOKS, EVENT, FLAG, HEALTH, INSIDE, LAST, QUICK, STREAMS, UPGRADE, chunked, post

from app.serving.framing import CLOSE

JDK_CLIENT = Path(__file__).parents[2] / "servers" / "JdkClient.java"
DOORS = ("directly", *PROXIES)


@pytest.fixture(scope="module", params=DOORS)
def door(request: pytest.FixtureRequest, worker: OneWorker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An address at which the worker answers, by itself or behind a proxy."""
    if request.param == "directly":
        yield worker.url
        return
    with proxied(request.param, worker.url.removeprefix("http://"), tmp_path_factory.mktemp("proxy")) as address:
        yield address


def events(count: int) -> tuple[str, list[str]]:
    """A name that no other test has, and so many events of that name."""
    name = f"Wished {uuid4()}"
    return name, [json.dumps({"anonymousId": "v", "event": name, "messageId": f"{name} {n}"}) for n in range(count)]


def ran(command: list[str]) -> list[str]:
    """The lines that a program prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=HUNG_SECONDS).stdout.splitlines()


def test_the_jdk_client_is_answered_and_heard_at_its_defaults(worker: OneWorker, door: str) -> None:
    name, bodies = events(4)
    java = [program("javac", "default-jdk-headless").removesuffix("c"), str(JDK_CLIENT)]
    assert ran([*java, door, PUBLISHABLE, "/v1/track", *bodies]) == ["200"] * 17
    assert len(records(worker, event=name)) == len(bodies)


@pytest.mark.parametrize("more", [[], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]], ids=str)
def test_curl_is_answered_and_heard_when_it_offers_http_2(worker: OneWorker, door: str, more: list[str]) -> None:
    name, [one, other] = events(2)
    curl = [
        program("curl"),
        "--http2",
        "--silent",
        "--show-error",
        "--write-out",
        "%{http_code}\n",
        "--output",
        "/dev/null",
    ]
    send = ["-H", f"X-API-Key: {PUBLISHABLE}", "-H", "Content-Type: application/json", *more, f"{door}/v1/track"]
    assert ran([*curl, "--data", one, *send, "--next", *curl[1:], "--data", other, *send]) == ["200", "200"]
    assert len(records(worker, event=name)) == 2


def test_nobody_gets_an_answer_that_another_one_asked_for(door: str) -> None:
    """Whatever came before over the proxy's connections to us, a shopper who asks afterwards gets their own answer."""
    host, port = door.removeprefix("http://").split(":")
    with httpx.Client(base_url=door, headers={"X-API-Key": PUBLISHABLE}) as shopper:
        for stream in STREAMS:
            with socket.create_connection((host, int(port)), timeout=HUNG_SECONDS) as connection:
                connection.sendall(stream.sent)
                connection.shutdown(socket.SHUT_WR)
                told(connection)
            for number in range(2):
                asked = re.sub(r"[^A-Za-z0-9]+", "-", f"{stream.name} {number}")
                answer = shopper.post(FLAG.decode(), content=QUICK, headers={"X-Request-Id": asked})
                assert (answer.status_code, answer.headers["x-request-id"]) == (200, asked), stream.name


def test_what_follows_the_last_request_is_not_heard(worker: OneWorker) -> None:
    host, port = worker.url.removeprefix("http://").split(":")
    name, [one, other] = events(2)
    for first in (
        post(BOOKS, one.encode(), b"Connection: close\r\n"),
        LAST,
        post(FLAG, QUICK, b"Connection: close\r\n"),
        post(FLAG, QUICK, host=b""),
        HEALTH + b"\rx",
    ):
        with socket.create_connection((host, int(port)), timeout=HUNG_SECONDS) as connection:
            connection.sendall(first + post(BOOKS, other.encode()))
            assert told(connection).count(b"content-length: ") == 1
    assert [record["message_id"] for record in records(worker, event=name)] == [f"{name} 0"]


def test_a_worker_that_ends_hears_nothing_behind_the_answer_that_says_so(
    worker: OneWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = worker._server.server_state  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(state, "default_headers", CLOSE)
    name, [unheard, heard] = events(2)
    [answers] = said(worker, [[post(FLAG, QUICK) + post(BOOKS, unheard.encode())]])
    assert answers.count(b"content-length: ") == answers.count(b"connection: close\r\n") == 1
    said(worker, [[post(BOOKS, heard.encode())]])
    assert [record["message_id"] for record in records(worker, event=name)] == [f"{name} 1"]


def test_a_request_inside_a_body_is_never_answered(worker: OneWorker) -> None:
    host, port = worker.url.removeprefix("http://").split(":")
    for body in (
        post(BOOKS, INSIDE, UPGRADE),
        chunked(BOOKS, EVENT, UPGRADE, trailer=b"X: y\r\n") + post(BOOKS, INSIDE),
    ):
        with socket.create_connection((host, int(port)), timeout=HUNG_SECONDS) as connection:
            connection.sendall(body + LAST)
            assert told(connection).count(b"x-request-id: h\r\n") == 1
