"""The door of the log: what `append` has returned from is durable, and each messageId is in it once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from events.ingest.group_commit import Count, Lane, Parcel, StreamLimits, by_shard
from events.ingest.history import HistoryUpdates
from events.records import Record
from events.store.availability import Breaker, StoreUnavailable
from events.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Appended:
    """How many records of a request are new in the log, and how many it held already by their messageId."""

    stored: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class StreamState:
    """Whether the log takes events now, why not, and what this worker has done; for /readyz and /metrics."""

    available: bool
    cause: str | None
    flush_failures: int  # flushes that were not acknowledged
    message_conflicts: int  # same messageId, other body: the first stays
    history_failures: int  # orders and log-ins that did not reach the purchase histories


class Stream:
    """Appends records durably, with a flush or two under way per shard and everything else gathering behind them.

    `count` is told what goes wrong, by the names of the counters in `StreamState`.
    """

    def __init__(self, connection: Connection, limits: StreamLimits | None = None, count: Count | None = None) -> None:
        self._connection = connection
        self._limits = limits or StreamLimits()
        self._lanes: list[Lane] = []
        self._unprepared = Breaker(connection.probe)  # until the shards are known
        self._tell = count
        self._counts: Counter[str] = Counter()
        self._histories = HistoryUpdates(connection, self._count)

    async def append(self, records: Sequence[Record]) -> Appended:
        """Returns when every record is durable and the customers' histories hold their purchases.

        Raises StoreUnavailable within 1.2 s when that cannot be promised: then some records may be stored all the
        same, and a client that sends them again (same messageId) does not double them.
        """
        if not self._lanes:
            try:
                shards = range(self._connection.shards)
            except StoreUnavailable as unavailable:
                self._unprepared.open(unavailable.cause)
                raise
            self._lanes = [Lane(shard, self._connection, self._limits, self._count) for shard in shards]
        lanes = self._lanes
        if not records:
            return Appended(0, 0)
        if len(lanes) == 1:
            duplicates = await lanes[0].put(Parcel(records))
        else:
            indexes = by_shard(records, len(lanes))
            parcels = {shard: Parcel([records[index] for index in own]) for shard, own in indexes.items()}
            for shard, parcel in parcels.items():
                lanes[shard].check(parcel)  # before anything is stored: a shard that is down refuses the whole request
            puts = [lanes[shard].put(parcel) for shard, parcel in parcels.items()]
            outcomes = await asyncio.gather(*puts, return_exceptions=True)  # each is heard, also after one that failed
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            duplicates = sum([put.result() for put in puts])
        await self._histories.apply(records)
        return Appended(len(records) - duplicates, duplicates)

    @property
    def state(self) -> StreamState:
        """What `/readyz` and `/metrics` report about the log's door."""
        breakers = [*(lane.breaker for lane in self._lanes), self._unprepared]
        cause = next((breaker.cause for breaker in breakers if breaker.cause is not None), None)
        counts = {name: self._counts[name] for name in ("flush_failures", "message_conflicts", "history_failures")}
        return StreamState(available=cause is None, cause=cause, **counts)

    async def close(self) -> None:
        """Flushes what waits; the connection stays open, it belongs to the caller."""
        for lane in self._lanes:
            await lane.close()
        await self._unprepared.close()

    def _count(self, name: str, count: int) -> None:
        self._counts[name] += count
        if self._tell is not None:
            self._tell(name, count)
