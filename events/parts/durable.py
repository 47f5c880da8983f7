"""Files that are on the disk when the call returns, and that nobody ever sees half written."""

import os
import secrets
from pathlib import Path
from typing import Final

TEMPORARY_PREFIX: Final = ".tmp-"


def temporary_path(path: Path) -> Path:
    """A name beside a file that readers pass over and no other process takes."""
    return path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")


def replace_durably(path: Path, content: bytes) -> None:
    """Replace a file by new content: a reader, and a crash, see the old or the new one whole."""
    replace_file(path, content)
    sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """The same for a caller who makes the name durable later, by `sync_folder`."""
    temporary = temporary_path(path)
    try:
        write_durably(temporary, content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that has no readers yet."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
