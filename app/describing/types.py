"""Types as closed JSON Schemas, with what their docstrings say of each member.

A member of a class is described by the docstring below it, one of a `Literal` by its line in the docstring below the
alias: `` `ended`: nobody is enrolled any more``. A name has one description, which other types take up by naming it:
`` As everywhere: `phase`, `as_of`.`` at the end of their docstring. Where a name means something of its own in a type,
its description there begins with `Here:`. Nothing is described by its name alone.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec
from msgspec import UnsetType
from pydantic import BaseModel

from app.describing.sources import MemberTexts, alias_of, class_text, member_texts
from app.glossary.entries import Explained

Schema = dict[str, Any]
REFERENCE: Final = "#/components/schemas/"
PLAIN: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    Any: {"type": ["object", "array", "string", "number", "boolean", "null"], "items": {"description": "Any JSON."}},
}
WRAPPERS: Final = (Annotated, NotRequired, Required, ClassVar, Final)
HERE: Final = "Here: "


class Undescribed(ValueError):
    """A type that cannot be served as it is."""


@dataclass(frozen=True, slots=True)
class ServedMember:
    """One member of a served class: its name there and in the class, its type, whether every answer has it."""

    name: str
    own: str
    type: Any
    always: bool


@dataclass(frozen=True, slots=True)
class Forms:
    """How an encoder departs from the types: what stands `instead` of a type, which `parts` of a member's class it
    serves (by their own names), which members are `optional`, of which classes those that are null are left out, and
    which classes are `foreign`: their protocol explains them."""

    instead: Mapping[Any, Any] = field(default_factory=dict[Any, Any])
    parts: Mapping[type, Mapping[str, Mapping[str, str]]] = field(default_factory=dict[type, Any])
    optional: Set[str] = frozenset()
    without_null: Set[type] = frozenset()
    foreign: Set[type] = frozenset()


@dataclass(slots=True)
class ServedTypes:
    """The schemas of served types by name, the place that explains each name, where each name stands, what each type's
    own names are said to be there, and what is wrong with the explanations."""

    forms: Forms = field(default_factory=Forms)
    schemas: dict[str, Schema] = field(default_factory=dict[str, Schema])
    homes: dict[str, Explained] = field(default_factory=dict[str, Explained])
    named: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    texts: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    faults: list[str] = field(default_factory=list[str])
    _made: dict[str, Any] = field(default_factory=dict[str, Any])

    def schema(self, kind: Any) -> Schema:
        """The schema of a type, a reference where it has a name. Raises Undescribed."""
        kind = _bare(kind)
        if kind in self.forms.instead:
            kind = self.forms.instead[kind]
        if isinstance(kind, dict):
            return dict(kind)
        if kind in PLAIN:
            return dict(PLAIN[kind])
        if get_origin(kind) is Literal:
            return self._literal(get_args(kind))
        if get_origin(kind) in (Union, UnionType):
            return self._union(get_args(kind))
        if get_origin(kind) is not None:
            return self._container(get_origin(kind), get_args(kind))
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._enumeration(kind)
        return self._class(kind.__name__, kind, list(_members(kind, self.forms)))

    def _container(self, origin: Any, arguments: tuple[Any, ...]) -> Schema:
        """The schema of a mapping, of a tuple of some length, or of a list."""
        if issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.schema(arguments[1])}
        if origin is tuple and arguments[-1] is not Ellipsis:
            length = len(arguments)
            return {"type": "array", "items": self._union(arguments), "minItems": length, "maxItems": length}
        if issubclass(origin, Sequence | Set):
            return {"type": "array", "items": self.schema(arguments[0])}
        raise Undescribed(f"{origin} has no schema: say what it is")

    def settled(self) -> dict[str, Schema]:
        """All schemas, each property with its description."""
        return {kind: self._settled(kind, schema) for kind, schema in sorted(self.schemas.items())}

    def _settled(self, kind: str, schema: Schema) -> Schema:
        if "enum" in schema:
            lines = [f"`{value}`: {text}" for value in schema["enum"] if (text := self.said(kind, value))]
            return {**schema, "description": "\n".join(filter(None, [schema.get("description", ""), *lines]))}
        told = {name: self.said(kind, name) for name in schema["properties"]}
        shown = {
            name: {**of, "description": told[name]} if told[name] else of for name, of in schema["properties"].items()
        }
        return {**schema, "properties": shown}

    def said(self, where: str, name: str) -> str:
        """What a name is in a type: what the type says, or what it takes up; empty where it says nothing."""
        text = self.texts.get((where, name))
        return text or (self.homes[name].description if text is not None and name in self.homes else "")

    @property
    def explained(self) -> list[Explained]:
        """Every name in order, with what it is in general and what it is in single types."""
        own: dict[str, dict[str, list[str]]] = {}
        for (where, name), text in self.texts.items():
            if text and name in self.homes:
                own.setdefault(name, {}).setdefault(text, []).append(where)
        return [
            Explained(name, home.where, home.description, {
                ", ".join(sorted(places)): text for text, places in own.get(name, {}).items()
            })
            for name, home in sorted(self.homes.items())
        ]  # fmt: skip

    @property
    def undescribed(self) -> dict[str, list[str]]:
        """Names that nothing explains, with where they stand."""
        return {name: places for name, places in sorted(self.named.items()) if name not in self.homes}

    def _reference(self, name: str, source: Any) -> Schema | None:
        """A reference to what was made of this source, None where it is still to be made."""
        if self._made.setdefault(name, source) != source:
            raise Undescribed(f"two types are called {name}: {self._made[name]} and {source}")
        return {"$ref": REFERENCE + name} if name in self.schemas else None

    def _explain(self, name: str, where: str, told: MemberTexts) -> None:
        """A name that stands somewhere, and what is said of it there: words, or that it takes up those of elsewhere."""
        self.named.setdefault(name, []).append(where)
        text, taken = told.texts.get(name, ""), name in told.taken
        if text.startswith(HERE):
            self.texts[where, name] = text[len(HERE)].upper() + text[len(HERE) + 1 :]
        elif text and self.homes.setdefault(name, Explained(name, where, text)).description != text:
            self.faults.append(f"{name}: explained twice, in {self.homes[name].where} and in {where}")
        elif text or taken:
            self.texts[where, name] = ""
        if bool(text) == taken:
            wrong = "says what it is and takes it from elsewhere" if text else "says nothing of it"
            self.faults.append(f"{where}.{name}: {where} {wrong}")

    def _class(self, name: str, kind: type, members: Sequence[ServedMember], taken: Set[str] = frozenset()) -> Schema:
        made = self._reference(name, (kind, tuple(member.name for member in members)))
        if made is not None:
            return made
        schema: Schema = {"type": "object", "description": class_text(kind), "additionalProperties": False}
        self.schemas[name] = schema
        told, parts = member_texts(kind), self.forms.parts.get(kind, {})
        texts = {member.name: told.texts.get(member.own) or _noted(member.type) for member in members}
        for member in members if kind not in self.forms.foreign else ():
            self._explain(member.name, name, MemberTexts(texts, told.taken | taken))
        for each in told.taken - set(texts) if kind not in self.forms.foreign and not taken else ():
            self.faults.append(f"{name}.{each}: {name} has no such member")
        schema["required"] = [member.name for member in members if member.always]
        schema["properties"] = {
            member.name: self._parts(name + member.name.title(), member.type, parts[member.own])
            if member.own in parts
            else self.schema(member.type)
            for member in members
        }
        return {"$ref": REFERENCE + name}

    def _parts(self, name: str, kind: Any, served: Mapping[str, str]) -> Schema:
        """Of a class that a member may be: only what is served of it."""
        found: list[Schema] = []
        for each in get_args(kind) or (kind,):
            if each in self.forms.instead or each in PLAIN:
                found.append(self.schema(each))
                continue
            own = {member.own: member for member in _members(each, Forms())}
            hints = get_type_hints(each, include_extras=True)
            chosen = [
                ServedMember(shown, of, own[of].type if of in own else hints[of], always=True)
                for shown, of in served.items()
            ]
            texts = member_texts(each).texts
            taken = {shown for shown, of in served.items() if of not in texts}  # the encoder names each of them
            found.append(self._class(name, each, chosen, taken))
        return _either(found)

    def _literal(self, values: tuple[Any, ...]) -> Schema:
        alias = alias_of(values)
        words = [value for value in values if isinstance(value, str)]
        if alias is None or len(words) < len(values):
            for value in words:  # of a type that has no name: nothing stands there but the words
                self.named.setdefault(value, []).append("Literal")
            return dict(PLAIN[bool]) if values[0] is True else {"enum": list(values)}  # generators read no such enum
        for value in words:
            self._explain(value, alias.name, alias.told)
        if self._reference(alias.name, values) is None:
            self.schemas[alias.name] = {"type": "string", "enum": list(values), "description": alias.text}
        return {"$ref": REFERENCE + alias.name}

    def _enumeration(self, kind: type[Enum]) -> Schema:
        name, told = kind.__name__, member_texts(kind)
        if self._reference(name, kind) is None:
            values = [member.value for member in kind]
            self.schemas[name] = {"type": "string", "enum": values, "description": class_text(kind)}
            texts = {member.value: told.texts.get(member.name, "") for member in kind}
            for member in kind:
                self._explain(member.value, name, MemberTexts(texts, told.taken))
        return {"$ref": REFERENCE + name}

    def _union(self, kinds: Sequence[Any]) -> Schema:
        return _either([self.schema(kind) for kind in kinds if kind is not UnsetType])


def _either(schemas: Sequence[Schema]) -> Schema:
    """Any of these; types without more become a list of types."""
    each: list[Schema] = []
    for schema in schemas:
        if schema not in each:
            each.append(schema)
    if len(each) == 1:
        return each[0]
    if all(set(schema) == {"type"} and isinstance(schema["type"], str) for schema in each):
        return {"type": [schema["type"] for schema in each]}
    return {"anyOf": each}


def _members(kind: Any, forms: Forms) -> Iterator[ServedMember]:
    """What is served of a class, in order."""
    if not isinstance(kind, type):
        raise Undescribed(f"{kind} has no schema: say what it is")
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):
        names = [each.name for each in fields(kind) if each.metadata.get("served", True)]
        return (ServedMember(name, name, hints[name], name not in forms.optional) for name in names)
    if is_typeddict(kind):
        required: Set[str] = getattr(kind, "__required_keys__")  # noqa: B009 - of which pyright knows nothing
        return (ServedMember(name, name, of, name in required) for name, of in hints.items())
    if issubclass(kind, msgspec.Struct):
        return _struct_members(kind, hints)
    if issubclass(kind, BaseModel):
        lacking = kind in forms.without_null
        return (
            ServedMember(name, name, hints[name], not (lacking and NoneType in get_args(hints[name])))
            for name in kind.model_fields
        )
    raise Undescribed(f"{kind} has no schema: say what it is")


def _struct_members(kind: type[msgspec.Struct], hints: Mapping[str, Any]) -> Iterator[ServedMember]:
    """Of a struct, which may leave out what is unset, or has its default."""
    for each in msgspec.structs.fields(kind):
        may_lack = UnsetType in get_args(each.type) or (kind.__struct_config__.omit_defaults and not each.required)
        yield ServedMember(each.encode_name, each.name, hints[each.name], not may_lack)


def _bare(kind: Any) -> Any:
    """A type without what is written around it; `Annotated[dict, Model]` is the model that the mapping was made of."""
    while get_origin(kind) in WRAPPERS:
        models = [each for each in getattr(kind, "__metadata__", ()) if isinstance(each, type)]
        kind = models[0] if models else get_args(kind)[0]
    return kind


def _noted(kind: Any) -> str:
    """The description in the annotation of a member whose name is a word of Python, which can have no docstring."""
    while get_origin(kind) in WRAPPERS:
        for each in getattr(kind, "__metadata__", ()):
            if isinstance(each, msgspec.Meta) and each.description:
                return each.description
        kind = get_args(kind)[0]
    return ""
