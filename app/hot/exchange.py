"""One request on the fast tier, and the answer to it."""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from app.access import Grant
from app.errors import Headers
from app.resources import Resources

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
Handler = Callable[[Exchange, Resources, bytes], Answer | Pending]


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
