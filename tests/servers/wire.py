"""The worker's end of a connection without a kernel between: it reads exactly the pieces that a test cuts."""

import asyncio
from collections.abc import Sequence
from typing import Any

from servers.one_worker import OneWorker
from servers.patience import HUNG_SECONDS

AT_ONCE = 64  # connections, so that their events share the store's flushes, and no more than a worker does in a second
TURNS = 3  # of the loop between two pieces, so that whatever the first one started has begun


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and reads when it is told to."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 4711), "sockname": ("127.0.0.1", 80)})
        self.written = b""
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        if not self.closed.is_set():
            self.written += data

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def get_write_buffer_size(self) -> int:
        """All that is written is taken."""
        return 0

    def pause_reading(self) -> None:
        """Nothing is in between that could go on reading."""

    def resume_reading(self) -> None:
        """The same."""


async def _heard(worker: OneWorker, pieces: Sequence[bytes]) -> bytes:
    wire, protocol = Wire(), worker.protocol()
    protocol.connection_made(wire)
    for piece in pieces:
        if wire.is_closing():
            break
        protocol.data_received(piece)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    try:
        await asyncio.wait_for(wire.closed.wait(), HUNG_SECONDS)
    except TimeoutError:
        raise AssertionError(f"it was never closed: {b''.join(pieces)[:500]!r}: {wire.written!r}") from None
    protocol.connection_lost(None)
    return wire.written


async def _said(worker: OneWorker, connections: Sequence[Sequence[bytes]]) -> list[bytes]:
    heard: list[bytes] = []
    for first in range(0, len(connections), AT_ONCE):
        together = [_heard(worker, pieces) for pieces in connections[first : first + AT_ONCE]]
        heard += await asyncio.gather(*together)
    return heard


def said(worker: OneWorker, connections: Sequence[Sequence[bytes]]) -> list[bytes]:
    """What the worker writes until it closes, for each connection, whose bytes come in these pieces."""
    return asyncio.run_coroutine_threadsafe(_said(worker, connections), worker.loop).result()
