"""Selectors and style as a browser reads them: what is wrong with them, and which selector looks inside another."""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, Final

import cssselect
import tinycss2
from cssselect.parser import Element, Token

from kit.suggestions import did_you_mean

WHOLE_PAGE: Final = ("html", "body", "head", "*")
_STATES: Final = frozenset({
    "active", "any-link", "autofill", "checked", "default", "defined", "disabled", "empty", "enabled", "first-child",
    "first-of-type", "focus", "focus-visible", "focus-within", "fullscreen", "hover", "in-range", "indeterminate",
    "invalid", "last-child", "last-of-type", "link", "modal", "only-child", "only-of-type", "open", "optional",
    "out-of-range", "placeholder-shown", "popover-open", "read-only", "read-write", "required", "root", "scope",
    "target", "user-invalid", "user-valid", "valid", "visited",
})  # fmt: skip
_FUNCTIONS: Final = frozenset({
    "dir", "has", "is", "lang", "not", "nth-child", "nth-last-child", "nth-last-of-type", "nth-of-type", "where",
})  # fmt: skip


def selector_mistake(written: str) -> str | None:
    """What is wrong with a selector; None where a browser finds elements by it."""
    try:
        selectors = cssselect.parse(written)
    except cssselect.SelectorError as error:
        reason = str(error).replace("<EOF", "<its end")
        return f'"{written}" is no CSS selector: {reason[:1].lower()}{reason[1:]}'
    tokens: list[Any] = tinycss2.parse_component_value_list(written)
    for token in tokens:
        if token.type == "hash" and not token.is_identifier:
            return f'"{written}" is no CSS selector: an id that begins with a digit is found by [id="{token.value}"]'
    for selector in selectors:
        if selector.pseudo_element is not None:
            return f'"{written}" ends in a pseudo-element, which is no element; name the element around it'
        for name, known in _pseudo_classes(selector.parsed_tree):
            if name not in known:
                return f'"{written}" asks :{name}, which no browser knows{did_you_mean(name, known)}'
    return None


def finds_whole_page(written: str) -> bool:
    """Whether a sound selector finds the page itself: its root, head, body, or everything."""
    return any(_subject(selector.parsed_tree) in WHOLE_PAGE for selector in cssselect.parse(written))


def overlap(one: str, other: str) -> bool:
    """Whether two sound selectors find an element by the same words."""
    return not _canonical(one).isdisjoint(_canonical(other))


def looks_inside(one: str, other: str) -> bool:
    """Whether a sound selector finds, by its words, what lies inside the elements of the other one."""
    pairs = product(_canonical(one), _canonical(other))
    return any(inner.startswith(f"{outer} ") and inner[len(outer) + 1] not in "+~" for inner, outer in pairs)


def property_mistake(name: str, value: str) -> str | None:
    """What is wrong with a property and its value; None where a style sheet could say it."""
    if not name.startswith("--") and name not in properties():
        if name.lower() in properties():
            return f'"{name}" is written in small letters: {name.lower()}'
        dashed = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
        right = f", write {dashed}" if dashed in properties() else did_you_mean(name, properties())
        return f'"{name}" is no CSS property{right}'
    if not value.strip():
        return f"{name} has no value, write one, or leave it out"
    declared: Any = tinycss2.parse_one_declaration(f"{name}: {value}")
    broken = declared.type == "error" or any(
        token.type == "error" or (token.type == "literal" and token.value in ";}") for token in declared.value
    )
    return f'"{value}" is no value of one property; write each property by itself' if broken else None


@cache
def properties() -> frozenset[str]:
    """The names of all CSS properties that Chromium knows."""
    return frozenset(files("experiments.page").joinpath("css_properties.txt").read_text().split())


@cache
def _canonical(written: str) -> frozenset[str]:
    return frozenset(selector.canonical() for selector in cssselect.parse(written))


def _subject(tree: Any) -> str | None:
    """The name of the element that a tree finds, `*` of one that is found by nothing."""
    if isinstance(tree, Element):
        return tree.element or "*"
    inner = getattr(tree, "subselector", None) if type(tree).__name__ == "CombinedSelector" else tree.selector
    found = _subject(inner)
    return found if found != "*" or type(tree).__name__ == "CombinedSelector" else None


def _pseudo_classes(tree: Any) -> Iterator[tuple[str, frozenset[str]]]:
    """Every pseudo-class of a tree, with those of its kind that there are."""
    if isinstance(tree, Token | str) or tree is None:
        return
    if isinstance(tree, list | tuple):
        parts: Iterable[Any] = tree
    else:
        kind, parts = type(tree).__name__, vars(tree).values()
        if kind == "Pseudo":
            yield tree.ident, _STATES
        elif kind == "Function":
            yield tree.name, _FUNCTIONS
    for part in parts:
        yield from _pseudo_classes(part)
