"""Files that are replaced whole, created once, copied with their sha256, locked across processes, told apart."""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias

logger = logging.getLogger(__name__)

TEMPORARY_PREFIX: Final = ".tmp-"
BLOCK_BYTES: Final = 1 << 20
NO_LINKS: Final = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP)
"""Why a disk, or its rules, gives a file no second name."""

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
    if try_lock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def try_lock(descriptor: int) -> bool:
    """Lock an open file for its owner's next steps, if nobody else has; it never waits."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Give up the lock of an open file."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _fill(file: BinaryIO, content: bytes, *, durable: bool) -> None:
    file.write(content)
    file.flush()
    if durable:
        os.fsync(file.fileno())


class Content(NamedTuple):
    """How long a file is, and the sha256 of what is in it."""

    bytes: int
    sha256: str


class Recording:
    """A new file that is written from its beginning to its end; `content` is what it holds so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = hashlib.sha256()
        self._bytes = 0

    @property
    def content(self) -> Content:
        """What was written."""
        return Content(self._bytes, self._sum.hexdigest())

    def write(self, block: bytes) -> None:
        """Add to its end. Raises OSError."""
        self._file.write(block)
        self._sum.update(block)
        self._bytes += len(block)


@contextmanager
def recording(path: Path) -> Generator[Recording]:
    """Write a file that is not there yet, and its folder where there is none; at the end it is on the disk."""
    make_folder(path.parent)
    with path.open("xb") as file:
        yield Recording(file)
        file.flush()
        os.fsync(file.fileno())


def copy_file(source: Path, target: Path) -> Content:
    """Copy a file to a name that is not taken; what was copied. Raises OSError."""
    with source.open("rb") as reading, recording(target) as copy:
        while block := reading.read(BLOCK_BYTES):
            copy.write(block)
    return copy.content


def link_file(source: Path, target: Path) -> bool:
    """Give a file that nobody changes a second name; False where this disk does not, or it is another one's.

    Raises OSError, such as FileNotFoundError.
    """
    make_folder(target.parent)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    return True


def content_of(path: Path) -> Content:
    """What a file holds, read whole. Raises OSError."""
    with path.open("rb") as file:
        return Content(os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


def sync_tree(folder: Path) -> None:
    """Return when every name below a folder, and its own, is on the disk."""
    for place, _, _ in os.walk(folder):
        sync(Path(place))
    with contextlib.suppress(PermissionError):  # of the folder above it only who may read it can say so
        sync(folder.parent)
