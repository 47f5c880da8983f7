"""A layer under all files that we write, which refuses at one step of it with an error of the system."""

import builtins
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit import files
from kit.files import UNWRITTEN

ERRORS = sorted(UNWRITTEN)
STEPS = ("open", "write", "sync", "name")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class FailingSystem:
    """`os` as `kit.files` sees it; all that it does not refuse is the real one."""

    def __init__(self, number: int, step: str, below: Path) -> None:
        self._number = number
        self._step = step
        self._below = str(below)
        self.refused: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def refuse(self, step: str, path: object) -> None:
        told = os.fsdecode(os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else str(path))
        if step == self._step and told.startswith(self._below):
            self.refused.append(told)
            raise OSError(self._number, os.strerror(self._number), told)

    def open(self, path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & WRITING:
            self.refuse("open", path)
        return os.open(path, flags, *rest, **named)

    def pwrite(self, descriptor: int, content: bytes, offset: int) -> int:
        self.refuse("write", descriptor)
        return os.pwrite(descriptor, content, offset)

    def fsync(self, descriptor: int) -> None:
        self.refuse("sync", descriptor)
        os.fsync(descriptor)

    def replace(self, source: Any, target: Any) -> None:
        self.refuse("name", target)
        os.replace(source, target)

    def link(self, source: Any, target: Any) -> None:
        self.refuse("name", target)
        os.link(source, target)


@contextmanager
def failing(number: int, step: str, below: Path) -> Generator[list[str]]:
    """Below a folder each write meets this error at this step while the block runs; the list says which files did."""
    system = FailingSystem(number, step, below)
    fill = files._fill  # pyright: ignore[reportPrivateUsage]

    def filling(file: Any, content: bytes, *, durable: bool) -> None:
        system.refuse("write", file.name)
        fill(file, content, durable=durable)

    def opening(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if set(mode) & set("wax+"):
            system.refuse("open", path)
        return builtins.open(path, mode, *rest, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "os", system)
        patched.setattr(files, "_fill", filling)
        patched.setattr(files, "open", opening, raising=False)
        yield system.refused
