"""Builds the service from the one list of all routes: hot paths first, FastAPI behind them. The tour starts here."""

import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from app.answers.refusals import REFUSAL_CODES
from app.control.line import Line
from app.dashboard import assets
from app.dashboard.customers import cx as experience_page
from app.dashboard.customers import recommendations as recommendations_page
from app.dashboard.customers import visitor as visitor_page
from app.dashboard.pages import audit as audit_page
from app.dashboard.pages import events as events_page
from app.dashboard.pages import experiment, experiments, glossary, metrics, settings, sign_in
from app.dashboard.pages import operations as operations_page
from app.dashboard.pages import shares as shares_page
from app.dashboard.pages import steering as experiment_steering
from app.dashboard.program import new as new_page
from app.dashboard.program import plan as plan_page
from app.dashboard.program import program as program_page
from app.dashboard.refusals import failing_as_pages, is_page, refusal_page, to_pages, wants_pages
from app.dashboard.signed_in import note_who_asks
from app.delivery.payload import Features, Payloads
from app.delivery.streams import OFREP_STREAM, FeatureStream, OfrepStream
from app.http.address import Prefixed
from app.http.cold import EXCHANGE, LOOKED_AT, Cold
from app.http.deadlines import Deadlines
from app.http.dispatch import Dispatch, HotRoute, Later, PathTable, Whole, method_not_allowed, problem_of
from app.http.errors import OFREP_FLAGS, Problem, problem_body
from app.http.exchange import Exchange, HttpAnswer
from app.http.streams import Streams
from app.intake.ga4 import collect
from app.intake.paths import BATCH, other_clients_path, paths_of
from app.intake.pixel import PIXELS, Pixel
from app.intake.tracking import Tracking
from app.limits.connections import OpenConnections, Readers
from app.management import (
    audit,
    doctor,
    documentation,
    events,
    guides,
    operations,
    personalize_batch,
    products,
    results,
    visitors,
)
from app.reports import routes as reports
from app.reports.routes import is_share, share_refused
from app.routes import recommendations, sdk_settings
from app.routes.growthbook import RemoteEvaluation, ingest
from app.routes.ofrep import Ofrep
from app.routes.personalize import Personalize
from app.routes.recommendations import recommend
from app.routes.tag import FeaturesOrTold, TagScript, tag_routes
from app.routes.visitor import know_visitor
from app.runtime.board import Desk
from app.runtime.settings import Settings
from app.steering import routes as steering_routes
from app.surveys import routes as surveys
from app.surveys.routes import is_survey, survey_refused
from app.worker.resources import Resources, open_resources
from events.causes import STORE_CAUSES
from events.records import ALIAS, ENGAGEMENT, GROUP, IDENTIFY, PAGE, SCREEN, TRACK

logger = logging.getLogger(__name__)


CODES: Final = tuple(dict.fromkeys((*REFUSAL_CODES, *STORE_CAUSES)))  # that may be told to who is refused
KINDS: Final = (TRACK, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS)


def path_table() -> PathTable[Resources]:
    """Every hot path, by exact path or by the prefix before its last segment."""
    payloads = Payloads()
    ofrep, script = Ofrep(payloads), TagScript(payloads)
    features = FeaturesOrTold(script, Features(payloads))
    tracking: dict[str, HotRoute[Resources]] = {}
    for kind in (*KINDS, None):
        handler = Tracking(kind)
        for path in paths_of(kind or BATCH):
            tracking[path] = HotRoute(path, "POST", handler)
    for kind in PIXELS:
        tracking[f"/v1/pixel/{kind}"] = HotRoute(f"/v1/pixel/{kind}", "GET", Pixel(kind))
    return PathTable(
        exact={
            "/ofrep/v1/evaluate/flags": HotRoute("/ofrep/v1/evaluate/flags", "POST", ofrep.evaluate_all),
            "/v1/personalize": HotRoute("/v1/personalize", "POST", Personalize(), pages="listed"),
            "/v1/recommendations": HotRoute("/v1/recommendations", "POST", recommend, pages="listed"),
            "/v1/visitor": HotRoute("/v1/visitor", "POST", know_visitor, pages="listed"),
            "/v1/engagement": HotRoute("/v1/engagement", "POST", Tracking(ENGAGEMENT)),
            "/track": HotRoute("/track", "POST", ingest),
            OFREP_STREAM: HotRoute(OFREP_STREAM, "GET", OfrepStream(payloads)),
            "/mp/collect": HotRoute("/mp/collect", "POST", collect),
            **tag_routes(script),
            **tracking,
        },
        below={
            "/ofrep/v1/evaluate/flags/": HotRoute("/ofrep/v1/evaluate/flags/{key}", "POST", ofrep.evaluate),
            "/api/features/": HotRoute("/api/features/{key}", "GET", features, pages="every"),
            "/api/eval/": HotRoute("/api/eval/{key}", "POST", RemoteEvaluation(payloads), pages="every"),
            "/sub/": HotRoute("/sub/{key}", "GET", FeatureStream(payloads)),
        },
    )


