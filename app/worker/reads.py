"""What pages read of the analysis: each question once at a time, and what came of it last for who cannot wait.

Where a readout takes longer than people wait and events never cease, the newest one would never be there in time: who
reloads is then shown what was computed meanwhile, and its `as_of` says how old that is.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Final, NamedTuple

from app.analysis.client import AnalysisAnswer, AnalysisError
from app.analysis.queries import Query
from kit.tasks import Tasks

KEPT_SECONDS: Final = 300.0
MOST_KEPT: Final = 32
UNEXPECTED: Final = "the answer could not be computed; the log says why"
Outcome = AnalysisAnswer | AnalysisError
Ask = Callable[[], Awaitable[AnalysisAnswer]]


class PageQuestion(NamedTuple):
    """A query at one state of what else its answer rests on: the definitions, and their mistakes."""

    query: Query
    version: Hashable


class KeptAnswer(NamedTuple):
    """An answer and when it came, on the clock of `Reads`."""

    at: float
    answer: AnalysisAnswer


class Reads:
    """The reads of one worker's pages; `background` goes on with those that nobody waits for any more."""

    def __init__(self, background: Tasks, clock: Callable[[], float] = time.monotonic) -> None:
        self._background = background
        self._clock = clock
        self._under_way: dict[PageQuestion, asyncio.Future[Outcome]] = {}
        self._kept: OrderedDict[PageQuestion, KeptAnswer] = OrderedDict()

    async def within(
        self, question: PageQuestion, ask: Ask, seconds: float, *, young: float = 0.0
    ) -> AnalysisAnswer | None:
        """The answer; where it takes longer that of the same question from the last five minutes, else None.

        Then it is computed on, for whoever asks again. One that is no older than `young` seconds is not asked for anew.
        Raises AnalysisError with what was refused.
        """
        if young and (known := self._last(question, young)):
            return known
        told = self._under_way.get(question)
        if told is None:
            told = self._under_way[question] = asyncio.get_running_loop().create_future()
            self._background.start(partial(self._ask, question, ask, told), "reading for a page")
        await asyncio.wait([told], timeout=seconds)
        if not told.done():
            return self._last(question)
        outcome = told.result()
        if isinstance(outcome, AnalysisError):
            raise outcome
        return outcome

    async def _ask(self, question: PageQuestion, ask: Ask, told: asyncio.Future[Outcome]) -> None:
        outcome: Outcome = AnalysisError(503, "unexpected_error", UNEXPECTED, 1)
        try:
            outcome = await ask()
            self._keep(question, outcome)
        except AnalysisError as error:
            outcome = error
        finally:
            del self._under_way[question]
            told.set_result(outcome)

    def _keep(self, question: PageQuestion, answer: AnalysisAnswer) -> None:
        self._kept[question] = KeptAnswer(self._clock(), answer)
        self._kept.move_to_end(question)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _last(self, question: PageQuestion, seconds: float = KEPT_SECONDS) -> AnalysisAnswer | None:
        kept = self._kept.get(question)
        return kept.answer if kept is not None and self._clock() - kept.at < seconds else None
