"""`resonate serve` with a mistake in it that nobody foresaw: whatever a worker asks the analysis fails in the worker.

The same module is the whole service (`python -m servers.unforeseen serve`) and each process that it starts.
"""

import sys
from typing import Any


def serve() -> None:
    """The command, whose processes this module starts."""
    from app.cli.main import main
    from app.processes import supervised

    made = supervised.start_module
    supervised.start_module = lambda module, *rest: made(__spec__.name, *rest)
    main()


def work(name: str, *rest: str) -> int:
    """One of the product's processes."""
    from app.analysis.client import AnalysisClient
    from app.processes import entry

    async def ask(*_: Any, **__: Any) -> None:
        raise KeyError("nobody foresaw it")

    AnalysisClient.ask = ask
    return entry.PROCESSES[name](*rest)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    sys.exit(serve() if name == "serve" else work(name, *rest))
