"""What a fault of a whole service is, and on which stage it breaks something."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from servers.service import Service
from servers.stores import StoreServer

Block = Callable[["Stage"], contextlib.AbstractContextManager[None]]


@dataclass
class Stage:
    """A service, and what a fault needs to know of it beside that; `folder` is the test's own."""

    service: Service
    folder: Path
    store: StoreServer | None = None
    notes: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def nothing(_: Stage) -> Iterator[None]:
    """A service as it is."""
    yield


@dataclass(frozen=True)
class Fault:
    """What breaks. One of `causes` must be named while it holds; none of them after it.

    `drops`: connections may break, because processes that answer end by it. `files`: the folder of definitions can be
    written meanwhile. `heals`: False where an operator must start the service again once the cause is gone.
    `keeps`: False where orders cannot be kept, and are said not to be; no ballast helps a disk that can only be read.
    `once`: a restart of the service ends it, so that nothing need be named after that.
    """

    name: str
    causes: frozenset[str]
    broken: Block
    staged: Block = nothing
    drops: bool = False
    files: bool = True
    heals: bool = True
    keeps: bool = True
    once: bool = False

    def __str__(self) -> str:
        return self.name
