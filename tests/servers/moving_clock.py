"""The product by a wall clock that a file moves, by the seconds in it, in each of its own processes while they run.

The same module is a command (`python -m servers.moving_clock serve`) and each process that it starts: it calls their
mains with its clock. Its embedded store goes by libfaketime, and a file of its own. The clocks that count what passes
between two moments go on as they are, and so do the times of files.
"""

import contextlib
import mmap
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kit.time import MACHINE_CLOCK, Clock, keep_time

OFFSET: Final = struct.Struct("<d")
MOVED_BY: Final = "CLOCK_MOVED_BY"  # the file's path, in the environment
FAKETIME: Final = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]


def move(path: Path, seconds: float) -> None:
    """The clock of whoever follows the file shows so much more from now on."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(OFFSET.pack(seconds))


@contextlib.contextmanager
def away(seconds: float) -> Iterator[None]:
    """This process's own clock shows so much more while the block runs."""
    keep_time(lambda: MACHINE_CLOCK() + round(seconds * 1e9))
    try:
        yield
    finally:
        keep_time(MACHINE_CLOCK)


def moved_by(path: Path) -> Clock:
    """The machine's clock, and what the file adds to it."""
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    return lambda: MACHINE_CLOCK() + round(OFFSET.unpack_from(offset)[0] * 1e9)


def move_store(path: Path, seconds: float) -> None:
    """The clock of the store beside the file `path` shows so much more from now on."""
    file = _of_store(path).with_suffix(".new")
    file.write_text(f"{seconds:+.3f}")
    file.replace(_of_store(path))


def _of_store(path: Path) -> Path:
    return path.with_name("store-clock")


def moving_store(path: Path, program: Path) -> Path:
    """The program of a store whose clock `move_store` moves."""
    variables = f"FAKETIME_TIMESTAMP_FILE={_of_store(path)} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
    script = path.with_name("valkey-server")
    script.write_text(f'#!/bin/sh\nLD_PRELOAD={FAKETIME[0]} {variables} exec {program} "$@"\n')
    script.chmod(0o700)
    return script


def command(clock: Clock) -> None:
    """A command, such as `serve`, all of whose processes are started from here."""
    from app.cli.main import main
    from app.processes import design_freeze, supervised
    from events.store import embedded

    program = embedded.store_binary()
    embedded.store_binary = lambda: moving_store(Path(os.environ[MOVED_BY]), program)

    made = supervised.start_module
    supervised.start_module = lambda module, *rest: made(__spec__.name, *rest)
    design_freeze.ENTRY = __spec__.name
    main(clock)


def process(clock: Clock, name: str, *rest: str) -> int:
    """One of the processes that the service starts."""
    from app.processes import entry

    return entry.main(name, *rest, clock=clock)


if __name__ == "__main__":
    clock, under_way = moved_by(Path(os.environ[MOVED_BY])), "kit.child" in sys.orig_argv
    sys.exit(process(clock, *sys.argv[1:]) if under_way else command(clock))
