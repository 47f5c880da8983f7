"""Reports of experiments, and the links that show one to whoever holds them."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.client import AnalysisAnswer, AnalysisError
from app.analysis.queries import ReportQuery
from app.http.body import decode
from app.http.errors import Problem
from app.management.audit import REASON
from app.management.openapi import json_body
from app.management.results import Key, Moment, Phase
from app.reports.content import ReportedLook, report_of
from app.reports.pieces import ReportPage
from app.reports.rendering import html, markdown, page_saying, policy
from app.reports.shares import MOST_DAYS
from app.reports.sharing import WantedLink, end_link, held_links, link_told, make_link, opened_link
from app.routes.dependencies import Anyone, Asked, Secret, Worker, analysed, refusal_told
from app.worker.reads import PageQuestion
from app.worker.resources import Resources

router = APIRouter(tags=["Results"])

Form = Literal["html", "md"]
SHARES: Final = "/share"
NEVER_STORED: Final = {"cache-control": "no-store"}
HEADERS: Final = {
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "private, no-store",
}
NOTHING_THERE: Final = (
    "There is nothing at this address. A link to a report ends after a while, and may be taken back: ask whoever sent "
    "it for a new one."
)
READ_ONLY: Final = "A report can be read here, and nothing else can be done: open this address in a browser."
COMPUTING: Final = "The report is still being computed. Reload this page in a moment."
PATIENCE_SECONDS: Final = (2.0, 18.0)  # where there is a report of the last minutes, and then where there is none
LATER: Final = "The numbers cannot be computed now. Open this address again in a minute."
SHARE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "experiment", "at", "created_at", "expires_at", "by"],
    "properties": {
        "id": {"type": "string", "description": "Names the link to those who keep it; nobody opens anything by it."},
        "experiment": {"type": "string"},
        "at": {"type": ["string", "null"], "description": "The look that it shows; null: the newest."},
        "created_at": {"type": "string", "format": "date-time"},
        "expires_at": {"type": "string", "format": "date-time"},
        "by": {"type": "string", "description": "Who made it: a key or a person, by name."},
    },
}
WANTED: Final = json_body(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": 30},
            "at": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 40,
                "description": "Freeze it to the look of this moment; without it the newest is shown.",
            },
            "reason": REASON,
        },
    },
    {"days": 30, "at": None},
)
WANTED["requestBody"]["required"] = False


def answering(status: str, description: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What a route answers in JSON, for the OpenAPI document."""
    return {int(status): {"description": description, "content": {"application/json": {"schema": schema}}}}


MADE: Final = answering(
    "201",
    "The link. Its address is told once, and kept nowhere.",
    {
        "type": "object",
        "required": ["id", "url", "expires_at"],
        "properties": {
            "id": {"type": "string"},
            "url": {"type": "string", "format": "uri"},
            "expires_at": {"type": "string", "format": "date-time"},
        },
    },
)
LISTED: Final = answering(
    "200",
    "The links that hold, the newest first.",
    {"type": "object", "required": ["shares"], "properties": {"shares": {"type": "array", "items": SHARE}}},
)
PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "One file that needs nothing besides.", "content": {"text/html": {}, "text/markdown": {}}}
}


SHOWN: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": description, "content": {"text/html": {}}}
    for status, description in (
        (200, "The report, which needs nothing besides."),
        (400, "A page that says what is wrong with the request."),
        (404, "A page that says that nothing is there: it was taken back, is over, or never was."),
        (405, "A page that says that it can only be read."),
        (429, "A page that says when to try again."),
        (503, "A page that says that the numbers cannot be computed now."),
    )
}


class ReportParameters(BaseModel):
    """Which look a report shows, and in which form."""

    model_config = ConfigDict(frozen=True)

    at: Moment = None
    phase: Phase = None
    format: Form = Field("html", description="`html`: one file with its pictures; `md`: Markdown with its tables.")


@router.get("/v1/experiments/{key}/report", summary="The readout as a document for people", responses=PAGE)
async def report(
    key: Key, _: Secret, asked: Asked, worker: Worker, look: Annotated[ReportParameters, Query()]
) -> Response:
    answer = await analysed(asked, worker, ReportQuery(key, look.at, look.phase))
    shown = report_of(ReportedLook(**msgspec.json.decode(answer.body)))
    if look.format == "md":
        return PlainTextResponse(markdown(shown), headers=HEADERS, media_type="text/markdown")
    return report_page(shown)


class ShareBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long a link holds, and to which look it is frozen."""

    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 30
    at: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    reason: str | None = None


SHARE_DECODER: Final = msgspec.json.Decoder(ShareBody)


@router.post(
    "/v1/experiments/{key}/shares",
    summary="A link that shows the report to whoever holds it",
    status_code=201,
    responses=MADE,
    openapi_extra=WANTED,
)
async def share_report(key: Key, request: Request, _: Secret, asked: Asked, worker: Worker) -> JSONResponse:
    """It is read only and needs no key. With `at` it shows that look for good, else the newest; it names neither
    visitors nor other experiments, and ends by itself after `days`.
    """
    body = await request.body()
    wanted = decode(body, SHARE_DECODER) if body else ShareBody()
    made, url = await make_link(asked, worker, WantedLink(key, wanted.days, wanted.at, wanted.reason))
    return JSONResponse({"id": made.id, "url": url, "expires_at": made.expires_at}, 201, NEVER_STORED)


@router.get("/v1/shares", summary="The links that show reports", responses=LISTED)
async def shared_reports(_: Secret, worker: Worker) -> JSONResponse:
    return JSONResponse({"shares": [link_told(each) for each in await held_links(worker)]}, headers=NEVER_STORED)


Identifier = Annotated[
    str, Path(alias="id", max_length=64, description="The `id` of a link.", examples=["5f2a9c01d3e84b67"])
]


@router.delete("/v1/shares/{id}", summary="Take a link back; it opens nothing from now on", status_code=204)
async def take_back(identifier: Identifier, _: Secret, asked: Asked, worker: Worker) -> Response:
    await end_link(asked, worker, identifier)
    return Response(status_code=204)


Token = Annotated[str, Path(description="What the link ends with.")]


@router.get("/share/{token}", summary="The report that a link shows", responses=SHOWN)
async def shared(token: Token, _: Anyone, worker: Worker) -> Response:
    """Needs no key. What no link ends with, what is over and what was taken back answer the same 404."""
    try:
        found = await opened_link(worker, token)
        if found is None:
            raise Problem(404, "unknown_share", "there is no such link to a report")
        answer = await reported_soon(f"share {found.id}", worker, ReportQuery(found.experiment, found.at))
        if answer is None:
            return _page(503, page_saying(COMPUTING), {"retry-after": "5"})
    except Problem as problem:
        return nothing_there() if problem.status == 404 else not_now(problem)
    others = frozenset(worker.catalogs.catalog.experiments) - {found.experiment}
    return report_page(report_of(ReportedLook(**msgspec.json.decode(answer.body), shared=True, hidden=others)))


def is_share(path: str) -> bool:
    """Whether who asks for an address opens a link to a report, or what once was one."""
    return path == SHARES or path.startswith(f"{SHARES}/")


def share_refused(problem: Problem) -> HTMLResponse:
    """What is answered where such an address cannot be, or cannot be in this way."""
    if problem.status == 405:
        allowed = {name.decode(): value.decode() for name, value in problem.headers}
        return _page(405, page_saying(READ_ONLY), allowed)
    return nothing_there() if problem.status < 500 else not_now(problem)


async def reported_soon(asker: str, worker: Resources, query: ReportQuery) -> AnalysisAnswer | None:
    """What a report shows: the newest where that is there soon, else that of the last minutes; None where there is
    none either: then it is computed on, for whoever asks again. Raises Problem with what the analysis refused.
    """
    question, ask = PageQuestion(query, worker.catalogs.catalog.version), partial(worker.analysis.ask, query, asker)
    answer: AnalysisAnswer | None = None
    try:
        for seconds in PATIENCE_SECONDS:
            answer = answer or await worker.reads.within(question, ask, seconds)
    except AnalysisError as error:
        raise refusal_told(error) from None
    return answer


def report_page(report: ReportPage) -> HTMLResponse:
    """The file."""
    return _page(200, html(report))


def nothing_there() -> HTMLResponse:
    """What every address says behind which there is no report, whatever the reason."""
    return _page(404, page_saying(NOTHING_THERE))


def not_now(problem: Problem) -> HTMLResponse:
    """What is said where a report cannot be made just now."""
    kept = {name.decode(): value.decode() for name, value in problem.headers if name.lower() == b"retry-after"}
    return _page(problem.status, page_saying(LATER), kept)


def _page(status: int, body: str, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    return HTMLResponse(body, status, {**HEADERS, "content-security-policy": policy(), **(headers or {})})
