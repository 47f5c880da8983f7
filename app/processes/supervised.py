"""One child process from both sides: the supervisor starts it again with back-off, it never outlives it."""

import argparse
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

from app.runtime.logs import configure_logging
from app.runtime.settings import Settings

logger = logging.getLogger("resonate.supervisor")


FIRST_DELAY_SECONDS: Final = 0.05
LONGEST_DELAY_SECONDS: Final = 5.0
STEADY_SECONDS: Final = 1.0  # a child that was ready this long is a healthy one that died, not one that cannot start


@dataclass(frozen=True, slots=True)
class Role:
    """What a child is for: its name in logs, its module, its niceness, the socket it is handed."""

    name: str
    module: str
    niceness: int = 0
    socket_descriptor: int | None = None


class ChildProcess:
    """A child of the supervisor. All methods are called by the supervisor's main thread, because a child that is
    bound to the life of its parent is bound to the thread that started it.
    """

    def __init__(self, role: Role) -> None:
        self.role = role
        self.ready = False
        self.ready_descriptor: int | None = None
        self.start_at: float | None = None  # monotonic time of the next start, while dead
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._ready_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the process; it imports what it needs and then waits for `instruct`."""
        self.start_at = None
        self.ready = False
        self.ready_descriptor, theirs = os.pipe()
        os.set_blocking(self.ready_descriptor, False)
        handed = [theirs] if self.role.socket_descriptor is None else [theirs, self.role.socket_descriptor]
        try:
            self._process = subprocess.Popen(
                self._command(theirs),
                stdin=subprocess.PIPE,
                pass_fds=handed,
                process_group=0,  # so that Ctrl-C reaches the supervisor alone, which then ends the others in order
            )
        finally:
            os.close(theirs)
        if self.role.niceness:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, self.role.niceness)

    def instruct(self, settings_json: bytes) -> None:
        """Give it its settings; a child that is gone already is noticed by `reap`."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(settings_json)
            self._process.stdin.close()
        except BrokenPipeError:
            logger.debug("%s ended before it was told how to run", self.role.name)

    def hear(self) -> bool:
        """Read the ready pipe; True at the moment the child says that it is ready."""
        if self.ready_descriptor is None:
            return False
        said = os.read(self.ready_descriptor, 1)
        os.close(self.ready_descriptor)
        self.ready_descriptor = None
        self.ready = said == b"1"
        self._ready_at = time.monotonic()
        return self.ready

    def reap(self) -> int | None:
        """The exit code if it has ended since the last call; a restart is then planned with back-off."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None:
            return None
        self._process = None
        if self.ready and time.monotonic() - self._ready_at >= STEADY_SECONDS:
            self._failures = 0
        delay = min(FIRST_DELAY_SECONDS * 2**self._failures, LONGEST_DELAY_SECONDS)
        self._failures += 1
        self.ready = False
        self.start_at = time.monotonic() + delay
        return code

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if self._process is not None:
            self._process.send_signal(signal_number)

    def wait(self, deadline: float) -> int:
        """Wait until the monotonic `deadline`, then kill; the exit code."""
        if self._process is None:
            return 0
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("%s did not end in time and is killed", self.role.name)
            self._process.kill()
            code = self._process.wait()
        self._process = None
        return code

    def _command(self, ready_descriptor: int) -> list[str]:
        command = [sys.executable, "-P", "-m", self.role.module]
        command += ["--parent", str(os.getpid()), "--ready", str(ready_descriptor)]
        if self.role.socket_descriptor is not None:
            command += ["--socket", str(self.role.socket_descriptor)]
        return command


PARENT_POLL_SECONDS: Final = 0.5
SET_PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of prctl(2)
ORPHANED: Final = 70  # exit code of a child whose supervisor is gone


@dataclass(frozen=True, slots=True)
class Child:
    """What a child was handed: descriptors of its socket (if any) and of the pipe that says it is ready."""

    ready_descriptor: int
    socket_descriptor: int | None

    def settings(self, process: str) -> Settings:
        """The settings, from standard input, once the supervisor has written them; logging is then configured."""
        settings = Settings.model_validate_json(sys.stdin.buffer.read())
        configure_logging(process, settings.log_level, settings.log_format, settings.secrets)
        return settings

    def say_ready(self) -> None:
        """Tell the supervisor that this child does its work."""
        os.write(self.ready_descriptor, b"1")
        os.close(self.ready_descriptor)


def begin() -> Child:
    """Bind this process's life to its supervisor's and read what it was handed; the first act of a child."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--socket", type=int)
    arguments = parser.parse_args()
    live_no_longer_than(arguments.parent)
    return Child(arguments.ready, arguments.socket)


def live_no_longer_than(parent: int) -> None:
    """End this process at once when the process `parent` ends, however it ends.

    Linux does it in the kernel; elsewhere, and should the parent have ended already, a thread looks twice a second.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(ORPHANED)
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os._exit(ORPHANED)
