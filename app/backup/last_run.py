"""What became of the last backup of a data directory: kept there, for the pages and for who watches the service."""

from pathlib import Path
from typing import Final

import msgspec

from kit.files import read_or_none, replace_file

LAST_RUN: Final = "last-backup.json"


class BackupRun(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that ended, well or not: when (ISO 8601, UTC), how long it took, where to, and why it is not whole."""

    finished_at: str
    seconds: float
    ok: bool
    destination: str
    error: str | None = None


def note_run(data: Path, run: BackupRun) -> None:
    """Keep what became of a backup. Raises OSError."""
    replace_file(data / LAST_RUN, msgspec.json.encode(run), durable=False)


def last_run(data: Path) -> BackupRun | None:
    """What became of the last one; None where none was made, or nobody can read what became of it."""
    try:
        content = read_or_none(data / LAST_RUN)
        return None if content is None else msgspec.json.decode(content, type=BackupRun)
    except (OSError, msgspec.MsgspecError):
        return None
