"""What idle connections cost: the loop is woken as often by a hundred of them as by one, and sets as many timers."""

import asyncio
import socket
from contextlib import ExitStack
from typing import Any

from uvicorn.server import ServerState

from app.http.deadlines import Deadlines
from app.serving.server import server_config

SWEEPS = 4  # one second: any timer of a connection's own that fires twice a second shows
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class CountedLoop(asyncio.SelectorEventLoop):
    """Counts the timers that are set and the rounds in which something was done."""

    timers = 0
    rounds = 0

    def call_at(self, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*arguments, **options)

    def _run_once(self) -> None:
        self.rounds += 1
        super()._run_once()  # type: ignore[misc]


class WatchedDeadlines(Deadlines):
    """Says when so many sweeps are over."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.over = asyncio.Event()

    def sweep(self) -> None:
        super().sweep()
        self.left -= 1
        if self.left == 0:
            self.over.set()

    async def sweeps(self, count: int) -> None:
        self.left = count
        self.over.clear()
        await self.over.wait()


class Answering:
    """An application that answers at once, and keeps its connections."""

    def __init__(self) -> None:
        self.deadlines = WatchedDeadlines()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def quiet_second(idle: int, loop: CountedLoop) -> tuple[int, int]:
    """The timers and the rounds of a second in which so many connections are kept and silent."""
    app, state = Answering(), ServerState()
    config = server_config(app)
    config.load()
    protocol: Any = config.http_protocol_class
    server = await loop.create_server(lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0)
    address = server.sockets[0].getsockname()

    def ask(connections: ExitStack) -> None:
        for _ in range(idle):
            connection = connections.enter_context(socket.create_connection(address, timeout=20))
            connection.sendall(REQUEST)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")

    with ExitStack() as connections:
        await asyncio.to_thread(ask, connections)
        await app.deadlines.sweeps(2)  # what their making has left to do
        before = loop.timers, loop.rounds
        await app.deadlines.sweeps(SWEEPS)
        counted = loop.timers - before[0], loop.rounds - before[1]
        assert len(state.connections) == idle
    server.close()
    return counted


def count(idle: int) -> tuple[int, int]:
    with asyncio.Runner(loop_factory=CountedLoop) as runner:
        loop: Any = runner.get_loop()
        return runner.run(quiet_second(idle, loop))


def test_a_hundred_idle_connections_wake_nobody_oftener_than_one() -> None:
    timers, rounds = count(1)
    assert timers == SWEEPS
    assert count(100) == (timers, rounds)
