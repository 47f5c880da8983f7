"""The analysis process, `python -P -m app.analysis`: started by the first call, because readouts need memory that
assignments must never wait for.
"""

import asyncio
import importlib
import os
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

from app.processes.supervised import Child, begin

if TYPE_CHECKING:
    from app.runtime.settings import Settings


def main() -> int:
    """Answer calls until SIGTERM."""
    child = begin()
    importlib.import_module("app.analysis.calls")  # the slow part, before the settings are read
    finished = asyncio.run(answer(child, child.settings("analysis")))
    if not finished:  # a computation that does not look up any more holds nothing that must be kept
        os._exit(0)
    return 0


async def answer(child: Child, settings: "Settings") -> bool:
    """Serve the supervisor's analysis socket; whether all work ended with it."""
    from app.analysis import calls
    from app.analysis.server import AnalysisServer
    from app.analysis.state import Analysis

    if child.socket_descriptor is None:
        raise SystemExit("the analysis process needs --socket, the descriptor of its listening socket")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    analysis = await Analysis.open(settings)
    try:
        listener = socket.socket(fileno=child.socket_descriptor)
        await AnalysisServer(partial(calls.answer, analysis)).serve(listener, child.say_ready, stop)
    finally:
        finished = await analysis.close()
    return finished


if __name__ == "__main__":
    sys.exit(main())
