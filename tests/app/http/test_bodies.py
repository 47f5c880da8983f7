"""Every body has its time: a client that stops is answered, whatever the route, and leaves nothing behind."""

import asyncio
import itertools
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from servers.one_worker import SECRET, OneWorker
from servers.patience import HUNG_SECONDS, reached
from servers.slow_client import told

import app.http.body
import app.http.deadlines
from app.http.body import BodyReader, Disconnected
from app.http.deadlines import Deadlines, Queue
from app.http.errors import Problem

HEAD = "{} {} HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nContent-Length: {}\r\nContent-Type: text/csv\r\n\r\n"
UPLOAD = ("PUT", "/v1/products")


def answers(worker: OneWorker, method: str, path: str, *, length: int = 1_000, dripping: bool = False) -> bytes:
    """All that a client is told which sends 20 bytes of many, and then nothing more or a byte now and then."""
    host, port = worker.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = HEAD.format(method, path, SECRET, length).encode()
        connection.sendall(head + b"product_id,price\nsku-")
        return told(connection, itertools.repeat(b"1") if dripping else ())


def routes_with_a_body(worker: OneWorker) -> list[tuple[str, str]]:
    """From the description of the API, which a test holds against the routes there are."""
    with worker.client(None) as client:
        paths: dict[str, dict[str, Any]] = client.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), path.replace("{key}", "banner"))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]


def test_who_stops_within_a_body_is_answered_on_every_route_that_takes_one(worker: OneWorker) -> None:
    routes = routes_with_a_body(worker)
    assert UPLOAD in routes
    assert len(routes) >= 20
    with ThreadPoolExecutor(len(routes)) as together:
        length = {UPLOAD: 1_000_000}
        said = list(together.map(lambda route: answers(worker, *route, length=length.get(route, 1_000)), routes))
    for route, answer in zip(routes, said, strict=True):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408"), (route, answer)
        code = "errorCode" if route[1].startswith("/ofrep") else "code"
        assert json.loads(body)[code] in ("slow_body", "GENERAL"), route
    assert list((worker.settings.data / "products").glob(".upload*")) == []


def test_an_upload_that_drips_is_given_up_when_its_whole_time_is_over(
    worker: OneWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.http.body, "UPLOAD_SECONDS", 1.0)
    answer = answers(worker, *UPLOAD, dripping=True)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the upload took longer than" in answer
    assert list((worker.settings.data / "products").glob(".upload*")) == []


def test_what_follows_an_early_answer_keeps_no_connection_open(
    worker: OneWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The health check reads no body: one that never ends is no reason to stay."""
    monkeypatch.setattr(worker._server.config, "timeout_keep_alive", 1)  # pyright: ignore[reportPrivateUsage]
    assert answers(worker, "GET", "/healthz", dripping=True).startswith(b"HTTP/1.1 200")


def test_a_wait_ends_by_its_deadline_or_by_its_canceller_and_leaves_the_queue() -> None:
    async def wait() -> None:
        deadlines = Deadlines()
        with pytest.raises(TimeoutError):
            await deadlines.within(0.0, asyncio.Event().wait())
        task = asyncio.create_task(deadlines.within(60.0, asyncio.Event().wait()))
        await asyncio.sleep(0)
        assert len(deadlines.queue(60.0)) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await deadlines.within(60.0, asyncio.sleep(0, "there")) == "there"
        assert (len(deadlines.queue(0.0)), len(deadlines.queue(60.0))) == (0, 0)

    asyncio.run(wait())


class CountedQueue(Queue):
    """A queue that counts how many of those in it were looked at."""

    looks = 0

    def items(self) -> Any:  # type: ignore[override]
        for item in super().items():
            self.looks += 1
            yield item


def test_a_sweep_reads_no_further_than_to_the_first_that_is_not_late() -> None:
    async def sweep() -> tuple[int, list[int]]:
        deadlines, late = Deadlines(), list[int]()
        queue = deadlines._queues[65.0, "idle"] = CountedQueue()  # pyright: ignore[reportPrivateUsage]
        now = asyncio.get_running_loop().time()
        for number in range(3_000):
            queue[lambda number=number: late.append(number)] = now - 100 if number < 2 else now
        deadlines.sweep()
        return queue.looks, late

    assert asyncio.run(sweep()) == (3, [0, 1])


def test_a_sweep_goes_on_after_whatever_the_end_of_a_wait_or_a_watcher_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app.http.deadlines, "SWEEP_SECONDS", 0.001)

    async def sweep() -> None:
        deadlines, ended, looked = Deadlines(), asyncio.Event(), list[float]()
        loop = asyncio.get_running_loop()

        def fail() -> None:
            raise KeyError("foreign")

        deadlines.watchers[:] = [lambda now, late: fail(), lambda now, late: looked.append(now)]
        deadlines.queue(0.0).update({fail: loop.time() - 1, ended.set: loop.time() - 1})
        await asyncio.wait_for(ended.wait(), HUNG_SECONDS)
        await reached(lambda: len(looked) > 2, "the sweeps go on")

    asyncio.run(sweep())
    assert caplog.messages.count("a deadline could not be kept") >= 4


PIECES = ({"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"})


async def read(*pieces: dict[str, Any], limit: int = 3) -> bytes:
    messages = iter([*pieces, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    return await BodyReader(receive, Deadlines(), limit).whole()


def test_a_body_is_given_whole_up_to_its_limit() -> None:
    assert asyncio.run(read(*PIECES)) == b"abc"
    with pytest.raises(Problem) as refused:
        asyncio.run(read(*PIECES, limit=2))
    assert refused.value.status == 413


def test_who_goes_away_within_a_body_is_told_from_one_who_is_slow() -> None:
    with pytest.raises(Disconnected):
        asyncio.run(read(PIECES[0]))


def test_no_fault_behind_a_documented_route_is_a_500(worker: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr(worker.app.cold.state.resources.analysis, "ask", fail)
    with worker.client(SECRET) as client:
        for path in ("/v1/metrics", "/v1/experiments", "/v1/results", "/v1/visitors/v-1", "/v1/export/events"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "unexpected_error"), path
            assert answer.headers["retry-after"] == "1"
