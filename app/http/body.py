"""Reads a request body within its limits: of size, before and after decompression, and of time to arrive."""

import re
import time
import zlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from app.http.deadlines import RECEIPT_SECONDS, UPLOAD_SECONDS, Deadlines
from app.http.errors import Problem, unreadable
from app.http.exchange import Message, Receive
from kit.values import Unusable, identifier

MAX_BODY: Final = 500_000
MAX_MEMBERS: Final = 16  # each one copies what follows it
GZIP_WINDOW: Final = 31  # zlib's number for "gzip header, largest window"
SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Decoded = TypeVar("Decoded")


class Disconnected(Exception):
    """The caller went away before its body was complete; nobody is left to answer."""


class BodyReader:
    """One body on its way: at most `limit` bytes, whole within 5 s, or piece by piece: 5 s for each, 60 s for all."""

    def __init__(self, receive: Receive, deadlines: Deadlines, limit: int = MAX_BODY) -> None:
        self._receive = receive
        self._deadlines = deadlines
        self._limit = limit
        self._began = time.monotonic()
        self._received = 0
        self._complete = False

    async def whole(self) -> bytes:
        """All of it. Raises Problem 408 or 413, Disconnected."""
        try:
            return await self._deadlines.within(RECEIPT_SECONDS, self._rest())
        except TimeoutError:
            raise _slow(f"the body took longer than {RECEIPT_SECONDS:g} s to arrive") from None

    async def receive(self) -> Message:
        """The whole body as one message of ASGI, and then what follows it. Raises as `whole` does."""
        if self._complete:
            return await self._receive()
        return {"type": "http.request", "body": await self.whole(), "more_body": False}

    async def hang_up(self) -> None:
        """Returns when the caller has gone away, which is asked once its body is whole or where it has none."""
        await self._rest()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def piece(self) -> Message:
        """The next message of ASGI's `receive`. Raises Problem 408 or 413, Disconnected."""
        if self._complete:
            return await self._receive()
        if time.monotonic() - self._began > UPLOAD_SECONDS:
            raise _slow(f"the upload took longer than {UPLOAD_SECONDS:g} s to arrive")
        try:
            return self._checked(await self._deadlines.within(RECEIPT_SECONDS, self._receive()))
        except TimeoutError:
            raise _slow(f"nothing of the upload arrived for {RECEIPT_SECONDS:g} s") from None

    async def _rest(self) -> bytes:
        body = b""
        while not self._complete:
            body += self._checked(await self._receive()).get("body", b"")
        return body

    def _checked(self, message: Message) -> Message:
        if message["type"] == "http.disconnect":
            raise Disconnected
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise too_large(self._limit)
        self._complete = not message.get("more_body", False)
        return message


def check_length(headers: dict[bytes, bytes], limit: int) -> None:
    """Refuses a body by the length it announces, before any of it is read. Raises Problem 413."""
    length = headers.get(b"content-length")
    if length is not None and int(length) > limit:  # the parser has refused a length that is not a number
        raise too_large(limit)


def unpacked(headers: dict[bytes, bytes], body: bytes) -> bytes:
    """The body as its sender meant it, decompressed where it says gzip. Raises Problem 400, 413 or 415."""
    if len(body) > MAX_BODY:
        raise too_large(MAX_BODY)
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if encoding in (b"", b"identity"):
        return body
    if encoding in (b"gzip", b"x-gzip"):
        return decompressed(body, MAX_BODY)
    taken = {"Accept-Encoding": "gzip"}
    raise Problem(415, "encoding_not_supported", "Content-Encoding may be gzip or absent", headers=taken)


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
    except UnicodeDecodeError as error:
        said = f"byte {error.start} is not UTF-8"
    except msgspec.DecodeError as error:
        said = str(error)
        cut_off = "truncated" in said and not body.rstrip().endswith((b"}", b"]"))
        if not cut_off and SURROGATE.search(body) and ("surrogate" in said or "truncated" in said):
            said = "a \\u escape is half of a surrogate pair; write both halves, or the character itself in UTF-8"
    raise unreadable(f"the body is not what it should be: {said}")


def told_id(value: Any, field: str) -> str | None:
    """The id that a body says at `field`, None where it says none. Raises Problem 400 for what can be none."""
    found = identifier(value)
    if isinstance(found, Unusable):
        raise Problem(400, "invalid_id", f"{field}: {found.reason}")
    return found


class ToldPeople(NamedTuple):
    """The visitor and the user that a body names; `repaired` is the member, with a comma before it, that says which of
    them could not be used and was left out.
    """

    visitor_id: str | None
    user_id: str | None
    repaired: bytes = b""


def told_people(visitor: Any, user: Any) -> ToldPeople:
    """Who a body names by `visitor_id` and `user_id`. One that can be no id is left out beside one that can.

    Raises Problem 400 where none can be one of those that are given.
    """
    visitor_id, user_id = identifier(visitor), identifier(user)
    if not isinstance(visitor_id, Unusable) and not isinstance(user_id, Unusable):
        return ToldPeople(visitor_id, user_id)
    if isinstance(visitor_id, str):
        return ToldPeople(visitor_id, None, _left_out("user_id", user_id))
    if isinstance(user_id, str):
        return ToldPeople(None, user_id, _left_out("visitor_id", visitor_id))
    wrong = {"visitor_id": visitor_id, "user_id": user_id}
    told = "; ".join([f"{name}: {found.reason}" for name, found in wrong.items() if isinstance(found, Unusable)])
    raise Problem(400, "invalid_id", told)


def _left_out(field: str, found: str | Unusable | None) -> bytes:
    said = (
        []
        if not isinstance(found, Unusable)
        else [{"field": field, "code": found.code, "message": f"{field}: {found.reason}"}]
    )
    return b',"repaired":' + msgspec.json.encode(said)


def told_ids(values: Iterable[Any]) -> list[str]:
    """Those of several values that are ids: a page whose list holds none of them is answered all the same."""
    return [found for found in map(identifier, values) if isinstance(found, str)]


def too_large(limit: int) -> Problem:
    """413, before or after decompression."""
    return Problem(413, "body_too_large", f"the body may have {limit} bytes, before and after decompression")


def _slow(detail: str) -> Problem:
    return Problem(408, "slow_body", detail, headers={"Connection": "close"})
