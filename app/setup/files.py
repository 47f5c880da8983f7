"""Changes one line of a file that people write too: a variable, or a member of YAML; all else stays as it is."""

import json
import re
from typing import Any, Final

from kit.located import Problems
from kit.yaml import read_yaml

INDENT: Final = "  "
ASSIGNED: Final = re.compile(r"(?:export[ \t]+)?(?P<name>[A-Z_][A-Z0-9_]*)=(?P<value>.*)")


class NotChanged(Exception):
    """A file is written in a way that no command can change; the message says what to write by hand."""


def variables(text: str) -> dict[str, str]:
    """What a file of `NAME=value` lines says; the last of several holds."""
    found = [ASSIGNED.fullmatch(line.strip()) for line in text.splitlines()]
    return {each["name"]: each["value"].strip().strip("'\"") for each in found if each is not None}


def with_variable(text: str, name: str, value: str) -> str:
    """The file with this variable: in the line that had it, else behind all others."""
    lines = text.splitlines()
    places = [
        place
        for place, line in enumerate(lines)
        if (found := ASSIGNED.fullmatch(line.strip())) and found["name"] == name
    ]
    if places:
        exported = "export " if lines[places[-1]].lstrip().startswith("export") else ""  # a shell reads it
        lines[places[-1]] = f"{exported}{name}={value}"
    else:
        lines.append(f"{name}={value}")
    return "\n".join(lines) + "\n"


def members(text: str, file: str) -> dict[str, Any]:
    """What a YAML file says. Raises NotChanged where it is no mapping."""
    problems = Problems(file)
    root = read_yaml(text.encode(), problems)
    if problems.found:
        raise NotChanged("\n".join(map(str, problems.found)))
    found = {} if root is None else root.plain()
    if not isinstance(found, dict):
        raise NotChanged(f"{file}: it must be a mapping, such as `currency: EUR`")
    return found


def with_member(text: str, file: str, path: tuple[str, ...], value: str | list[str]) -> str:
    """The file with this member (of one that is a mapping, where the path has two names), and all else as it was.

    Raises NotChanged.
    """
    before = members(text, file)
    written = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else _scalar(value)
    lines = text.splitlines()
    if len(path) == 1:
        _put(lines, 0, len(lines), "", path[0], written)
    else:
        heading = next(
            (place for place, line in enumerate(lines) if re.match(rf"{path[0]}:[ \t]*(?:#.*)?$", line)), None
        )
        if heading is None:
            lines += [f"{path[0]}:", f"{INDENT}{path[1]}: {written}"]
        else:
            end = heading + 1
            while end < len(lines) and (not lines[end].strip() or lines[end][0] in " #"):
                end += 1
            inner = next(
                (line for line in lines[heading + 1 : end] if line.strip() and line.lstrip()[0] != "#"), INDENT
            )
            _put(lines, heading + 1, end, inner[: len(inner) - len(inner.lstrip())] or INDENT, path[1], written)
    after = "\n".join(lines) + "\n"
    wanted = {**before, path[0]: value if len(path) == 1 else {**(before.get(path[0]) or {}), path[1]: value}}
    try:
        found = members(after, file)
    except NotChanged:
        found = None
    if found != wanted:
        raise NotChanged(f"{file}: write {': '.join(path)}: {written} by hand, as the file is written otherwise")
    return after


def _put(lines: list[str], first: int, end: int, indent: str, name: str, written: str) -> None:
    for place in range(first, end):
        if re.match(rf"{indent}{re.escape(name)}:(?:[ \t]|$)", lines[place]):
            lines[place] = f"{indent}{name}: {written}"
            return
    while end > first and not lines[end - 1].strip():
        end -= 1
    lines.insert(end, f"{indent}{name}: {written}")


def _scalar(text: str) -> str:
    return (
        text
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9._/+-]*", text) and text.lower() not in ("null", "true", "false")
        else json.dumps(text)
    )
