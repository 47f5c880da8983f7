"""Every request and every answer pass here: hot paths by one look-up, everything else to FastAPI."""

import logging
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from app.http.admission import AccessPolicy
from app.http.body import MAX_BODY, BodyReader, Disconnected, check_length, unpacked
from app.http.deadlines import Deadlines
from app.http.errors import Problem, not_written, problem_body, retry_later
from app.http.exchange import (
    ASGIApplication,
    Awaited,
    Exchange,
    HttpAnswer,
    Pages,
    Receive,
    Reply,
    Scope,
    Send,
    head,
    preflight,
)
from app.keys.scopes import PersonScope, scope_needed
from app.limits.metering import metered

logger = logging.getLogger(__name__)

State = TypeVar("State")  # what the handlers of an application work with
Handler = Callable[[Exchange, State, bytes], Reply]
Whole = tuple[HttpAnswer, Exchange, Pages]  # an answer, and what its head is made of
Later = Awaited[Whole] | Coroutine[Any, Any, Whole]


@dataclass(frozen=True, slots=True)
class HotRoute(Generic[State]):
    """A path of the fast tier. What pages of `every` origin may read goes without credentials, and proxies keep it."""

    name: str  # as the OpenAPI writes it
    method: str
    handler: Handler[State]
    pages: Pages = "keyed"
    scope: PersonScope | None = field(init=False)  # that a key needs for it

    def __post_init__(self) -> None:
        object.__setattr__(self, "scope", scope_needed(self.method, self.name))

    @property
    def methods(self) -> str:
        return f"{self.method}, {'HEAD, ' if self.method == 'GET' else ''}OPTIONS"


@dataclass(frozen=True, slots=True)
class PathTable(Generic[State]):
    """`exact` paths, and `below`: paths that are a prefix ending in a slash and one more segment."""

    exact: Mapping[str, HotRoute[State]]
    below: Mapping[str, HotRoute[State]]

    def route(self, scope: Scope) -> HotRoute[State] | None:
        """The route of a request. One slash at the end of an address means nothing, on hot and on cold paths: it is
        taken off. What is written `%2F` is part of an id.
        """
        path: str = scope["path"]
        found = self.exact.get(path)
        if found is not None:
            return found
        if path[-1:] == "/" and scope["raw_path"][-1:] == b"/" and scope["raw_path"][-2:] not in (b"/", b"//"):
            path = scope["path"] = path[:-1]
            scope["raw_path"] = scope["raw_path"][:-1]
            found = self.exact.get(path)
        return found or (self.below.get(path[: path.rfind("/") + 1]) if path[-1:] != "/" else None)