PAGE_ROUTERS = (
    assets.router, sign_in.router, settings.router, audit_page.router, experiments.router, experiment.router,
    experiment_steering.router, metrics.router, events_page.router, operations_page.router, glossary.router,
    shares_page.router, experience_page.router, visitor_page.router, recommendations_page.router, new_page.router,
    plan_page.router, program_page.router,
)  # fmt: skip
ROUTERS = (
    operations.router, doctor.router, events.router, audit.router, results.router, results.export_router,
    reports.router, surveys.router,
    visitors.router, products.router, recommendations.router, sdk_settings.router, documentation.router,
    guides.router,
    personalize_batch.router, steering_routes.router, *PAGE_ROUTERS,
)  # fmt: skip


def create_app(settings: Settings, desk: Desk | None = None, line: Line | None = None) -> "Application":
    """The ASGI application of one worker; it opens its `Resources` in the lifespan and closes them there.

    `desk` is its place on the board of its service (None makes a board for it alone), `line` its own to the supervisor;
    without one, definitions are read from the files.
    """
    return Application(settings, desk or Desk.alone(), line)


def cold_application(*, pages: bool = True) -> FastAPI:
    """The documented part: every route that is not hot, with errors in problem+json."""
    application = FastAPI(
        title="Resonate",
        description="Messages, events, statistics and recommendations in one service. Routes of a secret key refuse "
        "query parameters that they do not know (`unknown_parameter`); our own routes of a publishable key ignore "
        "them, and name them with `?debug=1`.",
        version=version("resonate"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for router in ROUTERS if pages else [each for each in ROUTERS if each not in PAGE_ROUTERS]:
        application.include_router(router)
    application.add_exception_handler(Problem, _problem)
    application.add_exception_handler(HTTPException, _http_exception)
    application.add_exception_handler(RequestValidationError, _invalid_request)
    documentation.describe(application)
    return application


class Application:
    """Answers the lifespan itself and hands requests to the dispatch of the worker that it opened."""

    def __init__(self, settings: Settings, desk: Desk, line: Line | None) -> None:
        self.settings = settings
        self.desk = desk
        self.line = line
        self.deadlines = Deadlines()
        self.table = path_table()
        self.cold = cold_application(pages=settings.dashboard == "on")
        self.cold.state.draining = False
        self.crowd: OpenConnections | None = None
        self.streams: Streams | None = None
        self._dispatch: Dispatch[Resources] | Prefixed | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and self._dispatch is not None:
            return self._dispatch(scope, receive, send)
        return self._live(scope, receive, send)

    def refused(self, code: str) -> None:
        """The protocol refused a request before the application saw it."""
        if self._dispatch is not None:
            self.cold.state.resources.telemetry.refused(code)

    @property
    def answer_whole(self) -> Callable[[Scope, bytes], Whole | Later | None] | None:
        """The protocol's short way to what is served, which a connection looks up once."""
        return None if self._dispatch is None else self._dispatch.answer_whole

    def drain(self) -> None:
        """From now on probes are told to send nobody more; all else is answered as before."""
        self.cold.state.draining = True

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Everything a request needs is there between start-up and shut-down."""
        async with open_resources(self.settings, route_names(self.table), self.desk, CODES, self.line) as resources:
            self.cold.state.resources = resources
            each = self.settings.connections_per_network_and_worker
            self.crowd = OpenConnections(resources.access.networks, each, note=resources.desk.note)
            self.deadlines.watchers.append(self.crowd.watch)
            watch = resources.access.pressure.watch
            self.deadlines.watchers.append(lambda now, late: watch(now, late, self.deadlines.crowding))
            self.streams = resources.streams
            self.deadlines.watchers.append(lambda now, late: self.desk.gauge("open_connections", self.deadlines.crowd))
            self.deadlines.watchers.append(Readers(resources.streams.open).watch)
            cold = Cold(self.cold, self.deadlines, resources.access, partial(_failing, self.cold))
            served = Dispatch(self.table, cold, self.deadlines, resources.access, resources)
            published = resources.addresses.prefix or self.settings.trusted_proxies
            self._dispatch = Prefixed(served, resources.addresses) if published else served
            try:
                yield
            finally:
                self._dispatch = None
                resources.streams.close()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":  # WebSockets are not spoken here
            return
        await receive()
        stack = contextlib.AsyncExitStack()
        try:
            await stack.enter_async_context(self.lifespan())
        except Exception as error:
            logger.error("the worker cannot start", exc_info=error)
            await send(_message("lifespan.startup.failed", str(error)))
            return
        await send(_message("lifespan.startup.complete"))
        await receive()
        await stack.aclose()
        await send(_message("lifespan.shutdown.complete"))


def cold_routes() -> list[tuple[str, str]]:
    """Method and path of every route of the cold tier."""
    return [(method, route.path) for route in _api_routes() for method in sorted(route.methods or ())]


def allowed_methods(path: str) -> list[str]:
    """Every method that some cold route takes at this address."""
    found = [route for route in _api_routes() if route.path_regex.match(path)]
    methods = {method for route in found for method in route.methods or ()} or {"GET"}
    return sorted(methods | {"HEAD"} if "GET" in methods and path.startswith(LOOKED_AT) else methods)


def route_names(table: PathTable[Resources]) -> list[str]:
    """Every route by the name that the OpenAPI and the counters give it."""
    hot = [route.name for route in (*table.exact.values(), *table.below.values())]
    return [*hot, *sorted({path for _, path in cold_routes()} - set(hot))]


def _api_routes() -> list[APIRoute]:
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def _message(kind: str, text: str | None = None) -> Message:
    return {"type": kind} if text is None else {"type": kind, "message": text}


def _failing(application: FastAPI, error: BaseException, exchange: Exchange) -> HttpAnswer:
    """The answer to what fails outside of a handler, in the words of its address."""
    shown = _refused_to_strangers(exchange.scope["path"], problem_of(error, exchange))
    if shown is None:
        return failing_as_pages(application, error, exchange)
    return HttpAnswer(shown.status_code, bytes(shown.body), b"", shown.raw_headers)


def _refused_to_strangers(path: str, problem: Problem) -> Response | None:
    """The page of a problem at an address that people open who have no key; None at any other."""
    if is_share(path):
        return share_refused(problem)
    return survey_refused(problem) if is_survey(path) else None


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    request.scope["state"][EXCHANGE].refusal = error.code
    shown = _refused_to_strangers(request.url.path, error)
    if shown is not None:
        return shown
    if is_page(request.url.path, request.app.state.resources):
        if error.status == 404 and not hasattr(request.state, "signed"):
            await note_who_asks(request)
        return refusal_page(request, error)
    content_type, body = problem_body(error, request.url.path)
    headers = {name.decode(): value.decode() for name, value in error.headers}
    return Response(body, error.status, headers, content_type.decode())


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if _leads_to_pages(request):
        return to_pages(request)
    foreign = other_clients_path(request.method, request.url.path) if error.status_code == 404 else None
    if foreign is not None:
        resources: Resources = request.app.state.resources
        resources.intake.refused_whole("other", foreign.code, foreign.detail)
        return await _problem(request, foreign)
    if error.status_code == 405:  # the router knows the methods of one route only, an address may have several
        return await _problem(request, method_not_allowed(request.method, ", ".join(allowed_methods(request.url.path))))
    missing = error.status_code == 404
    code = "not_found" if missing else "invalid_request"
    detail = "there is nothing at this address; /docs lists every route" if missing else str(error.detail)
    # of a key with a slash in it, which none of ours has
    ofrep_code = "FLAG_NOT_FOUND" if missing and request.url.path.startswith(OFREP_FLAGS) else "GENERAL"
    problem = Problem(error.status_code, code, detail, ofrep_code=ofrep_code, headers=error.headers)
    return await _problem(request, problem)


def _leads_to_pages(request: Request) -> bool:
    """Whether a browser looks at the root of the service, where nothing else is."""
    exchange: Exchange = request.scope["state"][EXCHANGE]
    asks = request.method in ("GET", "HEAD") and request.url.path == "/"
    on = request.app.state.resources.settings.dashboard == "on"
    return asks and on and wants_pages(exchange.headers.get(b"accept", b""))


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    on_page = int(is_page(request.url.path, request.app.state.resources))  # where nobody asks what is a query
    sentences: list[str] = []
    for details in error.errors()[:5]:  # `query.limit: it should be …`; never the value that was sent
        place = ".".join(str(part) for part in details["loc"][on_page:])[:100]
        sentences.append(f"{place}: {details['msg'].replace('Input should', 'it should')}")
    return await _problem(request, Problem(400, "invalid_request", "; ".join(sentences)))
