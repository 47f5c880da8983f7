"""Streams of changes as tests read them: one answer that ends, or an open connection event by event."""

import socket
from collections.abc import Iterator
from itertools import islice
from typing import Self

STREAMED = ("/sub/{key}", "/ofrep/v1/stream")
PATIENCE_SECONDS = 20.0
MOST_BEATS = 2  # signs of life come every 15 s


def ending(address: str) -> str:
    """The same address, written so that it takes the long way, where a stream is an answer that ends."""
    return address.replace("/sub/", "/%73ub/").replace("/v1/stream", "/v1/%73tream")


class Listener:
    """An open stream: `head` is that of the answer, and each event is a text as it was sent, without heartbeats."""

    def __init__(
        self, url: str, address: str, takes: int = 0, over: socket.socket | None = None, **headers: str
    ) -> None:
        """`takes` are the bytes that the system may take unread; as many as it likes where that is not said. `over` is
        a connection that is there already.
        """
        host, _, port = url.partition("://")[2].partition(":")
        self.socket = over or socket.socket()
        if takes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
        self.socket.settimeout(PATIENCE_SECONDS)
        if over is None:
            self.socket.connect((host, int(port)))
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        version = "1.1" if over is None else "1.0"  # so that a proxy does not write it in chunks
        self.socket.sendall(f"GET {address} HTTP/{version}\r\nHost: {host}:{port}\r\n{lines}\r\n".encode())
        self._rest = b""
        self.head = self._until(b"\r\n\r\n").decode()
        self.status = int(self.head.split(" ")[1])
        self.retry = self._until(b"\n\n").decode() if self.status == 200 else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            came = self.socket.recv(65_536)
            if not came:
                raise EOFError(self._rest)
            self._rest += came
        found, _, self._rest = self._rest.partition(end)
        return found

    def blocks(self) -> Iterator[str]:
        """All that is said, signs of life too, until the stream ends."""
        while True:
            try:
                yield self._until(b"\n\n").decode()
            except (EOFError, ConnectionResetError):
                return

    def event(self) -> dict[str, str]:
        """The next event, by the names of its fields."""
        for block in islice(self.blocks(), MOST_BEATS):
            if not block.startswith(":"):
                return dict(line.partition(": ")[::2] for line in block.split("\n"))
        raise EOFError("it ended, or gave nothing but signs of life")

    def ends(self) -> bool:
        """Whether it ends soon, and says nothing more before but a sign of life."""
        said = [*islice(self.blocks(), MOST_BEATS)]
        return len(said) < MOST_BEATS and all(block.startswith(":") for block in said)
