"""The glossary as a worker reads it: every name of the answers with its one sentence, and the schemas of the answers.

Both are made of the types themselves by `python scripts/write_glossary.py`, so nothing of them is loaded here.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

PLACE: Final = Path(__file__).with_name("answers.json")


class Explained(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name that answers serve; `where` is the type that explains it, `elsewhere` what it is in single other types."""

    name: str
    where: str
    description: str
    elsewhere: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class _Written(msgspec.Struct, frozen=True):
    """What is made of the types of the answers: entries by name, schemas by the name of their type."""

    entries: tuple[Explained, ...]
    schemas: dict[str, Any]


@cache
def _read() -> _Written:
    """The file, read once."""
    return msgspec.json.decode(PLACE.read_bytes(), type=_Written)


def entries() -> tuple[Explained, ...]:
    """Every name, in order."""
    return _read().entries


def schemas() -> Mapping[str, Any]:
    """The JSON Schema of each type that is served, by its name."""
    return _read().schemas


@cache
def sentences_in(where: str) -> Mapping[str, str]:
    """The sentence of each name that this type explains, though the word may mean another thing elsewhere."""
    found: dict[str, str] = {}
    for entry in entries():
        own = (said for types, said in entry.elsewhere.items() if where in types.split(", "))
        said = entry.description if entry.where == where else next(own, None)
        if said is not None:
            found[entry.name] = said
    return found


@cache
def descriptions() -> Mapping[str, str]:
    """The sentence of each name."""
    return {entry.name: entry.description for entry in entries()}
