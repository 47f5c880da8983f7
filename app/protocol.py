"""uvicorn's HTTP protocol with the limits it lacks: receipt deadlines, sizes of headers and address, problem bodies."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import PROBLEM_TYPE, Problem, problem_body

RECEIPT_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 0.5
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_URL_BYTES: Final = 8 * 1024
SMALL_READ: Final = 8 * 1024  # a request that came in one read of this size cannot break a limit


class ReceiptProtocol(HttpToolsProtocol):
    """Closes connections whose request head is not there 5 s after its first byte, or which never send one.

    The body's own deadline is the application's (`app.hot.body`): it answers 408 in the caller's dialect.
    """

    waiting_since: float | None = None  # loop time of the connection or of the head's first byte; None while answering
    head_bytes: int = 0
    refused: bool = False
    check_handle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        self.check_handle = self.loop.call_later(CHECK_SECONDS, self.check_receipt)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.check_handle is not None:
            self.check_handle.cancel()
            self.check_handle = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        if len(data) > SMALL_READ or self.head_bytes:
            self.head_bytes += len(data)
        super().data_received(data)
        if self.waiting_since is not None and self.head_bytes == 0:
            self.head_bytes = len(data)
        if self.waiting_since is not None and self.head_bytes > MAX_HEADER_BYTES + MAX_URL_BYTES:
            self.refuse(431, "headers_too_large", "the request head is larger than 24 kB; headers may have 16 kB")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        self.waiting_since = None
        if self.head_bytes and self.head_too_large():
            return
        self.head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.refused:
            super().on_message_complete()

    def head_too_large(self) -> bool:
        """Refuses a head over its limits; True when it did."""
        if len(self.url) > MAX_URL_BYTES:
            self.refuse(414, "address_too_long", "the address is longer than 8 kB")
        elif sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEADER_BYTES:
            self.refuse(431, "headers_too_large", "the headers are larger than 16 kB")
        return self.refused

    def check_receipt(self) -> None:
        """Runs twice a second for each open connection."""
        if self.transport.is_closing():
            return
        since = self.waiting_since
        if since is not None and self.loop.time() - since > RECEIPT_SECONDS:
            self.give_up()
            return
        self.check_handle = self.loop.call_later(CHECK_SECONDS, self.check_receipt)

    def give_up(self) -> None:
        """408 to a head that stays half-sent; a connection that never spoke is closed without a word."""
        if self.headers is None:  # pyright: ignore[reportUnnecessaryComparison] - uvicorn declares it so before the first request
            self.transport.close()
        else:
            self.refuse(408, "slow_request", "the request head took longer than 5 s")

    def refuse(self, status: int, code: str, detail: str) -> None:
        """Answers without the application, and closes."""
        self.refused = True
        if not self.transport.is_closing():
            self.transport.write(whole_answer(Problem(status, code, detail)))
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self.refused:
            self.refuse(400, "unreadable_request", "this is not a well-formed HTTP/1.1 request")

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is not offered: the request is answered as if it had not asked."""


def whole_answer(problem: Problem) -> bytes:
    """The bytes of an answer that ends its connection."""
    _, body = problem_body(problem, "")
    lines = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode(),
        b"content-type: " + PROBLEM_TYPE,
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    return b"\r\n".join([*lines, b"", body])


def server_config(app: Callable[..., Any], **options: Any) -> uvicorn.Config:
    """How a worker runs uvicorn: uvloop, our protocol, no access log, no server and date headers, no WebSockets."""
    settled: dict[str, Any] = {
        "http": ReceiptProtocol,
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
