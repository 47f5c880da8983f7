"""One request, its answer, and the head of that answer: request id, trace, and what other origins' pages may do."""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from app.http.access import Grant, Keys
from app.http.errors import JSON_TYPE, Headers
from app.identity.people import ABSENT, Standing
from app.keys.scopes import PersonScope
from app.limits.budgets import Tab
from events.authority import Authority

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
# Of other origins all pages, those that a key allows, those too but with cookies only such that it lists, or none.
Pages = Literal["every", "keyed", "listed", "none"]

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._\-]{1,64}")
TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
MAX_ORIGIN: Final = 300
REFUSED: Final = "resonate.refused"  # in the scope of a request whose caller has used up a budget
MAX_AGE_SECONDS: Final = 7_200
ALLOWED_HEADERS: Final = (
    b"authorization, content-type, if-none-match, x-api-key, x-retry-count, anonymousid, sentat, idempotency-key, "
    b"content-encoding, x-request-id, traceparent, x-resonate-user, "
    b"x-resonate-consent"
)
EXPOSE: Final = (b"access-control-expose-headers", b"ETag, Retry-After, x-sse-support, X-Request-Id")
EVERY_PAGE: Final[Headers] = [(b"access-control-allow-origin", b"*"), EXPOSE]
CREDENTIALS: Final = (b"access-control-allow-credentials", b"true")
VARY: Final = (b"vary", b"Origin")
NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
NEVER_STORED: Final = (b"cache-control", b"no-store")
USUAL_LINES: Final = (
    b"x-request-id: %b\r\nx-content-type-options: nosniff\r\ncontent-type: %b\r\ncontent-length: %d\r\nvary: Origin\r\n"
)


class HttpAnswer(NamedTuple):
    """Status, body, what is not the same for every answer, and what it goes on with (`app/http/streams.py`)."""

    status: int
    body: bytes
    content_type: bytes = JSON_TYPE  # empty where `headers` say it
    headers: Headers = []  # noqa: RUF012 - never changed
    stream: Any = None


Made = TypeVar("Made")


@dataclass(slots=True)
class Awaited(Generic[Made]):
    """What is made at once when this future is done, however it ends. No task has to wait for it."""

    future: asyncio.Future[Any]
    make: Callable[[], Made]

    def __await__(self) -> Generator[Any, None, Made]:
        yield from asyncio.wait([self.future]).__await__()
        return self.make()


# A handler gets the whole body. It returns what it can say at once, else what waits: for one future, or for several
# things in a coroutine.
Pending = Awaited[HttpAnswer] | Coroutine[Any, Any, HttpAnswer]
Reply = HttpAnswer | Pending


@dataclass(slots=True)
class Exchange:
    """What a handler may look at. `headers` has lower-case names; `grant` is set once the key is known, and with it
    `authority`, that of what is said here; a proof of the user that the request names sets `standing`, and raises it.

    `notes` are headers that the answer gets whatever it is. `network` is the caller's, empty where it cannot be told;
    on its `tab` goes what the numbers below it say, which are those of what was not charged yet. `hang_up` is over when
    the caller has gone away, where that is worth knowing.
    """

    scope: Scope = field(repr=False)  # with what follows it may name somebody: no line of the log shows it
    headers: dict[bytes, bytes] = field(repr=False)
    request_id: bytes  # the caller's `X-Request-Id` where it is harmless, else a new one
    started: float  # by the clock of the budgets
    grant: Grant | None = None
    needs: PersonScope | None = None  # of a key or a person, by its route; until that is known nobody has enough
    person: str = ""  # the e-mail of who is signed in
    authority: Authority = Authority.PAGE
    origin_listed: bool = False  # the key names the origin of the page, which `*` does not
    standing: Standing = ABSENT
    notes: Sequence[tuple[bytes, bytes]] = ()
    refusal: str = ""  # the code that is told to who is refused
    network: str = ""
    tab: Tab | None = None
    hang_up: Callable[[], Coroutine[Any, Any, None]] | None = None
    requests: int = 1
    cpu_seconds: float = 0.0
    body_bytes: int = 0
    events: int = 0

    @classmethod
    def of(cls, scope: Scope, ids: Iterator[str]) -> "Exchange":
        """The exchange that a request begins."""
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        if given is None or not REQUEST_ID.fullmatch(given):
            given = next(ids).encode()
        return cls(scope, headers, given, time.monotonic())

    @property
    def visitors_agent(self) -> str:
        """The user agent of the visitor: empty with a secret key, whose caller's own says nothing about anybody."""
        if self.grant is not None and self.grant.secret:
            return ""
        return self.headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def user_token(self) -> str | None:
        """What `X-Resonate-User` sends to prove a user."""
        given = self.headers.get(b"x-resonate-user")
        return None if given is None else given.decode("latin-1")

    def settle(self, standing: Standing) -> None:
        """From now on it is known how far the user is believed whom a page names."""
        self.standing, self.authority = standing, standing.authority

    def charge(self, now: float) -> None:
        """Puts what was done since the last time on the caller's tab."""
        if self.tab is not None:
            self.tab.charge(now, self.requests, self.cpu_seconds * 1e3, self.body_bytes / 1e3, self.events)
        self.requests, self.cpu_seconds, self.body_bytes, self.events = 0, 0.0, 0, 0

    @property
    def is_costly(self) -> bool:
        """Whether what was done for it has to be charged before it is answered, and others are let in."""
        return self.cpu_seconds > 1e-3 or self.events > 10 or self.body_bytes > 10_000

    @property
    def traceparent(self) -> bytes | None:
        """The caller's W3C trace context where it is well-formed."""
        given = self.headers.get(b"traceparent")
        return given if given is not None and TRACEPARENT.fullmatch(given) else None


