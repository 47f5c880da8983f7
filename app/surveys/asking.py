"""The page of a survey: one question, its scale, a button; and what is said where there is nothing to answer.

What opens links and what renders pages is loaded with the first one: a shop that asks nobody does not pay for it.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi.responses import HTMLResponse

from app.surveys.question import SurveyLink

if TYPE_CHECKING:
    from jinja2 import Environment

    from app.surveys.links import SurveyLinks

HEADERS: Final = {
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "private, no-store",
}
STYLE: Final = "survey.css"


def links_at(file: Path) -> "SurveyLinks":
    """What seals and opens links, by the key in a file. Raises OSError."""
    from app.surveys.links import SurveyLinks

    return SurveyLinks(file)


def question_page(link: SurveyLink, chosen: int | None, wrong: str = "", status: int = 200) -> HTMLResponse:
    """The question; `chosen` is what the address proposes, and counts for nothing before the button is pressed."""
    scale = link.scale
    return _page(
        "survey.html",
        status,
        question=link.question or scale.question,
        scale=scale,
        scores=range(scale.lowest, scale.highest + 1),
        chosen=chosen,
        wrong=wrong,
    )


def said_page(title: str, said: str, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A page that says one thing."""
    return _page("said.html", status, headers, title=title, said=said)


def _page(template: str, status: int, headers: Mapping[str, str] | None = None, **shown: Any) -> HTMLResponse:
    html = _environment().get_template(template).render(shown, style=_style())
    return HTMLResponse(html, status, {**HEADERS, "content-security-policy": _policy(), **(headers or {})})


@cache
def _policy() -> str:
    """What a browser may do with the page: show it in its own style, and send its form (Content-Security-Policy)."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


@cache
def _environment() -> "Environment":
    from app.dashboard.environment import environment

    return environment(Path(__file__).parent)


@cache
def _style() -> str:
    found = _environment()
    assert found.loader is not None
    return "\n" + found.loader.get_source(found, STYLE)[0]
