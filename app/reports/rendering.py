"""The two forms of a report: one HTML file, in which its style and its pictures stand, and Markdown."""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.dashboard.charts import Forest, Series, forest, series
from app.dashboard.saying import unbroken
from app.reports.pieces import Chart, ReportPage, ReportSection, ReportTable

if TYPE_CHECKING:
    from jinja2 import Environment

STYLES: Final = ("style.css", "report.css")  # the first is that of the pages
MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
"""What would be more than text, wherever it stands."""
AT_A_START: Final = re.compile(r"^(\s*\d*)(?=[-+=]|(?<=\d)[.)](?:\s|$))")
"""What would begin a list, or make a heading of the line above."""


def html(report: ReportPage) -> str:
    """The file, at most 200 kB of it."""
    return unbroken(_environment().get_template("report.html").render(report=report, style=_style(), drawn=_drawn))


def page_saying(said: str) -> str:
    """A page that says one thing, in the same dress."""
    return _environment().get_template("words.html").render(said=said, style=_style())


@cache
def policy() -> str:
    """What a browser may do with such a file: show it in its own style, and nothing else (Content-Security-Policy)."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _drawn(chart: Chart) -> Forest | Series:
    """Where everything of a picture stands."""
    if chart.effects:
        return forest(chart.effects, points=chart.points)
    return series(chart.days, points=chart.points)


@cache
def _environment() -> "Environment":
    """Loaded with the first report: a site of which nobody reads one does not pay for it."""
    from app.dashboard.environment import environment

    return environment(Path(__file__).parent)


@cache
def _style() -> str:
    found = _environment()
    assert found.loader is not None
    return "\n" + "".join(found.loader.get_source(found, name)[0] for name in STYLES)


def markdown(report: ReportPage) -> str:
    """The report, in the dialect of GitHub."""
    lines = [f"# {escaped(report.name)}", "", paragraph(report.lead), ""]
    lines += [f"- {name}: {escaped(cell.text)}" for name, cell in report.head]
    for section in report.sections:
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A text as it is read, on one line: nothing in it is markup."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return MARKS.sub(r"\\\1", line)


def paragraph(text: str) -> str:
    """A text where a line begins."""
    return AT_A_START.sub(r"\1\\", escaped(text), count=1)


def _section(section: ReportSection) -> Iterator[str]:
    yield f"## {section.title}"
    for said in section.said:
        yield from ("", paragraph(said))
    if section.table is not None:
        yield from ("", *_table(section.table))
    if section.code is not None:
        yield from ("", "```", section.code, "```")


def _table(table: ReportTable) -> Iterator[str]:
    yield f"| {' | '.join(table.names)} |"
    yield f"|{'|'.join(' ---: ' if number else ' --- ' for number in table.numbers)}|"
    for row in table.rows:
        yield f"| {' | '.join(escaped(cell.text) for cell in row)} |"
