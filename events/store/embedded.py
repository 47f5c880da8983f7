"""The embedded store: a real server as a child on a private socket, restarted and never silently empty."""

import errno
import logging
import os
import signal
import time
from pathlib import Path
from typing import Final

from events.causes import StoreCause
from events.store.health import StoreState, store_directory, write_state
from events.store.process import (
    StoreMissing,
    answers,
    information,
    reply_to,
    server_options,
    socket_path,
    spawn,
    store_binary,
)
from events.store.recovery import damaged_folders, finish_interrupted, lacks_manifest, recover
from kit.child import Child
from kit.files import append_to, take_lock
from kit.private import private_folder
from kit.time import now_utc

logger = logging.getLogger("resonate.store")

ROOM_BYTES: Final = 256 << 10
TAIL_BYTES: Final = 64 << 10
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_GIVEN_UP: Final = frozenset({errno.EROFS, errno.EIO})
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


def exit_cause(
    ended: int | OSError, directory: Path, log: Path | None = None, log_start: int = 0
) -> tuple[StoreCause, str]:
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


MEMORY_BYTES: Final = 1 << 30
STEADY_SECONDS: Final = 2.0  # a server that ran this long counts as healthy: its end is not part of a series
FREE_RESTARTS: Final = 2
LONGEST_BACK_OFF_SECONDS: Final = 1.0
DISK_PROBE_SECONDS: Final = 0.5
STOP_SECONDS: Final = 8.0
LOG_BYTES: Final = 4 << 20


class StoreBroken(Exception):
    """The embedded store does not start; `cause` is a word for machines, the message a sentence for people."""

    def __init__(self, cause: StoreCause, message: str, *, by_disk: bool = False) -> None:
        """`by_disk`: the disk gave up, and the store starts by itself once that is mended."""
        super().__init__(message)
        self.cause: StoreCause = cause
        self.by_disk = by_disk