def unique_ids() -> Iterator[str]:
    """Ids that no other worker and no other start gives: 64 random bits and a running number."""
    return map(f"{secrets.token_hex(8)}%08x".__mod__, itertools.count(1))


def head(answer: HttpAnswer, exchange: Exchange, pages: Pages) -> Headers:
    """All headers of an answer. A page of another origin may read it whatever its status, where `pages` lets it in."""
    status, given = answer.status, exchange.headers
    headers: Headers = [(b"x-request-id", exchange.request_id), NO_SNIFFING, *answer.headers, *exchange.notes]
    if answer.content_type and status not in (204, 304):
        headers += ((b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body)))
    if pages == "every":
        headers += EVERY_PAGE
    elif pages != "none" and exchange.scope["method"] != "OPTIONS":  # a preflight says it itself
        origin = page_origin(given) if b"origin" in given else None  # never `*`, because credentials are allowed
        allowed: Headers = [] if origin is None else [(b"access-control-allow-origin", origin), EXPOSE]
        if allowed and (pages == "keyed" or exchange.origin_listed):
            allowed.append(CREDENTIALS)
        headers += (*allowed, VARY)
    if b"traceparent" in given and exchange.traceparent is not None:
        headers.append((b"traceparent", exchange.traceparent))
    if status >= 400 and all(name != b"cache-control" for name, _ in answer.headers):
        headers.append(NEVER_STORED)
    return headers


def head_lines(answer: HttpAnswer, exchange: Exchange, pages: Pages) -> bytes:
    """The same as it is sent; most answers have nothing of their own in it."""
    status, given = answer.status, exchange.headers
    if (
        status == 200
        and pages in ("keyed", "listed")
        and answer.content_type
        and not answer.headers
        and not exchange.notes
        and b"origin" not in given
        and b"traceparent" not in given
    ):
        return USUAL_LINES % (exchange.request_id, answer.content_type, len(answer.body))
    return b"".join([b"%b: %b\r\n" % line for line in head(answer, exchange, pages)])


def preflight(exchange: Exchange, pages: Pages, methods: bytes, keys: Keys) -> HttpAnswer:
    """The answer to OPTIONS: a preflight carries no key, so any key that lets the origin in will do."""
    headers: Headers = [(b"allow", methods)]
    origin = page_origin(exchange.headers)
    if pages in ("keyed", "listed"):
        headers.append(VARY)
        if origin is None or not keys.allows_origin(origin.decode("ascii")):
            return HttpAnswer(204, b"", headers=headers)
        headers.append((b"access-control-allow-origin", origin))
        if pages == "keyed" or keys.lists_origin(origin.decode("ascii")):
            headers.append(CREDENTIALS)
    headers += [
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
    ]
    return HttpAnswer(204, b"", headers=headers)


def page_origin(headers: dict[bytes, bytes]) -> bytes | None:
    """The request's origin, if it is one that may be echoed into a header."""
    origin = headers.get(b"origin")
    if origin is None or len(origin) > MAX_ORIGIN or not (origin.isascii() and origin.decode("ascii").isprintable()):
        return None
    return origin


def matches(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether `If-None-Match` names this strong ETag, alone, in a list, weakly, as that of the form in gzip or not, or
    by `*`.
    """
    if if_none_match is None:
        return False
    names = [name.strip().removeprefix(b"W/").replace(b'-gzip"', b'"') for name in if_none_match.split(b",")]
    return etag.removeprefix(b"W/").replace(b'-gzip"', b'"') in names or b"*" in names
