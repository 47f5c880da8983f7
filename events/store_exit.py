"""Finds out why the embedded store ended, from its log, the disk and the way it ended."""

import errno
import os
import signal
from pathlib import Path
from typing import Final

ROOM_BYTES: Final = 256 << 10
TAIL_BYTES: Final = 64 << 10
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS: Final = ("No space left on device", "Disk quota exceeded")
_DAMAGE_WORDS: Final = (
    "Bad file format reading the append only file",
    "Unexpected end of file reading the append only file",
    "Unknown command",
    "reading the append only file",
    "AOF manifest",
    "appendonly.aof.manifest",
    "RDB file",
    "Wrong signature trying to load DB from file",
    "Wrong RDB checksum",
)


def exit_cause(ended: int | OSError, directory: Path, log: Path | None = None, log_start: int = 0) -> tuple[str, str]:
    """The cause (a word) and a sentence, for an exit status or for the error that kept the server from starting."""
    if isinstance(ended, OSError):
        if ended.errno in _FULL:
            return "store_disk_full", "the disk of the store is full"
        return "store_folder_unusable", f"the store cannot start: {ended.strerror or ended}"
    tail = log_tail(log, log_start) if log else ""
    if any(words in tail for words in _FULL_WORDS) or not has_room(directory):
        return "store_disk_full", "the disk of the store is full"
    if any(words in tail for words in _DAMAGE_WORDS):
        return "store_aof_damaged", f"the append-only file is damaged: {last_line(tail)}"
    if ended < 0:
        return "store_down", f"the store was ended by {signal.Signals(-ended).name}"
    return "store_down", f"the store ended with status {ended}: {last_line(tail)}"


def has_room(directory: Path) -> bool:
    """Whether the disk takes a quarter of a megabyte: tried, because free-space figures do not know quotas."""
    probe = directory / "room"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return os.write(descriptor, bytes(ROOM_BYTES)) == ROOM_BYTES and os.fsync(descriptor) is None
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.errno not in _FULL
    finally:
        probe.unlink(missing_ok=True)


def torn_tail(log: Path, log_start: int) -> str | None:
    """What the server said when it cut an unfinished last write, or None when it cut nothing."""
    tail = log_tail(log, log_start)
    if "loaded anyway because aof-load-truncated is enabled" not in tail:
        return None
    said = next((line for line in tail.splitlines() if "Truncating the AOF" in line), "")
    return f"the torn tail of the append-only file was cut: {_message(said)}"


def log_tail(log: Path, log_start: int) -> str:
    """What the server wrote to its log since an offset, at most the last 64 KiB."""
    try:
        with log.open("rb") as reading:
            size = reading.seek(0, os.SEEK_END)
            reading.seek(max(log_start if log_start <= size else 0, size - TAIL_BYTES))
            return reading.read().decode(errors="replace")
    except OSError:
        return ""


def last_line(tail: str) -> str:
    """The last thing the server said, without its process id and time."""
    lines = [line for line in tail.splitlines() if line.strip()]
    return _message(lines[-1]) if lines else "it left no word in its log"


def _message(line: str) -> str:
    for mark in (" # ", " * ", " - "):
        if mark in line:
            return line.partition(mark)[2]
    return line
