"""The door of the log: what `append` has returned from is durable, and each messageId is in it once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from events.ingest.group_commit import Lane, LaneCounters, Parcel, StreamLimits, by_shard
from events.ingest.history import HistoryUpdates
from events.records import Record, position_number
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.keys import events_key


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
    flushes: int
    stored: int
    duplicates: int
    conflicts: int
    failures: int
    history_failures: int


class Stream:
    """Appends records durably, with a flush or two under way per shard and everything else gathering behind them."""

    def __init__(self, connection: Connection, limits: StreamLimits | None = None) -> None:
        self._connection = connection
        self._limits = limits or StreamLimits()
        self._lanes: list[Lane] = []
        self._unprepared = Lane(0, connection, self._limits)  # its breaker probes until the shards are known
        self._histories = HistoryUpdates(connection)

    async def append(self, records: Sequence[Record]) -> Appended:
        """Returns when every record is durable and the customers' histories hold their purchases.

        Raises StoreUnavailable within 1.2 s when that cannot be promised: then some records may be stored all the
        same, and a client that sends them again (same messageId) does not double them.
        """
        lanes = self._known_lanes()
        if len(lanes) == 1:
            duplicates = await lanes[0].put(Parcel(records)) if records else 0
        else:
            duplicates = await _all_of(self._put(lanes, records))
        await self._histories.apply(records)
        return Appended(len(records) - duplicates, duplicates)

    async def position(self) -> dict[int, int]:
        """The last stream number of each shard right now (0: nothing yet); raises StoreUnavailable."""
        shards = range(self._connection.shards)
        answers = await self._connection.call_many([("resonate_position", events_key(shard), ()) for shard in shards])
        return {shard: position_number(answer[0]) for shard, answer in zip(shards, answers, strict=True)}

    @property
    def state(self) -> StreamState:
        """What `/readyz` and `/metrics` report about the log's door."""
        lanes = [*self._lanes, self._unprepared]
        cause = next((lane.breaker.cause for lane in lanes if lane.breaker.cause is not None), None)
        counters = [lane.counters for lane in lanes]
        return StreamState(
            available=cause is None,
            cause=cause,
            history_failures=self._histories.failures,
            **{name: sum(getattr(each, name) for each in counters) for name in LaneCounters.__slots__},
        )

    async def close(self) -> None:
        """Flushes what waits; the connection stays open, it belongs to the caller."""
        for lane in [*self._lanes, self._unprepared]:
            await lane.close()

    def _known_lanes(self) -> list[Lane]:
        if not self._lanes:
            try:
                shards = self._connection.shards
            except StoreUnavailable as unavailable:
                self._unprepared.breaker.open(unavailable.cause)
                raise
            self._lanes = [Lane(shard, self._connection, self._limits) for shard in range(shards)]
        return self._lanes

    def _put(self, lanes: list[Lane], records: Sequence[Record]) -> list[asyncio.Future[int]]:
        for shard in (parts := by_shard(records, len(lanes))):
            lanes[shard].breaker.check()  # before anything is stored: a shard that is down refuses the whole request
        return [lanes[shard].put(Parcel([records[index] for index in indexes])) for shard, indexes in parts.items()]


async def _all_of(waiting: Sequence[asyncio.Future[int]]) -> int:
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return sum(outcome for outcome in outcomes if isinstance(outcome, int))
