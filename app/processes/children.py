"""The processes of a service by what they are for, and on which terms each of them runs."""

import socket
from collections.abc import Iterator
from typing import Final

from app.processes.supervised import ChildProcess, Role
from app.runtime.board import Board

ALL_TOPICS: Final = ("state", "phases", "catalogue")
ANALYSIS_NICENESS: Final = 10
TRAINER_NICENESS: Final = 15
# how soon the system ends one when memory is short; the store's is 100, the supervisor's its own
TRAINER_OOM: Final = 900
ANALYSIS_OOM: Final = 800
WEBHOOKS_OOM: Final = 500
WORKER_OOM: Final = 300
WRITER_OOM: Final = 200


class Children:
    """All of them but the store; none is started yet."""

    def __init__(
        self, board: Board, listener: socket.socket, analysis_listener: socket.socket, ending: int, *, tells: bool
    ) -> None:
        """Workers listen at `listener`, and hear of the end by the pipe `ending`; `tells` is whether webhooks are."""
        worker = Role("worker", 0, listener.fileno(), ending, topics=("state", "catalogue"), oom_score=WORKER_OOM)
        analysis = Role(
            "analysis", ANALYSIS_NICENESS, analysis_listener.fileno(), topics=ALL_TOPICS, oom_score=ANALYSIS_OOM
        )
        trainer = Role("trainer", TRAINER_NICENESS, oom_score=TRAINER_OOM, ends=True)
        webhooks = Role("webhooks", ANALYSIS_NICENESS, oom_score=WEBHOOKS_OOM)
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
