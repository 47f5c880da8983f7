"""Takes one shard's stream into parts: reads after the last part, cuts, links, lets the stream forget."""

import asyncio
import errno
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from events.causes import StoreCause
from events.gauges import Gauge, untold
from events.parts.manifest import PartName
from events.parts.part import DataDamaged, PartListing
from events.parts.sealing import PartExists, Place, Reach, unreached, write_part
from events.records import stream_text
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.keys import events_key, wanted_key
from events.writer.decoding import Entry, entry, in_parts, readable_rows, received_at, received_date
from events.writer.resumption import resume_point
from events.writer.watermark import Watermark, publish
from kit.time import now_seconds

_LOOK_SECONDS: Final = 0.05
_SHARDS_LOOKED_AT: Final = 4
_IDLE_MARK_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.5
_READ_BYTES: Final = 16 << 20
_READ_SECONDS: Final = 5.0
_TURN_SECONDS: Final = _READ_SECONDS + 3.0  # the longest that a shard waits for the store, and a little
_DISK_SECONDS: Final = 30.0  # a disk that stands still for longer is one that hangs
_FIRST_READ: Final = 16
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """How the writer works; the defaults are those of the design.

    A part is cut `cut_seconds` after its first event came, or at `cut_events`. `retention_days` None keeps everything.
    `grace_seconds` is how long parts that a merge replaced stay, for readers that have them open. `reach` is called
    at the crash points, `now` gives the time in seconds since 1970. `owner` is the run that holds the lease where
    other services reach the store. `gauge` is told how the log is, in numbers. `back_within` is told by each shard,
    before all that it waits for, within how many seconds it speaks again; `held_up`, what keeps it from writing, if
    anything. `damaged` is told what is missing or damaged in the log as far as names and manifests say, if anything.
    """

    retention_days: int | None = None
    cut_seconds: float = 1.0
    cut_events: int = 20_000
    grace_seconds: float = 120.0
    reach: Reach = unreached
    now: Callable[[], float] = now_seconds
    owner: str = ""
    gauge: Gauge = untold
    back_within: Callable[[int, float | None], None] = lambda shard, seconds: None
    held_up: Callable[[int, StoreCause | None], None] = lambda shard, cause: None
    damaged: Callable[[DataDamaged | None], None] = lambda damage: None


class LogExchanged(Exception):
    """Another folder stands where the log was, as when its disk is unmounted: what it holds is to be looked at anew."""


@dataclass(slots=True)
class _Buffer:
    """Entries that were read and stand in no part yet."""

    entries: list[Entry] = field(default_factory=list)
    events: int = 0
    since: float = 0.0

    def add(self, entries: list[Entry]) -> None:
        if entries and not self.entries:
            self.since = time.monotonic()
        self.entries += entries
        self.events += sum(item.size for item in entries)

    def take(self, entries: list[Entry]) -> None:
        del self.entries[: len(entries)]
        self.events -= sum(item.size for item in entries)
        self.since = time.monotonic()


