"""Who may call a cold route, as FastAPI dependencies; the worker's resources and the analysis for its handlers."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Query, Request, Response

from app.analysis.client import AnalysisAnswer, AnalysisError
from app.analysis.queries import Query as AnalysisQuery
from app.http.access import Grant, needs_secret
from app.http.admission import admit, admit_stranger, open_tab, presented
from app.http.body import Disconnected
from app.http.cold import EXCHANGE
from app.http.errors import Problem
from app.http.exchange import Exchange, matches
from app.http.parameters import DEBUG, DEBUG_MEANS, declared, refuse_unknown
from app.keys.scopes import scope_needed
from app.worker.resources import Resources
from kit.tasks import unless


def exchange_of(request: Request) -> Exchange:
    """The request as the dispatch saw it, and the scope that its route needs of a key."""
    exchange: Exchange = request.scope["state"][EXCHANGE]
    exchange.needs = scope_needed(request.method, request.scope["route"].path)
    return exchange


def resources_of(request: Request) -> Resources:
    """The worker's resources."""
    return request.app.state.resources


async def known_key(
    request: Request, _debug: Annotated[str | None, Query(alias=DEBUG, description=DEBUG_MEANS)] = None
) -> Grant:
    """Any key. Unknown query parameters are ignored and counted. Raises Problem 401, 403 (origin) or 429."""
    exchange = exchange_of(request)
    parameters = declared(exchange) if exchange.scope["query_string"] else None
    return admit(exchange, resources_of(request).access, parameters)


async def secret_key(request: Request) -> Grant:
    """A secret key with the scope of the route, and a query that it knows. Raises Problem 400, 401, 403 or 429."""
    exchange = exchange_of(request)
    grant = admit(exchange, resources_of(request).access)
    if not grant.secret:
        raise needs_secret()
    if exchange.scope["query_string"]:
        refuse_unknown(exchange, declared(exchange))
    return grant


async def key_if_any(request: Request) -> Grant | None:
    """The key of a request that needs none. One that is unknown, or a secret one in the address, is as good as none.

    Raises Problem 429 where the key, or without one the network, has used up what it may.
    """
    exchange, access = exchange_of(request), resources_of(request).access
    found = presented(exchange)
    grant = None if found is None else access.keys.grant(found[0])
    if grant is None or (grant.secret and found is not None and found[1]):
        admit_stranger(exchange, access)
        return None
    open_tab(exchange, access, grant)
    return grant


Anyone = Annotated[Grant | None, Depends(key_if_any)]
Known = Annotated[Grant, Depends(known_key)]
Secret = Annotated[Grant, Depends(secret_key)]
Worker = Annotated[Resources, Depends(resources_of)]
Asked = Annotated[Exchange, Depends(exchange_of)]


async def analysed(exchange: Exchange, resources: Resources, query: AnalysisQuery) -> AnalysisAnswer:
    """What the analysis answers to a key. Raises Problem with what it refused.

    Who hangs up is computed nothing, and keeps nobody waiting who asks with the same key: then it raises Disconnected.
    """
    asking = analysed_for(exchange.grant.name if exchange.grant else "", resources, query)
    answer = await (asking if exchange.hang_up is None else unless(exchange.hang_up(), asking))
    if answer is None:
        raise Disconnected
    return answer


async def analysed_for(asker: str, resources: Resources, query: AnalysisQuery) -> AnalysisAnswer:
    """What the analysis answers to this asker, of whom it works on two queries at once. Raises Problem as above."""
    try:
        return await resources.analysis.ask(query, asker)
    except AnalysisError as error:
        raise refusal_told(error) from None


def refusal_told(error: AnalysisError) -> Problem:
    """What the analysis refused, as it is answered."""
    wait = error.retry_after_seconds
    headers = {"Retry-After": str(max(1, int(wait)))} if wait is not None else None
    return Problem(error.status, error.code, error.detail, headers=headers)


async def analysis_response(exchange: Exchange, resources: Resources, query: AnalysisQuery) -> Response:
    """The answer, or 304 where the caller holds it already. Raises Problem with what the analysis refused."""
    answer = await analysed(exchange, resources, query)
    headers = {"cache-control": "private, no-cache", **answer.headers}
    if answer.content_type.startswith("text/csv"):  # which cannot say itself what its columns hold
        headers["link"] = _described(exchange, resources)
    etag = headers.get("etag")
    if etag is not None and matches(exchange.headers.get(b"if-none-match"), etag.encode()):
        return Response(status_code=304, headers=headers)
    return Response(answer.body, answer.status, headers, answer.content_type)


def _described(exchange: Exchange, resources: Resources) -> str:
    """Where the names in an answer are explained, as a `Link` (RFC 8288): a page of a person's, and for programs."""
    root = urlsplit(resources.addresses.of(exchange.scope, exchange.headers).url).path
    page = (
        f'<{root}/dashboard/glossary>; rel="describedby"; type="text/html", '
        if resources.settings.dashboard == "on"
        else ""
    )
    return f'{page}<{root}/openapi.json>; rel="describedby"; type="application/json"'
