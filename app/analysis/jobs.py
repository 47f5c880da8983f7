"""One thread of work behind an event loop: the same question is computed once, and stopped when nobody waits."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class Job:
    """A question under way; `waiters` counts those who asked it."""

    waiters: int = 0
    work: Future[Any] | None = None
    result: asyncio.Future[Any] | None = None


class Jobs:
    """A queue before one thread. `interrupt` makes the running computation raise; it is called from the event loop."""

    def __init__(self, name: str, interrupt: Callable[[], None]) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._interrupt = interrupt
        self._jobs: dict[Hashable, Job] = {}
        self._running: Job | None = None
        self._switch = threading.Lock()  # so that an interrupt never hits the job after the one it was meant for

    async def answer(self, question: Hashable, compute: Callable[[], Answer]) -> Answer:
        """The result of `compute`, shared with everybody who asks the same `question` meanwhile.

        Cancelling the last of them interrupts the computation. What `compute` raises is raised to each of them.
        """
        job = self._jobs.get(question)
        if job is None:
            job = self._jobs[question] = Job()
            job.work = self._thread.submit(self._run, job, compute)
            job.result = asyncio.wrap_future(job.work)
            job.result.add_done_callback(partial(self._done, question, job))
        assert job.result is not None
        job.waiters += 1
        try:
            return await asyncio.shield(job.result)
        finally:
            job.waiters -= 1
            if job.waiters == 0 and not job.result.done():
                self._abandon(question, job)

    @property
    def idle(self) -> bool:
        """Whether nothing is being computed."""
        return self._running is None

    def close(self) -> None:
        """Interrupt what runs and drop what waits."""
        for question, job in list(self._jobs.items()):
            self._abandon(question, job)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Job, compute: Callable[[], Any]) -> Any:
        with self._switch:
            self._running = job
        try:
            return compute()
        finally:
            with self._switch:
                self._running = None

    def _done(self, question: Hashable, job: Job, result: asyncio.Future[Any]) -> None:
        if self._jobs.get(question) is job:
            del self._jobs[question]
        if not result.cancelled():
            result.exception()  # an error that nobody waits for any more is no news

    def _abandon(self, question: Hashable, job: Job) -> None:
        if self._jobs.get(question) is job:
            del self._jobs[question]  # whoever asks from now on starts it anew
        if job.work is None or job.work.cancel():
            return
        with self._switch:
            if self._running is job:
                self._interrupt()
