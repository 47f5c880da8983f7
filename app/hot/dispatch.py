"""The front door: hot paths by one look-up, everything else to FastAPI; every answer leaves through here."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import PROBLEM_TYPE, Headers, Problem, problem_body, retry_later
from app.hot.body import Disconnected
from app.hot.cors import VARY, answer_headers, page_origin, preflight_headers
from app.hot.exchange import (
    Answer,
    ASGIApplication,
    Exchange,
    Handler,
    Receive,
    Scope,
    Send,
    request_id,
    traceparent,
)
from app.resources import Resources

ANY_ORIGIN: Final = (b"access-control-allow-origin", b"*")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A path of the fast tier. `public` answers go to any origin without credentials and may be cached by proxies."""

    name: str  # as the OpenAPI writes it
    method: str
    handler: Handler
    public: bool = False

    @property
    def methods(self) -> bytes:
        return f"{self.method}, {'HEAD, ' if self.method == 'GET' else ''}OPTIONS".encode()


@dataclass(frozen=True, slots=True)
class PathTable:
    """`exact` paths, and `below`: paths that are a prefix ending in a slash and one more segment."""

    exact: Mapping[str, HotRoute]
    below: Mapping[str, HotRoute]

    def find(self, path: str) -> HotRoute | None:
        return self.exact.get(path) or self.below.get(path[: path.rfind("/") + 1])


class Dispatch:
    """The ASGI application inside the lifespan: fast tier ahead of the cold one."""

    def __init__(self, table: PathTable, cold: ASGIApplication, resources: Resources) -> None:
        self._table = table
        self._cold = cold
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._table.find(scope["path"])
        if route is None:
            await self._cold(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        exchange = Exchange(scope, receive, headers, request_id(headers))
        try:
            answer = await self._answer(route, exchange)
        except Disconnected:
            return
        origin = None if route.public else headers.get(b"origin")
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": _headers(route, answer, exchange, origin),
            }
        )
        await send({"type": "http.response.body", "body": answer.body})
        self._resources.telemetry.answered(route.name, answer.status, time.perf_counter() - started)

    async def _answer(self, route: HotRoute, exchange: Exchange) -> Answer:
        try:
            method = exchange.scope["method"]
            if method == route.method or (method == "HEAD" and route.method == "GET"):
                return await route.handler(exchange, self._resources)
            return self._other_method(route, exchange)
        except Problem as problem:
            return problem_answer(problem, exchange.scope["path"])
        except (Disconnected, GeneratorExit):
            raise
        except Exception as error:  # noqa: BLE001 - the outermost loop of a worker: logged, and never a 500
            return unexpected(error, exchange.scope["path"], exchange.request_id)

    def _other_method(self, route: HotRoute, exchange: Exchange) -> Answer:
        method = exchange.scope["method"]
        if method == "OPTIONS":
            origin = page_origin(exchange.headers)
            preflight = preflight_headers(origin, route.methods, self._resources.keys)
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


def _headers(route: HotRoute, answer: Answer, exchange: Exchange, origin: bytes | None) -> Headers:
    headers: Headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", exchange.request_id),
        *answer.headers,
    ]
    if answer.status in (204, 304):
        del headers[:2]
    if answer.status != 204:
        _page_headers(headers, route, exchange, origin)
    if b"traceparent" in exchange.headers:
        trace = traceparent(exchange.headers)
        headers += [] if trace is None else [(b"traceparent", trace)]
    if answer.content_type is PROBLEM_TYPE:
        headers.append((b"cache-control", b"no-store"))
    return headers


def _page_headers(headers: Headers, route: HotRoute, exchange: Exchange, origin: bytes | None) -> None:
    if route.public:
        headers.append(ANY_ORIGIN)
    elif origin is None:
        headers.append(VARY)
    else:
        echoed = page_origin(exchange.headers)
        headers += [VARY] if echoed is None else answer_headers(echoed)
