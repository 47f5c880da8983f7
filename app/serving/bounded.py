"""uvicorn's HTTP protocol with bounds: who may connect, how long may be waited for whom, how a refusal is said."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.deadlines import RECEIPT_SECONDS, Deadlines
from app.http.errors import Problem, refusal
from app.limits.connections import OpenConnections
from app.limits.networks import UNKNOWN
from app.limits.room import Queue, Room
from app.serving.framing import HEADERS_TOO_LARGE, MAX_HEADER_BYTES, MAX_URL_BYTES, size_fault


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose request head is not there 5 s after its first byte, or which never send one.

    Beyond the limits a connection gets 503, once somebody who is idle could not make way for it.
    """

    heads: Queue  # of connections that have sent nothing yet, or a part of a head
    idle: Queue  # of connections that are kept after an answer, until the next head begins
    room: Room
    head_bytes: int = 0  # of an unfinished head, or of what stands between a body's chunks, in the reads that it filled
    refused: bool = False
    last_word: bytes = b""  # a refusal that waits for the answers before it
    network: str | None = UNKNOWN  # that it counts for; None for one too many
    beyond: int | None = None  # its descriptor, where it is beyond the limits of the worker
    reads: int = 0  # how often the other end took what waited to be sent
    undecided: bool = False  # a head is there that may take the short way, if its body comes in the same read
    unfinished: bool = False  # the application was asked, and the rest of the body is still to come

    def __init__(self, *, deadlines: Deadlines, **options: Any) -> None:
        super().__init__(**options)
        self.deadlines = deadlines
        self.crowd: OpenConnections | None = getattr(self.app, "crowd", None)
        self.most, self.limit_concurrency = self.limit_concurrency, None  # which uvicorn would read in its own way

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.hang_up, self.be_late = self.leave, self.give_up  # asked for often: bound once
        self.heads = self.deadlines.queue(RECEIPT_SECONDS, "heads")
        self.idle = self.deadlines.queue(self.timeout_keep_alive, "idle")
        now = self.heads[self.be_late] = self.loop.time()
        if self.crowd is not None:
            self.network = self.crowd.enter(self.client[0] if self.client else "")
        self.room = self.deadlines.room(self.connections, self.most, self.idle, self.heads)
        end = transport.get_extra_info("socket")
        descriptor = -1 if end is None else end.fileno()
        if not self.room.has_room(descriptor, now):
            self.beyond = descriptor
            if not self.room.has_time(descriptor):
                self.turn_away()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.crowd is not None and self.network is not None:
            self.crowd.leave(self.network)
        self.heads.pop(self.be_late, None)
        self.idle.pop(self.hang_up, None)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read from either."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        self.reads += 1
        super().resume_writing()
        self.flow.resume_reading()

    def too_many(self) -> bool:
        """503 to a connection beyond the limits; True when it was refused."""
        if self.beyond is not None and self.room.has_room(self.beyond, self.loop.time()):  # by now
            self.beyond = None
        if self.network is None or self.beyond is not None:
            self.turn_away()
        return self.refused

    def turn_away(self) -> None:
        """Answers that there are too many, of which the operator hears where that is not its network's own doing."""
        if self.beyond is not None and self.crowd is not None:
            self.crowd.exhausted(len(self.connections))
        self.refuse(503, "too_many_connections", "too many connections are open; try again in 1 s", retry=1)

    def leave(self) -> None:
        """Ends a connection on which nothing is under way; unless its answer is still to be taken it counts no more."""
        if not self.transport.get_write_buffer_size():
            self.connections.discard(self)
        self.transport.close()

    def bound_head(self, size: int) -> None:
        """Ends a head, or what stands between a body's chunks or after it, that goes on without end."""
        self.head_bytes += size
        if self.head_bytes > MAX_HEADER_BYTES + MAX_URL_BYTES and not self.head_too_large():
            self.refuse(*HEADERS_TOO_LARGE)

    def head_too_large(self) -> bool:
        """Refuses a head over its limits; True when it did."""
        fault = size_fault(self.url, self.headers)
        if fault is not None:
            self.refuse(*fault)
        return self.refused

    def give_up(self) -> None:
        """408 to a head that stays half-sent; a connection that never spoke is closed without a word."""
        if self.headers is None:  # pyright: ignore[reportUnnecessaryComparison] - uvicorn declares it so before the first request
            self.leave()
        else:
            if not self.transport.get_write_buffer_size():
                self.connections.discard(self)
            self.refuse(408, "slow_request", "the request head took longer than 5 s")

    def refuse(self, status: int, code: str, detail: str, retry: int | None = None) -> None:
        """Answers without the application, after all that was asked before, and closes."""
        if self.refused:
            return
        self.refused = True
        self.undecided = False
        count = getattr(self.app, "refused", None)
        if count is not None:
            count(code)
        if self.transport.is_closing():
            return
        word = refusal(Problem(status, code, detail), retry)
        cycle = self.cycle
        if self.unfinished and self.pipeline:  # its own request is the last that waits
            self.pipeline.popleft()
        elif self.unfinished:  # its own request is under way, or was answered before its body was there
            if cycle.response_started:
                word = b""
            cycle.response_complete = cycle.disconnected = True
            cycle.message_event.set()
        if cycle is not None and not cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison]
            self.last_word = word
        else:
            self.transport.write(word)
            self.transport.close()
