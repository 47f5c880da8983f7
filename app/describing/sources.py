"""What the docstrings below members and aliases say, read from the source: nothing of them is kept at run time."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from re import MULTILINE, findall
from typing import Any, Final, Literal, get_args, get_origin

OURS: Final = ("app.", "events.", "experiments.", "kit.", "recommender.")
EVERYWHERE: Final = "As everywhere:"
LINE: Final = r"^`([\w-]+)`: ((?:.|\n(?!`[\w-]+`: ))+)"


@dataclass(frozen=True, slots=True)
class MemberTexts:
    """What a type says of its members, by name, and the names that it takes up from where they are explained."""

    texts: Mapping[str, str]
    taken: Set[str]


@dataclass(frozen=True, slots=True)
class Alias:
    """A `Literal` that has a name, and what is said of its members; `text` is said of it as a whole."""

    name: str
    text: str
    told: MemberTexts


def member_texts(kind: type) -> MemberTexts:
    """Of a class: the docstring below each of its members, and what its own takes up; those of its bases too."""
    texts: dict[str, str] = {}
    taken: set[str] = set()
    for each in _lineage(kind):
        own, takes = _class_texts(each.__module__, each.__name__), _taken(_class_docstring(each))[1]
        texts = {name: text for name, text in texts.items() if name not in takes} | own
        taken = (taken - own.keys()) | set(takes)
    return MemberTexts(texts, frozenset(taken))


def class_text(kind: type) -> str:
    """The docstring of a class of ours as one paragraph, without what a dataclass writes there by itself."""
    return _taken(_class_docstring(kind))[0]


def alias_of(values: tuple[Any, ...]) -> Alias | None:
    """The alias of a `Literal` with these values; of several the one that says what they mean."""
    return _aliases().get(values)


def one_line(text: str) -> str:
    """A docstring without its line breaks."""
    return " ".join(text.split())


def _taken(docstring: str) -> tuple[str, list[str]]:
    """A docstring as one paragraph, without the names that it takes up, and these names."""
    text, _, names = one_line(docstring).partition(EVERYWHERE)
    return text.rstrip(), findall(r"`([\w-]+)`", names)


def _lineage(kind: type) -> Iterator[type]:
    """A class of ours behind those that it has members of; at run time a TypedDict knows nothing of its bases."""
    if not kind.__module__.startswith(OURS):
        return
    node, module = _class_node(kind.__module__, kind.__name__), sys.modules[kind.__module__]
    for base in node.bases if node else ():
        found = getattr(module, base.id, None) if isinstance(base, ast.Name) else None
        if isinstance(found, type):
            yield from _lineage(found)
    yield kind


def _class_docstring(kind: type) -> str:
    found = _class_node(kind.__module__, kind.__name__)
    return (ast.get_docstring(found) or "") if found else ""


@cache
def _aliases() -> dict[tuple[Any, ...], Alias]:
    found: dict[tuple[Any, ...], Alias] = {}
    for name in sorted(sys.modules):
        module = sys.modules[name]
        if not name.startswith(OURS) or not getattr(module, "__file__", None):
            continue
        for target, text in _texts(_tree(name)):
            value = getattr(module, target, None)
            if get_origin(value) is not Literal:
                continue
            said, taken = inspect.cleandoc(text), frozenset(_taken(text)[1])
            said = said.split(EVERYWHERE)[0].rstrip()
            members = {member: one_line(told) for member, told in findall(LINE, said, MULTILINE)}
            head = one_line(said.split("\n`")[0]) if not said.startswith("`") else ""
            if members or taken:  # one that says nothing stands beside another of the same values, and is the same type
                found[get_args(value)] = Alias(target, head, MemberTexts(members, taken))
    return found


@cache
def _class_texts(module: str, name: str) -> dict[str, str]:
    node = _class_node(module, name)
    return {target: one_line(text) for target, text in _texts(node) if text} if node else {}


@cache
def _class_node(module: str, name: str) -> ast.ClassDef | None:
    nodes = ast.walk(_tree(module)) if module.startswith(OURS) else ()
    return next((node for node in nodes if isinstance(node, ast.ClassDef) and node.name == name), None)


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(sys.modules[module].__file__ or "").read_bytes())


def _texts(node: ast.Module | ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Each name that is assigned to or annotated, with the text right below it, else with none."""
    for statement, below in zip(node.body, [*node.body[1:], None], strict=False):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case _:
                continue
        match below:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text
            case _:
                yield name, ""
