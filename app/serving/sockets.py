"""The sockets that the supervisor listens on for its children, and how nobody who waits there is reset."""

import contextlib
import ctypes
import errno
import os
import socket
import struct
import time
from pathlib import Path
from typing import Final

from kit.files import why_unwritten
from kit.private import elsewhere, private_folder

BACKLOG: Final = 2048
ENDING_SECONDS: Final = 1.0
NOT_ALLOWED: Final = "port {1} of {0} may not be used by this user; set RESONATE_PORT to a port above 1023"
REASONS: Final = {
    errno.EADDRINUSE: "port {1} of {0} is in use by another program; stop it or set RESONATE_PORT to a free port",
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
    errno.EADDRNOTAVAIL: "RESONATE_HOST: {0} is not an address of this machine",
}


class CannotListen(Exception):
    """The address cannot be listened on; the message says why and what to do."""


class PortTaken(CannotListen):
    """Another program listens there."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket on the first address of `host` that can be bound. Raises CannotListen.

    A port in use is tried again for a moment: workers of a supervisor that was killed hold it while they end.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(f"RESONATE_HOST: {host!r} is not an address of this machine ({error.strerror})") from None
    deadline = time.monotonic() + ENDING_SECONDS
    while True:
        number, why = None, "no address was found"
        for family, kind, protocol, _, address in found:
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(address)
                listener.listen(BACKLOG)
                listener.setblocking(False)
                return listener
            except OSError as error:
                listener.close()
                number, why = error.errno, error.strerror
        if number != errno.EADDRINUSE or time.monotonic() > deadline:
            told = REASONS.get(number or 0)
            refusal = PortTaken if number == errno.EADDRINUSE else CannotListen
            raise refusal(told.format(host, port) if told else f"cannot listen on port {port} of {host}: {why}")
        time.sleep(0.02)


def listen_unix(path: Path) -> socket.socket:
    """A listening Unix socket at `path`, for the owner alone; a stale one of an earlier run is replaced.

    Where the disk takes none, it listens elsewhere: whoever calls at a `path` that is silent calls there too.
    Raises CannotListen where others could put one in its place.
    """
    try:
        return _bound_unix(path)
    except OSError as error:
        if why_unwritten(error) is None:
            raise
        return _bound_unix(elsewhere(path))


def forget_unix(path: Path) -> None:
    """Nobody listens at `path` any more, nor elsewhere for it; what the disk keeps, the next one replaces."""
    for place in (path, elsewhere(path)):
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)


def _bound_unix(path: Path) -> socket.socket:
    try:
        private_folder(path.parent)
    except OSError as error:
        raise CannotListen(f"cannot listen at {path}: {error.strerror or error}") from None
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


SO_ATTACH_FILTER: Final = 26  # of Linux; Python names it nowhere
DROP_SYN: Final = (  # a packet filter over a TCP header: code, steps if true and if false, value
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # of which SYN and ACK
    (0x15, 0, 1, 0x02),  # where it is SYN alone
    (0x06, 0, 0, 0),  # keep nothing of the packet
    (0x06, 0, 0, 0xFFFF_FFFF),  # else all of it
)


def admit_nobody(listener: socket.socket) -> None:
    """Let no connection join those that wait at the listener, in whichever process it is open; those are kept.

    Whoever closes the last copy of a listener resets all who wait there, also those who came since it last looked. The
    kernel drops a newcomer's first packet instead; asked again after a second, the address refuses, or its next owner
    answers. Who was answered already may finish the handshake. A kernel without packet filters goes on admitting.
    """
    program = b"".join([struct.pack("HBBI", *instruction) for instruction in DROP_SYN])
    kept = ctypes.create_string_buffer(program, len(program))
    with contextlib.suppress(OSError):
        option = struct.pack("HP", len(DROP_SYN), ctypes.addressof(kept))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)


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
