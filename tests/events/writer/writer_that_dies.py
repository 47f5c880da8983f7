"""A writer in a process of its own that kills itself at a crash point: arguments socket, data, point ("" is never).

It says on a line which crash points it passes.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from events.store.connection import connect
from events.writer.shard import WriterOptions
from events.writer.writer import run_writer


async def write(socket: Path, data: Path, point: str) -> None:
    def reach(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)
        print(name, flush=True)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connection = await connect(None, socket)
    await run_writer(connection, data, WriterOptions(cut_seconds=0.05, reach=reach), stop)
    await connection.close()


asyncio.run(write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
