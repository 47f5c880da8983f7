"""Group commit of one shard: while a flush is under way, what arrives waits, packed, for the next one; no timer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, cast
from zlib import crc32

import msgspec

from events.records import Record
from events.store.availability import Breaker, StoreUnavailable, is_out_of_reach
from events.store.connection import Connection, HeldConnection
from events.store.keys import events_key

BODY_BITS: Final = 0x1FFF  # 13 bits take the store no more room than the two bytes of a small integer

_encode = msgspec.json.Encoder().encode
_TIME_MEMBER: Final = b',"time":'


class Parcel:
    """The records of one request that belong to one shard, ready to be joined with others into one flush."""

    __slots__ = ("count", "digests", "lengths", "texts")

    def __init__(self, records: Sequence[Record]) -> None:
        texts = [_encode(record) for record in records]
        self.count = len(texts)
        self.lengths = b"".join([len(text).to_bytes(4, "big") for text in texts])
        self.digests = b"".join(
            [
                blake2b(record.message_id.encode(), digest_size=8).digest() + body_digest(text).to_bytes(2, "big")
                for record, text in zip(records, texts, strict=True)
            ]
        )
        self.texts = b",".join(texts)

    @property
    def size(self) -> int:
        """Bytes that wait in memory for this parcel."""
        return len(self.texts)


def body_digest(text: bytes) -> int:
    """13 bits that tell two bodies with one messageId apart.

    The time of an event is left out: a client that sends again has another `sentAt`, from which the time is corrected.
    """
    head, _, rest = text.partition(_TIME_MEMBER)
    return crc32(rest.partition(b",")[2], crc32(head)) & BODY_BITS


def shard_of(visitor_id: str, shards: int) -> int:
    """The shard that holds a visitor's events: crc32 of the id in UTF-8, modulo the number of shards."""
    return crc32(visitor_id.encode()) % shards


def by_shard(records: Sequence[Record], shards: int) -> dict[int, list[int]]:
    """The indexes of the records of each shard, in their order."""
    indexes: dict[int, list[int]] = {}
    for index, record in enumerate(records):
        indexes.setdefault(shard_of(record.visitor_id, shards), []).append(index)
    return indexes


APPEND: Final = "resonate_append"
FLUSHES_AT_ONCE: Final = 2
CROWD: Final = 8  # so many parcels must wait before a second flush begins beside the first


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What may wait in one worker for the store, and how much of it one stream entry takes."""

    waiting_bytes: int = 32 << 20
    waiting_events: int = 100_000
    flush_bytes: int = 4 << 20
    flush_events: int = 10_000


@dataclass(slots=True)
class LaneCounters:
    """What a lane has done since the worker started."""

    flushes: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0  # same messageId, other body: the first stays
    failures: int = 0  # flushes that were not acknowledged


class Lane:
    """The waiting parcels of one shard, and the tasks that flush them: one, and a second one for a crowd."""

    def __init__(self, shard: int, connection: Connection, limits: StreamLimits) -> None:
        self.counters = LaneCounters()
        self.breaker = Breaker(self._probe)
        self._key = events_key(shard)
        self._connection = connection
        self._idle: list[HeldConnection | None] = [connection.held() for _ in range(FLUSHES_AT_ONCE)]
        self._limits = limits
        self._waiting: list[tuple[Parcel, asyncio.Future[int]]] = []
        self._waiting_bytes = 0
        self._waiting_events = 0
        self._flushing: set[asyncio.Task[None]] = set()

    def put(self, parcel: Parcel) -> asyncio.Future[int]:
        """Queues a parcel; the future gives the number of its duplicates once the parcel is durable.

        Raises StoreUnavailable at once while the store is known to be down, or when too much waits already (`busy`).
        """
        self.breaker.check()
        if (
            self._waiting_bytes + parcel.size > self._limits.waiting_bytes
            or self._waiting_events + parcel.count > self._limits.waiting_events
        ):
            raise StoreUnavailable("busy")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting.append((parcel, future))
        self._waiting_bytes += parcel.size
        self._waiting_events += parcel.count
        if not self._flushing or (self._idle and len(self._waiting) >= CROWD):
            self._flushing.add(loop.create_task(self._flush_all(self._idle.pop())))
        return future

    async def close(self) -> None:
        """Flushes what waits, then stops."""
        while self._flushing:
            await asyncio.wait(self._flushing)
        await self.breaker.close()

    async def _flush_all(self, held: HeldConnection | None) -> None:
        try:
            while self._waiting:
                await self._flush(self._next_flush(), held)
        finally:
            self._idle.append(held)
            self._flushing.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _next_flush(self) -> list[tuple[Parcel, asyncio.Future[int]]]:
        size = events = taken = 0
        for parcel, _ in self._waiting:
            size += parcel.size
            events += parcel.count
            if taken and (size > self._limits.flush_bytes or events > self._limits.flush_events):
                size -= parcel.size
                events -= parcel.count
                break
            taken += 1
        flush, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._waiting_bytes -= size
        self._waiting_events -= events
        return flush

    async def _flush(self, flush: list[tuple[Parcel, asyncio.Future[int]]], held: HeldConnection | None) -> None:
        parcels = [parcel for parcel, _ in flush]
        try:
            answer = await self._connection.call(
                APPEND,
                self._key,
                b"".join([parcel.digests for parcel in parcels]),
                b"".join([parcel.lengths for parcel in parcels]),
                b"[" + b",".join([parcel.texts for parcel in parcels]) + b"]",
                held=held,
            )
        except StoreUnavailable as unavailable:
            self._fail(flush, unavailable)
        except asyncio.CancelledError:
            self._fail(flush, StoreUnavailable("stopping"))
            raise
        else:
            self._acknowledge(flush, answer)

    def _acknowledge(self, flush: list[tuple[Parcel, asyncio.Future[int]]], answer: list[Any]) -> None:
        _, duplicates, conflicts = answer
        events = sum([parcel.count for parcel, _ in flush])
        self.counters.flushes += 1
        self.counters.stored += events - len(duplicates)
        self.counters.duplicates += len(duplicates)
        self.counters.conflicts += conflicts
        start = 0
        for parcel, future in flush:
            end = start + parcel.count
            if not future.done():  # a request that was cancelled waits no more
                future.set_result(sum(start <= index < end for index in duplicates) if duplicates else 0)
            start = end

    def _fail(self, flush: list[tuple[Parcel, asyncio.Future[int]]], unavailable: StoreUnavailable) -> None:
        self.counters.failures += 1
        if is_out_of_reach(unavailable):
            self.breaker.open(unavailable.cause)
            flush = flush + self._waiting
            self._waiting, self._waiting_bytes, self._waiting_events = [], 0, 0
        for _, future in flush:
            if not future.done():
                future.set_exception(StoreUnavailable(unavailable.cause, unavailable.retry_after_seconds))

    async def _probe(self) -> None:
        """An append of nothing: refused for the same reasons as any other."""
        await self._connection.call("resonate_append", self._key, b"", b"", b"[]")
