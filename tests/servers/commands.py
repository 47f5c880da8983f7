"""What a real store is asked while a block runs."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import redis
from servers.one_worker import OneWorker

from events.deletes.tombstones import TOMBSTONES

END = "the block has ended"


@contextmanager
def store_commands(worker: OneWorker) -> Generator[list[str]]:
    """The commands that requests cause, each with its arguments; the list fills when the block ends.

    Left out is what the worker asks by the clock: the tombstones. What a function of the store does is one command.
    """
    seen: list[str] = []
    with redis.Redis(unix_socket_path=str(worker.store.socket)) as store, store.monitor() as monitor:
        yield seen
        store.echo(END)
        while True:
            told: Any = monitor.next_command()
            command: str = told["command"]
            if command == f"ECHO {END}":
                break
            if told["client_type"] != "lua" and command.partition(" ")[2] != TOMBSTONES:
                seen.append(command)
