"""Who may take the events of a store: one data directory at a time, because each would trim what the other needs."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Self

import msgspec

from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.keys import OWNER
from events.writer.watermark import StoreTakenOver
from kit.files import read_or_none, replace_file
from kit.tasks import unless

LEASE_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0
_logger = logging.getLogger(__name__)


class Owner(msgspec.Struct, frozen=True):
    """A service that takes events out of a store: `log` is its data directory's identity, the rest is for people."""

    log: str
    data: str
    host: str
    pid: int

    @classmethod
    def of(cls, data: Path, pid: int) -> Self:
        """The owner that a service of this data directory is; the identity is made on first use and kept in it."""
        path = data / "identity"
        identity = (read_or_none(path) or b"").decode().strip()
        if not identity:
            identity = secrets.token_hex(16)
            replace_file(path, f"{identity}{os.linesep}".encode())
        return cls(identity, str(data), socket.gethostname(), pid)

    def __str__(self) -> str:
        return f"the service of {self.data} (pid {self.pid} on {self.host})"


class Lease:
    """The right of one owner to a store. It ends by itself `seconds` after it was last renewed."""

    def __init__(self, connection: Connection, owner: Owner, seconds: float = LEASE_SECONDS) -> None:
        self._connection = connection
        self._owner = owner
        self._milliseconds = int(seconds * 1000)

    async def other(self) -> Owner | None:
        """Who holds the store now, if it is another data directory's service; raises StoreUnavailable."""
        return self._owner_of(await self._connection.call("resonate_claim", OWNER, self._owner.log))

    async def claim(self) -> Owner | None:
        """Take or renew the lease; the other owner where that is refused. Raises StoreUnavailable."""
        return await self._claim(self._milliseconds)

    async def release(self) -> None:
        """Let the next owner in at once; one that cannot be told waits until the lease ends."""
        with contextlib.suppress(StoreUnavailable):
            await self._claim(0)

    async def _claim(self, milliseconds: int) -> Owner | None:
        text = msgspec.json.encode(self._owner)
        return self._owner_of(await self._connection.call("resonate_claim", OWNER, self._owner.log, text, milliseconds))

    @staticmethod
    def _owner_of(holder: bytes | None) -> Owner | None:
        return msgspec.json.decode(holder, type=Owner) if holder else None


async def while_owner(
    lease: Lease, work: Callable[[], Awaitable[None]], stop: asyncio.Event, renew_seconds: float = RENEW_SECONDS
) -> None:
    """Do the work while the lease is held, and wait while another owner holds it; ends with the work, or by `stop`.

    Work whose lease was lost (this process stood still for longer than it lasts) is cut off, and begun again later.
    What it does before that is harmless: the store lets only the last owner trim (`StoreTakenOver`).
    """

    async def work_whole() -> bool:
        await work()
        return True

    while await _claimed(lease, stop, renew_seconds):
        try:
            if await unless(_taken_over(lease, renew_seconds), work_whole()):
                return await lease.release()
        except StoreTakenOver as lost:
            _logger.error("%s", lost)
    return None


async def _claimed(lease: Lease, stop: asyncio.Event, renew_seconds: float) -> bool:
    """Wait for the lease; False where it is time to stop. A store that is away is the work's own business."""
    told: Owner | None = None
    while not stop.is_set():
        other = await _refusing(lease)
        if other is None:
            return True
        if other != told:
            _logger.error("no event is taken from the store: it belongs to %s", other)
            told = other
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), renew_seconds)
    return False


async def _taken_over(lease: Lease, renew_seconds: float) -> None:
    """Renew the lease; return as soon as another owner has it."""
    while (other := await _refusing(lease)) is None:
        await asyncio.sleep(renew_seconds)
    _logger.error("the store was taken over by %s", other)


async def _refusing(lease: Lease) -> Owner | None:
    try:
        return await lease.claim()
    except StoreUnavailable:
        return None
