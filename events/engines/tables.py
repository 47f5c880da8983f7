"""Tables that are not the log: one foreign file that is read, and flat tables on their way out as CSV and Parquet."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import duckdb

from events.engines.duckdb import Columns, plain_column, quoted
from events.engines.sql import Statement
from events.parts.arrow import arrow, parquet
from kit.values import spreadsheet_text

_LONGEST_LINE: Final = 64 * 1024 * 1024  # bytes


class Unreadable(ValueError):
    """A file that does not have the form it was read in."""


@dataclass(frozen=True, slots=True)
class TextCut:
    """How a UTF-8 text file is cut into rows and cells.

    `above` counts the records above the first row as the standard library's `csv.reader` does, blank ones included.
    `loose` lets rows have fewer cells than `width`, and lines end in different ways; that is slower.
    """

    delimiter: str
    width: int
    above: int
    loose: bool = False


def is_parquet(path: Path) -> bool:
    """Whether a file is named so, or begins so."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return True
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


class TableReader:
    """One CSV or Parquet file, read by a locked-down DuckDB as the table `imported`."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Nothing is read yet."""
        self._path = path.resolve()
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "preserve_insertion_order": False,
            "autoload_known_extensions": False,
        }
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute(f"SET allowed_paths = [{quoted(str(self._path))}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def types(self) -> dict[str, str]:
        """The columns and their types; raises ValueError where the file is no table."""
        reader = "read_parquet({})" if is_parquet(self._path) else "read_csv({}, sample_size = -1, strict_mode = true)"
        try:
            source = reader.format(quoted(str(self._path)))
            self._connection.execute(f"CREATE VIEW imported AS SELECT * FROM {source}")
            described = self._connection.execute("DESCRIBE imported").fetchall()
        except duckdb.Error as error:
            raise ValueError(str(error).splitlines()[0].replace(str(self._path), self._path.name)) from error
        return {str(row[0]): str(row[1]) for row in described}

    def keep_text(self, cut: TextCut, columns: Mapping[str, int]) -> int:
        """Keep columns of a text file, each by its position, as texts in the table `cells`; `row` counts from 0.

        Blank lines are no rows, and rows in which none of these columns holds anything are left out. Answers how many
        rows there are, those included. Raises `Unreadable` where the text is no UTF-8 or a row does not fit.
        """
        cells = ", ".join(f"'p{position}': 'VARCHAR'" for position in range(cut.width))
        options = f"auto_detect = false, header = false, skip = {cut.above}, delim = {quoted(cut.delimiter)}"
        options += f", quote = '\"', escape = '\"', columns = {{{cells}}}, max_line_size = {_LONGEST_LINE}"
        options += ", strict_mode = false, null_padding = true, parallel = false" if cut.loose else ""
        chosen = ", ".join(f"p{position} AS {name}" for name, position in columns.items())
        source = f"read_csv({quoted(str(self._path))}, {options})"
        self._open(f"CREATE TEMP TABLE lines AS SELECT {chosen} FROM {source}")
        anything = f"coalesce({', '.join(columns)}) IS NOT NULL"
        if cut.loose:  # which lets a line of blanks be a row
            anything = f"trim(concat({', '.join(columns)})) <> ''"
        self._connection.execute(f"CREATE TEMP VIEW cells AS SELECT rowid AS row, * FROM lines WHERE {anything}")
        return int(self._connection.execute("SELECT count(*) FROM lines").fetchall()[0][0])

    def show_typed(self, columns: Mapping[str, str]) -> None:
        """Columns of a Parquet file by name, in their types, as the view `cells`; `row` counts from 0."""
        chosen = ", ".join(f"{_identifier(column)} AS {name}" for name, column in columns.items())
        source = f"read_parquet({quoted(str(self._path))})"
        self._open(f"CREATE TEMP VIEW cells AS SELECT file_row_number AS row, {chosen} FROM {source}")

    def _open(self, command: str) -> None:
        try:
            self._connection.execute(command)
        except duckdb.Error as error:
            raise Unreadable(str(error)) from error

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        return self._connection.execute(statement.render()).fetchall()

    def materialise(self, name: str, statement: Statement) -> None:
        """Keep the rows of a SELECT as a table."""
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {statement.render()}")

    def define(self, name: str, statement: Statement) -> None:
        """Let a SELECT go by a name, run anew whenever it is read."""
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {statement.render()}")

    def columns(self, statement: Statement) -> Columns:
        """All rows of a SELECT as numpy arrays."""
        found = self._connection.execute(statement.render()).fetchnumpy()
        return {name: plain_column(values) for name, values in found.items()}

    def records(self, statement: Statement) -> list[dict[str, Any]]:
        """The same by column name."""
        found = self._connection.execute(statement.render())
        names = [str(item[0]) for item in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of equal length; None is a missing value."""

    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self) -> list[dict[str, Any]]:
        """The same, row by row."""
        names = tuple(self.columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]


def table_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    """A table of these columns; a row that lacks one holds None there."""
    return Table({name: [row.get(name) for row in rows] for name in names})


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def csv_bytes(table: Table) -> bytes:
    """RFC 4180 with a header, UTF-8; a missing value is an empty field, a number its shortest exact text. Whoever may
    write a text, a visitor of the shop too, writes no formula: `'` stands before what begins like one.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    for row in zip(*table.columns.values(), strict=True):
        writer.writerow([spreadsheet_text(value) if isinstance(value, str) else value for value in row])
    return text.getvalue().encode()


def parquet_bytes(table: Table, notes: Mapping[str, str] | None = None) -> bytes:
    """A Parquet file (zstd) with the types the columns' values have; a column of None alone is text.

    The note of a column stands in the file as the `description` of its field.
    """
    arrays = {name: arrow.array(values) for name, values in table.columns.items()}
    arrays = {
        name: array.cast(arrow.string()) if arrow.types.is_null(array.type) else array for name, array in arrays.items()
    }
    sink = arrow.BufferOutputStream()
    told = {name: {"description": note} for name, note in (notes or {}).items()}
    fields = [arrow.field(name, array.type, metadata=told.get(name)) for name, array in arrays.items()]
    parquet.write_table(arrow.table(arrays, schema=arrow.schema(fields)), sink, compression="zstd")
    return sink.getvalue().to_pybytes()
