"""uvicorn's server with an end that resets nobody: who is connected is answered once more, then told to close."""

import asyncio
import gc
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn

ACCEPT_SECONDS: Final = 0.2  # after the signal, so that what the kernel has accepted already is served
IDLE_SECONDS: Final = 1.0  # an idle keep-alive connection may still send a request within this time
POLL_SECONDS: Final = 0.02
CLOSE: Final = [(b"connection", b"close")]
YOUNG, MIDDLE, OLD = 50_000, 50, 1000  # garbage collection thresholds: p99 of 39 → 6 ms (docs/performance.md)

logger = logging.getLogger("resonate.worker")


class DrainingServer(uvicorn.Server):
    """A server that says when it is ready, and on SIGTERM or SIGINT (however often) finishes open requests.

    `drain_seconds` bounds the wait for open requests.
    """

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], drain_seconds: float) -> None:
        super().__init__(config)
        self.on_ready = on_ready
        self.drain_seconds = drain_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then keep what start-up made out of garbage collection's way."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, OLD)
        self.on_ready()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A signal asks for the end; a second one asks for nothing more."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve what is waiting, close what is idle, wait for the rest, then end the application's resources."""
        self._answer_with_close()
        await asyncio.sleep(ACCEPT_SECONDS)
        await self._stop_listening(sockets or [])
        loop = asyncio.get_running_loop()
        idle_until = loop.time() + IDLE_SECONDS
        deadline = loop.time() + self.drain_seconds
        while self._open() and loop.time() < deadline:
            self._answer_with_close()
            if loop.time() >= idle_until:
                self._close_idle()
            await asyncio.sleep(POLL_SECONDS)
        self._give_up()
        await self.lifespan.shutdown()

    def _answer_with_close(self) -> None:
        self.server_state.default_headers = CLOSE
        for connection in self._connections():
            if connection.cycle is not None and not connection.cycle.response_complete:
                connection.cycle.keep_alive = False

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Close the listening socket of this process, serving whoever slipped in while it closed."""
        copies = [listener.dup() for listener in sockets]
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        for copy in copies:
            await self._accept_rest(copy)
            copy.close()

    async def _accept_rest(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        while True:
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, OSError):
                return
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        protocol_class: Any = self.config.http_protocol_class
        return protocol_class(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def _close_idle(self) -> None:
        for connection in self._connections():
            if connection.cycle is None or connection.cycle.response_complete:
                connection.transport.close()

    def _open(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)

    def _give_up(self) -> None:
        if self.server_state.tasks:
            logger.warning("%d open requests are cut off after the drain", len(self.server_state.tasks))
        for task in list(self.server_state.tasks):
            task.cancel()

    def _connections(self) -> list[Any]:
        return list(self.server_state.connections)
