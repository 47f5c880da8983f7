"""A shop's pages as a shop serves them: any HTML under any headers, with the service behind a path of the same host.

What goes to the service is noted, and may be spoilt: not answered at all, late, with 500, or with half a script.
"""

import http.client
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["dead", "hanging", "500", "broken"]
PREFIX = "/r/x7"
HTML = "text/html; charset=utf-8"
TYPES = {"js": "text/javascript", "css": "text/css"}


@dataclass
class ShopPages:
    """`html` by path, `headers` of every page; `asked` is what pages asked the service for, method and path; `adds` is
    what is said in headers to the service besides, as by a proxy.
    """

    service: str
    html: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    adds: dict[str, str] = field(default_factory=dict)
    spoils: Callable[[str], Fault | None] = lambda path: None
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def loads(self) -> list[str]:
        """What was asked for, without its query."""
        return [line.partition("?")[0] for line in self.asked]


class _Handler(BaseHTTPRequestHandler):
    pages: ShopPages
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(PREFIX):
            self._forward()
        elif path in self.pages.html:
            self._say(
                200,
                {"content-type": TYPES[path.rpartition(".")[2]] if "." in path else HTML, **self.pages.headers},
                self.pages.html[path].encode(),
            )
        else:
            self._say(404, {"content-type": "text/plain"}, b"nothing here")

    def do_POST(self) -> None:
        self._forward()

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.removeprefix(PREFIX)
        self.pages.asked.append(f"{self.command} {path}")
        match self.pages.spoils(path):
            case "dead":
                self.close_connection = True
                return
            case "hanging":
                self.pages.released.wait()
                self.close_connection = True
                return
            case "500":
                self._say(500, {"content-type": "text/plain"}, b"it is broken")
                return
            case fault:
                pass
        place = urlsplit(self.pages.service)
        service = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        kept = {
            name: value for name, value in self.headers.items() if name.lower() not in ("connection", "accept-encoding")
        }
        try:
            service.request(self.command, path, body or None, {**kept, **self.pages.adds})
            answer = service.getresponse()
            if answer.getheader("content-type", "").startswith("text/event-stream"):
                self._stream(answer)
                return
            told = answer.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            service.close()
        headers = {
            name: value for name, value in answer.getheaders() if name.lower() not in ("content-length", "connection")
        }
        self._say(answer.status, headers, told[: len(told) // 2] if fault == "broken" else told)

    def _stream(self, answer: http.client.HTTPResponse) -> None:
        """What comes is handed on as it comes, until either side ends."""
        self.close_connection = True
        self.send_response(answer.status)
        for name in ("content-type", "cache-control"):
            self.send_header(name, answer.getheader(name, ""))
        self.end_headers()
        while told := answer.read1(65_536):
            self.wfile.write(told)

    def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
        """Nothing."""


@contextmanager
def shop_pages(service: str, html: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Generator[ShopPages]:
    """The pages while the block runs."""
    pages = ShopPages(service, dict(html), dict(headers or {}))
    handler = type("_ShopHandler", (_Handler,), {"pages": pages})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        pages.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield pages
        pages.released.set()
        server.shutdown()
        thread.join()
