"""Reads a request body within its limits: size before and after decompression, and five seconds to arrive."""

import asyncio
import re
import zlib
from typing import Any, Final, TypeVar

import msgspec

from app.http.errors import Problem, unreadable
from app.http.exchange import Receive

MAX_BODY: Final = 500_000
RECEIPT_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 0.25
MAX_MEMBERS: Final = 16  # each one copies what follows it
GZIP_WINDOW: Final = 31  # zlib's number for "gzip header, largest window"
SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Decoded = TypeVar("Decoded")


class Disconnected(Exception):
    """The caller went away before its body was complete; nobody is left to answer."""


class ReceiptDeadlines:
    """Ends the wait for bodies that take too long; one sweep for all, because a timer each costs more than reading."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()

    async def sweep(self) -> None:
        """Runs as long as the worker does."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            latest = asyncio.get_running_loop().time() - RECEIPT_SECONDS
            for task, since in list(self._waiting.items()):
                if since < latest:
                    self._expired.add(task)
                    del self._waiting[task]
                    task.cancel()

    async def collect(self, receive: Receive, limit: int) -> bytes:
        """The whole body as it was sent. Raises Problem 408 or 413, Disconnected."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = task.get_loop().time()
        try:
            return await _collect(receive, limit)
        except asyncio.CancelledError:
            if task not in self._expired or task.uncancel():
                raise
            raise _slow() from None
        finally:
            self._waiting.pop(task, None)
            self._expired.discard(task)


def check_length(headers: dict[bytes, bytes], limit: int) -> None:
    """Refuses a body by the length it announces, before any of it is read. Raises Problem 413."""
    length = headers.get(b"content-length")
    if length is not None and int(length) > limit:  # the parser has refused a length that is not a number
        raise too_large(limit)


def unpacked(headers: dict[bytes, bytes], body: bytes) -> bytes:
    """The body as its sender meant it, decompressed where it says gzip. Raises Problem 400, 413 or 415."""
    if len(body) > MAX_BODY:
        raise too_large(MAX_BODY)
    encoding = headers.get(b"content-encoding")
    return decompressed(body, MAX_BODY) if encoding is not None and _is_gzip(encoding) else body


def decompressed(body: bytes, limit: int) -> bytes:
    """Gzip, all its members, never unpacking more than `limit` bytes. Raises Problem 400 or 413."""
    parts: list[bytes] = []
    left = limit
    while body:
        if len(parts) == MAX_MEMBERS:
            raise unreadable(f"the gzip body has more than {MAX_MEMBERS} members")
        unpacker = zlib.decompressobj(GZIP_WINDOW)
        try:
            part = unpacker.decompress(body, left + 1)
        except zlib.error:
            raise unreadable("Content-Encoding says gzip, and the body is not valid gzip") from None
        left -= len(part)
        if left < 0:
            raise too_large(limit)
        if not unpacker.eof:
            raise unreadable("the gzip body ends too early")
        parts.append(part)
        body = unpacker.unused_data
    return b"".join(parts)


def decode(body: bytes, decoder: "msgspec.json.Decoder[Decoded]") -> Decoded:
    """The body as JSON of the decoder's type. Raises Problem 400 that says where it stops making sense."""
    if body.startswith(BYTE_ORDER_MARK):
        body = body[len(BYTE_ORDER_MARK) :]
    if not body:
        raise unreadable("the body is empty; it must be JSON")
    try:
        return decoder.decode(body)
    except RecursionError:
        raise unreadable("the body is nested deeper than 32 levels") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(f"the body is not what it should be: {_plain(error, body)}") from None


def too_large(limit: int) -> Problem:
    """413, before or after decompression."""
    return Problem(413, "body_too_large", f"the body may have {limit} bytes, before and after decompression")


async def _collect(receive: Receive, limit: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        if len(body) > limit:
            break
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise Disconnected
    if len(body) > limit:
        raise too_large(limit)
    return body


def _slow() -> Problem:
    detail = f"the body took longer than {RECEIPT_SECONDS:g} s to arrive"
    return Problem(408, "slow_body", detail, headers={"Connection": "close"})


def _is_gzip(encoding: bytes) -> bool:
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return False
    if name in (b"gzip", b"x-gzip"):
        return True
    raise Problem(
        415, "encoding_not_supported", "Content-Encoding may be gzip or absent", headers={"Accept-Encoding": "gzip"}
    )


def _plain(error: Exception, body: bytes) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    said = str(error)
    cut_off = "truncated" in said and not body.rstrip().endswith((b"}", b"]"))
    if not cut_off and SURROGATE.search(body) and ("surrogate" in said or "truncated" in said):
        return "a \\u escape is half of a surrogate pair; write both halves, or the character itself in UTF-8"
    return said
