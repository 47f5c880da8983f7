"""Reports as they are answered: nothing runs or is loaded, no search engine keeps them, and no site learns of them."""

from collections.abc import Mapping
from typing import Final

from fastapi.responses import HTMLResponse

from app.http.errors import Problem
from app.reports.content import Report
from app.reports.html import html, policy, words

HEADERS: Final = {
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "private, no-store",
}
NOTHING_THERE: Final = (
    "There is nothing at this address. A link to a report ends after a while, and may be taken back: ask whoever sent "
    "it for a new one."
)
LATER: Final = "The numbers cannot be computed now. Open this address again in a minute."


def document(report: Report) -> HTMLResponse:
    """The file."""
    return _page(200, html(report))


def nothing_there() -> HTMLResponse:
    """What every address says behind which there is no report, whatever the reason."""
    return _page(404, words(NOTHING_THERE))


def not_now(problem: Problem) -> HTMLResponse:
    """What is said where a report cannot be made just now."""
    kept = {name.decode(): value.decode() for name, value in problem.headers if name.lower() == b"retry-after"}
    return _page(problem.status, words(LATER), kept)


def _page(status: int, body: str, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    return HTMLResponse(body, status, {**HEADERS, "content-security-policy": policy(), **(headers or {})})
