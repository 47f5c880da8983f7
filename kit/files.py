"""Files that are replaced whole, created once, locked across processes, and told apart from what they were."""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

logger = logging.getLogger(__name__)

TEMPORARY_PREFIX: Final = ".tmp-"

FileMark: TypeAlias = tuple[int, int, int, int]


def temporary_path(path: Path) -> Path:
    """A name beside a file or folder that readers pass over and no other process takes."""
    return path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")


@contextmanager
def temporary_file(path: Path, mode: int = 0o666) -> Generator[BinaryIO]:
    """A new file beside `path`, open for writing; it is gone when the block ends, unless it was renamed by then."""
    temporary = temporary_path(path)
    with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        try:
            yield file
        finally:
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, older_than_seconds: float = 0.0) -> None:
    """Delete temporary files and folders whose maker was killed; those that may still be written are young.

    What cannot be deleted is logged and stays: whoever sweeps goes on.
    """
    latest = time.time() - older_than_seconds
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        try:
            if path.stat().st_mtime > latest:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            logger.warning("a leftover cannot be removed: %s", error)


def replace_file(
    path: Path, content: bytes, *, durable: bool = True, mode: int = 0o666, keeps_mode: bool = False
) -> None:
    """Give a file new content, and make its folder where there is none: a reader sees the old or the new one whole.

    When it returns, so does a crash of the machine; not `durable`, it spares the disk, for what can be made again. One
    that `keeps_mode` is for whom it was before.
    Raises OSError with the old content in place.
    """
    make_folder(path.parent)
    with temporary_file(path, mode) as file:
        _fill(file, content, durable=durable)
        if keeps_mode and path.exists():
            shutil.copymode(path, file.name)
        os.replace(file.name, path)
    if durable:
        sync(path.parent)


def create_file(path: Path, content: bytes, mode: int = 0o666) -> bool:
    """Create a file durably, whole and once: of several who try at the same time one succeeds, the others get False."""
    make_folder(path.parent)
    with temporary_file(path, mode) as file:
        _fill(file, content, durable=True)
        try:
            os.link(file.name, path)
        except FileExistsError:
            return False
    sync(path.parent)
    return True


def write_file(path: Path, content: bytes) -> None:
    """Write a file that has no readers yet, in a folder that has none either; its content is then on the disk."""
    with path.open("wb") as file:
        _fill(file, content, durable=True)


def append_to(path: Path) -> BinaryIO:
    """A file, such as a log, open for adding to its end; it is made, and its folder too, where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def extend_file(path: Path, length: int, added: bytes) -> None:
    """Put bytes behind the first `length` ones of a file, durably; what was torn behind them goes.

    Raises OSError with nothing added.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            os.ftruncate(descriptor, length)
            written = 0
            while written < len(added):
                written += os.pwrite(descriptor, added[written:], length + written)
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, length)
            raise
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, durably; one that is there stays as it is."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Return when what was written to a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_none(path: Path) -> bytes | None:
    """A file's content, None where there is no such file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def mark_of(path: Path) -> FileMark | None:
    """What changes whenever a file is written or replaced; None where it cannot be looked at. One stat."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the one lock that belongs to a file or folder, across processes, while it is read and replaced; waits."""
    make_folder(path.parent)
    descriptor = _lock_file(path.with_name(f".{path.name}.lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def take_lock(lock_file: Path) -> int | None:
    """A descriptor that holds a lock file, or None while another holds it.

    The kernel frees the lock when the last process that has the descriptor closes it or ends, however it ends.
    """
    descriptor = _lock_file(lock_file)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _fill(file: BinaryIO, content: bytes, *, durable: bool) -> None:
    file.write(content)
    file.flush()
    if durable:
        os.fsync(file.fileno())
