"""A table of the cells of the matrix of faults and moments: what each was like when it ran last, and how it ended.

A cell has one row, whether it held, was skipped or failed; what was seen before it failed is in it too.
"""

import contextlib
import csv
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

COLUMNS: Final = (
    *("fault", "moment", "outcome", "seconds", "cpu"),  # `cpu` are seconds too, of this process and all that it started
    *("named", "gone", "took"),  # seconds; `took` is what the moment itself measured
    *("causes", "answers", "refused", "lost", "acknowledged", "slowest"),
)


@contextlib.contextmanager
def reported(table: Path, fault: str, moment: str) -> Iterator[dict[str, Any]]:
    """Keeps what the block notes as the row of this cell: `held`, `skipped: …` or `red: …`, after so many seconds."""
    row: dict[str, Any] = {"fault": fault, "moment": moment, "outcome": "held"}
    began, worked = time.monotonic(), sum(os.times()[:4])
    try:
        yield row
    except BaseException as error:
        how = "skipped" if isinstance(error, pytest.skip.Exception) else "red"
        row["outcome"] = f"{how}: {(str(error) or type(error).__name__).splitlines()[0]}"
        raise
    finally:
        row |= {"seconds": time.monotonic() - began, "cpu": sum(os.times()[:4]) - worked}
        print(row)
        _keep(table, row)


def _keep(table: Path, row: dict[str, Any]) -> None:
    """Writes the row in the place of an older one of its cell, else behind the others."""
    others = [each for each in rows(table) if (each["fault"], each["moment"]) != (row["fault"], row["moment"])]
    table.parent.mkdir(exist_ok=True)
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([*others, {name: _word(value) for name, value in row.items()}])


def rows(table: Path) -> list[dict[str, str]]:
    """The rows of a table; none where there is none yet, or one with other columns."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        return list(reader) if tuple(reader.fieldnames or ()) == COLUMNS else []


def _word(value: Any) -> str:
    """A value as it stands in a table: `{"a": 1.0}` as `a 1.00`."""
    if isinstance(value, dict):
        return " · ".join(f"{name} {number:.2f}" for name, number in value.items())
    return f"{value:.2f}" if isinstance(value, float) else str(value)
