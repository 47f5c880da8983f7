"""A report as one HTML file: its style and its pictures stand in it, and it leads nowhere."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.reports.content import Report

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE: Final = Path(__file__).parents[1] / "dashboard" / "style.css"


def html(report: Report) -> str:
    """The file, at most 200 kB of it."""
    return _environment().get_template("report.html").render(report=report, style=_style())


def words(said: str) -> str:
    """A page that says one thing, in the same dress."""
    return _environment().get_template("words.html").render(said=said, style=_style())


@cache
def policy() -> str:
    """What a browser may do with such a file: show it in its own style, and nothing else (Content-Security-Policy)."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _environment() -> "Environment":
    """Loaded with the first report: a site of which nobody reads one does not pay for it."""
    from jinja2 import FileSystemLoader

    from app.dashboard.environment import FOLDERS, environment

    return environment().overlay(loader=FileSystemLoader((Path(__file__).parent, *FOLDERS)))


@cache
def _style() -> str:
    return f"\n{STYLE.read_text(encoding='utf-8')}"
