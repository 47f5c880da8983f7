"""`resonate serve` whose wall clock a file moves, by the seconds in it, in each of its own processes while they run.

The same module is the whole service (`python -m servers.moving_clock serve`) and each process that it starts. The clock
that counts what passes between two moments goes on as it is, and so does the clock of the store.
"""

import mmap
import os
import struct
import sys
import time
from pathlib import Path
from typing import Final

OFFSET: Final = struct.Struct("<d")
MOVED_BY: Final = "CLOCK_MOVED_BY"  # the file's path, in the environment


def move(path: Path, seconds: float) -> None:
    """The clock of whoever follows the file shows so much more from now on."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(OFFSET.pack(seconds))


def follow(path: Path) -> None:
    """This process reads the moved clock from now on."""
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + OFFSET.unpack_from(offset)[0]
    time.time_ns = lambda: nanoseconds() + int(OFFSET.unpack_from(offset)[0]) * 1_000_000_000


def serve() -> None:
    """The command, all of whose processes follow the file."""
    from app.cli.main import main
    from app.processes import supervised

    made = supervised.start_module
    supervised.start_module = lambda module, *rest: made(__spec__.name, *rest)
    main()


def work(name: str, *rest: str) -> int:
    """One of the product's processes."""
    from app.processes import entry

    return entry.PROCESSES[name](*rest)


if __name__ == "__main__":
    follow(Path(os.environ[MOVED_BY]))
    name, *rest = sys.argv[1:]
    sys.exit(serve() if name == "serve" else work(name, *rest))