class EmbeddedStore:
    """The owner's side of the embedded store. Not thread-safe: the main thread of one process calls it."""

    def __init__(self, data: Path, *, memory_bytes: int = MEMORY_BYTES, program: Path | None = None) -> None:
        self.data = data
        self.socket = socket_path(data)
        self._directory = store_directory(data)
        self._log = self._directory / "store.log"
        self._memory_bytes = memory_bytes
        self._program = program
        self._process: Child | None = None
        self._adopted = False
        self._state = StoreState(running=False, cause="store_stopped")
        self._log_start = 0
        self._ready_at = 0.0
        self._next_attempt_at = 0.0
        self._failures = 0
        self._attempts = 0
        self._recovered_before_this_attempt = False
        self._gave_up = False  # the disk, as one that can only be read
        self.ending = 0  # of the last server, as `subprocess` numbers it

    @property
    def child_pid(self) -> int | None:
        """The server that this process started, if it runs."""
        return None if self._process is None else self._process.pid

    @property
    def version(self) -> str:
        """The running server's name and version, for instance `valkey 9.1.2`; empty while none answers."""
        found = information(self.socket)
        name = "valkey" if "valkey_version" in found else "redis"
        return f"{name} {found[f'{name}_version']}" if f"{name}_version" in found else ""

    @property
    def pid(self) -> int | None:
        """The server's process id, or None while none runs."""
        if self._process is not None:
            return self._process.pid
        found = information(self.socket).get("process_id")
        return int(found) if found else None

    def start(self, timeout_seconds: float = 10.0) -> None:
        """Returns when the store answers; adopts one that lives already. Raises StoreBroken."""
        deadline = time.monotonic() + timeout_seconds
        while not self.poll().running:
            if self._state.cause in {"store_missing", "store_folder_unusable"} or time.monotonic() > deadline:
                told = self._state.detail or "the store does not answer"
                raise StoreBroken(self._state.cause or "store_down", told, by_disk=self._gave_up)
            time.sleep(0.005)

    def poll(self) -> StoreState:
        """Looks after the store: notices its end, restarts it with back-off; call it a few times a second."""
        if self._process is not None:
            self._watch(self._process)
        elif self._adopted:
            lock = take_lock(self._directory / "lock")
            if lock is not None:
                os.close(lock)
                self._adopted = False
                self._wait("store_down", "the adopted store has ended", 0.0)
        if self._process is None and not self._adopted and time.monotonic() >= self._next_attempt_at:
            self._attempt()
        return self._state

    def kill(self) -> None:
        """Ends a server that hangs, at once, where this process started it; `poll` starts the next one."""
        if self._process is not None:
            self._process.send(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the store in order; everything acknowledged is on the disk already."""
        if self._process is not None:
            self._process.send(signal.SIGTERM)
            self._process.wait(STOP_SECONDS)
        elif self._adopted:
            reply_to(self.socket, "SHUTDOWN", STOP_SECONDS)
        self._process, self._adopted = None, False
        self._note(running=False, cause="store_stopped")

    # Starting ------------------------------------------------------------------------------------------------------

    def _attempt(self) -> None:
        try:
            private_folder(self._directory)
            private_folder(self.socket.parent)
            if self._state.cause == "store_disk_full" and not has_room(self._directory):
                self._next_attempt_at = time.monotonic() + DISK_PROBE_SECONDS
                return
            lock = take_lock(self._directory / "lock")
        except OSError as error:
            self._gave_up = error.errno in _GIVEN_UP
            self._wait("store_folder_unusable", f"the folder of the store cannot be used: {error.strerror or error}")
            return
        if lock is None:
            if answers(self.socket):
                self._adopted = True
                self._note(running=True)
            else:
                self._wait("store_held", "another server holds this data directory and does not answer yet", 0.05)
            return
        try:
            self._start_server(lock)
        except StoreMissing as error:
            self._wait("store_missing", str(error))
        except OSError as error:
            self._gave_up = error.errno in _GIVEN_UP
            self._wait(*exit_cause(error, self._directory))
        finally:
            os.close(lock)

    def _start_server(self, lock: int) -> None:
        program = self._program or store_binary()
        finish_interrupted(self._directory)
        if lacks_manifest(self._directory):
            self._recover()
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        with append_to(self._log) as log:  # what the server could not open it would say nowhere
            self._log_start = log.tell()
        self.socket.unlink(missing_ok=True)  # we hold the lock: whoever listened there is gone
        self._process = spawn(program, server_options(self.data, self._memory_bytes), lock)
        self._attempts += 1
        self._ready_at = 0.0

    def _recover(self) -> None:
        result = recover(self._directory, now_utc())
        self._recovered_before_this_attempt = True
        logger.error("store recovered: %s", result)

    # Watching ------------------------------------------------------------------------------------------------------

    def _watch(self, process: Child) -> None:
        code = process.code()
        if code is not None:
            self._process, self.ending = None, code
            steady = self._ready_at and time.monotonic() - self._ready_at > STEADY_SECONDS
            self._failures = 1 if steady else self._failures + 1
            cause, detail = exit_cause(code, self._directory, self._log, self._log_start)
            logger.error("store ended: %s", detail)
            if cause != "store_aof_damaged" or self._recovered_before_this_attempt:
                self._wait(cause, detail)
                return
            try:
                self._recover()
            except OSError as error:
                self._wait(*exit_cause(error, self._directory))
            else:
                self._wait(cause, detail, 0.0)
        elif not self._ready_at and answers(self.socket):
            self._ready_at = time.monotonic()
            self._recovered_before_this_attempt = False
            cut = torn_tail(self._log, self._log_start)
            if cut:
                logger.warning("store: %s", cut)
            self._note(running=True, cut=cut)
        elif not self._ready_at:
            self._note(running=False, cause="store_loading", detail="the store is loading its data")

    def _wait(self, cause: StoreCause, detail: str, seconds: float | None = None) -> None:
        self._note(running=False, cause=cause, detail=detail)
        if seconds is None and self._failures <= FREE_RESTARTS:
            seconds = 0.0 if self._failures else 0.1
        elif seconds is None:
            seconds = min(LONGEST_BACK_OFF_SECONDS, 0.05 * 2 ** (self._failures - FREE_RESTARTS))
        self._next_attempt_at = time.monotonic() + seconds

    def _note(
        self, *, running: bool, cause: StoreCause | None = None, detail: str | None = None, cut: str | None = None
    ) -> None:
        aside = damaged_folders(self._directory)
        kept = f"damaged append-only files are kept in {aside[-1]}; look at them, then delete them" if aside else None
        state = StoreState(
            running=running,
            cause=cause,
            detail=detail,
            restarts=max(0, self._attempts - 1),
            recovery=cut or kept,
        )
        if state == self._state:
            return
        self._state = state
        try:
            write_state(self.data, state)
        except OSError as error:
            logger.warning("the store's state cannot be written: %s", error)
