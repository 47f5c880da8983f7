"""How many answers went to visitors of whom nothing may be known: one count per experiment and shop day, of no arm."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, tzinfo
from typing import Final

from events.ingest.network_digests import MIDNIGHT
from events.ingest.stream import Stream
from events.records import REFUSED, Record
from events.store.availability import StoreUnavailable
from kit.time import SECOND_US, now_seconds

MOST_WAITING: Final = 1_000  # records while the store is away; further answers are not counted then


class Refusals:
    """The counts of one worker since it last told the log; what it had not told is lost with it.

    A row of the log says how many there were more, and has the time of its day's beginning, not that of any answer. It
    is of pages, because they can ask as often as they like.
    """

    def __init__(
        self, stream: Stream, zone: Callable[[], tzinfo], ids: Iterator[str], now: Callable[[], float] = now_seconds
    ) -> None:
        """`zone` is the shop's, `ids` are those of the rows, `now` gives epoch seconds."""
        self._stream = stream
        self._zone = zone
        self._ids = ids
        self._now = now
        self._counts: Counter[tuple[str, int, date]] = Counter()
        self._waiting: list[Record] = []

    def add(self, experiment: str, phase: int) -> None:
        """One more answer of an experiment's phase went to somebody who refuses."""
        self._counts[experiment, phase, datetime.fromtimestamp(self._now(), self._zone()).date()] += 1

    async def tell(self) -> None:
        """Puts what was counted into the log; while it takes nothing, that waits."""
        counts, self._counts = self._counts, Counter()
        self._waiting += [
            Record(
                message_id=next(self._ids),
                type=REFUSED,
                visitor_id="",
                time=round(datetime.combine(day, MIDNIGHT, self._zone()).timestamp() * SECOND_US),
                experiment=experiment,
                phase=phase,
                value=float(count),
            )
            for (experiment, phase, day), count in counts.items()
        ][: MOST_WAITING - len(self._waiting)]
        if not self._waiting:
            return
        try:
            await self._stream.append(self._waiting)
        except StoreUnavailable:
            return
        self._waiting.clear()
