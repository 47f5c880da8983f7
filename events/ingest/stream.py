"""The log's ingest: what `append` has returned from is durable, and each messageId is in it once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from events.ingest.group_commit import Batch, Count, GroupCommit, StreamLimits, shard_of
from events.ingest.history import HistoryUpdates
from events.records import Record
from events.scrubbing import Scrubber
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

    `count` is told what goes wrong, by the names of the counters in `StreamState`. Nothing reaches the store but what
    `scrubber` lets through.
    """

    def __init__(
        self,
        connection: Connection,
        limits: StreamLimits | None = None,
        count: Count | None = None,
        scrubber: Scrubber | None = None,
    ) -> None:
        self._connection = connection
        self._limits = limits or StreamLimits()
        self._scrubber = scrubber or Scrubber()
        self._commits: list[GroupCommit] = []
        self._unprepared = Breaker(connection.probe)  # until the shards are known
        self._tell = count
        self._counts: Counter[str] = Counter()
        self._histories = HistoryUpdates(connection, self._count)

    async def append(self, records: Sequence[Record]) -> Appended:
        """Returns when every record is durable and the people's histories hold their purchases.

        Raises StoreUnavailable within 1.2 s when that cannot be promised: then some records may be stored all the
        same, and a client that sends them again (same messageId) does not double them.
        """
        if not self._commits:
            try:
                shards = range(self._connection.shards)
            except StoreUnavailable as unavailable:
                self._unprepared.open(unavailable.cause)
                raise
            self._commits = [GroupCommit(shard, self._connection, self._limits, self._count) for shard in shards]
        commits = self._commits
        if not records:
            return Appended(0, 0)
        if len(commits) == 1:
            duplicates = await commits[0].put(Batch(records, self._scrubber))
        else:
            own: dict[int, list[Record]] = {}
            for record in records:
                own.setdefault(shard_of(record.visitor_id, len(commits)), []).append(record)
            batches = {shard: Batch(each, self._scrubber) for shard, each in own.items()}
            for shard, batch in batches.items():
                commits[shard].check(batch)  # before anything is stored: one shard that is down refuses the whole
            puts = [commits[shard].put(batch) for shard, batch in batches.items()]
            await asyncio.gather(*puts, return_exceptions=True)  # each is heard, also after one that failed
            duplicates = sum([put.result() for put in puts])
        await self._histories.apply(records)
        return Appended(len(records) - duplicates, duplicates)

    @property
    def state(self) -> StreamState:
        """What `/readyz` and `/metrics` report about the log's ingest."""
        breakers = [*(commit.breaker for commit in self._commits), self._unprepared]
        cause = next((breaker.cause for breaker in breakers if breaker.cause is not None), None)
        counts = {name: self._counts[name] for name in ("flush_failures", "message_conflicts", "history_failures")}
        return StreamState(available=cause is None, cause=cause, **counts)

    async def close(self) -> None:
        """Flushes what waits; the connection stays open, it belongs to the caller."""
        for commit in self._commits:
            await commit.close()
        await self._unprepared.close()

    def _count(self, name: str, count: int) -> None:
        self._counts[name] += count
        if self._tell is not None:
            self._tell(name, count)
