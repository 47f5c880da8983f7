"""The data directory: where each thing lies, where its store is, and the lock that says one service owns it."""

import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from app.runtime.settings import Settings
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from kit.files import read_or_none, take_lock

LONGEST_SOCKET_PATH: Final = 100  # bytes; the kernel takes 104 on macOS, 108 on Linux


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
        """Where the analysis process listens; in a private temporary folder where the path would be too long."""
        path = self.run.absolute() / "analysis.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        name = sha256(os.fsencode(path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"resonate-{os.getuid()}-{name}" / path.name

    @property
    def address_file(self) -> Path:
        """Holds the address of the running service, for the commands that speak to it."""
        return self.run / "address"

    @property
    def degraded_file(self) -> Path:
        """Holds what the analysis found damaged: `{"causes": [...]}`; absent when all is well."""
        return self.run / "degraded.json"

    @property
    def metrics(self) -> Path:
        """The counters of this run's workers."""
        return self.run / "metrics"

    @property
    def uploads(self) -> Path:
        """What is being uploaded; the supervisor sweeps what a killed worker left."""
        return self.run / "uploads"

    def make(self) -> None:
        """Make the directory, for its owner only. Raises DirectoryUnusable."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.run.mkdir(mode=0o700, exist_ok=True)
            self.uploads.mkdir(exist_ok=True)
            self.analysis_socket.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DirectoryUnusable(
                f"data directory {self.root}: {error.strerror}; set RESONATE_DATA to a directory that can be written"
            ) from None

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
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor


async def store_connection(settings: Settings) -> Connection:
    """A connection to the external store, else to the embedded one of the data directory."""
    if settings.redis_url is not None:
        return await connect(settings.redis_url, shards=settings.shards)
    socket_path = EmbeddedStore(settings.data).socket
    return await connect(None, socket_path, shards=settings.shards, data=settings.data)
