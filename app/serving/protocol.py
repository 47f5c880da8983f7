"""uvicorn's HTTP protocol with what it lacks: framing decided once, receipt deadlines, size limits, problem bodies."""

import asyncio
import logging
from collections.abc import Callable, Sized
from functools import partial
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.http.exchange import REFUSED, Awaited, head_lines
from app.serving.bounded import BoundedProtocol
from app.serving.framing import (
    CLOSE,
    DECISIVE,
    HEADERS_TOO_LARGE,
    LAST,
    MAX_HEADER_BYTES,
    WholeCycle,
    framing_fault,
    is_host,
    plain_address,
    unchunked,
)  # fmt: skip
from app.serving.streaming import BEAT_SECONDS, StreamConnection
from kit.tasks import task_maker

logger = logging.getLogger(__name__)

SMALL_READ: Final = 8 * 1024  # a request that came in one read of this size cannot break a limit
REST_SECONDS: Final = 0.1
SHORT_METHODS: Final = (b"POST", b"GET")


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


class ReceiptProtocol(BoundedProtocol):
    """Reads requests of a connection and writes their answers.

    The body's own deadline is the application's (`app.http.body`): it answers 408 in the caller's dialect. A request
    that came in one piece takes a short way, where the application offers one (`answer_whole`): no scope to receive
    from, no task unless the answer must wait, one write. That halves what uvicorn costs. What is answered depends on
    the bytes, never on how they were cut: a request that asks for an upgrade is read as if it had not, a refusal waits
    for the answers before it, nothing behind it or behind a last request is read.
    """

    came: bool = False  # in this read, a head to its end or a part of a body
    in_head: bool = False
    hosts: int = 0  # Host headers of this head
    codings: tuple[bytes, ...] = ()  # Transfer-Encoding headers of this head
    trailer_bytes: int = 0
    again: bytes = b""  # a head that asked for an upgrade, without what asked: it is to be read again
    large_read: bool = False
    answer_whole: Any = None
    early_body: bytes = b""
    fixed: dict[str, Any]  # what the scopes of all its requests say

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)
        self.answer_whole = getattr(self.app, "answer_whole", None)
        self.fixed = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
        }
        self.make_task = task_maker(self.loop)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        self.large_read, self.came = len(data) > SMALL_READ, False
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as asked:
                self.read_again(memoryview(data)[asked.args[0] :])
            if self.undecided:  # the rest of the body is still on its way
                self.take_long_way()
        except httptools.HttpParserError:
            cycle = self.cycle
            if self.unfinished or cycle is None or cycle.keep_alive:  # pyright: ignore[reportUnnecessaryComparison]
                self.refuse(400, "unreadable_request", "this is not a well-formed HTTP/1.1 request")
            else:  # what follows a last request is not for us
                self.refused = True
        if self.came:  # of a head that begins here no more is known
            self.head_bytes = 1 if self.in_head else 0
        else:  # all of this read belongs to one unfinished head
            self.bound_head(len(data))

    def read_again(self, rest: memoryview) -> None:
        """Read a request that asked for an upgrade as if it had not (RFC 9110, 7.8), then what came behind its head.

        The parser takes whatever asks to end with its head, and the body for another request (httptools#124). A new one
        reads the same head without `Upgrade`, so that nothing but the parser decides where a request ends.
        """
        while self.again and not self.refused:
            head, self.again = self.again, b""
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(head)
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as asked:
                rest = rest[asked.args[0] :]

    def on_message_begin(self) -> None:
        self.url, self.expect_100_continue, self.headers = b"", False, []
        self.scope: Any = {**self.fixed, "headers": self.headers}
        self.in_head, self.hosts, self.codings, self.trailer_bytes = True, 0, (), 0
        self.idle.pop(self.hang_up, None)
        self.heads.pop(self.be_late, None)  # one queues up anew: the oldest stands first
        self.heads[self.be_late] = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:  # a trailer: it comes when the request may be under way, so that it cannot steer it
            self.trailer_bytes += len(name) + len(value) + 4
            if self.trailer_bytes > MAX_HEADER_BYTES:
                self.refuse(*HEADERS_TOO_LARGE)
            return
        name = name.lower()
        if name in DECISIVE:
            if name == b"host":
                self.hosts += 1 if is_host(value) else 2
            elif name == b"expect":
                self.expect_100_continue = value.lower() == b"100-continue"
            else:
                self.codings += (value.lower().strip(),)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.in_head = False
        parser: Any = self.parser
        if self.refused or (parser.should_upgrade() and self.put_off(parser.get_method())):
            return
        self.heads.pop(self.be_late, None)
        self.idle.pop(self.hang_up, None)  # it began while the answer before it was under way
        self.came = True
        version = parser.get_http_version()
        if version != "1.1" or self.hosts != 1 or self.codings:
            fault = framing_fault(version, self.hosts, self.codings)
            if fault is not None:
                self.refuse(400, "unreadable_request", fault)
                return
        too_large = (self.head_bytes or self.large_read) and self.head_too_large()
        if too_large or ((self.network is None or self.beyond is not None) and self.too_many()):
            return
        self.early_body = b""
        if self.answer_whole is not None and version == "1.1" and self.may_be_short():
            self.undecided = True
        else:
            self.take_long_way()

    def put_off(self, method: bytes) -> bool:
        """True: a head that asks for another protocol is read again without that; a tunnel is refused."""
        if method == b"CONNECT":
            self.refuse(400, "unreadable_request", "this is no proxy: CONNECT is not answered")
        else:
            lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
            version: Any = self.parser.get_http_version()
            self.again = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version.encode(), b"".join(lines))
        return True

    def on_body(self, body: bytes) -> None:
        self.came = True
        if self.undecided:
            self.early_body += body
        elif not self.refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.undecided:
            if self.take_short_way():
                return
            self.take_long_way()
        if not self.refused and not self.again:
            self.unfinished = False
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self.flow.resume_reading()
            self._start_asgi_task(cycle, app)
        elif self.last_word:
            self.transport.write(self.last_word)
            self.transport.close()
        else:
            if self.network and REFUSED in self.scope:  # who goes on asking is read from ten times a second
                self.flow.pause_reading()
                self.loop.call_later(REST_SECONDS, self.flow.resume_reading)
            else:
                self.flow.resume_reading()
            self.idle.pop(self.hang_up, None)
            self.idle[self.hang_up] = self.loop.time()

    def may_be_short(self) -> bool:
        """A POST or GET to a plain path, with nothing under way before it and no ceremony asked for."""
        cycle = self.cycle
        parser: Any = self.parser
        return (
            parser.get_method() in SHORT_METHODS
            and (cycle is None or cycle.response_complete)  # pyright: ignore[reportUnnecessaryComparison] - at first
            and not self.expect_100_continue
            and plain_address(self.url) is not None
        )

    def take_short_way(self) -> bool:
        """Asks the application at once; False when the path is not one of those it answers so."""
        scope, parser = self.scope, cast("Any", self.parser)
        scope["method"] = parser.get_method().decode()
        address = plain_address(self.url)
        assert address is not None
        scope["path"], scope["raw_path"], scope["query_string"] = address
        answered = self.answer_whole(scope, self.early_body)
        if answered is None:
            return False
        self.undecided = False
        if isinstance(answered, tuple):
            if answered[0].stream is not None:
                self.hand_over(answered)
                return True
            self.write_whole(answered, parser.should_keep_alive())
            self.on_response_complete()
        elif isinstance(answered, Awaited):
            cycle = self.cycle = WholeCycle(parser.should_keep_alive())  # pyright: ignore[reportAttributeAccessIssue] - it answers all that uvicorn asks
            answered.future.add_done_callback(partial(self.finish_made, cycle, answered.make))
        else:
            self.wait_for(answered, parser.should_keep_alive())
        return True

    def take_long_way(self) -> None:
        """uvicorn's own way, with what was received of the body so far."""
        self.undecided = False
        self.scope["state"] = self.app_state.copy()
        super().on_headers_complete()
        unchunked(self.cycle)
        self.unfinished = True
        if self.early_body:
            super().on_body(self.early_body)

    def wait_for(self, answer: Any, keep_alive: bool) -> None:
        """Lets a task finish the answer; requests that come meanwhile on this connection queue up behind it."""
        cycle = self.cycle = WholeCycle(keep_alive)  # pyright: ignore[reportAttributeAccessIssue] - it answers all that uvicorn asks
        self.tasks.add(task := self.make_task(self.finish(cycle, answer)))
        task.add_done_callback(self.tasks.discard)

    async def finish(self, cycle: WholeCycle, answer: Any) -> None:
        """Writes the answer when it is there; where it never will be, the connection ends rather than hang."""
        try:
            self.give(cycle, await answer)
        except Exception:
            logger.exception("an answer could not be given")
            self.transport.close()

    def finish_made(self, cycle: WholeCycle, make: Callable[[], Any], _: object) -> None:
        """Writes the answer that is there now."""
        try:
            self.give(cycle, make())
        except Exception:
            logger.exception("an answer could not be given")
            self.transport.close()

    def give(self, cycle: WholeCycle, answered: Any) -> None:
        cycle.response_complete = True
        if not cycle.disconnected:
            self.write_whole(answered, cycle.keep_alive)
        self.on_response_complete()

    def write_whole(self, answered: Any, keep_alive: bool) -> None:
        """One write for the whole answer; its headers were checked when they were made."""
        if self.transport.is_closing():
            return
        answer = answered[0]
        closing = not keep_alive or LAST in answer.headers or self.server_state.default_headers == CLOSE
        last = b"connection: close\r\n" if closing and LAST not in answer.headers else b""
        self.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[answer.status], head_lines(*answered), last, answer.body))
        if closing:
            self.refused = True  # whatever the same read holds behind it
            self.transport.close()

    def hand_over(self, answered: Any) -> None:
        """The answer goes on: what holds the connection from here on is small, and counted apart."""
        self.refused = True  # whatever the same read holds behind it
        if self.transport.is_closing():
            return
        self.connections.discard(self)
        self.heads.pop(self.be_late, None)
        self.idle.pop(self.hang_up, None)
        left = partial(self.crowd.leave, self.network) if self.crowd is not None and self.network is not None else None
        answer, transport = answered[0], self.transport
        del self.be_late  # nothing but this read holds the rest of what stood for the request
        self.__dict__["parser"] = None
        StreamConnection(transport, answer.stream, self.deadlines.queue(BEAT_SECONDS), left)
        transport.write(b"%b%b\r\n%b" % (STATUS_LINE[answer.status], head_lines(*answered), answer.body))
