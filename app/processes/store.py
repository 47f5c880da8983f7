"""The supervisor's view of the event store: embedded and kept alive, or external and only looked at."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from pathlib import Path
from typing import Final

from app.runtime.board import Desk
from app.runtime.settings import Settings
from events.store.embedded import EmbeddedStore, StoreBroken
from events.store.health import StoreState
from events.store.process import Ping

logger = logging.getLogger("resonate.supervisor")


PING_SECONDS: Final = 1.0  # between two, and for the answer to one
FATAL: Final = frozenset({"store_missing", "store_folder_unusable"})  # what waiting does not mend


class StoreFailed(Exception):
    """There is no store to work with, and waiting will not bring one."""


class Store:
    """The store of a service. `name` says what it is and which version, for people."""

    def __init__(self, settings: Settings, data: Path, desk: Desk) -> None:
        """`desk` is its place on the board, where the supervisor writes for it."""
        self.settings = settings
        self.data = data
        self.desk = desk
        self.ready = False
        self.pid: int | None = None
        self._ping: Ping | None = None
        self._ping_at = 0.0
        self.name = "not reached yet"
        self.cause: str | None = None  # why the embedded one does not run
        self._embedded: EmbeddedStore | None = None
        if settings.redis_url is None:
            self._embedded = EmbeddedStore(data, memory_bytes=settings.store_memory_mb << 20)

    def start(self) -> None:
        """Start the embedded store, or look at the external one. Raises StoreFailed for one that may not be used.

        A store that is merely away is no reason not to start: assignments answer without it.
        """
        if self._embedded is None:
            self.name = asyncio.run(_external(self.settings, self.data))
            return
        try:
            self._embedded.start()
        except StoreBroken as error:
            if error.cause in FATAL and not error.by_disk:
                raise StoreFailed(str(error)) from None
            logger.error("the store does not start yet: %s", error, extra={"cause": error.cause})
            self.cause = error.cause
        version = self._embedded.version
        self.name = f"{version}, embedded" if version else f"embedded, not running: {self.cause}"

    def watch(self) -> None:
        """Restart the embedded store when it died (with its own back-off) and log what changed."""
        if self._embedded is None:
            return
        state = self._embedded.poll()
        self._note_process(self._embedded, state)
        if state.cause != self.cause:
            self.cause = state.cause
            message = "the store is back" if state.cause is None else "the store is down"
            level = logging.INFO if state.cause is None else logging.ERROR
            logger.log(level, message, extra={"cause": state.cause, "detail": state.detail, "restarts": state.restarts})

    def _note_process(self, embedded: EmbeddedStore, state: StoreState) -> None:
        """What a child says of itself, of one that cannot: whether it is there, is ready, and answers each second.

        One that loads its data answers too, that it does so: it may take as long as it takes.
        """
        pid = embedded.child_pid
        if pid != self.pid:
            if self.pid is not None:
                self.desk.ended(embedded.ending)
            if pid is not None:
                self.desk.started(pid, again=state.restarts > 0)
            self.pid = pid
        self.ready = state.running and pid is not None
        now = time.monotonic()
        if self._ping is not None and self._ping.answered:
            self.desk.beat()
            self._ping.close()
            self._ping = None
        if pid is not None and now >= self._ping_at:
            if self._ping is not None:
                self._ping.close()
            self._ping, self._ping_at = Ping(embedded.socket), now + PING_SECONDS

    def send(self, signal_number: signal.Signals) -> None:
        """End one that hangs."""
        if self._embedded is not None and signal_number == signal.SIGKILL:
            self._embedded.kill()

    def stop(self) -> None:
        """End the embedded store, after everybody who writes to it."""
        if self._ping is not None:
            self._ping.close()
            self._ping = None
        if self._embedded is not None:
            self._embedded.stop()


async def _external(settings: Settings, data: Path) -> str:
    """Name and version of the external store. Raises StoreFailed where another data directory's service uses it."""
    from events.store.availability import StoreRefused, StoreUnavailable
    from events.store.connection import connect
    from events.writer.lease import Lease, Owner

    try:
        connection = await connect(settings.redis_url, shards=settings.shards, replicas=settings.store_replicas)
    except StoreRefused as error:
        raise StoreFailed(f"RESONATE_REDIS_URL: {error}") from None
    try:
        other, own = None, Owner.of(data, os.getpid())
        with contextlib.suppress(StoreUnavailable):  # the writer sees to it once the store answers
            other = await Lease(connection, own).other()
        if other is not None:
            copied = f"; {data} is a copy of that directory" if own.log == other.log else ""
            raise StoreFailed(
                f"RESONATE_REDIS_URL: the store at {connection.address} belongs to {other}, and events would be lost to"
                f" one of both{copied}; stop that service, or give this one a store or a database number of its own"
            )
        for warning in connection.warnings:
            logger.warning(warning)
        return f"{connection.version or 'not reached yet'}, external at {connection.address}"
    finally:
        await connection.close()
