"""Where the catalogue lives in the data directory, and how a file there is replaced as a whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit import files


@dataclass(frozen=True, slots=True)
class CatalogPaths:
    """The files of `<data>/catalogue/`. One keeper writes them; only `overrides` has other writers, under a lock."""

    data: Path

    @property
    def folder(self) -> Path:
        """The folder of all of them."""
        return self.data / "catalogue"

    @property
    def current(self) -> Path:
        """The last good catalogue, which is served."""
        return self.folder / "current.json"

    @property
    def state(self) -> Path:
        """What is wrong with the definition files now."""
        return self.folder / "state.json"

    @property
    def sources(self) -> Path:
        """The texts of the files the last good catalogue was read from."""
        return self.folder / "sources.json"

    @property
    def phases(self) -> Path:
        """The frozen designs."""
        return self.folder / "phases.json"

    @property
    def overrides(self) -> Path:
        """Pauses, resumptions and stops that were ordered without the files."""
        return self.folder / "overrides.json"

    @property
    def history(self) -> Path:
        """Every catalogue that was ever served, by the time it was received."""
        return self.folder / "history"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file, and the folder where there is none, so that readers and a crash see it whole."""
    files.replace_file(path, content)


def read_or_none(path: Path) -> bytes | None:
    """A file's content, None where there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the one lock that belongs to a file, across processes, while it is read and replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


FileMark = tuple[int, int, int, int]


def mark_of(path: Path) -> FileMark | None:
    """What changes whenever a file is written or replaced; None where there is none. One stat."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
