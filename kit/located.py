"""Values of a definition file that still know their line, and what is wrong with them, said to who must fix it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True, order=True)
class DefinitionError:
    """One mistake: file (inside the folder), line from 1 (0: the file as a whole), field, what is wrong and right."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)


class DefinitionErrors(Exception):
    """All mistakes of all files at once, in the order of files and lines."""

    def __init__(self, errors: Iterable[DefinitionError]) -> None:
        self.errors = tuple(sorted(set(errors)))
        super().__init__("\n".join(str(error) for error in self.errors))


T = TypeVar("T")
Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Located:
    """A scalar, list or mapping with its line (a field of a mapping: the line of its key).

    `text` is a scalar as it was written, so that a name which looks like a number stays what the marketer wrote;
    `text_line` is where it stands, which may be below its key.
    """

    value: Scalar | tuple[Located, ...] | Mapping[str, Located]
    line: int
    text: str = ""
    text_line: int = field(default=0, compare=False)

    @property
    def described(self) -> str:
        """The value in words, for an error."""
        if isinstance(self.value, tuple):
            return "a list"
        if isinstance(self.value, Mapping):
            return "a mapping"
        return f'"{shortened(self.text)}"' if self.text else "nothing"

    def plain(self) -> Any:
        """The value as JSON, without lines."""
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        if isinstance(self.value, Mapping):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Located:
        """The value at a path of keys and indexes, or the nearest one above it."""
        here = self
        for step in path:
            if isinstance(here.value, Mapping) and step in here.value:
                here = here.value[str(step)]
            elif isinstance(here.value, tuple) and isinstance(step, int) and step < len(here.value):
                here = here.value[step]
            else:
                break
        return here


class Wrong(ValueError):
    """A value that cannot be read: what is wrong, what would be right; `line` where it is a deeper one."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Problems:
    """The mistakes found so far in one file, and what its words mean: the shop's time zone and currency.

    `converts` says that the shop has rates of other currencies.
    """

    file: str
    zone: tzinfo = UTC
    currency: str = "EUR"
    converts: bool = False
    found: list[DefinitionError] = field(default_factory=list[DefinitionError])

    def add(self, line: int, path: str, message: str) -> None:
        """Remember one mistake and go on."""
        self.found.append(DefinitionError(self.file, line, path, message))


@dataclass(frozen=True, slots=True)
class Location:
    """A value with its name, the path around it, and where its mistakes are told."""

    node: Located
    problems: Problems
    around: str = ""
    name: str = ""

    @property
    def path(self) -> str:
        """The value's own path."""
        return joined(self.around, self.name)

    @property
    def fields(self) -> Mapping[str, Located]:
        """The fields of a mapping; none of anything else."""
        return self.node.value if isinstance(self.node.value, Mapping) else {}

    def has(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return name in self.fields and self.fields[name].value is not None

    def inner(self, name: str, node: Located | None = None) -> Location:
        """The place of a field, or of another value within this one."""
        return Location(node or self.fields[name], self.problems, self.path, name)

    def fail(self, message: str, line: int | None = None, name: str = "") -> None:
        """Tell a mistake of the value, or of one of its fields."""
        node = self.fields.get(name)
        self.problems.add(line or (node.line if node else self.node.line), joined(self.path, name), message)

    def attempt(self, convert: Callable[[Located], T]) -> T | None:
        """The converted value; None, and a mistake told, where it cannot be read."""
        try:
            return convert(self.node)
        except Wrong as wrong:
            self.fail(str(wrong), wrong.line)
            return None


def joined(*path: str | int) -> str:
    """Parts of a path with dots between them; empty ones are none."""
    return ".".join(str(part) for part in path if part != "")


def shortened(text: str, limit: int = 60) -> str:
    """A text fit for one line of an error: without line breaks and control characters, never long."""
    visible = "".join(character if character.isprintable() else " " for character in text[: limit + 1])
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"
