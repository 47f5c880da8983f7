"""Log-ins that a shop's backend vouches for: which user a visitor is proven to be, and until when, for all workers."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final
from zlib import crc32

from events.authority import Authority
from events.records import IDENTIFY, Record
from events.store.availability import StoreUnavailable
from events.store.connection import Call, Connection
from events.store.keys import log_in_key
from events.store.shared_reads import SharedReads
from kit.files import create_file
from kit.time import DAY_SECONDS, now_us

DAY_MS: Final = DAY_SECONDS * 1_000
BUCKETS: Final = 1_024
TIMEOUT_SECONDS: Final = 0.5

Pair = tuple[str, str]  # visitor, user


class LogIns:
    """`{p:<bucket>}`: the one user who is logged in on a visitor, as a digest, and until when.

    The key itself has no time to live: a store that is short of memory would evict it, and with it who is logged in.

    `mark` is a file that is there from the first log-in on. Before that no worker asks the store for any.
    """

    def __init__(
        self, connection: Connection, reads: SharedReads, mark: Path, count: Callable[[str, int], None]
    ) -> None:
        self.used = mark.exists()
        self._connection = connection
        self._reads = reads
        self._mark = mark
        self._count = count

    async def look(self) -> None:
        """Takes notice of the first log-in, whichever worker was told of it."""
        self.used = self.used or self._mark.exists()

    async def begin(self, visitor_id: str, user_id: str, seconds: float) -> None:
        """From now on, for so long, this visitor is this user and nobody else. Raises StoreUnavailable."""
        now = now_us() // 1_000
        await self._tell([_call(visitor_id, _digest(user_id), now, now + round(seconds * 1_000))])

    async def end(self, visitor_id: str) -> None:
        """From now on the visitor is nobody; what was so before and is told later counts no more.

        Raises StoreUnavailable.
        """
        now = now_us() // 1_000
        await self._tell([_call(visitor_id, b"", now, now + DAY_MS)])

    def are_told(self, records: Iterable[Record]) -> bool:
        """Whether there is something to learn from these records."""
        return any([record.type == IDENTIFY and _tells(record) for record in records])

    async def learn(self, records: Iterable[Record]) -> None:
        """What backends' `identify` say that name both ids: it holds for a day from when it happened.

        The log has them by then, so a failure here is counted, not raised.
        """
        telling = [record for record in records if _tells(record)]
        now = now_us() // 1_000 if telling else 0
        calls = [
            _call(record.visitor_id, _digest(record.user_id), min(record.time // 1_000, now), ends)
            for record in telling
            if record.user_id is not None and (ends := min(record.time // 1_000, now) + DAY_MS) > now
        ]
        if calls:
            try:
                await self._tell(calls)
            except StoreUnavailable:
                self._count("log_in_failures", len(calls))

    async def hold(self, pairs: Sequence[Pair]) -> list[bool]:
        """Whether each visitor is logged in as that user; nobody is while the store cannot say so in time."""
        try:
            answers: list[bytes | None] = await self._reads.ask_many(
                [("HGET", log_in_key(_bucket(visitor)), visitor) for visitor, _ in pairs]
            )
        except StoreUnavailable:
            return [False] * len(pairs)
        now = now_us() // 1_000
        told = [(answer or b"0 0 ").split(b" ") for answer in answers]
        return [
            user == _digest(named) and int(until) > now
            for (_, until, user), (_, named) in zip(told, pairs, strict=True)
        ]

    async def _tell(self, calls: Sequence[Call]) -> None:
        if not self.used:
            await asyncio.to_thread(create_file, self._mark, b"", 0o600)
            self.used = True
        await self._connection.call_many(calls, TIMEOUT_SECONDS)


def _tells(record: Record) -> bool:
    return (
        record.type == IDENTIFY
        and record.authority is Authority.BACKEND
        and record.user_id is not None
        and record.visitor_id != record.user_id
        and not record.quarantined
    )


async def forget_log_ins(connection: Connection, visitors: Iterable[str]) -> None:
    """Deletes what is known of erased visitors; of an erased user there is only a digest, until it is over.

    Raises StoreUnavailable.
    """
    await connection.ask_many([("HDEL", log_in_key(_bucket(each)), each) for each in visitors])


def _digest(user_id: str) -> bytes:
    """What the store keeps of a user: an erased one leaves nothing that names them."""
    return blake2b(user_id.encode(), digest_size=16).hexdigest().encode()


def _bucket(visitor_id: str) -> int:
    return crc32(visitor_id.encode()) % BUCKETS


def _call(visitor_id: str, user: bytes, at_ms: int, until_ms: int) -> Call:
    return "resonate_logged_in", log_in_key(_bucket(visitor_id)), (visitor_id, user, at_ms, until_ms)
