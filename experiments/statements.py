"""The SQL of the analysis: files in one dialect that an analyst can read, loaded by name."""

from functools import cache
from pathlib import Path
from typing import Final

from events.engine_sql import Statement, load

FOLDER: Final = Path(__file__).parent / "sql"


@cache
def statement(name: str) -> Statement:
    """The statement of `sql/<name>.sql`."""
    return load(FOLDER / f"{name}.sql")
