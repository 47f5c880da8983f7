"""pyarrow under names that a strict type check can read: pyarrow ships no types of its own."""

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow
import pyarrow.compute
import pyarrow.parquet

Table: TypeAlias = Any
"""A `pyarrow.Table`."""
Array: TypeAlias = Any
"""A `pyarrow.Array` or `pyarrow.ChunkedArray`."""

arrow: Final[Any] = pyarrow
compute: Final[Any] = pyarrow.compute
parquet: Final[Any] = pyarrow.parquet


_ARENA_MAX: Final = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS: Final = 2


def allocate_sparingly() -> None:
    """Let `release_memory` reach everything that this process frees; for one that lives long and works in bursts.

    pyarrow's own allocator keeps a heap for each thread, and so does glibc unless it is told: what one thread freed
    could not be given back by another, and the memory of a writer grew by each merge.
    """
    arrow.set_memory_pool(arrow.system_memory_pool())
    tune = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if tune is not None:
        tune(_ARENA_MAX, _ARENAS)


def release_memory() -> None:
    """Give back to the system what the allocator keeps for the next time."""
    arrow.default_memory_pool().release_unused()


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
