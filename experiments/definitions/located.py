"""Values of a definition file that still know their line, and what is wrong with them, said to who must fix it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Generic, TypeVar


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


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`, did you mean "x"?` when a known name is near, else the known names, else nothing."""
    near = get_close_matches(name.lower(), {word.lower(): word for word in known}, n=1, cutoff=0.6)
    by_lower = {word.lower(): word for word in known}
    if near:
        return f', did you mean "{by_lower[near[0]]}"?'
    return f"; known are {', '.join(sorted(known))}" if known and len(known) <= 24 else ""


T = TypeVar("T")
Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Located:
    """A scalar, list or mapping with its line (a field of a mapping: the line of its key).

    `text` is a scalar as it was written, so that a name which looks like a number stays what the marketer wrote.
    """

    value: Scalar | tuple[Located, ...] | Mapping[str, Located]
    line: int
    text: str = ""

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
    """A value that cannot be read: what is wrong, what would be right; `line` and `path` where they are deeper.

    `more` holds further mistakes of the same value.
    """

    def __init__(self, message: str, line: int | None = None, path: str = "", more: tuple[Wrong, ...] = ()) -> None:
        super().__init__(message)
        self.line = line
        self.path = path
        self.more = more

    @property
    def each(self) -> tuple[Wrong, ...]:
        """This mistake and the further ones."""
        return (self, *self.more)

    def within(self, line: int, path: str = "") -> tuple[Wrong, ...]:
        """Each mistake seen from around the value: with its line, and a path in front."""
        return tuple(Wrong(str(wrong), wrong.line or line, joined(path, wrong.path)) for wrong in self.each)


def joined(*path: str) -> str:
    """Parts of a path with dots between them; empty ones are none."""
    return ".".join(part for part in path if part)


def refuse(wrongs: Sequence[Wrong]) -> None:
    """Raise all of these mistakes as one; nothing where there are none."""
    if wrongs:
        first = wrongs[0]
        raise Wrong(str(first), first.line, first.path, tuple(wrongs[1:]))


@dataclass(frozen=True, slots=True)
class Problems:
    """The mistakes found so far in one file."""

    file: str
    found: list[DefinitionError] = field(default_factory=list)

    def add(self, line: int, path: str, message: str) -> None:
        """Remember one mistake and go on."""
        self.found.append(DefinitionError(self.file, line, path, message))

    def attempt(self, node: Located, path: str, convert: Callable[[Located], T]) -> T | None:
        """The converted value; None, and a mistake remembered, where it cannot be read."""
        try:
            return convert(node)
        except Wrong as wrong:
            for one in wrong.within(node.line, path):
                self.add(one.line or node.line, one.path, str(one))
            return None


class Section:
    """A mapping of a definition file. Each field is taken once; `close` names those that nobody took."""

    __slots__ = ("_known", "_node", "_own", "fields", "path", "problems")

    def __init__(self, node: Located, path: str, problems: Problems) -> None:
        self._node = node
        self._own = len(problems.found)
        self._known: list[str] = []
        self.path = path
        self.problems = problems
        self.fields: Mapping[str, Located] = node.value if isinstance(node.value, Mapping) else {}
        if not isinstance(node.value, Mapping):
            problems.add(
                node.line, path, f"{node.described} stands where a mapping of fields is needed, {{field: value}}"
            )

    @property
    def line(self) -> int:
        """Where the section begins."""
        return self._node.line

    @property
    def clean(self) -> bool:
        """Whether no mistake was found since the section was opened."""
        return len(self.problems.found) == self._own

    def named(self, name: str) -> str:
        """The path of one of its fields."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return name in self.fields and self.fields[name].value is not None

    def take(self, name: str) -> Located | None:
        """A field, or None where it is absent or null; the section knows the name from now on."""
        self._known.append(name)
        node = self.fields.get(name)
        return None if node is None or node.value is None else node

    def read(self, name: str, convert: Callable[[Located], T], default: T) -> T:
        """A field that may be absent; a wrong one is reported and read as the default."""
        node = self.take(name)
        if node is None:
            return default
        value = self.problems.attempt(node, self.named(name), convert)
        return default if value is None else value

    def require(self, name: str, convert: Callable[[Located], T], hint: str) -> T | None:
        """A field that must be there; absent ones are reported with the hint what to write."""
        node = self.take(name)
        if node is None:
            if isinstance(self._node.value, Mapping):
                self.fail(f"{name} is missing, {hint}")
            return None
        return self.problems.attempt(node, self.named(name), convert)

    def section(self, name: str) -> Section | None:
        """A field that is itself a mapping."""
        node = self.take(name)
        return None if node is None else Section(node, self.named(name), self.problems)

    def fail(self, message: str, line: int | None = None, name: str = "") -> None:
        """Report a mistake of the section, or of one of its fields."""
        node = self.fields.get(name)
        place = line or (node.line if node else self.line)
        self.problems.add(place, self.named(name) if name else self.path, message)

    def close(self) -> bool:
        """Report the fields that nobody took; whether the section is without mistakes."""
        for name, node in self.fields.items():
            if name not in self._known:
                self.problems.add(
                    node.line, self.path, f'unknown field "{shortened(name)}"{did_you_mean(name, self._known)}'
                )
        return self.clean


@dataclass(frozen=True, slots=True)
class Named(Generic[T]):
    """A thing that a side file names, with the line it stands in."""

    thing: T
    line: int


def entries(node: Located, path: str, problems: Problems) -> Iterator[tuple[str, Located]]:
    """The fields of a mapping whose names are the marketer's own."""
    section = Section(node, path, problems)
    yield from section.fields.items()


def shortened(text: str, limit: int = 60) -> str:
    """A text fit for one line of an error: without line breaks and control characters, never long."""
    visible = "".join(character if character.isprintable() else " " for character in text[: limit + 1])
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"
