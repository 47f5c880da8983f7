"""The cold tier's frame around FastAPI: request ids, limits, page headers, counting, and never a 500."""

import time
from collections.abc import Mapping
from typing import Final

from app.http.admission import AccessPolicy
from app.http.body import MAX_BODY, Disconnected, ReceiptDeadlines, check_length, too_large
from app.http.dispatch import problem_answer, unexpected
from app.http.errors import Headers, Problem
from app.http.exchange import (
    Answer,
    ASGIApplication,
    Exchange,
    Message,
    Receive,
    Scope,
    Send,
    answer_headers,
    page_origin,
    preflight_headers,
    request_id,
    traceparent,
)
from app.runtime.telemetry import OTHER_ROUTE

PAGE_PATHS: Final = (
    "/v1/recommendations",
    "/v1/projects/",
    "/sourceConfig",
    "/resonate.js",
)  # pages of other origins call these
LARGE_BODIES: Final[Mapping[str, int]] = {"/v1/products": 64 * 1024 * 1024}
LARGE_BODY_SECONDS: Final = 60.0
EXCHANGE: Final = "resonate.exchange"
SAFETY: Final = [(b"x-content-type-options", b"nosniff")]


class Cold:
    """The ASGI application of all that is not hot."""

    def __init__(self, application: ASGIApplication, deadlines: ReceiptDeadlines, access: AccessPolicy) -> None:
        self._application = application
        self._deadlines = deadlines
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        exchange = Exchange(scope, headers, request_id(headers))
        scope.setdefault("state", {})
        scope["state"][EXCHANGE] = exchange
        reply = _Reply(exchange, send)
        started = time.perf_counter()
        try:
            await self._serve(exchange, receive, reply)
        except Problem as problem:
            await reply.answer(problem_answer(problem, scope["path"]))
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 - the outermost loop of a worker: logged, and never a 500
            await reply.answer(unexpected(error, scope["path"], exchange.request_id))
        route = getattr(scope.get("route"), "path", OTHER_ROUTE)
        self._access.telemetry.answered(route, reply.status, time.perf_counter() - started)

    async def _serve(self, exchange: Exchange, receive: Receive, reply: "_Reply") -> None:
        scope = exchange.scope
        if scope["method"] == "OPTIONS" and scope["path"].startswith(PAGE_PATHS):
            origin = page_origin(exchange.headers)
            preflight = preflight_headers(origin, _page_methods(scope["path"]), self._access.keys)
            await reply.answer(Answer(204, b"", headers=preflight))
            return
        body = _Body(exchange, receive, self._deadlines)
        await self._application(scope, body.receive, reply.send)


class _Body:
    """Hands the body on within its limits: the deadline and size of the hot tier, larger ones for uploads."""

    def __init__(self, exchange: Exchange, receive: Receive, deadlines: ReceiptDeadlines) -> None:
        self._receive = receive
        self._deadlines = deadlines
        self._limit = LARGE_BODIES.get(exchange.scope["path"], MAX_BODY)
        self._streams = exchange.scope["path"] in LARGE_BODIES
        self._given = False
        self._received = 0
        check_length(exchange.headers, self._limit)

    async def receive(self) -> Message:
        if self._streams:
            return await self._piece()
        if self._given:
            return await self._receive()
        self._given = True
        body = await self._deadlines.collect(self._receive, self._limit)
        return {"type": "http.request", "body": body, "more_body": False}

    async def _piece(self) -> Message:
        """One piece of an upload; each piece has a deadline of its own, the whole a limit of size."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise too_large(self._limit)
        return message


class _Reply:
    """Sends the application's answer with our headers added, or one of our own while nothing has been sent."""

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._added()]
            if self.status >= 400 and all(name != b"cache-control" for name, _ in message["headers"]):
                message["headers"].append((b"cache-control", b"no-store"))
        await self._send(message)

    async def answer(self, answer: Answer) -> None:
        if self.status:  # too late to say anything else
            return
        headers: Headers = [*answer.headers]
        if answer.status not in (204, 304):
            headers += [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
        await self.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body})

    def _added(self) -> Headers:
        exchange = self._exchange
        added: Headers = [(b"x-request-id", exchange.request_id), *SAFETY]
        trace = traceparent(exchange.headers)
        if trace is not None:
            added.append((b"traceparent", trace))
        origin = page_origin(exchange.headers)
        if origin is not None and exchange.scope["path"].startswith(PAGE_PATHS) and self.status != 204:
            added += answer_headers(origin)
        return added


def _page_methods(path: str) -> bytes:
    return b"POST, OPTIONS" if path == "/v1/recommendations" else b"GET, OPTIONS"
