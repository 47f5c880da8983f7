"""Every code that the product refuses with, found in the source where it is raised, not in a list somebody keeps."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("app", "events", "experiments", "recommender")
RAISED: Final[Mapping[str, tuple[int, int]]] = {  # what refuses → which of its arguments are the code and the text
    "Problem": (1, 2),
    "retry_later": (1, 2),
    "AnalysisError": (1, 2),
    "refuse": (1, 2),  # of the protocol
    "Unusable": (0, 1),
    "EventRefused": (0, 2),
    "EventDropped": (0, 0),
    "Finding": (1, 2),
}


class RaisedCode(NamedTuple):
    """A place that refuses: what it names, None where that is only known at run time, and whether it has a text."""

    place: str
    code: str | None
    told: bool


@cache
def constants() -> Mapping[str, frozenset[str]]:
    """The texts that constants of modules have, by their name."""
    found: dict[str, set[str]] = {}
    for _, tree in _trees():
        for node in tree.body:
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and isinstance(node, ast.AnnAssign) and _text(node.value) is not None:
                found.setdefault(target.id, set()).add(_text(node.value) or "")
    return {name: frozenset(texts) for name, texts in found.items()}


@cache
def raised() -> tuple[RaisedCode, ...]:
    """Every place that refuses."""
    return tuple(_raised())


def _raised() -> Iterator[RaisedCode]:
    for path, tree in _trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called not in RAISED:
                continue
            code, text = RAISED[called]
            if len(node.args) <= code:  # one that has a code by itself, or makes none
                continue
            told = called == "EventDropped" or _is_told(node.args[text] if len(node.args) > text else None)
            for name in _codes(node.args[code]):
                yield RaisedCode(f"{path}:{node.lineno}", name, told)


def _codes(node: ast.expr) -> list[str | None]:
    if isinstance(node, ast.IfExp):
        return [*_codes(node.body), *_codes(node.orelse)]
    text = _text(node)
    if text is None and isinstance(node, ast.Name) and node.id.isupper():
        return [*constants().get(node.id, [None])]
    return [text]


def _is_told(node: ast.expr | None) -> bool:
    """Whether something says in words what is wrong."""
    text = None if node is None else _text(node)
    return node is not None and (text is None or len(text.split()) >= 3)


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@cache
def _trees() -> tuple[tuple[str, ast.Module], ...]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return tuple((str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in paths)
