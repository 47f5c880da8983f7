"""Flat tables on their way out: CSV and Parquet bytes of named columns."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from events.arrow import Array, arrow, parquet


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


def csv_bytes(table: Table) -> bytes:
    """RFC 4180 with a header, UTF-8; a missing value is an empty field, a number its shortest exact text."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows(zip(*table.columns.values(), strict=True))
    return text.getvalue().encode()


def parquet_bytes(table: Table) -> bytes:
    """A Parquet file (zstd) with the types the columns' values have; a column of None alone is text."""
    arrays = {name: _array(values) for name, values in table.columns.items()}
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.table(arrays), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _array(values: Sequence[Any]) -> Array:
    array = arrow.array(values)
    return array.cast(arrow.string()) if arrow.types.is_null(array.type) else array
