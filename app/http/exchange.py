"""One request on the fast tier, its answer, and what browsers of other origins may do with it."""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from app.http.access import Grant, Keys
from app.http.errors import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON: Final = b"application/json"
REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._\-]{1,64}")
TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_PREFIX = secrets.token_hex(8)  # with the counter below an id that no other worker and no other start gives
_NUMBERS = itertools.count(1)


class Answer(NamedTuple):
    """Status, body and what is not the same for every answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = []  # noqa: RUF012 - never changed


@dataclass(slots=True)
class Exchange:
    """What a handler may look at. `headers` has lower-case names; `grant` is set once the key is known."""

    scope: Scope
    headers: dict[bytes, bytes]
    request_id: bytes
    grant: Grant | None = None

    @property
    def user_agent(self) -> str:
        return self.headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def query(self) -> bytes:
        return self.scope["query_string"]


# A handler gets the whole body. It returns what it can say at once, and a coroutine where it must wait for the log.
Pending = Coroutine[Any, Any, Answer]


def new_id() -> str:
    """An id that is unique over workers and starts: 64 random bits of this process and a running number."""
    return f"{_PREFIX}{next(_NUMBERS):08x}"


def request_id(headers: dict[bytes, bytes]) -> bytes:
    """The caller's `X-Request-Id` where it is harmless, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and REQUEST_ID.fullmatch(given):
        return given
    return new_id().encode()


def traceparent(headers: dict[bytes, bytes]) -> bytes | None:
    """The caller's W3C trace context where it is well-formed."""
    given = headers.get(b"traceparent")
    return given if given is not None and TRACEPARENT.fullmatch(given) else None


MAX_ORIGIN: Final = 300
MAX_AGE_SECONDS: Final = 7_200
ALLOWED_HEADERS: Final = (
    b"authorization, content-type, if-none-match, x-api-key, x-retry-count, anonymousid, sentat, idempotency-key, "
    b"content-encoding, x-request-id, traceparent"
)
EXPOSED_HEADERS: Final = b"ETag, Retry-After, x-sse-support, X-Request-Id"
PUBLIC: Final[Headers] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED_HEADERS),
]
VARY: Final = (b"vary", b"Origin")


def page_origin(headers: dict[bytes, bytes]) -> bytes | None:
    """The request's origin, if it is one that may be echoed into a header."""
    origin = headers.get(b"origin")
    if origin is None or len(origin) > MAX_ORIGIN or not (origin.isascii() and origin.decode("ascii").isprintable()):
        return None
    return origin


def answer_headers(origin: bytes) -> Headers:
    """For an answer to a page of `origin`, whatever its status; never `*`, because credentials are allowed."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", EXPOSED_HEADERS),
        VARY,
    ]


def preflight_headers(origin: bytes | None, methods: bytes, keys: Keys) -> Headers:
    """For an OPTIONS request: a preflight carries no key, so any key that lets the origin in will do."""
    headers: Headers = [(b"allow", methods), VARY]
    if origin is None or not keys.allows_origin(origin.decode("ascii")):
        return headers
    return [
        *headers,
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        *_permissions(methods),
    ]


def public_preflight_headers(methods: bytes) -> Headers:
    """For an OPTIONS request to what every page may read; `PUBLIC` goes with it, as with every public answer."""
    return [(b"allow", methods), *_permissions(methods)]


def _permissions(methods: bytes) -> Headers:
    return [
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
    ]


def matches(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether `If-None-Match` names this strong ETag, alone, in a list, weakly, or by `*`."""
    if if_none_match is None:
        return False
    names = [name.strip().removeprefix(b"W/") for name in if_none_match.split(b",")]
    return etag.removeprefix(b"W/") in names or b"*" in names
