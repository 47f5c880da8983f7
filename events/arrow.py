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
