"""Who is told of changes: a real server on loopback that takes, refuses, redirects or leaves callers waiting."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from servers.patience import HUNG_SECONDS, until

HANGS = 0  # in place of a status: nothing is answered until the receiver is closed


class Taken(NamedTuple):
    """What a receiver was sent."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def delivery(self) -> str:
        return self.headers["X-Resonate-Delivery"]


class WebhookReceiver:
    """Answers the calls with `statuses`, the last of them for ever; keeps what it was sent, refused or not."""

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None, host: str = "127.0.0.1") -> None:
        self.statuses: Sequence[int] = statuses or (200,)
        self.headers = headers or {}
        self.taken: list[Taken] = []
        self.when_called: Callable[[], None] = lambda: None
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.taken.append(Taken(self.path, dict(self.headers.items()), body))
                status = outer.statuses[min(len(outer.taken), len(outer.statuses)) - 1]
                outer.when_called()
                if status == HANGS:
                    outer.closing.wait(HUNG_SECONDS)
                    return
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.server.server_address[0]}:{self.server.server_port}/hook/T0?secret=1"

    def by_tls(self, certificate: Path, key: Path) -> None:
        """Speak https with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https"

    def kinds(self) -> list[str]:
        return [each.said["kind"] for each in self.taken]

    def wait_for(self, calls: int) -> list[Taken]:
        """The first so many calls, once they have come."""
        until(lambda: len(self.taken) >= calls, f"a receiver was called {calls} times", tell=lambda: str(self.taken))
        return self.taken[:calls]


@contextlib.contextmanager
def receiving(
    *statuses: int, headers: dict[str, str] | None = None, host: str = "127.0.0.1"
) -> Iterator[WebhookReceiver]:
    """A receiver that is called at its address."""
    receiver = WebhookReceiver(*statuses, headers=headers, host=host)
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()
