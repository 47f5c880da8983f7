"""Processes that end when the one that started them ends, however it ends: kept, or asked once for JSON.

Linux binds a process to the life of the thread that starts it: start from one that lasts.
"""

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from kit.files import make_folder, take_lock, why_unwritten
from kit.private import inherit_private

PARENT_POLL_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 0.02
UNWRITABLE: Final = 74  # exit code of a process that could not write what it had to (EX_IOERR)
ORPHANED: Final = 70  # exit code of a process whose parent was gone before it could be bound to it
_SET_PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of prctl(2)

logger = logging.getLogger(__name__)


class ChildFailed(Exception):
    """A process gave no answer. The text is the reason in one line, `complaint` all that it wrote to its errors."""

    def __init__(self, reason: str, complaint: str = "") -> None:
        super().__init__(reason)
        self.complaint = complaint


class ChildLate(ChildFailed):
    """A process did not answer by its deadline."""


class Busy(Exception):
    """As many are at it already as may be at once."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a process is started. `orphan_signal` is what it gets when its parent ends.

    `oom_score` says how much sooner than this process Linux ends it when memory is short, up to 1000.
    """

    orphan_signal: signal.Signals = signal.SIGKILL
    niceness: int = 0
    oom_score: int = 0
    descriptors: Sequence[int] = ()  # that it is handed, beside the three of every process
    environment: Mapping[str, str] | None = None  # None: this process's own
    output: BinaryIO | None = None  # where it writes its output and its errors
    errors: BinaryIO | None = None  # where it writes its errors, if elsewhere


AS_USUAL: Final = Terms()


class Child:
    """A process that was started and is kept. Whoever started it ends it (`wait`), or it ends with this process."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self.pid = process.pid
        self._process = process
        self._name = name

    def tell(self, content: bytes) -> None:
        """Give it its whole standard input; that it has ended already is seen by `code`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stream:
            stream.write(content)

    def code(self) -> int | None:
        """How it ended, as `subprocess` numbers it; None while it lives."""
        code = self._process.poll()
        if code is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        return code

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait so long for its end, then kill it; how it ended."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            logger.warning("%s did not end in time and is killed", self._name)
            self._process.kill()
            self._process.wait()
        code = self.code()
        assert code is not None
        return code


def start_module(module: str, arguments: Sequence[str] = (), terms: Terms = AS_USUAL) -> Child:
    """Start a Python module (as `python -P -m` does) in a process group of its own, waiting for what it is told.

    Ctrl-C at the terminal does not reach it, so that this process can end its children in order.
    """
    process = subprocess.Popen(
        _command(module, arguments, terms.orphan_signal, terms.niceness),
        stdin=subprocess.PIPE,
        stdout=terms.output,
        stderr=terms.errors or terms.output,
        pass_fds=terms.descriptors,
        env=terms.environment,
        process_group=0,
    )
    _make_expendable(process.pid, terms.oom_score)
    return Child(process, module)


def start_program(command: Sequence[str], terms: Terms = AS_USUAL) -> Child:
    """Start another program in a session of its own: it reads nothing, and writes nothing but to `terms.output`.

    Only Linux tells it of its parent's end. It forks, so do it while this process has no other threads.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=terms.output or subprocess.DEVNULL,
        stderr=terms.output or subprocess.DEVNULL,
        pass_fds=terms.descriptors,
        env=terms.environment,
        start_new_session=True,
        preexec_fn=_bound(os.getpid(), terms),
    )
    _make_expendable(process.pid, terms.oom_score)
    return Child(process, Path(command[0]).name)


def printed(command: Sequence[str], deadline_seconds: float) -> str:
    """What a program prints when it is run once. Raises ChildFailed when it prints nothing in time, or cannot run."""
    with tempfile.TemporaryFile() as output:
        try:
            code = start_program(command, Terms(output=output)).wait(deadline_seconds)
        except OSError as error:
            raise ChildFailed(f"{command[0]} cannot be run: {error.strerror}") from None
        text = _content(output).decode(errors="replace")
    if code:
        raise ChildFailed(f"{command[0]} ended with {ending(code)}", text)
    return text


class Asked:
    """A Python module that reads a question (JSON) from its input and prints its answer (JSON), as a process.

    Nobody waits for it: it is looked at now and then, until it has `ended`.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], question: Any = None, *, deadline_seconds: float, niceness: int = 0
    ) -> None:
        self._module = module
        self._deadline_seconds = deadline_seconds
        self._give_up_at = time.monotonic() + deadline_seconds
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would be full at 64 kB; `close` closes it
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as asked:
            asked.write(json.dumps(question).encode())
            asked.seek(0)
            command = _command(module, arguments, signal.SIGKILL, niceness)
            process = subprocess.Popen(command, stdin=asked, stdout=self._output, stderr=self._errors, process_group=0)
        self._child = Child(process, module)

    @property
    def ended(self) -> bool:
        """Whether `answer` has something to say, be it that the deadline has passed."""
        return self._child.code() is not None or time.monotonic() >= self._give_up_at

    def answer(self) -> Any:
        """What it answered, once it has `ended`; to be asked for once. The process is gone then.

        Raises ChildFailed, or OSError where it could not write what it had to.
        """
        code = self._child.code()
        answer, complaint = _content(self._output), _content(self._errors).decode(errors="replace").strip()
        self.close()
        if code is None:
            raise ChildLate(f"{self._module} did not answer within {self._deadline_seconds:g} s", complaint)
        if code == UNWRITABLE:
            number, _, reason = complaint.rpartition(chr(10))[2].partition(" ")
            raise OSError(int(number), reason)
        if code:
            raise ChildFailed(f"{self._module}: {complaint.rpartition(chr(10))[2] or ending(code)}", complaint)
        try:
            return json.loads(answer)
        except ValueError:
            raise ChildFailed(f"{self._module}: its answer is no JSON", complaint) from None

    def close(self) -> None:
        """End the process, if it lives."""
        self._child.send(signal.SIGKILL)
        self._child.wait(1.0)
        self._output.close()
        self._errors.close()


