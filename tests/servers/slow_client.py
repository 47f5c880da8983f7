"""A client that sends slowly, and hears what it is told meanwhile."""

import contextlib
import itertools
import socket
from collections.abc import Iterable

MOST_PIECES = 100  # who may send so many has no deadline


def told(connection: socket.socket, pieces: Iterable[bytes] = (), pause_seconds: float = 0.2) -> bytes:
    """All that the server says until it closes, to one that sends a piece whenever it heard nothing for a pause.

    When the pieces are over it only listens, as long as the connection's own time-out. Fails when the server takes more
    than a hundred of them.
    """
    patience, heard = connection.gettimeout(), b""
    with contextlib.suppress(ConnectionError):  # also a way of being dropped
        for piece in itertools.chain(itertools.islice(pieces, MOST_PIECES), [None]):
            connection.settimeout(patience if piece is None else pause_seconds)
            try:
                while said := connection.recv(65_536):
                    heard += said
                return heard
            except TimeoutError:
                if piece is None:
                    raise AssertionError("it was never given up") from None
                connection.settimeout(patience)
                connection.sendall(piece)
    return heard
