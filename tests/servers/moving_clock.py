"""The product by a wall clock that a file moves, by the seconds in it, in each of its own processes while they run.

The same module is a command (`python -m servers.moving_clock serve`) and each process that it starts: it calls their
mains with its clock. The clock that counts what passes between two moments goes on as it is; so does that of the store,
and of the file system.
"""

import mmap
import os
import struct
import sys
from pathlib import Path
from typing import Final

from kit.time import MACHINE_CLOCK, Clock

OFFSET: Final = struct.Struct("<d")
MOVED_BY: Final = "CLOCK_MOVED_BY"  # the file's path, in the environment


def move(path: Path, seconds: float) -> None:
    """The clock of whoever follows the file shows so much more from now on."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(OFFSET.pack(seconds))


def moved_by(path: Path) -> Clock:
    """The machine's clock, and what the file adds to it."""
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    return lambda: MACHINE_CLOCK() + round(OFFSET.unpack_from(offset)[0] * 1e9)


def command(clock: Clock) -> None:
    """A command, such as `serve`, all of whose processes are started from here."""
    from app.cli.main import main
    from app.processes import design_freeze, supervised

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
