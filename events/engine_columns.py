"""What a database's answer is to us: numpy arrays by column name."""

from typing import Any

import numpy as np
import numpy.typing as npt

Columns = dict[str, npt.NDArray[Any]]


def plain_column(values: Any) -> npt.NDArray[Any]:
    """A column as DuckDB gives it, without its mask: a missing number is NaN, a missing text None."""
    if isinstance(values, np.ma.MaskedArray):
        return values.filled(np.nan if values.dtype.kind == "f" else None)  # pyright: ignore[reportUnknownVariableType]
    return values


def quoted(text: str) -> str:
    """A text literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
