"""What goes to and fro between a service's processes over one socket: frames, each of a kind, a number and a length."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

HEAD: Final = struct.Struct(">cQI")
LARGEST_FRAME: Final = 1 << 28  # bytes: far beyond any catalogue
LARGEST_QUESTION: Final = 1 << 16  # what a process or a command may ask at once
TOPICS: Final = {b"S": "state", b"P": "phases", b"C": "catalogue"}
"""What is told of now, by kind; of each kind the newest counts alone. The catalogue comes last."""
KINDS: Final = {topic: kind for kind, topic in TOPICS.items()}
ORDER: Final = b"O"  # a question: an order, with a number
ANSWER: Final = b"A"  # to the question of its number
TURNED_AWAY: Final = b"turned away"  # answers a command that comes while too many ask: nothing was done
FAILED: Final = b""  # answers an order at which the service failed: nobody knows whether it holds


class FrameTooLarge(Exception):
    """Who sends this does not speak our language."""


class Frame(NamedTuple):
    """One message; `number` says which question it asks or answers (0: none)."""

    kind: bytes
    number: int
    content: bytes

    def packed(self) -> bytes:
        """As it is sent."""
        return HEAD.pack(self.kind, self.number, len(self.content)) + self.content


class Incoming:
    """Bytes as they come, cut into frames."""

    def __init__(self, largest: int = LARGEST_FRAME) -> None:
        """`largest` is how many bytes a frame may have."""
        self._largest = largest
        self._bytes = bytearray()

    def feed(self, received: bytes) -> Iterator[Frame]:
        """The frames that are whole by now. Raises FrameTooLarge."""
        self._bytes += received
        while len(self._bytes) >= HEAD.size:
            kind, number, size = HEAD.unpack_from(self._bytes)
            if size > self._largest:
                raise FrameTooLarge(f"a frame of {size} bytes is larger than {self._largest}")
            end = HEAD.size + size
            if len(self._bytes) < end:
                return
            frame = Frame(kind, number, bytes(self._bytes[HEAD.size : end]))
            del self._bytes[:end]
            yield frame
