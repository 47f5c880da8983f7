"""Reads the rows of somebody else's Parquet file as plain values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from events.arrow import arrow, parquet

BATCH: Final = 10_000


class UnreadableParquet(ValueError):
    """A file that is not Parquet, or is damaged."""


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Each row as column name → value, nulls left out. Raises UnreadableParquet."""
    try:
        file = parquet.ParquetFile(path)
        for batch in file.iter_batches(BATCH):
            for row in batch.to_pylist():
                yield {name: value for name, value in row.items() if value is not None}
    except (arrow.ArrowException, OSError) as error:
        raise UnreadableParquet(f"it is not a readable Parquet file ({str(error).splitlines()[0][:120]})") from None