async def ask(module: str, arguments: Sequence[str], question: Any = None, *, deadline_seconds: float) -> Any:
    """Ask such a module and wait for its answer. Raises ChildFailed, or OSError where it could not write.

    The process is gone when this returns or raises, also when it is cancelled.
    """
    asked = Asked(module, arguments, question, deadline_seconds=deadline_seconds)
    try:
        while not asked.ended:
            await asyncio.sleep(LOOK_SECONDS)
        return asked.answer()
    finally:
        asked.close()


@contextmanager
def place(folder: Path, at_once: int) -> Generator[None]:
    """One of so many places, which all processes share; a place is free again when its holder ends, however it ends.

    `folder` holds the places' lock files. Raises Busy when all are taken.
    """
    make_folder(folder)
    for number in range(at_once):
        descriptor = take_lock(folder / f"place-{number}.lock")
        if descriptor is not None:
            try:
                yield
            finally:
                os.close(descriptor)
            return
    raise Busy(f"{at_once} at once are as many as may be")


def ending(code: int) -> str:
    """How a process ended, in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def live_no_longer_than(parent: int, orphan_signal: signal.Signals) -> None:
    """Bind this process to the life of the one that started it: it gets the signal when that ends.

    Linux does it in the kernel; elsewhere a thread looks twice a second. Ends this process at once when `parent` is
    not its parent any more.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(orphan_signal), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent, orphan_signal), name="parent-watch", daemon=True).start()
    if os.getppid() != parent:
        os._exit(ORPHANED)


def _make_expendable(pid: int, score: int) -> None:
    """Between what this process itself has and 1000, so that the order holds where a container sets that. Raising it
    needs no right; elsewhere than on Linux there is nothing to set.
    """
    if score:
        with contextlib.suppress(OSError):
            own = max(0, int(Path("/proc/self/oom_score_adj").read_text()))
            with open(f"/proc/{pid}/oom_score_adj", "r+b", buffering=0) as file:
                file.write(b"%d" % (own + (1000 - own) * score // 1000))


def _watch(parent: int, orphan_signal: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), orphan_signal)


def _bound(parent: int, terms: Terms) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork, after which little is safe

    def before_exec() -> None:
        prctl(_SET_PARENT_DEATH_SIGNAL, int(terms.orphan_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(ORPHANED)
        os.nice(terms.niceness)

    return before_exec


def _command(module: str, arguments: Sequence[str], orphan_signal: signal.Signals, niceness: int) -> list[str]:
    """Runs the module by way of `main` below, so that no module can forget to bind itself."""
    bound = [str(os.getpid()), str(int(orphan_signal)), str(niceness)]
    return [sys.executable, "-P", "-m", "kit.child", *bound, module, *arguments]


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def main() -> None:
    """The first acts of every Python process that is started here, then the module that it is for."""
    inherit_private()
    parent, orphan_signal, niceness, module, *arguments = sys.argv[1:]
    live_no_longer_than(int(parent), signal.Signals(int(orphan_signal)))
    os.nice(int(niceness))
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except OSError as error:
        if (why := why_unwritten(error)) is None:
            raise
        print(error.errno, why, file=sys.stderr)  # for whoever asked, in one line
        sys.exit(UNWRITABLE)


if __name__ == "__main__":
    main()
