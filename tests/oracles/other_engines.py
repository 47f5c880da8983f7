"""The readout's SQL on two other real engines: ClickHouse (chdb, in this process) and PostgreSQL (a child)."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from chdb.session import Session

from events.engines.duckdb import BOOLEANS, PLAIN, VIEWS, Columns
from events.engines.sql import Dialect, Statement

Row = dict[str, Any]
KINDS = {"text": "TEXT", "int": "BIGINT", "float": "DOUBLE PRECISION", "bool": "BOOLEAN"}


def typed_rows(rows: Sequence[Row], properties: Sequence[str]) -> list[Row]:
    """What an engine's view gives: the plain columns, and each property as text and as a number."""
    found: list[Row] = []
    for row in rows:
        values = {name: row[name] for name in (*PLAIN, *BOOLEANS, "authority", "consent")}
        values["cart"] = "\x1f".join(sorted(row["product_ids"])) if row["product_ids"] else None
        held = json.loads(row["properties"] or "{}")
        for index, name in enumerate(properties):
            value = held.get(name)
            text = None if value is None else value if isinstance(value, str) else json.dumps(value)
            values[f"text_{index}"] = text
            values[f"number_{index}"] = _number(text)
        found.append(values)
    return found


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


class PostgresEngine:
    """PostgreSQL over a schema of its own."""

    dialect: Dialect = "postgres"

    def __init__(self, uri: str, rows: Sequence[Row], types: dict[str, str]) -> None:
        self._connection = psycopg.connect(uri, autocommit=True)
        self._connection.execute("DROP SCHEMA IF EXISTS readout CASCADE")
        self._connection.execute("CREATE SCHEMA readout")
        self._connection.execute("SET search_path = readout")
        columns = ", ".join(f'"{name}" {KINDS[kind]}' for name, kind in types.items())
        self._connection.execute(f"CREATE TABLE received ({columns})")
        with self._connection.cursor() as cursor, cursor.copy("COPY received FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in types])
        for name, rows_of in VIEWS.items():
            self._connection.execute(f"CREATE VIEW {name} AS {rows_of}".encode())

    def materialise(self, name: str, statement: Statement) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {name} CASCADE")
        self._connection.execute(f"CREATE TABLE {name} AS {statement.render('postgres')}".encode())

    def drop(self, name: str) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {name} CASCADE")

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.render("postgres").encode()).fetchall()

    def columns(self, statement: Statement) -> Columns:
        cursor = self._connection.execute(statement.render("postgres").encode())
        names = [item.name for item in cursor.description or ()]
        return _columns(names, cursor.fetchall())

    def sources(self) -> dict[str, Statement]:
        return {}

    def close(self) -> None:
        self._connection.close()


class ClickHouseEngine:
    """ClickHouse, embedded; joins and aggregates give NULL where the standard does."""

    dialect: Dialect = "clickhouse"

    def __init__(self, folder: Path, rows: Sequence[Row], types: dict[str, str]) -> None:
        self._session = Session(str(folder / "clickhouse"))
        for setting in (
            "join_use_nulls = 1",
            "aggregate_functions_null_for_empty = 1",
            "prefer_column_name_to_alias = 1",
        ):
            self._run(f"SET {setting}")
        self._run("CREATE DATABASE IF NOT EXISTS readout ENGINE = Atomic")
        self._run("USE readout")
        kinds = {"text": "String", "int": "Int64", "float": "Float64", "bool": "Bool"}
        columns = ", ".join(f"{name} Nullable({kinds[kind]})" for name, kind in types.items())
        self._run(f"CREATE TABLE received ({columns}) ENGINE = Memory")
        source = folder / "rows.json"
        source.write_text("\n".join(json.dumps({name: row[name] for name in types}) for row in rows))
        self._run(f"INSERT INTO received SELECT * FROM file('{source}', JSONEachRow, '{columns}')")
        for name, rows_of in VIEWS.items():
            self._run(f"CREATE VIEW {name} AS {rows_of}")

    def materialise(self, name: str, statement: Statement) -> None:
        self._run(f"DROP TABLE IF EXISTS {name}")
        self._run(f"CREATE TABLE {name} ENGINE = Memory AS {statement.render('clickhouse')}")

    def drop(self, name: str) -> None:
        self._run(f"DROP TABLE IF EXISTS {name}")

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._answer(statement)["data"]]

    def columns(self, statement: Statement) -> Columns:
        answer = self._answer(statement)
        return _columns([item["name"] for item in answer["meta"]], answer["data"])

    def sources(self) -> dict[str, Statement]:
        return {}

    def close(self) -> None:
        self._session.close()

    def _answer(self, statement: Statement) -> dict[str, Any]:
        text = statement.render("clickhouse")
        settings = "SETTINGS output_format_json_quote_64bit_integers = 0, output_format_json_quote_denormals = 0"
        return json.loads(str(self._session.query(f"{text} {settings}", "JSONCompact")))

    def _run(self, text: str) -> None:
        self._session.query(text)


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: np.array([_plain(value) for value in column]) for name, column in zip(names, columns, strict=True)}


def _plain(value: Any) -> Any:
    if value is None:
        return math.nan
    return value if isinstance(value, str | int | bool) else float(value)
