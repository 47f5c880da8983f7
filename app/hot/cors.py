"""What browsers of other origins may do: headers for answers and preflights of the routes that pages call."""

from typing import Final

from app.access import Keys
from app.errors import Headers

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
