"""Group commit: while a flush is under way, what arrives waits, packed, for the next one; no timer."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Final, TypeAlias
from zlib import crc32

from events.authority import Authority
from events.records import REPEATABLE, Record
from events.scrubbing import Scrubber
from events.store.availability import (
    BUSY,
    PAGES_FULL,
    STOPPING,
    UNKNOWN,
    Breaker,
    StoreUnavailable,
    is_out_of_reach,
)
from events.store.connection import Connection
from events.store.held_connection import HeldConnection
from events.store.keys import events_key
from kit.tasks import Tasks

NO_BODY: Final = b"\0\0"
BODY_BITS: Final = 0x1FFF  # 13 bits take the store no more room than the two bytes of a small integer

_ID_MEMBER: Final = b',"message_id":'  # the first after network and time, which are numbers
# an id of one authority never takes the place of another's; that of a page is what it was before there was authority
_IDS: Final = {
    each: blake2b(digest_size=8, person=b"" if each is Authority.PAGE else each.word.encode()) for each in Authority
}


class Batch:
    """The records of one request that belong to one shard, scrubbed, ready to be joined with others into one flush."""

    __slots__ = ("count", "digests", "lengths", "size", "texts")

    def __init__(self, records: Sequence[Record], scrubber: Scrubber) -> None:
        texts = scrubber.written(records)
        self.count = len(texts)
        self.lengths = b"".join([len(text).to_bytes(4, "big") for text in texts])
        self.digests = b"".join([record_digest(*each) for each in zip(records, texts, strict=True)])
        self.texts = b",".join(texts)
        self.size = len(self.texts)


def record_digest(record: Record, text: bytes) -> bytes:
    """64 bits by which the messageId of such a sender is known again, and 13 that tell two bodies with it apart.

    Time and network of an event are left out: a client that sends again has another `sentAt`, from which the time is
    corrected, and may be somewhere else.
    """
    digest = _IDS[record.authority].copy()
    digest.update(record.message_id.encode())
    if record.message_id.startswith(REPEATABLE):  # whatever else it says, it is the same exposure
        return digest.digest() + NO_BODY
    body = crc32(text[text.find(_ID_MEMBER) :]) & BODY_BITS
    return digest.digest() + body.to_bytes(2, "big")


NOTHING: Final = Batch((), Scrubber())


async def forget_exposures(connection: Connection, exposures: Iterable[tuple[str, Authority, str]]) -> None:
    """Exposures that stand for all like them on one day, by visitor, authority and messageId, are taken for new when
    they come again. Raises StoreUnavailable.
    """
    packed: dict[int, bytes] = {}
    for visitor_id, authority, message_id in exposures:
        digest = _IDS[authority].copy()
        digest.update(message_id.encode())
        shard = shard_of(visitor_id, connection.shards)
        packed[shard] = packed.get(shard, b"") + digest.digest() + NO_BODY
    for shard, digests in packed.items():
        await connection.call(FORGET, events_key(shard), digests)


def shard_of(visitor_id: str, shards: int) -> int:
    """The shard that holds a visitor's events: crc32 of the id in UTF-8, modulo the number of shards."""
    return crc32(visitor_id.encode()) % shards


APPEND: Final = "resonate_append"
FORGET: Final = "resonate_forget"
PAGE_EVENTS_REFUSED: Final = "page_events_refused"
CROWD: Final = 8  # so many batches must wait before a second flush begins beside the first

