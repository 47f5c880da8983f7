"""Whatever a property is called, the engine finds it, and nothing else: a name is no pattern and no piece of SQL."""

import json

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.engines.duckdb import _extracted

ODD = (
    "*",
    "**",
    "?",
    "$",
    "#",
    "",
    'a"b',
    "a'b",
    "a\\",
    "\\",
    "~",
    "~1",
    "a/b",
    "[0]",
    "[*]",
    "';--",
    '"; DROP',
    "\n",
    "a\x00b",
)


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def found(engine: duckdb.DuckDBPyConnection, name: str, properties: object) -> object:
    row = engine.execute(f"SELECT {_extracted(name)} FROM (SELECT ? AS properties) e", [json.dumps(properties)])
    return row.fetchall()[0][0]


@given(st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters=".")))
def test_a_property_is_found_by_its_name_alone(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    assert found(engine, name, {name: "told", f"{name}x": "another"}) == "told"
    assert found(engine, name, {f"{name}x": "another"}) is None


@given(st.lists(st.sampled_from(ODD), min_size=2, max_size=4))
def test_a_dot_reaches_into_an_object(engine: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    value: object = "told"
    for name in reversed(names):
        value = {name: value}
    assert found(engine, ".".join(names), value) == "told"
