"""uvicorn's server as a worker runs it, with an end that resets nobody."""

import asyncio
import contextlib
import gc
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import uvicorn

from app.http.deadlines import Deadlines
from app.serving.framing import CLOSE
from app.serving.protocol import ReceiptProtocol

logger = logging.getLogger("resonate.worker")


ACCEPT_SECONDS: Final = 0.2  # after the signal, so that what the kernel has accepted already is served
IDLE_SECONDS: Final = 1.0  # an idle keep-alive connection may still send a request within this time
POLL_SECONDS: Final = 0.02
KEEP_ALIVE_SECONDS: Final = 65
YOUNG, MIDDLE, OLD = 50_000, 50, 1000  # garbage collection thresholds: p99 of 39 → 6 ms (docs/performance.md)


def server_config(app: Callable[..., Any], **options: Any) -> uvicorn.Config:
    """How a worker runs uvicorn: uvloop, our protocol, no access log, no server and date headers, no WebSockets."""
    settled: dict[str, Any] = {
        "http": partial(ReceiptProtocol, deadlines=getattr(app, "deadlines", None) or Deadlines()),
        "interface": "asgi3",
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    }
    return uvicorn.Config(app, **{**settled, **options})


class DrainingServer(uvicorn.Server):
    """A server that says when it is ready, and on SIGTERM or SIGINT (however often) finishes open requests.

    `drain_seconds` bounds the wait for open requests. `ending_descriptor` is a pipe that ends when the service is about
    to: from then on probes are told so, and nothing else changes (−1: there is none).
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], None],
        drain_seconds: float,
        ending_descriptor: int = -1,
    ) -> None:
        super().__init__(config)
        self.on_ready = on_ready
        self.drain_seconds = drain_seconds
        self._ending_descriptor = ending_descriptor

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then keep what start-up made out of garbage collection's way."""
        if self._ending_descriptor >= 0:  # before anybody is answered
            asyncio.get_running_loop().add_reader(self._ending_descriptor, self._tell_probes)
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, OLD)
        self.on_ready()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A signal asks for the end; a second one asks for nothing more."""
        self.should_exit = True

    def _tell_probes(self) -> None:
        """Every probe hears from now on that nobody more should be sent here."""
        if self._ending_descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._ending_descriptor)
            os.close(self._ending_descriptor)
            self._ending_descriptor = -1
        drain = getattr(self.config.app, "drain", None)
        if drain is not None:
            drain()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, serve what waits, close what is idle, wait for the rest, then end the application."""
        self._tell_probes()
        streams = getattr(self.config.app, "streams", None)
        if streams is not None:
            streams.close()
        self._answer_with_close()
        await asyncio.sleep(ACCEPT_SECONDS)
        await self._stop_listening(sockets or [])
        loop, state = asyncio.get_running_loop(), self.server_state
        idle_until = loop.time() + IDLE_SECONDS
        deadline = loop.time() + self.drain_seconds
        while (state.connections or state.tasks) and loop.time() < deadline:
            self._answer_with_close(hang_up=loop.time() >= idle_until)
            await asyncio.sleep(POLL_SECONDS)
        if state.tasks:
            logger.warning("%d open requests are cut off after the drain", len(state.tasks))
        for task in list(state.tasks):
            task.cancel()
        await self.lifespan.shutdown()

    def _answer_with_close(self, hang_up: bool = False) -> None:
        """Every answer from now on is the last of its connection; `hang_up` closes those that wait for none."""
        self.server_state.default_headers = CLOSE
        connections: list[Any] = list(self.server_state.connections)
        for connection in connections:
            if connection.cycle is not None and not connection.cycle.response_complete:
                connection.cycle.keep_alive = False
            elif hang_up:
                connection.transport.close()

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Close the listening socket of this process, serving whoever slipped in while it closed."""
        copies = [listener.dup() for listener in sockets]
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        protocol_class: Any = self.config.http_protocol_class
        protocol = partial(
            protocol_class, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        for copy in copies:
            copy.setblocking(False)
            with contextlib.closing(copy):
                while True:
                    try:
                        connection, _ = copy.accept()
                    except OSError:  # nobody waits any more
                        break
                    connection.setblocking(False)
                    await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)
