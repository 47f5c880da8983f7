"""What a variant's payload may ask of pages: `changes`, which the tag makes of them without a developer.

The payload stays the JSON that was written; here it is read to tell what is wrong with it, and for those who look at
all changes of a folder (`experiments/page`).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from experiments.definitions.grammar import (
    FieldSpec,
    Kind,
    Schema,
    Section,
    by_name,
    constant,
    either,
    listed,
    one_of,
    scalar,
)
from experiments.definitions.model import Definition
from experiments.definitions.quantities import LINE
from kit.located import Located, Location, Problems, Wrong

CHANGES: Final = "changes"  # the member of a payload
MOST_CHANGES: Final = 100  # of one variant
LONGEST_HTML: Final = 20_000  # characters
Place = Literal["before", "after", "first", "last"]


class Insertion(Definition):
    """HTML that is put before or after an element, or inside as its first or last part."""

    line: int
    where: Place
    html: str


class ClassChange(Definition):
    """Classes that an element gets, and those that it loses."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Change(Definition):
    """One change: of the elements that a selector finds, or of the address that the page is at."""

    line: int
    selector: str | None = None
    text: str | None = None
    html: str | None = None
    attribute: dict[str, str] = Field(default_factory=dict)
    classes: ClassChange | None = None
    style: dict[str, str] = Field(default_factory=dict)
    hide: bool = False
    insert: Insertion | None = None
    redirect: str | None = None

    @property
    def aspects(self) -> frozenset[str]:
        """What of an element it writes."""
        written = {f"attribute {name}" for name in self.attribute} | {f"style {name}" for name in self.style}
        if self.text is not None or self.html is not None:
            written.add("content")
        if self.hide:
            written.add("style display")
        if self.classes:
            written |= {f"class {name}" for name in (*self.classes.add, *self.classes.remove)}
        return frozenset(written)


def _content(node: Located) -> str:
    """A text that may be empty, or of several lines."""
    if node.value is None or isinstance(node.value, tuple | Mapping):
        raise Wrong(f"{node.described} stands where a text is needed")
    if len(node.text) > LONGEST_HTML:
        raise Wrong(f"{len(node.text)} characters, there may be {LONGEST_HTML}")
    return node.text


def _value(node: Located) -> str:
    return "" if node.value is None else _content(node)


_CONTENT: Final = scalar(_content, {"type": ["string", "number", "boolean"]})
_VALUE: Final = scalar(_value, {"type": ["string", "number", "boolean", "null"]})
_INSERTION: Final = Section(
    Insertion,
    {
        "where": FieldSpec(one_of(Place), needed="write {where: after, html: <p>…</p>}"),
        "html": FieldSpec(_CONTENT, needed="write {where: after, html: <p>…</p>}"),
    },
).kind
_CLASSES: Final = Section(
    ClassChange,
    {"add": listed(LINE, least=1), "remove": listed(LINE, least=1)},
    least=("add", "remove"),
    nothing="changes no class, write {add: [wide]} or {remove: [narrow]}",
).kind
_ACTIONS: Final = ("text", "html", "attribute", "class", "style", "hide", "insert")
_NOTHING: Final = f"changes nothing, write one of {', '.join(_ACTIONS)}"


def _check_change(change: Change, place: Location) -> None:
    acts = [name for name in _ACTIONS if place.has(name)]
    if change.redirect is not None:
        others = [name for name in ("selector", *acts) if place.has(name)]
        if others:
            place.fail(f"stands beside {others[0]}; a redirect leaves the page, write it alone: - {{redirect: /new}}",
                       name="redirect")  # fmt: skip
        return None
    if change.selector is None:
        return place.fail("names no place, write {selector: .hero h1, text: …}, or {redirect: /new}")
    if not acts:
        return place.fail(_NOTHING)
    if change.text is not None and change.html is not None:
        place.fail("stands beside html, keep one of them", name="text")
    return None


_CHANGE: Final = Section(
    Change,
    {
        "selector": FieldSpec(LINE, help="A CSS selector of the elements"),
        "text": FieldSpec(_CONTENT, help="Their text"),
        "html": FieldSpec(_CONTENT, help="Their content as HTML, without scripts"),
        "attribute": FieldSpec(by_name(_VALUE, whose="attributes"), help="Attributes by name; null takes one away"),
        "class": FieldSpec(_CLASSES, to="classes", help="Classes to add and to remove"),
        "style": FieldSpec(by_name(_CONTENT, whose="properties"), help="CSS properties by name"),
        "hide": FieldSpec(constant(True, "hides nothing, write hide: true or leave it out"), help="true hides them"),
        "insert": FieldSpec(_INSERTION, help="HTML before, after, or first or last inside them"),
        "redirect": FieldSpec(LINE, help="The address to go to, as in /new"),
    },
    check=_check_change,
    also={"anyOf": [{"required": ["redirect"]}, *({"required": ["selector", name]} for name in _ACTIONS)]},
)


def _changes(place: Location) -> tuple[Change, ...] | None:
    items = place.node.value
    if not isinstance(items, tuple):
        return place.fail(
            f"{place.node.described} is no list, begin each change with a dash: - {{selector: h1, text: …}}"
        )
    if len(items) > MOST_CHANGES:
        return place.fail(
            f"{len(items)} changes, a variant may have {MOST_CHANGES}; make the page's own variant instead"
        )
    found: list[Change] = []
    for number, item in enumerate(items, start=1):
        read = _CHANGE.kind.sound(Location(item, place.problems, place.around, f"{place.name}[{number}]"))
        if read is not None and read.redirect is not None and any(each.redirect is not None for each in found):
            place.fail("a second redirect, a visitor goes to one place", read.line)
        elif read is not None:
            found.append(read)
    return tuple(found)


_CHANGES: Final = Kind(_changes, {"type": "array", "maxItems": MOST_CHANGES, "items": _CHANGE.kind.schema})
_PAYLOAD_SCHEMA: Final[Schema] = {
    "default": {},
    "if": {"type": "object"},
    "then": {"properties": {CHANGES: either(_CHANGES.schema, {"type": "null"})}},
}


def _payload(place: Location) -> Any:
    """Any JSON, of which `changes` are what the tag understands."""
    if place.has(CHANGES):
        _CHANGES.read(place.inner(CHANGES))
    return place.node.plain()


PAYLOAD: Final = Kind(_payload, _PAYLOAD_SCHEMA)


def leads_to(payload: Any) -> str | None:
    """The address that a payload sends its visitors to."""
    changes = payload.get(CHANGES) if isinstance(payload, dict) else None
    found = [change for change in changes if isinstance(change, dict)] if isinstance(changes, list) else []
    return next((str(change["redirect"]) for change in found if change.get("redirect")), None)


def changes_in(payload: Located) -> tuple[Change, ...]:
    """The changes of a payload whose mistakes were told before."""
    place = Location(payload, Problems(""))
    return (_CHANGES.read(place.inner(CHANGES)) or ()) if place.has(CHANGES) else ()
