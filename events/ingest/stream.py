"""The log's ingest: what `append` has returned from is durable, and each messageId is in it once."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from events.authority import OF_PAGE, Authority
from events.causes import StoreCause
from events.ingest.group_commit import PAGE_EVENTS_REFUSED, Batch, Count, GroupCommit, StreamLimits, shard_of
from events.ingest.history import HistoryUpdates
from events.records import Record
from events.scrubbing import Scrubber
from events.store.availability import Breaker, StoreUnavailable
from events.store.connection import Connection
from kit.tasks import SharedLook

PAGE_SHARE: Final = 4  # of the store's memory a quarter is for what pages sent and no part holds, as much for their ids
FLUSHES: Final = 64  # that the store's memory must have room for: connections hold them while they are read
SMALLEST_FLUSH: Final = 256 << 10
CHECK_SECONDS: Final = 0.8
CHECK_HOLDS_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Appended:
    """How many records of a request are new in the log, and how many it held already by their messageId."""

    stored: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class StreamState:
    """Whether the log takes events now, why not, and what this worker has done; for /readyz and /metrics."""

    available: bool
    cause: StoreCause | None
    flush_failures: int  # flushes that were not acknowledged
    message_conflicts: int  # same messageId, other body: the first stays
    history_failures: int  # orders and log-ins that did not reach the purchase histories


class Stream:
    """Appends records durably, with a flush or two under way per lane and everything else gathering behind them.

    `count` is told what goes wrong, by the names of the counters in `StreamState`. Nothing reaches the store but what
    `scrubber` lets through. `refused` says whose records are refused now, and why; the caller changes it.
    """

    def __init__(
        self,
        connection: Connection,
        limits: StreamLimits | None = None,
        count: Count | None = None,
        scrubber: Scrubber | None = None,
        refused: Mapping[Authority, StoreCause] | None = None,
    ) -> None:
        self._connection = connection
        self._limits = limits or StreamLimits()
        self._scrubber = scrubber or Scrubber()
        self._refused = {} if refused is None else refused
        self._commits: list[GroupCommit] = []  # of each shard the lane of backends and proven users, then that of pages
        self._unprepared = Breaker(connection.probe)  # until the shards are known
        self._tell = count
        self._counts: Counter[str] = Counter()
        self._histories = HistoryUpdates(connection, self._count)
        self._checks = SharedLook(self._check, CHECK_HOLDS_SECONDS)

    async def append(self, records: Sequence[Record]) -> Appended:
        """Returns when every record is durable and the people's histories hold their purchases.

        Raises StoreUnavailable within 1.5 s when that cannot be promised: then some records may be stored all the
        same, and a client that sends them again (same messageId) does not double them.
        """
        if not records:
            return Appended(0, 0)
        lanes = self._split(records)
        if len(lanes) == 1:
            [(lane, own)] = lanes
            duplicates = await lane.put(Batch(own, self._scrubber))
        else:
            batches = [(lane, Batch(own, self._scrubber)) for lane, own in lanes]
            for lane, batch in batches:
                lane.check(batch)  # before anything is stored: one shard that is down refuses the whole
            puts = [lane.put(batch) for lane, batch in batches]
            await asyncio.gather(*puts, return_exceptions=True)  # each is heard, also after one that failed
            duplicates = sum([put.result() for put in puts])
        await self._histories.apply(records)
        return Appended(len(records) - duplicates, duplicates)

    def put(self, records: Sequence[Record]) -> asyncio.Future[int] | None:
        """The same where one future says all of it: it gives the number of duplicates once the records are durable.

        None, and nothing is done, where several lanes take them or a history follows: that is for `append`. Raises
        StoreUnavailable, and so may the future.
        """
        lanes = self._split(records)
        if len(lanes) > 1 or self._histories.follow(records):
            return None
        [(lane, own)] = lanes
        return lane.put(Batch(own, self._scrubber))

    def _split(self, records: Sequence[Record]) -> list[tuple[GroupCommit, Sequence[Record]]]:
        """The records of each lane, at least one. Raises StoreUnavailable where they are refused."""
        if not self._commits:
            self._commits = self._lanes()
        if self._refused:
            self._check_whose(records)
        commits, of_pages = self._commits, records[0].authority is OF_PAGE
        if len(commits) == 2 and (
            len(records) == 1 or all([(each.authority is OF_PAGE) is of_pages for each in records])
        ):
            return [(commits[of_pages], records)]
        own: dict[int, list[Record]] = {}
        for record in records:
            lane = 2 * shard_of(record.visitor_id, len(commits) // 2) + (record.authority is OF_PAGE)
            own.setdefault(lane, []).append(record)
        return [(commits[lane], each) for lane, each in own.items()]

    async def check(self) -> None:
        """Returns where an event of a backend would be stored now; raises StoreUnavailable, within CHECK_SECONDS.

        The store is asked to take nothing, as it is to take events, once for all who ask within CHECK_HOLDS_SECONDS;
        one that is known to be away is not asked.
        """
        cause = self.state.cause or self._refused.get(Authority.BACKEND)
        if cause is not None:
            raise StoreUnavailable(cause)
        await self._checks.answer()

    async def _check(self) -> None:
        if not self._commits:
            self._commits = self._lanes()
        checks = [commit.would_store(CHECK_SECONDS) for commit in self._commits[::2]]  # of backends
        await asyncio.gather(*checks)

    @property
    def state(self) -> StreamState:
        """What `/readyz` and `/metrics` report about the log's ingest."""
        breakers = [*(commit.breaker for commit in self._commits), self._unprepared]
        cause: StoreCause | None = next((breaker.cause for breaker in breakers if breaker.cause is not None), None)
        counts = {name: self._counts[name] for name in ("flush_failures", "message_conflicts", "history_failures")}
        return StreamState(available=cause is None, cause=cause, **counts)

    async def close(self) -> None:
        """Flushes what waits; the connection stays open, it belongs to the caller."""
        for commit in self._commits:
            await commit.close()
        await self._unprepared.close()

    def _lanes(self) -> list[GroupCommit]:
        """Raises StoreUnavailable until the store has once answered."""
        try:
            shards = range(self._connection.shards)
        except StoreUnavailable as unavailable:
            self._unprepared.open(unavailable.cause)
            raise
        memory, limits = self._connection.memory_limit, self._limits
        if memory:
            flush_bytes = min(limits.flush_bytes, max(SMALLEST_FLUSH, memory // FLUSHES))
            limits = replace(limits, flush_bytes=flush_bytes)
        return [
            GroupCommit(shard, self._connection, limits, self._count, share)
            for shard in shards
            for share in (None, memory // PAGE_SHARE)
        ]

    def _check_whose(self, records: Sequence[Record]) -> None:
        """Raises StoreUnavailable where records of the least believed of them are refused."""
        least = min(record.authority for record in records)
        cause = self._refused.get(least)
        if cause is not None:
            if least < Authority.BACKEND:
                self._count(PAGE_EVENTS_REFUSED, len(records))
            raise StoreUnavailable(cause)

    def _count(self, name: str, count: int) -> None:
        self._counts[name] += count
        if self._tell is not None:
            self._tell(name, count)
