"""Child processes as their supervisor sees them: started, told how to run, ready, dead, started again with back-off."""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.runtime.board import Board, Desk
from kit.child import Child, Terms, ending, start_module

logger = logging.getLogger("resonate.supervisor")

ENTRY: Final = "app.processes.entry"  # the module of every process, which knows them by name
FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 5.0
STEADY_SECONDS: Final = 1.0  # a child that was ready this long is a healthy one that died, not one that cannot start
ALL_TOPICS: Final = ("state", "phases", "catalogue")
WEBHOOKS_NICENESS: Final = 10
TRAINER_NICENESS: Final = 15
# how soon the system ends one when memory is short; the store's is 100, the supervisor's its own
TRAINER_OOM: Final = 900
ANALYSIS_OOM: Final = 800
WEBHOOKS_OOM: Final = 500
WORKER_OOM: Final = 300
WRITER_OOM: Final = 200


@dataclass(frozen=True, slots=True)
class Role:
    """What a child is for: its name among the entries, its niceness, and what it is handed (−1 for none): a socket to
    listen on, and the pipe that ends when the service does.

    One that follows `topics` is told of them by a line of its own, over which it asks too. `oom_score` is how soon the
    system ends it when memory is short, up to 1000; `ends`: its work has an end.
    """

    name: str
    niceness: int = 0
    socket_descriptor: int = -1
    ending_descriptor: int = -1
    module: str = ENTRY
    topics: tuple[str, ...] = ()
    oom_score: int = 0
    ends: bool = False


class ChildProcess:
    """A child of the supervisor. All methods are called by the supervisor's main thread, because a child that is
    bound to the life of its parent is bound to the thread that started it.
    """

    def __init__(self, role: Role, desk: Desk) -> None:
        """`desk` is its place on the board."""
        self.role = role
        self.desk = desk
        self.ready = False
        self.ready_descriptor: int | None = None
        self.line: socket.socket | None = None  # of a role that follows something; whoever takes it closes it
        self.start_at: float | None = None  # monotonic time of the next start, while dead
        self._child: Child | None = None
        self._failures = 0
        self._ready_at = 0.0
        self._fell: int | None = None  # how the last process ended, where it should not have

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        return None if self._child is None else self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None

    def start(self) -> bool:
        """Start the process; it imports what it needs and then waits for `instruct`.

        False where the system gives none now (no memory, no descriptor, no program): the next start is then planned.
        """
        self.start_at = None
        self.ready = False
        try:
            self._child = self._started()
        except OSError as error:
            self._plan()
            logger.error("%s cannot be started, it is tried again: %s", self.role.name, error.strerror or error)
            return False
        self.desk.started(self._child.pid, again=self._fell is not None)
        if self._fell is not None:
            logger.info("%s is started after %s", self.role.name, ending(self._fell), extra={"child": self.pid})
        return True

    def _started(self) -> Child:
        role = self.role
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            ready, said = os.pipe()
            ours.callback(os.close, ready)
            theirs.callback(os.close, said)
            os.set_blocking(ready, False)
            line = end = None
            if role.topics:
                line, end = socket.socketpair()
                ours.callback(line.close)
                theirs.callback(end.close)
            handed = (said, role.socket_descriptor, role.ending_descriptor, self.desk.board.descriptor)
            asks_at = -1 if end is None else end.fileno()
            passed = [descriptor for descriptor in (*handed, asks_at) if descriptor >= 0]
            arguments = (role.name, *map(str, (*handed, self.desk.number, asks_at)))
            terms = Terms(niceness=role.niceness, descriptors=passed, oom_score=role.oom_score)
            child = start_module(role.module, arguments, terms)
            ours.pop_all()
        self.ready_descriptor, self.line = ready, line
        return child

    def instruct(self, settings_json: bytes) -> None:
        """Give it its settings; a child that is gone already is noticed by `reap`."""
        if self._child is not None:
            self._child.tell(settings_json)

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
        code = None if self._child is None else self._child.code()
        if code is None:
            return None
        self._child = None
        self.desk.ended(code)
        self._fell = None if self.role.ends and code == 0 else code
        if self.ready and time.monotonic() - self._ready_at >= STEADY_SECONDS:
            self._failures = 0
        self.ready = False
        self._plan()
        return code

    def _plan(self) -> None:
        """The next start, the later the more failed before."""
        self.start_at = time.monotonic() + min(FIRST_DELAY_SECONDS * 2**self._failures, LONGEST_DELAY_SECONDS)
        self._failures += 1

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if self._child is not None:
            self._child.send(signal_number)

    def wait(self, deadline: float) -> int:
        """Wait until the monotonic `deadline`, then kill; the exit code."""
        child, self._child = self._child, None
        return 0 if child is None else child.wait(deadline - time.monotonic())


class Children:
    """All of them but the store; none is started yet."""

    def __init__(
        self, board: Board, listener: socket.socket, analysis_listener: socket.socket, ending: int, *, tells: bool
    ) -> None:
        """Workers listen at `listener`, and hear of the end by the pipe `ending`; `tells` is whether webhooks are."""
        worker = Role("worker", 0, listener.fileno(), ending, topics=("state", "catalogue"), oom_score=WORKER_OOM)
        analysis = Role("analysis", 0, analysis_listener.fileno(), topics=ALL_TOPICS, oom_score=ANALYSIS_OOM)
        trainer = Role("trainer", TRAINER_NICENESS, oom_score=TRAINER_OOM, ends=True)
        webhooks = Role("webhooks", WEBHOOKS_NICENESS, oom_score=WEBHOOKS_OOM)
        self.workers = [ChildProcess(worker, desk) for desk in board.desks("worker")]
        self.writer = ChildProcess(Role("writer", oom_score=WRITER_OOM), board.desk("writer"))
        self.analysis = ChildProcess(analysis, board.desk("analysis"))
        self.trainer = ChildProcess(trainer, board.desk("trainer"))
        self.webhooks = [ChildProcess(webhooks, board.desk("webhooks"))] if tells else []

    def __iter__(self) -> Iterator[ChildProcess]:
        yield from self.kept
        yield self.analysis
        yield self.trainer

    @property
    def kept(self) -> list[ChildProcess]:
        """Those that are started again by themselves; the analysis is by its next caller, the trainer when due."""
        return [*self.workers, self.writer, *self.webhooks]

    @property
    def behind_workers(self) -> list[ChildProcess]:
        """Those that end after the workers have drained."""
        return [self.writer, self.analysis, self.trainer, *self.webhooks]
