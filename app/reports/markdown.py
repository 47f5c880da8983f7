"""A report as Markdown: its tables and sentences, without pictures."""

import re
from collections.abc import Iterator
from typing import Final

from app.reports.content import Report, Section, Table

MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
"""What would be more than text, wherever it stands."""
AT_A_START: Final = re.compile(r"^(\s*\d*)(?=[-+=]|(?<=\d)[.)](?:\s|$))")
"""What would begin a list, or make a heading of the line above."""


def markdown(report: Report) -> str:
    """The report, in the dialect of GitHub."""
    lines = [f"# {escaped(report.name)}", ""]
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


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    for said in section.said:
        yield from ("", paragraph(said))
    if section.table is not None:
        yield from ("", *_table(section.table))
    if section.code is not None:
        yield from ("", "```", section.code, "```")


def _table(table: Table) -> Iterator[str]:
    numbers = [any(row[place].value is not None for row in table.rows) for place in range(len(table.names))]
    yield f"| {' | '.join(table.names)} |"
    yield f"|{'|'.join(' ---: ' if number else ' --- ' for number in numbers)}|"
    for row in table.rows:
        yield f"| {' | '.join(escaped(cell.text) for cell in row)} |"
