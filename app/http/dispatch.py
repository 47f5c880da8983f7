"""The front door: hot paths by one look-up, everything else to FastAPI; every answer leaves through here."""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.http.admission import AccessPolicy
from app.http.body import MAX_BODY, Disconnected, ReceiptDeadlines, check_length, unpacked
from app.http.errors import PROBLEM_TYPE, Headers, Problem, problem_body, retry_later
from app.http.exchange import (
    PUBLIC,
    VARY,
    Answer,
    ASGIApplication,
    Exchange,
    Pending,
    Receive,
    Scope,
    Send,
    answer_headers,
    page_origin,
    preflight_headers,
    public_preflight_headers,
    request_id,
    traceparent,
)

logger = logging.getLogger(__name__)


State = TypeVar("State")  # what the handlers of an application work with
Handler = Callable[[Exchange, State, bytes], Answer | Pending]


Whole = tuple[Answer, Headers]  # an answer and all its headers, ready to be written


@dataclass(frozen=True, slots=True)
class HotRoute(Generic[State]):
    """A path of the fast tier. `public` answers go to any origin without credentials and may be cached by proxies."""

    name: str  # as the OpenAPI writes it
    method: str
    handler: Handler[State]
    public: bool = False

    @property
    def methods(self) -> bytes:
        return f"{self.method}, {'HEAD, ' if self.method == 'GET' else ''}OPTIONS".encode()


@dataclass(frozen=True, slots=True)
class PathTable(Generic[State]):
    """`exact` paths, and `below`: paths that are a prefix ending in a slash and one more segment."""

    exact: Mapping[str, HotRoute[State]]
    below: Mapping[str, HotRoute[State]]

    def find(self, path: str) -> HotRoute[State] | None:
        return self.exact.get(path) or self.below.get(path[: path.rfind("/") + 1])


class Dispatch(Generic[State]):
    """The ASGI application inside the lifespan: fast tier ahead of the cold one.

    Our protocol has a shorter way to the fast tier, `answer_whole`, for bodies that came in one piece.
    """

    def __init__(
        self,
        table: PathTable[State],
        cold: ASGIApplication,
        deadlines: ReceiptDeadlines,
        access: AccessPolicy,
        state: State,
    ) -> None:
        self._table = table
        self._cold = cold
        self._deadlines = deadlines
        self._access = access
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._table.find(scope["path"])
        if route is None:
            await self._cold(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        exchange = Exchange(scope, headers, request_id(headers))
        try:
            answer = await self._received(route, exchange, receive)
        except Disconnected:
            return
        head = self._closed(route, exchange, answer, started)
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        await send({"type": "http.response.body", "body": answer.body})

    def answer_whole(self, scope: Scope, body: bytes) -> "Whole | Coroutine[Any, Any, Whole] | None":
        """The answer to a request whose body is all there; None where the path is not of the fast tier."""
        route = self._table.find(scope["path"])
        if route is None:
            return None
        started = time.perf_counter()
        headers = dict(scope["headers"])
        exchange = Exchange(scope, headers, request_id(headers))
        answer = self._answer(route, exchange, body)
        if isinstance(answer, Answer):
            return answer, self._closed(route, exchange, answer, started)
        return self._later(route, exchange, answer, started)

    async def _received(self, route: HotRoute[State], exchange: Exchange, receive: Receive) -> Answer:
        try:
            check_length(exchange.headers, MAX_BODY)
            body = await self._deadlines.collect(receive, MAX_BODY)
        except Problem as problem:
            return problem_answer(problem, exchange.scope["path"])
        answer = self._answer(route, exchange, body)
        return answer if isinstance(answer, Answer) else await self._awaited(exchange, answer)

    def _answer(self, route: HotRoute[State], exchange: Exchange, body: bytes) -> Answer | Pending:
        try:
            method = exchange.scope["method"]
            if method == route.method or (method == "HEAD" and route.method == "GET"):
                return route.handler(exchange, self._state, unpacked(exchange.headers, body))
            return self._other_method(route, exchange)
        except Problem as problem:
            return problem_answer(problem, exchange.scope["path"])
        except Exception as error:  # noqa: BLE001 - the outermost loop of a worker: logged, and never a 500
            return unexpected(error, exchange.scope["path"], exchange.request_id)

    async def _awaited(self, exchange: Exchange, pending: Pending) -> Answer:
        try:
            return await pending
        except Problem as problem:
            return problem_answer(problem, exchange.scope["path"])
        except Exception as error:  # noqa: BLE001 - the outermost loop of a worker: logged, and never a 500
            return unexpected(error, exchange.scope["path"], exchange.request_id)

    async def _later(self, route: HotRoute[State], exchange: Exchange, pending: Pending, started: float) -> "Whole":
        answer = await self._awaited(exchange, pending)
        return answer, self._closed(route, exchange, answer, started)

    def _closed(self, route: HotRoute[State], exchange: Exchange, answer: Answer, started: float) -> Headers:
        """Counts the answer and gives its headers."""
        self._access.telemetry.answered(route.name, answer.status, time.perf_counter() - started)
        return _headers(route, answer, exchange)

    def _other_method(self, route: HotRoute[State], exchange: Exchange) -> Answer:
        method = exchange.scope["method"]
        if method == "OPTIONS" and route.public:
            return Answer(204, b"", headers=public_preflight_headers(route.methods))
        if method == "OPTIONS":
            origin = page_origin(exchange.headers)
            preflight = preflight_headers(origin, route.methods, self._access.keys)
            return Answer(204, b"", headers=preflight)
        raise method_not_allowed(method, route.methods.decode())


def problem_answer(problem: Problem, path: str) -> Answer:
    """A problem in the words of the path's dialect."""
    content_type, body = problem_body(problem, path)
    return Answer(problem.status, body, content_type, problem.headers)


def unexpected(error: Exception, path: str, request: bytes) -> Answer:
    """What nobody foresaw: logged with its trace, answered as a passing fault, so that clients send it again."""
    logger.error("unexpected error", exc_info=error, extra={"request_id": request.decode(), "route": path[:200]})
    detail = f"something unexpected happened here; it is in the log under request {request.decode()}"
    return problem_answer(retry_later(503, "unexpected_error", detail, 1), path)


def method_not_allowed(method: str, allowed: str) -> Problem:
    """405, naming what is allowed."""
    detail = f"{method[:20]} is not a method of this address; it takes {allowed}"
    return Problem(405, "method_not_allowed", detail, headers={"Allow": allowed})


def _headers(route: HotRoute[Any], answer: Answer, exchange: Exchange) -> Headers:
    status, given = answer.status, exchange.headers
    headers: Headers = [(b"x-request-id", exchange.request_id), *answer.headers]
    if status != 204 and status != 304:
        headers += ((b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body)))
    if route.public:
        headers += PUBLIC
    elif status != 204:
        origin = page_origin(given) if b"origin" in given else None
        headers += answer_headers(origin) if origin is not None else (VARY,)
    if b"traceparent" in given:
        trace = traceparent(given)
        headers += [] if trace is None else [(b"traceparent", trace)]
    if answer.content_type is PROBLEM_TYPE:
        headers.append((b"cache-control", b"no-store"))
    return headers
