"""Where a request ends and whom it is for, and what stands for one that is there whole."""

import asyncio
import re
from functools import lru_cache
from typing import Any, Final

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_URL_BYTES: Final = 8 * 1024
Fault = tuple[int, str, str]  # status, code, detail
HEADERS_TOO_LARGE: Final[Fault] = (431, "headers_too_large", "the headers are larger than 16 kB")
ADDRESSES_KNOWN: Final = 512
DECISIVE: Final = frozenset({b"host", b"transfer-encoding", b"expect"})  # who a request is for, and where it ends
LAST: Final = (b"connection", b"close")
CLOSE: Final[list[tuple[bytes, bytes]]] = [LAST]  # on every answer while a worker ends


@lru_cache(ADDRESSES_KNOWN)
def plain_address(url: bytes) -> tuple[str, bytes, bytes] | None:
    """Path, the same in bytes, and query of an address in which nothing is written in another way than it is meant."""
    if not url.startswith(b"/") or b"%" in url or b"#" in url:
        return None
    path, _, query = url.partition(b"?")
    return path.decode("latin-1"), path, query


HOST: Final = re.compile(rb"(?:\[[0-9A-Za-z:.%_~-]+\]|[0-9A-Za-z._~!$&'()*+;=%-]*)(?::[0-9]*)?")
HOSTS_KNOWN: Final = 64


@lru_cache(HOSTS_KNOWN)
def is_host(value: bytes) -> bool:
    """Whether this names one host, perhaps with its port (RFC 9110, 7.2, without the comma, which joins two)."""
    return HOST.fullmatch(value.strip()) is not None


def framing_fault(version: str, hosts: int, codings: tuple[bytes, ...]) -> str | None:
    """Why two readers could differ in where this request ends or whom it is for; None where they cannot.

    What the parser refuses by itself: two lengths, a length beside a coding (RFC 9112, 3.2, 6.1 and 6.3).
    """
    if version not in ("1.0", "1.1"):
        return f"HTTP/{version} is not spoken here, HTTP/1.1 is"
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return "a request names its Host exactly once, as host or host:port"
    if codings and (version == "1.0" or codings != (b"chunked",)):
        return "the only Transfer-Encoding that is understood is `chunked`, in HTTP/1.1"
    return None


def size_fault(url: bytes, headers: list[tuple[bytes, bytes]]) -> Fault | None:
    """The refusal of a head over its limits; None for one within them."""
    if len(url) > MAX_URL_BYTES:
        return 414, "address_too_long", "the address is longer than 8 kB"
    too_large = sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEADER_BYTES
    return HEADERS_TOO_LARGE if too_large else None


def unchunked(cycle: Any) -> None:
    """HTTP/1.0 knows no chunks: an answer of which nobody says how long it is ends with its connection.

    uvicorn would write it in chunks; to each piece of one that is not it says its length.
    """
    if cycle.scope["http_version"] != "1.0":
        return
    send: Any = cycle.send

    async def send_plainly(message: Any) -> None:
        if message["type"] == "http.response.start":
            if all(name != b"content-length" for name, _ in message["headers"]):
                cycle.chunked_encoding = False
        elif not cycle.expected_content_length:
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    cycle.send = send_plainly


class WholeCycle:
    """Stands for a request on the short way while its answer waits, in the words that uvicorn asks a cycle."""

    more_body = False
    body = b""

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    @property
    def message_event(self) -> asyncio.Event:
        """Nobody waits for more of a request that is there."""
        return asyncio.Event()
