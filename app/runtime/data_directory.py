"""The data directory: where each thing lies, where its store is, and the lock that says one service owns it."""

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.runtime.settings import Settings
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from kit.files import read_or_none, take_lock
from kit.private import NotPrivate, close_to_others, private_folder, socket_place

logger = logging.getLogger("resonate.supervisor")


LARGEST_FLOOR: Final = 0.05  # of a disk
PID_BYTES: Final = 24  # always as many, so that a full disk takes it in place of another
ALLOW_GROUP: Final = "; RESONATE_DATA_GROUP=1 lets its group read"


class DirectoryInUse(Exception):
    """Another service owns the data directory."""


class DirectoryUnusable(Exception):
    """The data directory cannot be made or written."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The places inside the data directory, by name."""

    root: Path

    @property
    def lock_file(self) -> Path:
        """Locked by the one service that runs here; holds its process id."""
        return self.root / "resonate.lock"

    @property
    def run(self) -> Path:
        """What only a running service needs: sockets."""
        return self.root / "run"

    @property
    def analysis_socket(self) -> Path:
        """Where the analysis process listens."""
        return socket_place(self.run / "analysis.sock")

    @property
    def orders_socket(self) -> Path:
        """Where the supervisor hears the orders of commands."""
        return socket_place(self.run / "orders.sock")

    @property
    def address_file(self) -> Path:
        """Holds the address of the running service, for the commands that speak to it."""
        return self.run / "address"

    @property
    def log_ins_file(self) -> Path:
        """Empty; there from the first log-in on that a backend told of, so that workers ask the store for them."""
        return self.root / "log-ins"

    @property
    def visitor_keys_file(self) -> Path:
        """The keys that prove which visitor ids were issued here."""
        return self.root / "secrets" / "visitor-ids.json"

    @property
    def preview_key_file(self) -> Path:
        """The key that links of previews are signed with; there from the first link on."""
        return self.root / "secrets" / "previews.key"

    @property
    def survey_key_file(self) -> Path:
        """The key that links of surveys are sealed with; there from the first link on."""
        return self.root / "secrets" / "surveys.key"

    @property
    def people_file(self) -> Path:
        """Who may sign in, as what, and the links that are open; for the user of the service alone."""
        return self.root / "people.json"

    @property
    def uploads(self) -> Path:
        """What is being uploaded; the supervisor sweeps what a killed worker left."""
        return self.run / "uploads"

    def floors_free(self, floor_bytes: int) -> float:
        """How many times the floor, at most 5 % of a disk, is free on the disk of the store or, if fuller, the others'.

        That of the parts is not looked at where it is another one: then events wait in the store, whose memory decides.
        """
        free = math.inf
        for disk in self._disks():
            floor = min(floor_bytes, LARGEST_FLOOR * disk.f_blocks * disk.f_frsize)
            free = min(free, disk.f_bavail * disk.f_frsize / floor if floor else math.inf)
        return free

    def free_share(self) -> float:
        """How much is free of the fuller one of the disks of the directory and of the store."""
        return min((disk.f_bavail / disk.f_blocks for disk in self._disks() if disk.f_blocks), default=1.0)

    def _disks(self) -> Iterator[os.statvfs_result]:
        for folder in (self.root, self.root / "store"):
            with contextlib.suppress(FileNotFoundError):
                yield os.statvfs(folder)

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the disk of the directory, and that the disk has."""
        disk = os.statvfs(self.root)
        return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize

    def make(self, *, group_reads: bool) -> None:
        """Make the directory, for its user alone, or close one that others may use; it is logged, and never undone.

        Its group may go on reading where it may already, if `group_reads`. Raises DirectoryUnusable.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            had = close_to_others(self.root, group_reads=group_reads)
            private_folder(self.run)
            self.uploads.mkdir(exist_ok=True)
            private_folder(self.visitor_keys_file.parent)
        except NotPrivate as error:
            raise DirectoryUnusable(f"data directory {self.root}: {error}{ALLOW_GROUP}") from None
        except OSError as error:
            raise DirectoryUnusable(
                f"data directory {self.root}: {error.strerror}; set RESONATE_DATA to a directory that can be written"
            ) from None
        if had is not None:
            logger.warning("other users could use %s (mode %04o): they cannot any more", self.root, had)

    def claim(self) -> int:
        """Lock the directory for this process and return the descriptor that holds the lock.

        Raises DirectoryInUse, naming the owner. The kernel frees the lock when its holder ends, however it ends.
        """
        try:
            descriptor = take_lock(self.lock_file)
        except OSError as error:
            raise DirectoryUnusable(f"data directory {self.root}: cannot write its lock: {error.strerror}") from None
        if descriptor is None:
            owner = (read_or_none(self.lock_file) or b"").decode().strip() or "unknown"
            raise DirectoryInUse(
                f"data directory in use by pid {owner}: {self.root} belongs to another running service"
            )
        with contextlib.suppress(OSError):  # a full disk keeps who had it before: the lock is what counts
            os.pwrite(descriptor, f"{os.getpid()}\n".ljust(PID_BYTES).encode(), 0)
        return descriptor


async def store_connection(settings: Settings) -> Connection:
    """A connection to the external store, else to the embedded one of the data directory.

    One that may not be used is as good as away: whoever serves goes on without it, and it may be mended.
    """
    if settings.redis_url is not None:
        return await connect(
            settings.redis_url, shards=settings.shards, replicas=settings.store_replicas, refuses=False
        )
    store = EmbeddedStore(settings.data)
    return await connect(None, store.socket, shards=settings.shards, data=settings.data, refuses=False)
