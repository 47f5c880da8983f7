"""How far the log has got: what the writer publishes per shard, and how a reader waits for its own writes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from events.records import stream_text
from events.store.connection import Connection
from events.store.keys import events_key, wanted_key, watermark_key

_LOOK_SECONDS: Final = 0.02
_WANTED_MILLISECONDS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Watermark:
    """Every event of a shard up to `stream_number`, and every one received until `time_us`, stands in its parts.

    `written` counts the events so far, `sequence` is that of the newest part (−1: none yet), `cause` names what keeps
    the writer from going on (`log_disk_full`, …) or is empty.
    """

    stream_number: int = 0
    time_us: int = 0
    written: int = 0
    sequence: int = -1
    cause: str = ""


async def read_watermarks(connection: Connection) -> dict[int, Watermark]:
    """The watermark of each shard; raises StoreUnavailable."""
    answers = await connection.hashes([watermark_key(shard) for shard in range(connection.shards)])
    return {shard: _watermark(fields) for shard, fields in enumerate(answers)}


def log_watermark(marks: Mapping[int, Watermark]) -> int:
    """Until when everything received stands in parts, in microseconds: the lowest shard's."""
    return min((mark.time_us for mark in marks.values()), default=0)


async def wait_until_written(
    connection: Connection, acknowledged: Mapping[int, int], timeout_seconds: float = 1.5
) -> dict[int, Watermark]:
    """The watermarks, as soon as they pass what was acknowledged (stream number by shard) or the time is up.

    The writer is told that somebody waits, so that it does not fill its part first. Raises StoreUnavailable.
    """
    until = time.monotonic() + timeout_seconds
    marks = await read_watermarks(connection)
    behind = _behind(marks, acknowledged)
    for shard, number in behind.items():
        await connection.answer(connection.client.set(wanted_key(shard), number, px=_WANTED_MILLISECONDS))
    while behind and time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        marks = await read_watermarks(connection)
        behind = _behind(marks, acknowledged)
    return marks


async def pending(connection: Connection, marks: Mapping[int, Watermark]) -> int:
    """How many acknowledged events are not in parts by these watermarks. Ask before the scan, never after it."""
    calls = [("resonate_position", events_key(shard), ()) for shard in marks]
    answers = await connection.call_many(calls)
    appended = [int(answer[1]) for answer in answers]
    return sum(max(0, total - mark.written) for total, mark in zip(appended, marks.values(), strict=True))


class StoreTakenOver(Exception):
    """Another data directory's writer goes on with this store: nothing was trimmed, and nothing may be."""


async def publish(connection: Connection, shard: int, mark: Watermark, owner: str = "") -> None:
    """Publish a shard's watermark and let the stream forget what stands in parts.

    The store adds `written` by itself, from the entry at the watermark. Raises StoreUnavailable, or StoreTakenOver
    where another owner has gone on with the shard since this one began.
    """
    number = mark.stream_number
    fields = ["stream_id", number, "time_us", mark.time_us, "sequence", mark.sequence, "cause", mark.cause]
    fields += ["owner", owner] if owner else []
    if await connection.call("resonate_mark", events_key(shard), stream_text(number), *fields) == -1:
        raise StoreTakenOver(f"another data directory's writer goes on with shard {shard} of the store")


def _watermark(fields: Mapping[bytes, bytes]) -> Watermark:
    return Watermark(
        stream_number=int(fields.get(b"stream_id", 0)),
        time_us=int(fields.get(b"time_us", 0)),
        written=int(fields.get(b"written", 0)),
        sequence=int(fields.get(b"sequence", -1)),
        cause=fields.get(b"cause", b"").decode(),
    )


def _behind(marks: Mapping[int, Watermark], acknowledged: Mapping[int, int]) -> dict[int, int]:
    unknown = Watermark()
    return {shard: number for shard, number in acknowledged.items() if marks.get(shard, unknown).stream_number < number}
