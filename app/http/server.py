"""uvicorn's server with an end that resets nobody, and the sockets that the supervisor binds for it."""

import asyncio
import errno
import gc
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn

logger = logging.getLogger("resonate.worker")


ACCEPT_SECONDS: Final = 0.2  # after the signal, so that what the kernel has accepted already is served
IDLE_SECONDS: Final = 1.0  # an idle keep-alive connection may still send a request within this time
POLL_SECONDS: Final = 0.02
CLOSE: Final = [(b"connection", b"close")]
YOUNG, MIDDLE, OLD = 50_000, 50, 1000  # garbage collection thresholds: p99 of 39 → 6 ms (docs/performance.md)


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


BACKLOG: Final = 2048
ENDING_SECONDS: Final = 1.0


class CannotListen(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket on the first address of `host` that can be bound. Raises CannotListen.

    A port in use is tried again for a moment: workers of a supervisor that was killed hold it while they end.
    """
    deadline = time.monotonic() + ENDING_SECONDS
    while True:
        found = _first_free(host, port)
        if isinstance(found, socket.socket):
            return found
        if found is None or found.errno != errno.EADDRINUSE or time.monotonic() > deadline:
            raise CannotListen(_reason(host, port, found))
        time.sleep(0.02)


def listen_unix(path: Path) -> socket.socket:
    """A listening Unix socket at `path`, for the owner alone; a stale one of an earlier run is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.fspath(path))
    path.chmod(0o600)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def turn_away(listener: socket.socket) -> None:
    """Hang up on everybody who waits at a listener whose server cannot start, so that they need not wait in vain."""
    while True:
        try:
            waiting, _ = listener.accept()
        except OSError:
            return
        waiting.close()


def address_of(listener: socket.socket) -> str:
    """The listener's address as people open it in a browser: `http://127.0.0.1:8000`."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _first_free(host: str, port: int) -> socket.socket | OSError | None:
    """The listener, or why the last address could not be bound."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(f"RESONATE_HOST: {host!r} is not an address of this machine ({error.strerror})") from None
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            failure = error
            continue
        listener.setblocking(False)
        return listener
    return failure


def _reason(host: str, port: int, failure: OSError | None) -> str:
    number = failure.errno if failure else None
    if number == errno.EADDRINUSE:
        return f"port {port} of {host} is in use by another program; stop it or set RESONATE_PORT to a free port"
    if number in (errno.EACCES, errno.EPERM):
        return f"port {port} of {host} may not be used by this user; set RESONATE_PORT to a port above 1023"
    if number == errno.EADDRNOTAVAIL:
        return f"RESONATE_HOST: {host} is not an address of this machine"
    return f"cannot listen on port {port} of {host}: {failure.strerror if failure else 'no address was found'}"
