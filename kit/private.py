"""What other users of the machine may not touch: what a process makes, its folders and sockets, and who calls there."""

import contextlib
import hashlib
import os
import shlex
import socket
import stat
import struct
import tempfile
from pathlib import Path
from typing import Final

OTHERS: Final = 0o077  # what nobody but the user may do
BEYOND_READING: Final = 0o027  # what nobody may do where the group may read
LONGEST_SOCKET_PATH: Final = 100  # bytes; the kernel takes 104 on macOS, 108 on Linux, with the closing zero


class NotPrivate(PermissionError):
    """A folder that others may use, or may have made; the message says which, and what to do."""


def keep_private(*, group_reads: bool = False) -> None:
    """What this process and its children make from now on is for their user alone, or for their group to read."""
    os.umask(BEYOND_READING if group_reads else OTHERS)


def inherit_private() -> None:
    """The same for a child, which keeps its parent's choice; never more than a group's reading."""
    os.umask(os.umask(OTHERS) | BEYOND_READING)


def close_to_others(folder: Path, *, group_reads: bool) -> int | None:
    """Take from others what they may do with a folder and all in it; the mode that it had, None where that was right.

    A folder that they cannot enter is not looked into. Raises NotPrivate where it stays open.
    """
    folder = folder.resolve()
    forbidden = BEYOND_READING if group_reads else OTHERS
    had = stat.S_IMODE(folder.stat().st_mode)
    if not had & forbidden:
        return None
    _take(folder, forbidden)
    if folder.stat().st_mode & forbidden:
        command = f"chmod {had & ~forbidden:o} {shlex.quote(str(folder))}"
        raise NotPrivate(
            f"others may use {folder} (mode {had:04o}) and this user cannot forbid it; let its owner run: {command}"
        )
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _take(Path(parent, name), forbidden)
    return had


def private_folder(folder: Path) -> None:
    """Make a folder that this user alone can use, for sockets and locks, or close one of theirs; raises NotPrivate.

    A link and a folder of another user are refused: whoever made it may put something else in its place.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise NotPrivate(f"{folder} is a link or belongs to someone else; look who made it, and remove it")
    close_to_others(folder, group_reads=False)


def socket_place(inside: Path) -> Path:
    """Where to listen in place of `inside`: there, or where its path is too long in a folder of temporary files.

    Others may have made that one: whoever listens asks for it by `private_folder`, whoever calls by `is_trusted`.
    """
    inside = inside.absolute()
    return inside if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH else elsewhere(inside)


def elsewhere(inside: Path) -> Path:
    """The place in a folder of temporary files that stands for `inside`, where nothing can be made there."""
    name = f"resonate-{os.geteuid()}-{hashlib.sha256(os.fsencode(inside.parent.resolve())).hexdigest()[:16]}"
    outside = Path(tempfile.gettempdir()) / name / inside.name
    return outside if len(os.fsencode(outside)) <= LONGEST_SOCKET_PATH else Path("/tmp") / name / inside.name


def is_trusted(descriptor: int) -> bool:
    """Whether this user or root is at the other end of a Unix socket; elsewhere than on Linux its folder must do."""
    option: int | None = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        _, user, _ = struct.unpack("3i", copy.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return user in (0, os.geteuid())


def _take(path: Path, forbidden: int) -> None:
    """Take bits of a mode from what is this user's and no link; what is gone meanwhile needs it no more."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        if found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode) and found.st_mode & forbidden:
            path.chmod(stat.S_IMODE(found.st_mode) & ~forbidden)
