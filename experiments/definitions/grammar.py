"""What may stand in a definition file: each kind of value once, with its reader and what an editor is told of it.

A mapping of fields is a table of entries. From it come the reader, the names that are known, and the JSON Schema;
defaults are those of the model that is read.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from re import fullmatch
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from kit.located import Located, Location, Wrong, shortened
from kit.suggestions import did_you_mean
from kit.yaml import without_colon

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Schema: TypeAlias = dict[str, Any]
NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
NO_NAME: Final = "is no name here; allowed are letters, digits, dots, dashes and underscores"
NO_MAPPING: Final = "stands where a mapping of fields is needed, {field: value}"


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value: `read` answers None where it told a mistake, `written` is a value as a file writes it."""

    read: Callable[[Location], T | None]
    schema: Schema
    written: Callable[[Any], Any] = _as_it_is

    def sound(self, place: Location) -> T | None:
        """The value; None where any mistake of it was told."""
        told = len(place.problems.found)
        value = self.read(place)
        return value if len(place.problems.found) == told else None


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of a mapping.

    `needed` says what to write where it is missing; a field without it may be absent, or null. `to` is its name in the
    model where that is another, `null` says that null is a value.
    The mistakes of an `unnamed` field are told at the mapping's own path.
    """

    kind: Kind[Any]
    needed: str = ""
    to: str = ""
    help: str = ""
    null: bool = False
    unnamed: bool = False


Entries: TypeAlias = Mapping[str, FieldSpec | Kind[Any]]


def scalar(convert: Callable[[Located], T], schema: Schema, written: Callable[[Any], Any] = _as_it_is) -> Kind[T]:
    """A kind whose reader raises Wrong."""
    return Kind(lambda place: place.attempt(convert), schema, written)


def checked(convert: Callable[[Located], T], holds: Callable[[T], bool], wrong: str, schema: Schema) -> Kind[T]:
    """A kind of which not every value is taken; `wrong` is said after the value that stands there."""

    def within(node: Located) -> T:
        value = convert(node)
        if not holds(value):
            raise Wrong(f"{node.described} {wrong}")
        return value

    return scalar(within, schema)


def text_that(holds: Callable[[str], bool], wrong: str, **schema: Any) -> Kind[str]:
    """A text of which not every one is taken; what YAML reads as a number or a truth is none, as an editor says too."""

    def fits(value: Any) -> bool:
        return isinstance(value, str) and holds(value)

    return checked(Located.plain, fits, wrong, {"type": "string", **schema})


def constant(value: Any, wrong: str, before: str = "") -> Kind[Any]:
    """One value, or the field is left out; `wrong` is said after the value that stands there, `before` before it."""

    def convert(node: Located) -> Any:
        if node.value != value or type(node.value) is not type(value):  # 1 is not true
            raise Wrong(f"{before}{node.described} {wrong}")
        return value

    return scalar(convert, {"const": value})


def one_of(literal: Any) -> Kind[Any]:
    """One word of a Literal type."""
    words: tuple[str, ...] = get_args(literal)

    def convert(node: Located) -> Any:
        if node.text not in words:
            wrong = f"{node.described} is not known" if node.text else "is empty"
            raise Wrong(f"{wrong}{meant(node.text, words)}")
        return node.text

    return scalar(convert, {"enum": list(words)})


def either(*schemas: Schema) -> Schema:
    """What one of these schemas takes."""
    return {"anyOf": list(schemas)}


def words(*patterns: str) -> Schema:
    """A text of one of these patterns."""
    return {"type": "string", "pattern": f"^(?:{'|'.join(patterns)})$"}


def listed(kind: Kind[T], least: int = 0) -> Kind[tuple[T, ...]]:
    """A list of such values, none of them twice."""

    def read(place: Location) -> tuple[T, ...] | None:
        items = place.node.value
        if not isinstance(items, tuple):
            text = shortened(place.node.text) or "…"
            return place.fail(f"{place.node.described} is no list, write it in brackets: [{text}]")
        if len(items) < least:
            return place.fail(f"holds {len(items) or 'nothing'}, name at least {least}")
        told = len(place.problems.found)
        values: list[T] = []
        for item in items:
            value = kind.read(place.inner("", item))
            if value in values:
                place.fail(f"{item.described} stands twice, keep one", item.line)
            elif value is not None:
                values.append(value)
        return tuple(values) if len(place.problems.found) == told else None

    return Kind(read, {"type": "array", "items": kind.schema, "minItems": least, "uniqueItems": True})


def by_name(kind: Kind[T], no_name: str = "", whose: str = "") -> Kind[dict[str, T]]:
    """A mapping whose names are the marketer's own; values with a mistake are left out.

    `no_name` is said of what cannot be a name; where it is empty, other files say which names there are. `whose` names
    what is no name of ours at all, such as products.
    """

    def read(place: Location) -> dict[str, T] | None:
        if not isinstance(place.node.value, Mapping):
            return no_mapping(place, (), f"stands where a mapping of {whose} is needed" if whose else NO_MAPPING)
        found: dict[str, T] = {}
        for name, node in place.fields.items():
            if no_name and not fullmatch(NAME_PATTERN, name):
                place.inner(name[:60], node).fail(no_name)
                continue
            value = kind.sound(place.inner(name, node))
            if value is not None:
                found[name] = value
        return found

    if whose:
        return Kind(read, {"type": "object", "additionalProperties": kind.schema})
    by_name = {f"^{NAME_PATTERN}$": kind.schema}
    return Kind(read, {"type": "object", "patternProperties": by_name, "additionalProperties": False})


@dataclass(frozen=True, slots=True)
class Section(Generic[M]):
    """A mapping of fields that is read into a model.

    `build` makes the model of what was read. `check` is asked where no mistake was found so far. One of the fields
    `least` must be there, else `nothing` is said. `also` is added to the schema, `no_mapping` is said of anything else,
    and `elsewhere` of fields that belong to other mappings of the kind.
    """

    model: type[M]
    entries: Entries
    build: Callable[..., M] | None = None
    check: Callable[[M, Location], None] | None = None
    least: tuple[str, ...] = ()
    nothing: str = ""
    also: Schema = field(default_factory=dict[str, Any])
    no_mapping: str = NO_MAPPING
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def kind(self) -> Kind[M]:
        """The mapping as a kind of value."""
        least = either(*({"required": [name]} for name in self.least)) if self.least else {}
        return Kind(self.read, {**fields_schema(self.model, self.entries), **least, **self.also})

    def read(self, place: Location) -> M | None:
        """The model; None where a field that is needed cannot be read, while other wrong ones hold their defaults."""
        told = len(place.problems.found)
        values = read_fields(place, self.entries, self.elsewhere, needed=self.no_mapping)
        if values is None:
            return None
        entries = {name: entry_of(entry) for name, entry in self.entries.items()}
        if any(entry.needed and (entry.to or name) not in values for name, entry in entries.items()):
            return None
        own = {"line": place.node.line, "name": place.name}
        own = {name: value for name, value in own.items() if name in self.model.model_fields and name not in entries}
        model = (self.build or self.model)(**own, **values)
        if len(place.problems.found) == told:
            if self.least and not any(place.has(name) for name in self.least):
                place.fail(self.nothing)
            if self.check is not None:
                self.check(model, place)
        return model


def lacks_colon(text: str, fields: Iterable[str]) -> bool:
    """Whether a text was meant as one of these fields, and has no colon, or no space after it."""
    begun = re.match(r"([A-Za-z_][\w.-]*)(?: |:\S)", text)
    return begun is not None and begun[1] in fields


def no_mapping(place: Location, fields: Iterable[str], needed: str) -> None:
    """Tells that something else stands where a mapping of fields is needed; of a field without its colon that."""
    node = place.node
    below = node.text_line > node.line
    if lacks_colon(node.text, [*fields, *(node.text.replace(":", " ").split(" ")[:1] if below else ())]):
        return place.fail(without_colon(node.text), node.text_line)
    return place.fail(f"{node.described} {needed}")


def entry_of(entry: FieldSpec | Kind[Any]) -> FieldSpec:
    """A kind that stands for itself is a field that may be absent."""
    return entry if isinstance(entry, FieldSpec) else FieldSpec(entry)


def read_fields(
    place: Location,
    entries: Entries,
    elsewhere: Mapping[str, str] | None = None,
    *,
    others: bool = True,
    needed: str = NO_MAPPING,
) -> dict[str, Any] | None:
    """What could be read of the fields, by the model's names; None where it is no mapping.

    Missing ones are told, and `others` that are unknown.
    """
    if not isinstance(place.node.value, Mapping):
        return no_mapping(place, entries, needed)
    values: dict[str, Any] = {}
    for name, given in entries.items():
        entry = entry_of(given)
        node = place.fields.get(name)
        if node is None or (node.value is None and not entry.null):
            if entry.needed:
                place.fail(f"{name} is missing, {entry.needed}")
            continue
        value = entry.kind.read(place.inner("" if entry.unnamed else name, node))
        if value is not None or entry.null:
            values[entry.to or name] = value
    for name, node in place.fields.items() if others else ():
        if name not in entries:
            known = (elsewhere or {}).get(name)
            place.fail(known.format(name) if known else _unknown(name, entries), node.line, name if known else "")
    return values


def _unknown(name: str, entries: Entries) -> str:
    if re.fullmatch(r"[0-9]+ ?%?", name):  # `{weight: 33,3%}`
        return f'"{name}" stands where a field is needed: a number is written with a point, as in 33.3%'
    return f'unknown field "{shortened(name)}"{meant(name, entries, few=2)}'


def fields_schema(model: type[BaseModel], entries: Entries) -> Schema:
    """A mapping of these fields and no others; those that may be absent may be null."""
    properties: dict[str, Schema] = {}
    for name, given in entries.items():
        entry = entry_of(given)
        default = default_of(model, name, entry)
        described = {"description": entry.help} if entry.help else {}
        part = {**entry.kind.schema, **({} if default is None else {"default": default}), **described}
        properties[name] = part if entry.needed or entry.null else either(part, {"type": "null"})
    needed = [name for name, entry in entries.items() if entry_of(entry).needed]
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def default_of(model: type[BaseModel], name: str, entry: FieldSpec) -> Any:
    """What a field means where it is left out, as a file would write it; None where that is nothing."""
    known = model.model_fields.get(entry.to or name)
    if known is None or known.default is PydanticUndefined or known.default is None:
        return None
    written = entry.kind.written(known.default)
    return written if isinstance(written, bool | int | float | str) else None


def meant(name: str, known: Iterable[str], few: int = 0) -> str:
    """`, did you mean "x"?` where a known name is near, else the known names, unless they are many; `few` always."""
    names = sorted(known)
    listed = f"; known are {', '.join(names)}" if 0 < len(names) <= 24 else ""
    return listed if len(names) <= few else did_you_mean(name, names, listed, quote='"')
