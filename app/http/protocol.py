"""uvicorn's HTTP protocol with the limits it lacks: receipt deadlines, sizes of headers and address, problem bodies."""

import asyncio
from collections.abc import Callable, Sized
from functools import partial
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.http.deadlines import RECEIPT_SECONDS, Deadlines, Queue
from app.http.errors import PROBLEM_TYPE, Problem, problem_body

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_URL_BYTES: Final = 8 * 1024
SMALL_READ: Final = 8 * 1024  # a request that came in one read of this size cannot break a limit


class WholeCycle:
    """Stands for a request on the short way while its answer waits, in the words that uvicorn asks a cycle."""

    __slots__ = ("body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete")

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.more_body = False
        self.body = bytearray()
        self.message_event = asyncio.Event()


class PipelineFlow(FlowControl):
    """Reads nothing while requests of the connection are queued, or its answers wait to be read.

    uvicorn reads on after each answer, and a read may hold thousands of requests: its queue would grow without end.
    """

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline and not self.write_paused:
            super().resume_reading()


class ReceiptProtocol(HttpToolsProtocol):
    """Closes connections whose request head is not there 5 s after its first byte, or which never send one.

    The body's own deadline is the application's (`app.http.body`): it answers 408 in the caller's dialect. A POST that
    came in one piece takes a short way, where the application offers one (`answer_whole`): no scope to receive from, no
    task unless the answer must wait, one write. That halves what uvicorn costs per request.
    """

    heads: Queue  # of connections that have sent nothing yet, or a part of a head
    idle: Queue  # of connections that are kept after an answer, until the next head begins
    head_bytes: int = 0  # of an unfinished head, in the reads that it filled
    head_done: bool = False  # in this read
    large_read: bool = False
    refused: bool = False
    answer_whole: Any = None
    undecided: bool = False  # a head is there that may take the short way, if its body comes in the same read
    early_body: bytes = b""

    def __init__(self, *, deadlines: Deadlines, **options: Any) -> None:
        super().__init__(**options)
        self.deadlines = deadlines

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)
        self.answer_whole = getattr(self.app, "answer_whole", None)
        self.heads = self.deadlines.queue(RECEIPT_SECONDS)
        self.idle = self.deadlines.queue(self.timeout_keep_alive)
        self.heads[self.give_up] = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.heads.pop(self.give_up, None)
        self.idle.pop(self.transport.close, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        self.large_read = len(data) > SMALL_READ
        self.head_done = False
        super().data_received(data)
        if self.undecided:  # the rest of the body is still on its way
            self.take_long_way()
        if not self.head_done and self.give_up in self.heads:  # all of this read belongs to one unfinished head
            self.bound_head(len(data))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.idle.pop(self.transport.close, None)
        self.heads.pop(self.give_up, None)  # one queues up anew: the oldest stands first
        self.heads[self.give_up] = self.loop.time()

    def on_headers_complete(self) -> None:
        self.heads.pop(self.give_up, None)
        self.idle.pop(self.transport.close, None)  # it began while the answer before it was under way
        self.head_done = True
        if (self.head_bytes or self.large_read) and self.head_too_large():
            return
        self.head_bytes = 0
        if self.answer_whole is not None and self.may_be_short():
            self.undecided = True
            self.early_body = b""
        elif not self.too_many():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.undecided:
            self.early_body += body
        elif not self.refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.undecided:
            if self.take_short_way():
                return
            self.take_long_way()
        if not self.refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self.flow.resume_reading()
            self._start_asgi_task(cycle, app)
        else:
            self.flow.resume_reading()
            self.idle.pop(self.transport.close, None)
            self.idle[self.transport.close] = self.loop.time()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read from either."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()

    def may_be_short(self) -> bool:
        """A POST of HTTP/1.1 to a plain path, with nothing under way before it and no ceremony asked for."""
        cycle = self.cycle
        parser: Any = self.parser
        return (
            parser.get_method() == b"POST"
            and (cycle is None or cycle.response_complete)  # pyright: ignore[reportUnnecessaryComparison] - at first
            and not self.expect_100_continue
            and not parser.should_upgrade()
            and parser.get_http_version() == "1.1"
            and self.url.startswith(b"/")
            and b"%" not in self.url
            and b"#" not in self.url
        )

    def take_short_way(self) -> bool:
        """Asks the application at once; False when the path is not one of those it answers so."""
        raw_path, _, query = self.url.partition(b"?")
        scope: Any = self.scope
        parser: Any = self.parser
        scope["method"] = "POST"
        scope["path"] = raw_path.decode("latin-1")
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        answered = self.answer_whole(scope, self.early_body)
        if answered is None:
            return False
        self.undecided = False
        if isinstance(answered, tuple):
            self.write_whole(answered, parser.should_keep_alive())
            self.on_response_complete()
        else:
            self.wait_for(answered, parser.should_keep_alive())
        return True

    def take_long_way(self) -> None:
        """uvicorn's own way, with what was received of the body so far."""
        self.undecided = False
        if self.too_many():
            return
        super().on_headers_complete()
        if self.early_body:
            super().on_body(self.early_body)

    def wait_for(self, answer: Any, keep_alive: bool) -> None:
        """Lets a task finish the answer; requests that come meanwhile on this connection queue up behind it."""
        cycle = WholeCycle(keep_alive)
        self.cycle = cycle  # pyright: ignore[reportAttributeAccessIssue] - it answers all that uvicorn asks
        task = self.loop.create_task(self.finish(cycle, answer))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def finish(self, cycle: WholeCycle, answer: Any) -> None:
        """Writes the answer when it is there."""
        answered = await answer
        cycle.response_complete = True
        if not cycle.disconnected:
            self.write_whole(answered, cycle.keep_alive)
        self.on_response_complete()

    def write_whole(self, answered: Any, keep_alive: bool) -> None:
        """One write for the whole answer; its headers were checked when they were made."""
        if self.transport.is_closing():
            return
        answer, headers = answered
        lines = [STATUS_LINE[answer.status]]
        for header in (*self.server_state.default_headers, *headers):
            lines.append(b"%b: %b\r\n" % header)
        closing = not keep_alive or (b"connection", b"close") in self.server_state.default_headers
        if not keep_alive:
            lines.append(b"connection: close\r\n")
        lines += (b"\r\n", answer.body)
        self.transport.write(b"".join(lines))
        if closing:
            self.transport.close()

    def too_many(self) -> bool:
        """503 to a connection beyond the limit; True when it was refused."""
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            self.refuse(503, "too_many_connections", "too many connections are open; try again in 1 s", retry=1)
        return self.refused

    def bound_head(self, size: int) -> None:
        """Ends a head that goes on without end."""
        self.head_bytes += size
        if self.head_bytes > MAX_HEADER_BYTES + MAX_URL_BYTES:
            self.refuse(431, "headers_too_large", "the request head is larger than 24 kB; headers may have 16 kB")

    def head_too_large(self) -> bool:
        """Refuses a head over its limits; True when it did."""
        if len(self.url) > MAX_URL_BYTES:
            self.refuse(414, "address_too_long", "the address is longer than 8 kB")
        elif sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEADER_BYTES:
            self.refuse(431, "headers_too_large", "the headers are larger than 16 kB")
        return self.refused

    def give_up(self) -> None:
        """408 to a head that stays half-sent; a connection that never spoke is closed without a word."""
        if self.headers is None:  # pyright: ignore[reportUnnecessaryComparison] - uvicorn declares it so before the first request
            self.transport.close()
        else:
            self.refuse(408, "slow_request", "the request head took longer than 5 s")

    def refuse(self, status: int, code: str, detail: str, retry: int | None = None) -> None:
        """Answers without the application, and closes."""
        self.refused = True
        self.undecided = False
        if not self.transport.is_closing():
            self.transport.write(refusal(Problem(status, code, detail), retry))
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self.refused:
            self.refuse(400, "unreadable_request", "this is not a well-formed HTTP/1.1 request")

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is not offered: the request is answered as if it had not asked."""


def refusal(problem: Problem, retry_after_seconds: int | None) -> bytes:
    """The bytes of an answer that ends its connection."""
    _, body = problem_body(problem, "")
    lines = [
        STATUS_LINE[problem.status].rstrip(),
        b"content-type: " + PROBLEM_TYPE,
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    if retry_after_seconds is not None:
        lines.append(b"retry-after: %d" % retry_after_seconds)
    return b"\r\n".join([*lines, b"", body])


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
        "timeout_keep_alive": 65,
    }
    return uvicorn.Config(app, **{**settled, **options})
