"""The sockets that the supervisor binds and its children serve."""

import errno
import os
import socket
import time
from pathlib import Path
from typing import Final

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
