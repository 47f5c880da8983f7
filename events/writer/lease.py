"""Who may take the events of a store: one data directory at a time, because each would trim what the other needs."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
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
RENEW_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 1.6  # in which an owner that lives has renewed its lease
LOOK_SECONDS: Final = 0.2
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_logger = logging.getLogger(__name__)


class Owner(msgspec.Struct, frozen=True):
    """A service that takes events out of a store: `log` is its data directory's identity, which a copy of it has too.

    What a copy cannot have tells it from a service that was started again: the run, drawn by each process that takes
    events, the machine's start, device and inode of the directory. A release that noted none of them left them empty.
    `data`, `host` and `pid` are for people.
    """

    log: str
    data: str
    host: str
    pid: int
    run: str = ""
    boot: str = ""
    device: str = ""  # as texts: the store's JSON keeps 14 digits of a number
    inode: str = ""

    @classmethod
    def of(cls, data: Path, pid: int) -> Self:
        """The owner that a service of this data directory is; the identity is made on first use and kept in it."""
        path = data / "identity"
        identity = (read_or_none(path) or b"").decode().strip()
        if not identity:
            identity = secrets.token_hex(16)
            replace_file(path, f"{identity}{os.linesep}".encode())
        place, boot = data.stat(), (read_or_none(BOOT_ID) or b"").decode().strip()
        run = secrets.token_hex(8)
        return cls(identity, str(data), socket.gethostname(), pid, run, boot, str(place.st_dev), str(place.st_ino))

    def __str__(self) -> str:
        return f"the service of {self.data} (pid {self.pid} on {self.host})"

    def is_in_place_of(self, other: "Owner") -> bool:
        """Whether the other one ran in this very directory, since the machine was started: its lock says it is over."""
        here = self.boot, self.device, self.inode
        return bool(self.boot) and self.may_be_in_place_of(other) and here == (other.boot, other.device, other.inode)

    def may_be_in_place_of(self, other: "Owner") -> bool:
        """Whether the other one may have run in this directory: before a restart of the machine, on another mount.

        A copy of a directory on the same disk has another inode; one elsewhere may have the same.
        """
        return self.log == other.log and self.inode == other.inode != ""


class Lease:
    """The right of one owner to a store. It ends by itself `seconds` after it was last renewed."""

    def __init__(
        self,
        connection: Connection,
        owner: Owner,
        seconds: float = LEASE_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
        still_seconds: float = LEASE_SECONDS,
    ) -> None:
        """`still_seconds` is for how long nobody who lives leaves a lease as it is."""
        self._connection = connection
        self._owner = owner
        self._milliseconds = int(seconds * 1000)
        self._watch_seconds = watch_seconds
        self._still_seconds = still_seconds
        self._seen, self._seen_at = b"", 0.0  # another's lease as it stood, and since when, monotonic

    async def other(self) -> Owner | None:
        """Who holds the store now, if it is another data directory's service; raises StoreUnavailable."""
        held = await self._held()
        return None if held is None or await self._is_over(held) else _owner_of(held)

    async def claim(self) -> Owner | None:
        """Take or renew the lease; the other owner where that is refused. Raises StoreUnavailable."""
        held = await self._claim(self._milliseconds)
        if held is not None and (self._stands_still(held) or await self._is_over(held)):
            held = await self._claim(self._milliseconds, over=_owner_of(held))
        return None if held is None else _owner_of(held)

    async def release(self) -> None:
        """Let the next owner in at once; one that cannot be told waits until the lease ends."""
        with contextlib.suppress(StoreUnavailable):
            await self._claim(0)

    def _stands_still(self, held: bytes) -> bool:
        """Whether it was not renewed while we looked, for longer than it lasts: a store may have gone back in time."""
        if held != self._seen:
            self._seen, self._seen_at = held, time.monotonic()
        return b'"until"' in held and time.monotonic() - self._seen_at > self._still_seconds

    async def _is_over(self, held: bytes) -> bool:
        """Whether who holds the lease is gone, although it has not ended: this is the same directory's next run.

        Where that is not certain, it is looked whether the lease is still renewed.
        """
        holder = _owner_of(held)
        if self._owner.is_in_place_of(holder):
            return True
        if not self._owner.may_be_in_place_of(holder):
            return False
        until = time.monotonic() + self._watch_seconds
        while time.monotonic() < until:
            await asyncio.sleep(min(LOOK_SECONDS, self._watch_seconds))
            now = await self._held()
            if now != held:
                return now is None
        return True

    async def _held(self) -> bytes | None:
        """The lease of somebody else, as it stands in the store."""
        return await self._connection.call("resonate_claim", OWNER, self._owner.run)

    async def _claim(self, milliseconds: int, over: Owner | None = None) -> bytes | None:
        """Take the lease, or renew it; that of another, unless it is that of who is known to be `over`."""
        text = msgspec.json.encode(self._owner)
        gone = (over.run or over.log,) if over else ()
        return await self._connection.call("resonate_claim", OWNER, self._owner.run, text, milliseconds, *gone)


def _owner_of(held: bytes) -> Owner:
    return msgspec.json.decode(held, type=Owner)


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
