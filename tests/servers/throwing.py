"""`resonate serve` with something thrown once into each of its long-lived tasks, in each of its processes.

The same module is the whole service (`python -m servers.throwing serve`) and each process that it starts. Each throw is
a line of the file in THROWN: the process, the module that made the task, the task's name; the round after it is a line
that ends with AGAIN. What runs side by side in the writer ends it: there one work is thrown into in each process, until
each was.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from kit import tasks

THROWN: Final = "TASKS_THROWN_INTO"
AGAIN: Final = "again"
SOON_SECONDS: Final = 0.2
_turns = itertools.count()


def note(*words: str) -> None:
    """One line for all processes, whole."""
    descriptor = os.open(os.environ[THROWN], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, ("\t".join(words) + "\n").encode())
    os.close(descriptor)


async def throw() -> None:
    """What nobody foresaw, each time something else; a cancelled wait is that of what the task waits for."""
    turn = next(_turns) % 3
    if turn == 2:
        waited = asyncio.get_running_loop().create_future()
        waited.cancel()
        await waited
    raise KeyError("thrown") if turn else RuntimeError("thrown")


def thrown_into_once(work: Callable[[], Awaitable[bool | None]], *words: str) -> Callable[[], Awaitable[bool | None]]:
    """The same rounds after one that fails."""
    turns = itertools.count()

    async def turn() -> bool | None:
        number = next(turns)
        if number == 0:
            note(*words)
            await throw()
        if number == 1:
            note(*words, AGAIN)
        return await work()

    return turn


def throw_into_all(process: str) -> None:
    """From now on each task of this process is thrown into once."""
    repeat, together = tasks.Tasks.repeat, tasks.together

    def repeated(
        self: tasks.Tasks, work: Callable[[], Awaitable[bool | None]], name: str, every: float, *rest: float
    ) -> None:
        work = thrown_into_once(work, process, sys._getframe(1).f_globals["__name__"], name)
        repeat(self, work, name, min(every, SOON_SECONDS), *rest)

    async def side_by_side(*works: Coroutine[Any, Any, None]) -> None:
        before = Path(os.environ[THROWN]).read_text()
        for number, work in enumerate(works):
            name = f"{work.__qualname__} {number}"
            if f"\t{name}\n" not in before:
                note(process, "events.writer.writer", name)
                work.close()
                await together(*works[:number], throw(), *works[number + 1 :])
        await together(*works)

    tasks.Tasks.repeat = repeated
    if process == "writer":
        from events.writer import writer

        writer.together = side_by_side


def serve() -> None:
    """The command, whose processes this module starts."""
    from app.cli.main import main
    from app.processes import supervised

    made = supervised.start_module
    supervised.start_module = lambda module, *rest: made(__spec__.name, *rest)
    main()


def work(name: str, *rest: str) -> int:
    """One of the product's processes."""
    from app.processes import entry

    throw_into_all(name)
    return entry.PROCESSES[name](*rest)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    sys.exit(serve() if name == "serve" else work(name, *rest))
