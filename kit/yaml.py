"""Reads one YAML file into values with line numbers; what a marketer wrote stays what it was, and no bomb goes off.

It walks the parser's events, of which PyYAML's `compose()` would make its nodes: composing 200,000 open brackets with
libyaml ends the process with a segmentation fault, and a composed node no longer tells an alias or a tag.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from kit.located import Located, Problems, Scalar, Wrong, shortened

MAX_BYTES: Final = 256_000
MAX_LEVELS: Final = 20
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What git writes; a line of seven = alone could be a text's.
_MERGE: Final = re.compile(r"^(?:<{7} |>{7} |\|{7} )", re.MULTILINE)
_COMMENT: Final = re.compile(r"\s(#[^\s#].*)")
_CURLY: Final = (
    ("\u201c", "\u201d"),
    ("\u201e", "\u201c"),
    ("\u201e", "\u201d"),
    ("\u2018", "\u2019"),
    ("\u201a", "\u2018"),
    ("\u00ab", "\u00bb"),
)
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}\Z")
_FLOAT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?\Z")


def read_yaml(content: bytes, problems: Problems, size: int | None = None) -> Located | None:
    """The one document of a file; None where it is empty, or (with the mistake remembered) cannot be read.

    `size` is that of the file, where the content is only its beginning.
    """
    if len(content) > MAX_BYTES:
        problems.add(1, "", f"{size or len(content):,} bytes, a definition file may have {MAX_BYTES:,}")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.add(line, "", "holds bytes that are not UTF-8, save the file as UTF-8")
        return None
    unmerged = _MERGE.search(text)
    if unmerged is not None:
        line = text.count("\n", 0, unmerged.start()) + 1
        problems.add(line, "", f"{unmerged[0][:7]} is of a merge that is not finished: keep one of both sides")
        return None
    walk = _Walk(yaml.parse(text, Loader=_Loader), problems)
    try:
        document = walk.document()
    except Wrong as wrong:
        problems.add(wrong.line or 0, "", str(wrong))
    except yaml.MarkedYAMLError as error:
        walk.refuse_lost(text.split("\n"))
        line = _line_of(error, text)
        problems.add(line, "", _explanation(error, text, line))
    except yaml.YAMLError as error:  # characters that YAML does not allow
        line = text.count("\n", 0, max(getattr(error, "position", 0) or 0, 0)) + 1
        problems.add(line, "", "holds a control character that YAML does not allow, delete it")
    else:
        walk.refuse_lost(text.split("\n"))
        return document
    return None


def plain_scalar(text: str) -> Scalar:
    """What an unquoted word means: null, true, false, a number that is written the same again, else the text itself.

    Whole numbers beyond 64 bits stay text, because JSON clients would round them.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text) and str(int(text)) == text and abs(int(text)) < 2**63:
        return int(text)
    if len(text) <= 32 and _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) and repr(number) == text else text
    return text


_WORDS: Final[dict[str, Scalar]] = {"null": None, "true": True, "false": False}


class _Walk:
    """One pass over the events of a file."""

    __slots__ = ("_ends", "_events", "_problems")

    def __init__(self, events: Iterator[Any], problems: Problems) -> None:
        self._events = events
        self._problems = problems
        self._ends: dict[int, tuple[int, str]] = {}  # by line: the column behind its last value, and that value

    def refuse_lost(self, lines: list[str]) -> None:
        """Tell of every # that a text of the same line was meant to hold: YAML takes what follows for a comment."""
        for line, (column, text) in self._ends.items():
            rest = lines[line][column:] if line < len(lines) else ""
            lost = _COMMENT.search(rest)
            if lost is not None:
                between = rest[: lost.start()]
                whole = f"{text if between.strip() != ':' else ''}{lost[0]}".strip()
                quoted = "" if between.strip() not in ("", ":") else f': write "{shortened(whole)}" in quotes, or'
                message = f'"{shortened(lost[1])}" would be lost, because # begins a comment'
                message += f"{quoted or ':'} put a space after the # where it is one"
                self._problems.add(line + 1, "", message)

    def document(self) -> Located | None:
        root = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise Wrong("a second document begins here (---), a file holds one", _line(event))
                root = self._node(next(self._events), 1)
        return None if root is None or (root.value == "" and not root.text) else root

    def _node(self, event: Any, level: int) -> Located:
        line = _line(event)
        _refuse_references(event, line)
        if isinstance(event, yaml.ScalarEvent):
            if event.style not in ("|", ">"):
                self._ends[int(event.end_mark.line)] = int(event.end_mark.column), str(event.value)
            return _scalar(event, line)
        if level > MAX_LEVELS:
            raise Wrong(f"nested deeper than {MAX_LEVELS} levels", line)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Located] = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, level + 1))
            return Located(tuple(items), line)
        return Located(self._fields(level), line)

    def _fields(self, level: int) -> dict[str, Located]:
        fields: dict[str, Located] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, level + 1)
            value = self._node(next(self._events), level + 1)
            if key.text[:1].isspace() and not key.text[:1].isascii():
                raise Wrong(_NO_SPACE, key.line)
            if isinstance(key.value, (tuple, dict)):
                raise Wrong(f"{key.described} stands where the name of a field is needed", key.line)
            if key.text in fields:
                first = fields[key.text].line
                message = f'"{shortened(key.text)}" stands twice (first in line {first}), keep one'
                self._problems.add(key.line, "", message)
            else:
                fields[key.text] = Located(value.value, key.line, value.text, value.line)
        return fields


