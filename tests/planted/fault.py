"""A fault as somebody might make it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One piece of text in a file, which stands there exactly once, and what takes its place."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault as somebody might make it, and the tests of which at least one must fail with it."""

    fault: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]
