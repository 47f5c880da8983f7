"""Hands a question to the analysis process and its answer to the caller."""

from typing import Any

from fastapi import Response

from app.analysis_protocol import AnalysisAnswer, AnalysisError
from app.errors import Problem
from app.hot.exchange import Exchange, traceparent
from app.hot.ofrep import matches
from app.resources import Resources
from events.store_errors import StoreUnavailable


async def ask(exchange: Exchange, resources: Resources, call: str, **arguments: Any) -> Response:
    """The answer of `call`, or 304 where the caller holds it already. Raises Problem with what the process refused."""
    arguments["request_id"] = exchange.request_id.decode()
    arguments["acknowledged"] = await acknowledged(resources)
    trace = traceparent(exchange.headers)
    if trace is not None:
        arguments["traceparent"] = trace.decode()
    try:
        answer = await resources.analysis.call(call, arguments)
    except AnalysisError as error:
        raise _problem(error) from None
    return _response(exchange, answer)


async def acknowledged(resources: Resources) -> dict[str, int]:
    """How far each shard's log was at this moment: what an answer must have seen. Empty while the store is down."""
    try:
        return {str(shard): number for shard, number in (await resources.stream.position()).items()}
    except StoreUnavailable:
        return {}


def _response(exchange: Exchange, answer: AnalysisAnswer) -> Response:
    headers = {"cache-control": "private, no-cache", **answer.headers}
    etag = headers.get("etag")
    if etag is not None and matches(exchange.headers.get(b"if-none-match"), etag.encode()):
        return Response(status_code=304, headers=headers)
    return Response(answer.body, answer.status, headers, answer.content_type)


def _problem(error: AnalysisError) -> Problem:
    wait = error.retry_after_seconds
    headers = {"Retry-After": str(max(1, int(wait)))} if wait is not None else None
    return Problem(error.status, error.code, error.detail, headers=headers)
