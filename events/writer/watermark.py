"""How far the log has got: what the writer publishes per shard, and how a reader waits for its own writes."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from events.causes import StoreCause, store_cause
from events.records import SEQUENCE_BITS, position_number, stream_text
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.keys import events_key, wanted_key
from kit.time import SECOND_US

_LOOK_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Watermark:
    """Every event of a shard up to `stream_number`, and every one received until `time_us`, stands in its parts.

    `written` counts the events so far, `sequence` is that of the newest part (−1: none yet), `cause` names what keeps
    the writer from going on (`log_disk_full`, …).
    """

    stream_number: int = 0
    time_us: int = 0
    written: int = 0
    sequence: int = -1
    cause: StoreCause | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A shard at one moment: the last stream number it gave, the events it took so far, and what stands in parts."""

    stream_number: int
    appended: int
    mark: Watermark


@dataclass(frozen=True, slots=True)
class Written:
    """How far each shard is written, for somebody who asked when its last stream number was that of `asked`."""

    asked: Mapping[int, int]
    shards: Mapping[int, Progress]

    @property
    def behind(self) -> dict[int, int]:
        """The stream numbers that are in no part yet, of what was there when it was asked."""
        return {shard: number for shard, number in self.asked.items() if self.shards[shard].mark.stream_number < number}

    @property
    def pending(self) -> int:
        """How many acknowledged events are in no part."""
        return sum(max(0, shard.appended - shard.mark.written) for shard in self.shards.values())

    @property
    def watermark_us(self) -> int:
        """Until when everything received stands in parts, in microseconds (0: unknown): the lowest shard's."""
        return min((shard.mark.time_us for shard in self.shards.values()), default=0)

    @property
    def causes(self) -> list[StoreCause]:
        """What keeps the writer from going on."""
        return sorted({shard.mark.cause for shard in self.shards.values() if shard.mark.cause})


async def read_progress(connection: Connection) -> dict[int, Progress]:
    """How far each shard is, in one round trip to a single server; raises StoreUnavailable."""
    await connection.prepare()
    shards = range(connection.shards)
    answers = await connection.call_many([("resonate_position", events_key(shard), ()) for shard in shards])
    progress: dict[int, Progress] = {}
    for shard, (last, appended, flat) in zip(shards, answers, strict=True):
        fields: dict[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        mark = Watermark(
            stream_number=int(fields.get(b"stream_id", 0)),
            time_us=int(fields.get(b"time_us", 0)),
            written=int(fields.get(b"written", 0)),
            sequence=int(fields.get(b"sequence", -1)),
            cause=store_cause(fields.get(b"cause", b"").decode()),
        )
        progress[shard] = Progress(position_number(last), int(appended), mark)
    return progress


async def read_lag(connection: Connection, shards: Mapping[int, Progress], now_us: int) -> float:
    """How long ago the oldest event that is in no part was received, in seconds; 0 where all are. Raises
    StoreUnavailable.
    """
    behind = [shard for shard, progress in shards.items() if progress.stream_number > progress.mark.stream_number]
    first: list[int] = []
    for shard in behind:  # one entry of each: only now and then, and seldom of more than one shard
        after = f"({stream_text(shards[shard].mark.stream_number)}"
        entries: Any = await connection.answer(connection.client.xrange(events_key(shard), min=after, count=1))
        first += [position_number(stream_id) for stream_id, _ in entries]
    received_us = min(((number >> SEQUENCE_BITS) * 1_000 for number in first), default=now_us)
    return max(0, now_us - received_us) / SECOND_US


async def read_watermarks(connection: Connection) -> dict[int, Watermark]:
    """The watermark of each shard; raises StoreUnavailable."""
    return {shard: progress.mark for shard, progress in (await read_progress(connection)).items()}


async def wait_until_written(connection: Connection, timeout_seconds: float = 1.5) -> Written:
    """How far the log is, as soon as it holds what the store holds now or the time is up.

    The writer is told that somebody waits, so that it does not fill its part first. Ask before the log is read, never
    after it: then `pending` counts at least what the log lacks. Raises StoreUnavailable.
    """
    until = time.monotonic() + timeout_seconds
    shards = await read_progress(connection)
    written = Written({shard: progress.stream_number for shard, progress in shards.items()}, shards)
    with contextlib.suppress(StoreUnavailable):  # untold, as by a store without memory, the writer cuts a second later
        for shard, number in written.behind.items():
            await connection.ask("SET", wanted_key(shard), number)
    while written.behind and time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        written = Written(written.asked, await read_progress(connection))
    return written


class StoreTakenOver(Exception):
    """Another data directory's writer goes on with this store: nothing was trimmed, and nothing may be."""


async def publish(connection: Connection, shard: int, mark: Watermark, owner: str = "") -> None:
    """Publish a shard's watermark and let the stream forget what stands in parts.

    The store adds `written` by itself, from the entry at the watermark. Raises StoreUnavailable, or StoreTakenOver
    where another owner has gone on with the shard since this one began.
    """
    number = mark.stream_number
    fields = ["stream_id", number, "time_us", mark.time_us, "sequence", mark.sequence, "cause", mark.cause or ""]
    fields += ["owner", owner] if owner else []
    if await connection.call("resonate_mark", events_key(shard), stream_text(number), *fields) == -1:
        raise StoreTakenOver(f"another data directory's writer goes on with shard {shard} of the store")
