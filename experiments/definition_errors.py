"""What is wrong in a definition file, said to the person who must fix it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches


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
