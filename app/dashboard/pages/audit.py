"""The audit as a page: who did what, when and why, the newest first; a filter, and all of it as CSV."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from app.dashboard.forms import PageRoute
from app.dashboard.rendering import PAGE_HEADERS, page
from app.dashboard.signed_in import SignedIn
from app.http.errors import Problem
from app.keys.audit import AuditLine, Wanted
from app.management.audit import as_csv, wanted_of
from app.routes.dependencies import Worker

router = APIRouter(include_in_schema=False, route_class=PageRoute)

LINES: Final = 100
MOST_LINES: Final = 100_000  # of a file
Text = Annotated[str, Query(max_length=1_030)]


@router.get("/dashboard/audit")
async def audit_page(
    request: Request, signed: SignedIn, worker: Worker, subject: Text = "", actor: Text = "", before: Text = ""
) -> HTMLResponse:
    """A hundred lines, the newest first, and what leads to those before them."""
    lines, behind = await _lines(worker.audit.latest, before or None, LINES, _wanted(subject, actor))
    shown = [_shown(line) for line in lines]
    return page(
        request, signed, "audit.html", lines=shown, older=behind, subject=subject, actor=actor, first_page=not before
    )


@router.get("/dashboard/audit.csv")
async def audit_csv(signed: SignedIn, worker: Worker, subject: Text = "", actor: Text = "") -> Response:
    """The same as a file, all that the filter takes, the oldest line first."""
    lines, _ = await _lines(worker.audit.page, None, MOST_LINES, _wanted(subject, actor))
    headers = PAGE_HEADERS | {"content-disposition": 'attachment; filename="audit.csv"'}
    return Response(as_csv(lines), headers=headers, media_type="text/csv")


def _wanted(subject: str, actor: str) -> Wanted:
    return wanted_of(subject.strip() or None, actor.strip() or None)


async def _lines(read: Any, *which: Any) -> tuple[list[AuditLine], Any]:
    try:
        return await asyncio.to_thread(read, *which)
    except ValueError as error:
        raise Problem(400, "invalid_cursor", f"before: {error}") from None


def _shown(line: AuditLine) -> dict[str, Any]:
    """A line in words: what changed, member by member where both sides have members."""
    return {"line": line, "changes": _changes(line.before, line.after)}


def _changes(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    if isinstance(before, dict | None) and isinstance(after, dict | None):
        old: dict[str, Any] = before or {}
        new: dict[str, Any] = after or {}
        return [(name, old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)]
    return [("", before, after)]