class ShardWriter:
    """The writer of one shard; `run` it once."""

    def __init__(self, connection: Connection, log: Path, shard: int, options: WriterOptions) -> None:
        """Write shard `shard` of the store behind `connection` into the folders below `log`."""
        self._connection = connection
        self._log = log
        self._shard = shard
        self._options = options
        self._listing = PartListing(log)
        self._folder: tuple[int, int] | None = None
        self._buffer = _Buffer()
        self._mark = Watermark()
        self._marked = 0.0
        self._entry_bytes = _READ_BYTES / _FIRST_READ
        self._entry_events = options.cut_events / _FIRST_READ
        self._resumed = False
        self._held_up = False

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop` is set, then what is in the stream at that moment."""
        try:
            await self._run(stop)
        finally:
            self._options.back_within(self._shard, None)

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            drained = await self._attempt(last=False)
            if drained:
                # many shards without events are looked at more seldom, together as often as a few
                idle = _LOOK_SECONDS * max(1.0, self._connection.shards / _SHARDS_LOOKED_AT)
                await pause(stop, _LOOK_SECONDS if self._buffer.entries else min(idle, _IDLE_MARK_SECONDS))
        while not await self._attempt(last=True):
            if self._held_up:
                return  # what is acknowledged is in the store, and the next writer finds it there

    async def _attempt(self, *, last: bool) -> bool:
        """One round, with what can go wrong in it; True when there is nothing to hurry for."""
        self._options.back_within(self._shard, _TURN_SECONDS if self._resumed else _DISK_SECONDS)
        try:
            if not self._resumed:
                self._folder = _folder(self._log)
                point = await resume_point(self._connection, self._log, self._shard, self._options.owner)
                self._mark = replace(self._mark, sequence=point.sequence, stream_number=point.stream_number)
                self._resumed = True
            self._held_up = False
            asked_us = int(self._options.now() * 1e6)
            drained, wanted = await self._read()
            while self._buffer.entries and (
                last
                or self._buffer.events >= self._options.cut_events
                or self._buffer.entries[0].stream_number <= wanted
                or time.monotonic() - self._buffer.since >= self._options.cut_seconds
            ):
                await self._cut()
                await self._publish()
                self._options.reach("after_trim")
            if drained and not self._buffer.entries and time.monotonic() - self._marked >= _IDLE_MARK_SECONDS:
                await asyncio.to_thread(self._expect_its_folder)
                self._mark = replace(self._mark, time_us=max(asked_us, self._mark.time_us))
                await self._publish()
            return drained
        except (PartExists, LogExchanged) as conflict:
            _logger.warning("the log is not as it was left, reading on after it", extra={"part": str(conflict)})
            self._buffer = _Buffer()
            self._resumed = False
        except StoreUnavailable as error:
            await self._wait_for_store(error)
        except OSError as error:
            await self._wait_for_disk(error)
        return False

    async def _read(self) -> tuple[bool, int]:
        """Read on in the stream; answers whether its end was reached, and what a reader waits for."""
        room = self._options.cut_events - self._buffer.events
        count = max(1, int(min(room / max(1.0, self._entry_events), _READ_BYTES / max(1.0, self._entry_bytes))))
        after = self._buffer.entries[-1].stream_number if self._buffer.entries else self._mark.stream_number
        further = ("XRANGE", events_key(self._shard), f"({stream_text(after)}", "+", "COUNT", count)
        answer = await self._connection.ask_many([further, ("GET", wanted_key(self._shard))], _READ_SECONDS)
        entries = [entry(stream_id, fields) for stream_id, fields in answer[0] or []]
        if entries:
            self._entry_bytes = sum(len(item.events) for item in entries) / len(entries)
            self._entry_events = sum(item.size for item in entries) / len(entries)
        self._buffer.add(entries)
        return len(entries) < count, int(answer[1] or 0)

    async def _cut(self) -> None:
        """Make a part of the first buffered entries: of one received date, and not many more than a part's events."""
        now_us = int(self._options.now() * 1e6)
        entries = next(in_parts(self._buffer.entries, self._options.cut_events, now_us))
        self._options.back_within(self._shard, _DISK_SECONDS)
        await asyncio.to_thread(self._write, entries, now_us)
        self._options.back_within(self._shard, _TURN_SECONDS)
        last = entries[-1].stream_number
        self._buffer.take(entries)
        self._mark = replace(self._mark, stream_number=last, time_us=max(received_at(last, now_us), self._mark.time_us))

    def _expect_its_folder(self) -> None:
        """Raises LogExchanged: no part goes into another log, and no result is made of it as if it were this one."""
        if _folder(self._log) != self._folder:
            raise LogExchanged(str(self._log))

    def _write(self, entries: list[Entry], now_us: int) -> None:
        self._expect_its_folder()
        table = readable_rows(self._log, self._shard, entries, now_us)
        if table.num_rows == 0:
            return
        sequence = self._mark.sequence + 1
        day = received_date(received_at(entries[0].stream_number, now_us))
        name = PartName(self._shard, sequence, sequence, 0)
        write_part(Place(self._log, day, name, entries[-1].stream_number), [table], self._options.reach)
        newest = self._listing.newest(self._shard)
        if newest is None or newest.name.high != sequence:  # this process stood still, and the log went on without it
            raise PartExists(name.stem)
        self._mark = replace(self._mark, sequence=sequence)
        self._options.gauge("last_part_at", self._options.now())

    async def _publish(self) -> None:
        self._mark = replace(self._mark, cause=None)
        self._options.held_up(self._shard, None)
        await publish(self._connection, self._shard, self._mark, self._options.owner)
        self._marked = time.monotonic()

    async def _wait_for_store(self, error: StoreUnavailable) -> None:
        """A store that comes back may have lost its end, so what was read from it goes to the disk at once."""
        _logger.warning("the writer waits for the store", extra={"cause": error.cause, "shard": self._shard})
        self._held_up = True
        try:
            while self._buffer.entries:
                await self._cut()
        except (PartExists, LogExchanged, OSError):
            _logger.warning("and cannot write what it has read either", exc_info=True)
        self._resumed = bool(self._buffer.entries)
        await asyncio.sleep(_AGAIN_SECONDS)

    async def _wait_for_disk(self, error: OSError) -> None:
        self._held_up = True
        cause: StoreCause = "log_disk_full" if error.errno in _DISK_FULL else "log_not_writable"
        if cause != self._mark.cause:
            _logger.error("the log cannot be written", extra={"cause": cause, "why": str(error)})
        self._mark = replace(self._mark, cause=cause)
        self._options.held_up(self._shard, cause)
        with suppress(StoreUnavailable):
            await publish(self._connection, self._shard, self._mark, self._options.owner)
        await asyncio.sleep(_AGAIN_SECONDS)


def _folder(log: Path) -> tuple[int, int]:
    """Which folder stands there. Raises OSError."""
    found = os.stat(log)
    return found.st_dev, found.st_ino


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for some time, or less when it is time to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
