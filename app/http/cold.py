"""The cold tier's frame around FastAPI: request ids, limits, page headers, counting, and never a 500."""

from collections.abc import Callable, Mapping
from typing import Final

from app.http.admission import AccessPolicy
from app.http.body import MAX_BODY, BodyReader, Disconnected, check_length
from app.http.compression import Packing
from app.http.deadlines import Deadlines
from app.http.dispatch import failure
from app.http.exchange import (
    ASGIApplication,
    Exchange,
    HttpAnswer,
    Message,
    Pages,
    Receive,
    Scope,
    Send,
    head,
    preflight,
)
from app.limits.metering import metered
from app.runtime.telemetry import OTHER_ROUTE

# pages of other origins call these
PAGE_PATHS: Final = ("/v1/recommendations", "/v1/projects/", "/sourceConfig", "/resonate.js")
UPLOADS: Final[Mapping[str, int]] = {  # largest body of what is taken piece by piece
    "/v1/products": 64 * 1024 * 1024,
    "/v1/personalize/batch": 16 * 1024 * 1024,
}
# Read whole beyond what a form may have, so that its answer is a page: a browser that is cut off shows none.
FORMS: Final = ("/dashboard/", 4 * 1024 * 1024)
LOOKED_AT: Final = ("/dashboard", "/share")
"""What people look at. Who asks for its head alone (HEAD) is answered as to GET, and the server leaves out the body."""
EXCHANGE: Final = "resonate.exchange"
Failing = Callable[[BaseException, Exchange], HttpAnswer]


class Cold:
    """The ASGI application of all that is not hot."""

    def __init__(
        self, application: ASGIApplication, deadlines: Deadlines, access: AccessPolicy, failing: Failing = failure
    ) -> None:
        """`failing` is the answer to what the application raises, or what keeps it from being asked."""
        self._application = application
        self._deadlines = deadlines
        self._access = access
        self._failing = failing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["method"] == "HEAD" and path.startswith(LOOKED_AT):
            scope = {**scope, "method": "GET"}
        exchange = Exchange.of(scope, self._access.ids)
        scope.setdefault("state", {})[EXCHANGE] = exchange
        pages: Pages = "keyed" if path.startswith(PAGE_PATHS) else "none"
        reply = _Reply(exchange, send, pages)
        try:
            if scope["method"] == "OPTIONS" and pages == "keyed":
                methods = b"POST, OPTIONS" if path == "/v1/recommendations" else b"GET, OPTIONS"
                await reply.answer(preflight(exchange, pages, methods, self._access.keys))
            else:
                limit = FORMS[1] if path.startswith(FORMS[0]) else UPLOADS.get(path, MAX_BODY)
                check_length(exchange.headers, limit)
                reader = BodyReader(receive, self._deadlines, limit)
                receiving = reader.piece if path in UPLOADS else reader.receive
                # what changes something is done, whoever waits for it
                exchange.hang_up = reader.hang_up if scope["method"] == "GET" else None
                try:
                    await metered(self._answered(scope, receiving, reply.send), self._access.clock, exchange)
                finally:
                    exchange.charge(self._access.clock.now())
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 - the outermost loop of a worker: never a 500
            await reply.answer(self._failed(error, exchange))
        if reply.status >= 400:
            self._access.telemetry.refused(exchange.refusal)
        route = getattr(scope.get("route"), "path", OTHER_ROUTE)
        self._access.telemetry.answered(route, reply.status, self._access.clock.now() - exchange.started)

    def _failed(self, error: BaseException, exchange: Exchange) -> HttpAnswer:
        """What is answered to an error; where that itself fails, the plainest words there are."""
        try:
            return self._failing(error, exchange)
        except Exception as worse:  # noqa: BLE001 - the outermost loop of a worker: never a 500
            return failure(worse, exchange)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)


class _Reply:
    """Sends the application's answer with our headers added, or one of our own while nothing has been sent."""

    def __init__(self, exchange: Exchange, send: Send, pages: Pages) -> None:
        self._exchange = exchange
        self._send = send
        self._pages: Pages = pages
        self._packing = Packing(exchange) if exchange.scope["method"] == "GET" else None
        self._begun = False
        self.status = 0

    async def send(self, message: Message) -> None:
        if message.get("status") == 500:  # Starlette's word for an exception, which it raises on to us
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = head(
                HttpAnswer(self.status, b"", b"", message["headers"]), self._exchange, self._pages
            )
        if self.status:
            for each in [message] if self._packing is None else self._packing.messages(message):
                self._begun = True
                await self._send(each)

    async def answer(self, answer: HttpAnswer) -> None:
        if self._begun:  # too late to say anything else
            return
        self.status, self._begun = answer.status, True
        headers = head(answer, self._exchange, self._pages)
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body})