Waiting: TypeAlias = list[tuple[Batch, asyncio.Future[int]]]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What may wait in one worker for the store, and how much of it one stream entry takes."""

    waiting_bytes: int = 32 << 20
    waiting_events: int = 100_000
    flush_bytes: int = 4 << 20
    flush_events: int = 10_000


Count: TypeAlias = Callable[[str, int], None]  # the name of what went wrong, and how often


class GroupCommit:
    """The waiting batches of one lane, and what commits them together: one flush after the other, two for a crowd.

    Each shard has a lane for pages, whose `share` of the store's memory is limited (bytes, 0 where nobody knows), and
    one for all others, `share` None: so what pages send takes no room from those. Whatever becomes of a flush, each of
    its futures is resolved.
    """

    def __init__(
        self, shard: int, connection: Connection, limits: StreamLimits, count: Count, share: int | None
    ) -> None:
        self._key = events_key(shard)
        self._share = () if share is None else (share,)
        self._probe = partial(
            connection.call, APPEND, self._key, b"", b"", b"[]", *self._share
        )  # refused as others are
        self.breaker = Breaker(self._probe)
        self._connection = connection
        self._limits = limits
        self._count = count
        self._new_future = asyncio.get_running_loop().create_future  # once: every request would ask which loop runs
        self._waiting: Waiting = []
        self._waiting_bytes = 0
        self._waiting_events = 0
        self._closing = False
        self._some, self._crowd = asyncio.Event(), asyncio.Event()
        self._held = [connection.held(), connection.held()]
        self._flushing = Tasks()
        for held, told in zip(self._held, (self._some, self._crowd), strict=True):
            self._flushing.repeat(partial(self._flush_when_told, told, held), f"a flush of shard {shard}", 0)

    def check(self, batch: Batch) -> None:
        """Raises StoreUnavailable while the store is known to be down, when too much waits (`busy`), or at the end."""
        if self._closing:
            raise StoreUnavailable(STOPPING)
        if self.breaker.cause is not None:
            raise StoreUnavailable(self.breaker.cause)
        if (
            self._waiting_bytes + batch.size > self._limits.waiting_bytes
            or self._waiting_events + batch.count > self._limits.waiting_events
        ):
            raise StoreUnavailable(BUSY)

    async def would_store(self, timeout_seconds: float) -> None:
        """Returns where a batch would be stored now; raises StoreUnavailable, without asking a store known to be away.

        That one is slow to answer is for the flushes to find out: they give it more time.
        """
        self.check(NOTHING)
        try:
            await self._probe(timeout_seconds=timeout_seconds)
        except StoreUnavailable as unavailable:
            if is_out_of_reach(unavailable.cause) and unavailable.cause != "store_timeout":
                self.breaker.open(unavailable.cause)
            raise

    def put(self, batch: Batch) -> asyncio.Future[int]:
        """Queues a batch; the future gives the number of its duplicates once the batch is durable.

        Raises StoreUnavailable at once, as `check`.
        """
        self.check(batch)
        future: asyncio.Future[int] = self._new_future()
        self._waiting.append((batch, future))
        self._waiting_bytes += batch.size
        self._waiting_events += batch.count
        self._some.set()
        if len(self._waiting) >= CROWD:
            self._crowd.set()
        return future

    async def close(self) -> None:
        """Flushes what waits, then stops."""
        self._closing = True
        self._some.set()
        self._crowd.set()
        await self._flushing.finish()
        await self.breaker.close()
        for held in self._held:
            await self._connection.release(held)

    async def _flush_when_told(self, told: asyncio.Event, held: HeldConnection | None) -> bool:
        await told.wait()
        while self._waiting:
            size = events = taken = 0  # what waits, up to the size of a flush; at least one batch
            for batch, _ in self._waiting:
                if taken and (
                    size + batch.size > self._limits.flush_bytes or events + batch.count > self._limits.flush_events
                ):
                    break
                size += batch.size
                events += batch.count
                taken += 1
            flush, self._waiting = self._waiting[:taken], self._waiting[taken:]
            self._waiting_bytes -= size
            self._waiting_events -= events
            await self._flush(flush, held)
        told.clear()
        return self._closing

    async def _flush(self, flush: Waiting, held: HeldConnection | None) -> None:
        refusal: StoreUnavailable | None = StoreUnavailable(UNKNOWN)
        try:
            answer = await self._connection.call(
                APPEND,
                self._key,
                b"".join([batch.digests for batch, _ in flush]),
                b"".join([batch.lengths for batch, _ in flush]),
                b"[" + b",".join([batch.texts for batch, _ in flush]) + b"]",
                *self._share,
                held=held,
            )
            if answer == PAGES_FULL.encode():
                raise StoreUnavailable(PAGES_FULL)
            _, duplicates, conflicts = answer
            repeated, differing, start = set(duplicates), int(conflicts), 0
            for batch, future in flush:
                end = start + batch.count
                if not future.done():  # a request that was cancelled waits no more
                    future.set_result(len(repeated.intersection(range(start, end))) if repeated else 0)
                start = end
            if differing:
                self._count("message_conflicts", differing)
            refusal = None
        except StoreUnavailable as unavailable:
            refusal = unavailable
        except asyncio.CancelledError:
            refusal = StoreUnavailable(STOPPING)
            raise
        finally:
            if refusal is not None:
                self._refuse(flush, refusal)

    def _refuse(self, flush: Waiting, refusal: StoreUnavailable) -> None:
        """The same for all that waits behind a flush, where the next one would fail as well."""
        if refusal.cause == PAGES_FULL:
            self._count(PAGE_EVENTS_REFUSED, sum([batch.count for batch, _ in flush]))
        else:
            self._count("flush_failures", 1)
        if is_out_of_reach(refusal.cause):
            self.breaker.open(refusal.cause)
            flush = flush + self._waiting
            self._waiting, self._waiting_bytes, self._waiting_events = [], 0, 0
        for _, future in flush:
            if not future.done():
                future.set_exception(StoreUnavailable(refusal.cause, refusal.retry_after_seconds))