def _refuse_references(event: Any, line: int) -> None:
    """What stands in one place of a file may not be meant in another."""
    if isinstance(event, yaml.AliasEvent):
        raise Wrong(f"*{event.anchor} is an alias, which is not allowed here; write the value out", line)
    if event.anchor is not None:
        raise Wrong(f"&{event.anchor} is an anchor, which is not allowed here; leave it out", line)
    if event.tag is not None:
        raise Wrong(f"{shortened(event.tag)} is a tag, which is not allowed here; leave it out", line)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any, line: int) -> Located:
    text = str(event.value)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Wrong("holds half of a character (a lone surrogate), write the whole character", line)
    if event.implicit[0] and (text[:1], text[-1:]) in _CURLY:
        raise Wrong(f'{shortened(text)} stands in curly quotes, which are letters here: use straight ones ("…")', line)
    return Located(plain_scalar(text) if event.implicit[0] else text, line, text)


def _line_of(error: yaml.MarkedYAMLError, text: str) -> int:
    """The line of the fault: where what is never closed, or lacks its colon, begins, not where that shows."""
    signs = ("',' or '}'", "',' or ']'", "unexpected end of stream", "could not find expected ':'")
    begun = error.context_mark if any(sign in str(error.problem) for sign in signs) else None
    mark = begun or error.problem_mark or error.context_mark
    return min(mark.line + 1, text.count("\n") + 1) if mark else 0


def _explanation(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    """The parser's complaint in the words of the person who typed it."""
    problem = str(error.problem or error.context or "it cannot be read")
    written = text.split("\n")[line - 1] if line else ""
    indent = written[: len(written) - len(written.lstrip())]
    if "\t" in indent:
        return "a tab cannot indent YAML, use spaces"
    if indent.strip(" "):
        return _NO_SPACE
    if "could not find expected ':'" in problem:
        return without_colon(written.strip())
    for sign, words in _EXPLANATIONS.items():
        if sign in problem:
            return words
    return f"not readable as YAML: {shortened(problem, 100)}"


_NO_SPACE: Final = "a space that is none (a non-breaking one) stands before it, and cannot indent YAML: type spaces"


def without_colon(written: str) -> str:
    """What is wrong with a line that is no field and no value of one."""
    close = re.match(r"([A-Za-z_][\w.-]*):(\S.*)", written)
    if close:
        return f'put a space after the colon: "{shortened(f"{close[1]}: {close[2]}")}"'
    name, _, rest = written.partition(" ")
    meant = f', as in "{shortened(f"{name}: {rest}")}"' if rest and re.fullmatch(r"[A-Za-z_][\w.-]*", name) else ""
    return f'"{shortened(written)}" is no "field: value", a colon is missing{meant}'


_EXPLANATIONS: Final = {
    "mapping values are not allowed": 'a second ": " in this line; put a text that holds one in quotes',
    "expected ',' or '}'": "the { that is opened here is not closed, or a comma is missing in it",
    "expected ',' or ']'": "the [ that is opened here is not closed, or a comma is missing in it",
    "expected node content": "a bracket { or [ is not closed, or a value is missing",
    "did not find expected key": "the indentation does not fit the lines above, or a quote or bracket is wrong",
    "block end": "the indentation does not fit the lines above, or a quote or bracket is wrong",
    "'-' indicator": "the list does not fit the lines above, check the indentation",
    "block sequence entries": "a list begins in the middle of a line, put each - on its own line",
    "unexpected end of stream": "the quote that is opened here is not closed",
    "cannot start any token": "a value begins with a character YAML keeps for itself (@, %, `), put it in quotes",
    "undefined alias": "an alias (*name), which is not allowed here; write the value out",
}
