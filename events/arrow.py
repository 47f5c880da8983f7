"""pyarrow under names that a strict type check can read: pyarrow ships no types of its own."""

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


def release_memory() -> None:
    """Give back to the system what pyarrow's allocator keeps for the next time, after work that comes seldom."""
    arrow.default_memory_pool().release_unused()
