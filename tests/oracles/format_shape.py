"""What data looks like, without what it says: a line for each column, field, key and function that a format has."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from events.store.preparation import FUNCTIONS

NUMBER = re.compile(r"\d+")
DIGEST = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b")
NAMED_BY_USERS = (
    "where",
    "metrics",
    "segments",
    "holdouts",
    "overridden",
    "written",
)  # whose members are names of theirs
COMMENT = re.compile(r"\s*--[^\n\"']*$")


def shape(data: Path, store: dict[str, Any]) -> list[str]:
    """The shape of a data directory and of what a store holds, in lines that can be compared."""
    found = {*_files(data), *(line for key, value in store.items() for line in _key(key, value)), *_functions()}
    return sorted(found)


def _files(data: Path) -> Iterator[str]:
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        name = _general(str(path.relative_to(data)))
        yield f"file {name}"
        if {"set-aside", "history"} & {*path.parts}:  # what they hold is told where it stood before
            continue
        if path.suffix == ".parquet":
            yield from (f"file {name}: {line}" for line in _part(path))
        elif path.suffix == ".ids":
            words = np.fromfile(path, np.uint64)
            body = len(words) - 4 == int(words[1] + words[2])
            yield f"file {name}: header {int(words[0]):x}, messages, people, crc32; the digests behind it: {body}"
        elif path.suffix == ".json" or path.name == "format":
            yield from (f"file {name}: {line}" for line in _json(json.loads(path.read_bytes())))


def _part(path: Path) -> Iterator[str]:
    file = pq.ParquetFile(path)
    group = file.metadata.row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    for column in file.schema_arrow:
        stored = next(each for place, each in columns.items() if place.partition(".")[0] == column.name)
        yield f"column {column.name} {column.type} {stored.compression}"
    yield from (f"footer {key.decode()}" for key in file.metadata.metadata or {})


def _json(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict) and place.endswith(NAMED_BY_USERS):
        for each in value.values():
            yield from _json(each, f"{place}.*")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _json(each, f"{place}.{_general(name)}" if place else _general(name))
    elif isinstance(value, list):
        yield f"{place}[]"
        for each in value:
            yield from _json(each, f"{place}[]")
    else:
        yield f"{place} {type(value).__name__}"


def _key(key: str, value: dict[str, Any]) -> Iterator[str]:
    ((kind, content),) = value.items()
    name = f"key {_general(key)} {kind}"
    yield name
    if kind == "stream":
        content = [pair for _, fields in content for pair in fields]
    if kind == "string":
        yield from (f"{name}: {line}" for line in _text(content))
    else:
        for field, told in content:
            shown = _general(field) if isinstance(field, str) else "(binary)"
            yield from (f"{name}: {shown} {line}" for line in _text(told))


def _text(told: Any) -> Iterator[str]:
    if not isinstance(told, str):
        yield "(binary)"
        return
    try:
        decoded = json.loads(told)
    except ValueError:
        decoded = None
    if isinstance(decoded, dict | list):
        yield from _json(decoded)
    else:
        yield f"like {_general(told)!r}"


def _functions() -> Iterator[str]:
    code = [COMMENT.sub("", line).strip() for line in FUNCTIONS.read_text(encoding="utf-8").splitlines()]
    text = "\n".join(line for line in code if line)
    yield f"functions {hashlib.sha256(text.encode()).hexdigest()}"
    yield from (f"function {name}" for name in re.findall(r'"(resonate_\w+)"', text))


def _general(text: str) -> str:
    return NUMBER.sub("N", DIGEST.sub("H", text))
