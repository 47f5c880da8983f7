"""Files that are replaced whole, created once, copied with their sha256, locked across processes, told apart.

What a disk cannot take is an OSError that `why_unwritten` has words for, whoever wrote.
"""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Container, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias

logger = logging.getLogger(__name__)

TEMPORARY_PREFIX: Final = ".tmp-"
LOCK_LOOK_SECONDS: Final = 0.005
BLOCK_BYTES: Final = 1 << 20
NO_LINKS: Final = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP)  # no second name there

FileMark: TypeAlias = tuple[int, int, int, int]

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
UNWRITTEN: Final[Mapping[int, str]] = {
    errno.ENOSPC: "no space is left on the disk; make room there",
    errno.EDQUOT: "the quota of the disk is used up; make room, or have the quota raised",
    errno.EIO: "the disk fails; look at what the system's log says of it",
    errno.EROFS: "the disk can only be read; mount it for writing",
    errno.EACCES: "this user may not use it; let the user of the service read and write there",
}
"""What a write may meet that is no mistake of ours: why nothing was written, and what ends that."""
PIECES: Final = 4
PIECE_BYTES: Final = 256 << 10
ROOM_FOR_BALLAST: Final = 4  # times what is to be laid must be free: ballast takes no room that others need


def why_unwritten(error: BaseException) -> str | None:
    """Why a file could not be written, and what ends that; None for whatever is no answer of the disk's."""
    if not isinstance(error, OSError) or isinstance(error, ConnectionError) or error.errno is None:
        return None
    reason = UNWRITTEN.get(error.errno)
    return reason and f"{error.filename}: {reason}" if error.filename else reason


def in_utf_8(name: str | Path) -> str:
    """A name of a file as it can be told to anybody; it is the name itself where that is UTF-8."""
    return os.fsencode(name).decode(errors="replace")


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


def leftovers(folder: Path) -> list[Path]:
    """The temporary files and folders in a folder: they are being written, or their maker was killed."""
    return [*folder.glob(f"{TEMPORARY_PREFIX}*")]


def remove_leftovers(folder: Path, young: Container[Path] = ()) -> None:
    """Delete them, but for those that are young: they may be being written.

    What cannot be deleted is logged and stays: whoever sweeps goes on.
    """
    for path in leftovers(folder):
        if path in young:
            continue
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
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
    with naming(path):
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
    with naming(path):
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
    with naming(path), path.open("wb") as file:
        _fill(file, content, durable=True)


def append_to(path: Path) -> BinaryIO:
    """A file, such as a log, open for adding to its end; it is made, and its folder too, where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def extend_file(path: Path, length: int, added: bytes) -> None:
    """Put bytes behind the first `length` ones of a file, durably; what was torn behind them goes.

    Raises OSError with nothing added.
    """
    with naming(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, length)
            _overwrite(descriptor, added, length)
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
def locked(path: Path, seconds: float | None = None) -> Generator[None]:
    """Hold the one lock that belongs to a file or folder, across processes, while it is read and replaced.

    Who waits `seconds` for it alone gets BlockingIOError then: whoever holds it may stand still.
    """
    make_folder(path.parent)
    descriptor = _lock_file(path.with_name(f".{path.name}.lock"))
    try:
        until = None if seconds is None else time.monotonic() + seconds
        while until is not None and time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(LOCK_LOOK_SECONDS)
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if until is None else fcntl.LOCK_NB))  # held already, it stays so
        yield
    finally:
        os.close(descriptor)


def take_lock(lock_file: Path) -> int | None:
    """A descriptor that holds a lock file, or None while another holds it.

    The kernel frees the lock when the last process that has the descriptor closes it or ends, however it ends.
    """
    try:
        descriptor = _lock_file(lock_file)
    except OSError as error:
        if error.errno != errno.EROFS or not lock_file.exists():
            raise
        descriptor = os.open(lock_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)  # that it is held is not written
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


class Ballast:
    """Room on a disk that is taken in advance: when it is full, a piece becomes the file that must be kept.

    The piece is written over and renamed, so that nobody else gets its room in between.
    """

    def __init__(self, folder: Path) -> None:
        """The pieces of a folder; `lay` makes them."""
        self.pieces = [folder / f"ballast-{number}" for number in range(PIECES)]

    def lay(self) -> None:
        """Make the pieces that are not there, where there is room enough."""
        missing = [piece for piece in self.pieces if not _is_whole(piece)]
        with contextlib.suppress(OSError):
            for piece in missing:
                disk = os.statvfs(piece.parent)
                if disk.f_bavail * disk.f_frsize >= ROOM_FOR_BALLAST * len(missing) * PIECE_BYTES:
                    replace_file(piece, bytes(PIECE_BYTES), mode=0o600)  # written, not promised: its blocks are its own

    def become(self, path: Path, content: bytes) -> bool:
        """Make a piece that file, durably; whether there was one that is large enough and its disk took it."""
        for piece in self.pieces if len(content) <= PIECE_BYTES else ():
            if not _is_whole(piece):
                continue
            try:
                descriptor = os.open(piece, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    _overwrite(descriptor, content, 0)
                    os.ftruncate(descriptor, len(content))
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                os.replace(piece, path)
                sync(path.parent)
            except OSError:  # such as of a disk that writes everything anew: without the piece there is room
                with contextlib.suppress(OSError):
                    piece.unlink(missing_ok=True)
                continue
            return True
        return False


def keep_file(path: Path, content: bytes, ballast: Ballast) -> None:
    """Give a file new content as `replace_file` does, on a full disk too while there is ballast. Raises OSError."""
    try:
        replace_file(path, content)
    except OSError as error:
        if error.errno not in FULL:
            raise
        if not ballast.become(path, content):
            replace_file(path, content)


class FilesToKeep:
    """Files that follow what holds already: each is written with its newest content as soon as the disk takes it."""

    def __init__(self) -> None:
        self._waiting: dict[Path, bytes] = {}

    def put(self, path: Path, content: bytes) -> None:
        """This is what the file is to say; it is written behind all that was put before."""
        self._waiting.pop(path, None)
        self._waiting[path] = content

    def keep(self) -> None:
        """Write all that waits, in order. Raises OSError with the rest still waiting."""
        while self._waiting:
            path, content = next(iter(self._waiting.items()))
            replace_file(path, content)
            del self._waiting[path]


@contextmanager
def naming(path: Path, *, unless_named: bool = False) -> Generator[None]:
    """What fails in the block names the file that was to be written, not one made on the way, but `unless_named`."""
    try:
        yield
    except OSError as error:
        if unless_named and (error.filename is not None or error.errno is None):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_whole(piece: Path) -> bool:
    try:
        return piece.stat().st_size == PIECE_BYTES
    except OSError:
        return False


def _overwrite(descriptor: int, content: bytes, start: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], start + written)


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
    """Give a file that nobody changes a second name; False where this disk does not. Raises OSError."""
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
