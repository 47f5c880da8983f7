"""`resonate serve` whose writer kills itself, as a power cut would, whenever it reaches the crash point in DIES_AT.

The same module is the whole service (`python -m servers.dying_writer serve`) and, started by that, its writer; each
loads what it is alone, because a writer that always dies starts often.
"""

import os
import signal
import sys
from typing import Any


def serve() -> None:
    """The command, with this writer in place of the product's."""
    from app.cli.main import main
    from app.processes import supervised

    made = supervised.Role

    def role(name: str, *rest: Any, **named: Any) -> supervised.Role:
        return made(name, *rest, **named, **({"module": __spec__.name} if name == "writer" else {}))

    supervised.Role = role
    main()


def write(*arguments: str) -> int:
    """The product's writer with a crash point that kills."""
    from app.processes import entry

    def die(point: str) -> None:
        if point == os.environ["DIES_AT"]:
            os.kill(os.getpid(), signal.SIGKILL)

    return entry.write(*arguments, reach=die)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    sys.exit(serve() if name == "serve" else write(*rest))
