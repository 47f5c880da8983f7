"""The first acts of every child of the supervisor: live no longer than it, hear how to run, say when ready."""

import argparse
import ctypes
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

from app.logs import configure_logging
from app.settings import Settings

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
