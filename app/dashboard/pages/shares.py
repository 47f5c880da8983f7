"""Links to reports: which hold, a new one, and taking one back; and the report itself for who is signed in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.analysis.queries import ReportQuery
from app.dashboard.forms import PageRoute, posted
from app.dashboard.rendering import PAGE_HEADERS, page
from app.dashboard.signed_in import Signed, SignedIn, door_of
from app.http.errors import Problem, retry_later
from app.reports.content import ReportedLook, report_of
from app.reports.routes import COMPUTING, report_page, reported_soon
from app.reports.shares import MOST_DAYS, ShareLink
from app.reports.sharing import WantedLink, end_link, held_links, make_link
from app.routes.dependencies import Asked, Worker
from app.worker.resources import Resources

router = APIRouter(include_in_schema=False, route_class=PageRoute)

HERE: Final = "/dashboard/shares"
LONGEST_KEY: Final = 100


@dataclass(frozen=True, slots=True)
class SharesSaid:
    """What a form came to, said above the list: a message, or a link that is shown this once. What was wrong with a
    field is said beside it, with what was `written` kept.
    """

    message: str = ""
    wrong: str | None = None
    written: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    link: ShareLink | None = None
    status: int = 200


@router.get(HERE)
async def shares_page(
    request: Request, signed: SignedIn, worker: Worker, experiment: Annotated[str, Query(max_length=LONGEST_KEY)] = ""
) -> Response:
    """All links that hold, and the form for a new one."""
    return await _shares(request, signed, worker, experiment, SharesSaid())


@router.post("/dashboard/shares/new")
async def new_share_link(request: Request, signed: SignedIn, asked: Asked, worker: Worker) -> Response:
    """Makes a link and shows it."""
    fields = await posted(request, signed)
    key = fields.get("experiment", "")[:LONGEST_KEY]
    days = fields.get("days", "30").strip()
    if not (days.isascii() and days.isdigit() and len(days) <= 3 and 1 <= int(days) <= MOST_DAYS):
        told = SharesSaid(
            f"A link holds 1 to {MOST_DAYS} days; {days[:20]!r} is none of these.", "days", fields, status=400
        )
        return await _shares(request, signed, worker, key, told)
    wanted = WantedLink(key, int(days), fields.get("at", "").strip() or None, fields.get("reason", "").strip() or None)
    try:
        link, url = await make_link(asked, worker, wanted)
    except Problem as problem:
        if problem.status >= 500:  # that page says when to come again
            raise
        wrong = "at" if problem.code == "invalid_date" else None
        told = SharesSaid(f"No link was made: {problem.detail}", wrong, fields, status=problem.status)
        return await _shares(request, signed, worker, key, told)
    return await _shares(request, signed, worker, key, SharesSaid(url=url, link=link))


@router.post("/dashboard/shares/take-back")
async def take_link_back(request: Request, signed: SignedIn, asked: Asked, worker: Worker) -> Response:
    """Ends a link."""
    fields = await posted(request, signed)
    try:
        await end_link(asked, worker, fields.get("id", ""), fields.get("reason", "").strip() or None)
    except Problem as problem:
        if problem.status >= 500:  # that page says when to come again
            raise
        told = SharesSaid(f"Nothing was taken back: {problem.detail}", status=problem.status)
        return await _shares(request, signed, worker, "", told)
    return RedirectResponse(f"{door_of(request).root}{HERE}", 303, PAGE_HEADERS)


@router.get("/dashboard/experiments/{key}/report")
async def report_for_people(
    key: str, signed: SignedIn, worker: Worker, at: str | None = None, phase: int | None = None
) -> HTMLResponse:
    """The report, to be read, printed or kept."""
    answer = await reported_soon(signed.email, worker, ReportQuery(key, at or None, phase))
    if answer is None:
        raise retry_later(503, "still_computing", COMPUTING, 5)
    return report_page(report_of(ReportedLook(**msgspec.json.decode(answer.body))))


async def _shares(request: Request, signed: Signed, worker: Resources, key: str, said: SharesSaid) -> HTMLResponse:
    keys = sorted(worker.catalogs.catalog.experiments)
    shown = {"links": await held_links(worker), "keys": keys, "chosen": key, "said": said, "most_days": MOST_DAYS}
    return page(request, signed, "shares.html", said.status, **shown)
