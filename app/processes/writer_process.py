"""The one process that turns the stream into parts: `python -P -m app.writer_process`. It also compacts and retains,
because both change the parts that only it may make.
"""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.processes.supervised import Child, begin

if TYPE_CHECKING:
    from app.runtime.settings import Settings


CRASH_VARIABLE: Final = "RESONATE_CRASH_AT"


def main() -> int:
    """Write until SIGTERM, then what is left in the stream."""
    child = begin()
    importlib.import_module("events.writer.writer")  # while the store starts
    importlib.import_module("events.parts.arrow").allocate_sparingly()
    settings = child.settings("writer")
    asyncio.run(write(child, settings))
    return 0


async def write(child: Child, settings: "Settings") -> None:
    """Run the writer against the service's store. Raises StoreRefused for a store that may not be used."""
    from app.runtime.data_directory import store_connection
    from events.writer.lease import Lease, Owner, while_owner
    from events.writer.shard import WriterOptions
    from events.writer.writer import run_writer

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    options = WriterOptions(retention_days=settings.retention_days, reach=crash_hook(os.environ.get(CRASH_VARIABLE)))
    connection = await store_connection(settings)
    try:
        child.say_ready()
        if settings.redis_url is None:  # the embedded store has no other user
            return await run_writer(connection, settings.data, options, stop)
        owner = Owner.of(settings.data, os.getppid())
        fenced = replace(options, owner=owner.log)
        await while_owner(Lease(connection, owner), lambda: run_writer(connection, settings.data, fenced, stop), stop)
    finally:
        await connection.close()


def crash_hook(point: str | None) -> Callable[[str], None]:
    """What the writer calls at each of its crash points; tests have it kill itself at `point`, as a power cut would."""

    def reach(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


if __name__ == "__main__":
    sys.exit(main())