class Dispatch(Generic[State]):
    """The ASGI application inside the lifespan: fast tier ahead of the cold one.

    Our protocol has a shorter way to the fast tier, `answer_whole`, for bodies that came in one piece.
    """

    def __init__(
        self, table: PathTable[State], cold: ASGIApplication, deadlines: Deadlines, access: AccessPolicy, state: State
    ) -> None:
        self._table = table
        self._cold = cold
        self._deadlines = deadlines
        self._access = access
        self._clock = access.clock
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._table.route(scope)
        if route is None:
            await self._cold(scope, receive, send)
            return
        exchange = Exchange.of(scope, self._access.ids)
        try:
            check_length(exchange.headers, MAX_BODY)
            body = await BodyReader(receive, self._deadlines).whole()
        except Disconnected:
            return
        except Problem as problem:
            answered = self._closed(route, exchange, failure(problem, exchange))
        else:
            whole = self._answer(route, exchange, body, self._clock.now())
            answered = whole if isinstance(whole, tuple) else await whole
        answer = answered[0]
        await send({"type": "http.response.start", "status": answer.status, "headers": head(*answered)})
        await send({"type": "http.response.body", "body": answer.body})

    def answer_whole(self, scope: Scope, body: bytes) -> Whole | Later | None:
        """The answer to a request whose body is all there; None where the path is not of the fast tier."""
        route = self._table.route(scope)
        if route is None:
            return None
        exchange = Exchange.of(scope, self._access.ids)
        return self._answer(route, exchange, body, exchange.started)

    def _answer(self, route: HotRoute[State], exchange: Exchange, body: bytes, began: float) -> Whole | Later:
        method = exchange.scope["method"]
        exchange.needs = route.scope
        try:
            if method == route.method or (method == "HEAD" and route.method == "GET"):
                if b"content-encoding" in exchange.headers or len(body) > MAX_BODY:
                    body = unpacked(exchange.headers, body)
                answer = route.handler(exchange, self._state, body)
            elif method == "OPTIONS":
                answer = preflight(exchange, route.pages, route.methods.encode(), self._access.keys)
            else:
                raise method_not_allowed(method, route.methods)
        except Exception as error:  # noqa: BLE001 - the outermost loop of a worker: never a 500
            answer = failure(error, exchange)
        exchange.cpu_seconds, exchange.body_bytes = self._clock.since(began), len(body)
        if isinstance(answer, HttpAnswer):
            return self._closed(route, exchange, answer)
        if exchange.is_costly:
            exchange.charge(self._clock.now())
        if isinstance(answer, Awaited):
            return Awaited(answer.future, partial(self._made, route, exchange, answer.make))
        return self._later(route, exchange, answer)

    def _made(self, route: HotRoute[State], exchange: Exchange, make: Callable[[], HttpAnswer]) -> Whole:
        began = self._clock.now()
        try:
            answer = make()
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the outermost loop of a worker: never a 500
            answer = failure(error, exchange)
        exchange.cpu_seconds += self._clock.since(began)
        return self._closed(route, exchange, answer)

    async def _later(
        self, route: HotRoute[State], exchange: Exchange, pending: Coroutine[Any, Any, HttpAnswer]
    ) -> Whole:
        try:
            answer = await metered(pending, self._clock, exchange)
        except Exception as error:  # noqa: BLE001 - the outermost loop of a worker: never a 500
            answer = failure(error, exchange)
        return self._closed(route, exchange, answer)

    def _closed(self, route: HotRoute[State], exchange: Exchange, answer: HttpAnswer) -> Whole:
        """The answer, counted and charged; of events that it refused as a whole somebody is told."""
        if answer.status >= 400:
            self._access.telemetry.refused(exchange.refusal)
            if route.scope == "track":
                self._access.not_read(route.name, answer.status, answer.body)
        now = self._clock.now()
        exchange.charge(now)
        self._access.telemetry.answered(route.name, answer.status, now - exchange.started)
        return answer, exchange, route.pages


def failure(error: BaseException, exchange: Exchange) -> HttpAnswer:
    """A problem in the words of the path's dialect."""
    problem = problem_of(error, exchange)
    content_type, body = problem_body(problem, exchange.scope["path"])
    return HttpAnswer(problem.status, body, content_type, problem.headers)


def problem_of(error: BaseException, exchange: Exchange) -> Problem:
    """What nobody foresaw is logged with its trace and answered as a passing fault, so that clients send it again."""
    if isinstance(error, Problem):
        exchange.refusal = error.code
        return error
    if (unwritten := not_written(error)) is not None:
        exchange.refusal = unwritten.code
        return unwritten
    exchange.refusal = "unexpected_error"
    request, key = exchange.request_id.decode(), exchange.grant.name if exchange.grant else None
    told = {"request_id": request, "route": exchange.scope["path"][:200], "key": key}
    logger.error("unexpected error", exc_info=error, extra=told)
    detail = f"something unexpected happened here; it is in the log under request {request}"
    return retry_later(503, "unexpected_error", detail, 1)


def method_not_allowed(method: str, allowed: str) -> Problem:
    """405, naming what is allowed."""
    detail = f"{method[:20]} is not a method of this address; it takes {allowed}"
    return Problem(405, "method_not_allowed", detail, headers={"Allow": allowed})
