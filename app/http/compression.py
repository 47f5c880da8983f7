"""Answers to GET as gzip, for who takes it: what is kept is packed once, what is made for one caller as it is sent.

A route that keeps what it answers (the SDKs' payload, a script) holds it as a `Kept` and lets that answer:

    kept = Kept(body, b'"%b"' % digest)                                # once per version
    return kept.answer(exchange, b"text/javascript", [(b"cache-control", b"public, max-age=30")])

That is 304 where the caller holds either form, and else the form that it takes, with its own strong ETag (`…-gzip"`).
Cold routes need nothing: `app/http/cold.py` packs what they answer. Streams are never packed, nor what a POST is told.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.http.errors import JSON_TYPE, Headers
from app.http.exchange import Exchange, HttpAnswer, Message, matches

LEAST: Final = 1_000  # bytes that are worth it
LEVEL: Final = 6
WINDOW: Final = 31  # zlib's number for "gzip header, largest window"
PACKED: Final = (b"content-encoding", b"gzip")
VARIES: Final = (b"vary", b"Accept-Encoding")
TEXTS: Final = re.compile(rb"text/(?!event-stream)|application/(?:json|x-ndjson|javascript)\b|image/svg")
TAKEN: Final = re.compile(r"(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q=(?P<weight>[0-9.]+)\s*)?(?:,|$)", re.IGNORECASE)


def takes_gzip(headers: Mapping[bytes, bytes]) -> bool:
    """Whether `Accept-Encoding` names gzip, and not with the weight 0."""
    given = headers.get(b"accept-encoding")
    if given is None:
        return False
    if given == b"gzip":
        return True
    found = TAKEN.search(given.decode("latin-1"))
    return found is not None and (found["weight"] or "1").strip("0.") != ""


def gzip_tag(etag: bytes) -> bytes:
    """The ETag of the packed form; a weak one says nothing of bytes, and holds for both."""
    return etag if etag.startswith(b"W/") else etag[:-1] + b'-gzip"'


class Kept:
    """A body that stands for as long as its version does, in both its forms, and their ETags."""

    __slots__ = ("_packed", "body", "etag")

    def __init__(self, body: bytes, etag: bytes) -> None:
        """`etag` is strong, in its quotes."""
        self.body = body
        self.etag = etag
        self._packed: bytes | None = None

    @property
    def packed(self) -> bytes:
        """The body as gzip, which says no date, so that it is the same in every worker; made when first asked for."""
        if self._packed is None:
            packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW)
            self._packed = packer.compress(self.body) + packer.flush()
        return self._packed

    def answer(
        self, exchange: Exchange, content_type: bytes = JSON_TYPE, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> HttpAnswer:
        """200 in the form that the caller takes, or 304 where it holds either."""
        told: Headers = [*headers]
        etag, packs = self.etag, False
        if len(self.body) >= LEAST:
            told.append(VARIES)
            packs = takes_gzip(exchange.headers)
            etag = gzip_tag(etag) if packs else etag
        told.append((b"etag", etag))
        if matches(exchange.headers.get(b"if-none-match"), etag):  # of whichever form
            return HttpAnswer(304, b"", headers=told)
        if packs:
            return HttpAnswer(200, self.packed, content_type, [*told, PACKED])
        return HttpAnswer(200, self.body, content_type, told)


class Packing:
    """One answer of an ASGI application on its way, packed where its caller takes that and it is worth it."""

    def __init__(self, exchange: Exchange) -> None:
        self._takes = takes_gzip(exchange.headers)
        self._held_tags = exchange.headers.get(b"if-none-match")
        self._start: Message | None = None
        self._packer: Any = None

    def messages(self, message: Message) -> list[Message]:
        """What is to be sent now for a message of the application."""
        if message["type"] == "http.response.start":
            if message["status"] == 304:
                message["headers"] = self._not_modified(message["headers"])
                return [message]
            kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
            if message["status"] != 200 or not TEXTS.match(kind):
                return [message]
            self._start = message
            return []
        start, self._start = self._start, None
        if start is not None:
            return self._begun(start, message)
        return [message] if self._packer is None else [self._piece(message)]

    def _begun(self, start: Message, first: Message) -> list[Message]:
        """The head, which was held back until it is known how much comes, and the first piece."""
        whole = not first.get("more_body", False)
        if whole and len(first.get("body", b"")) < LEAST:
            return [start, first]
        headers: Headers = [*start["headers"], VARIES]
        if self._takes:
            self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW)
            first = self._piece(first)
            left = [(name, value) for name, value in headers if name not in (b"content-length", b"etag")]
            tags = [(name, gzip_tag(value)) for name, value in headers if name == b"etag"]
            length = [(b"content-length", b"%d" % len(first["body"]))] if whole else []
            headers = [*left, *tags, PACKED, *length]
        start["headers"] = headers
        return [start, first]

    def _piece(self, message: Message) -> Message:
        ends = not message.get("more_body", False)
        packed = self._packer.compress(message.get("body", b""))
        return {**message, "body": packed + self._packer.flush(zlib.Z_FINISH if ends else zlib.Z_SYNC_FLUSH)}

    def _not_modified(self, headers: Headers) -> Headers:
        """With the tag of the form that the caller holds."""
        held = self._held_tags or b""
        packs = {value for name, value in headers if name == b"etag" and self._takes and gzip_tag(value) in held}
        return [(name, gzip_tag(value) if value in packs else value) for name, value in headers] + [VARIES]
