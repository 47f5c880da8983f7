"""Draws whole values of a type for round trips: every field of a model, a struct or a dataclass, also of later ones."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import EnumType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st
from pydantic import BaseModel

FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    Any: JSON,
    str: st.text(max_size=12),
    int: st.integers(-(2**63), 2**63 - 1),
    float: FINITE,
    bool: st.booleans(),
    types.NoneType: st.none(),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, down to its smallest part."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(inside)
    if origin in (Union, types.UnionType):
        return st.one_of([values(each) for each in inside])
    if origin is list or (origin is tuple and inside[-1] is Ellipsis):
        return st.lists(values(inside[0]), max_size=3).map(origin)
    if origin is tuple:
        return st.tuples(*map(values, inside))
    if origin in (dict, Mapping):
        return st.dictionaries(values(inside[0]), values(inside[1]), max_size=3)
    if isinstance(kind, EnumType):
        return st.sampled_from(list(kind))
    return st.builds(kind, **{name: values(part) for name, part in _parts(kind).items()})


def _parts(kind: Any) -> dict[str, Any]:
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    if issubclass(kind, msgspec.Struct):
        return {field.name: field.type for field in msgspec.structs.fields(kind)}
    assert is_dataclass(kind), f"nobody said how to draw {kind}"
    return {field.name: get_type_hints(kind)[field.name] for field in fields(kind)}
