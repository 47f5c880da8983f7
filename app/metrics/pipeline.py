"""How far events have come on their way: by the store at each look, and as it was known last while that is away."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from app.runtime.board import Board, Desk, GaugeName
from app.runtime.data_directory import DataDirectory
from events.causes import StoreCause
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.memory import StoreMemory, read_memory
from events.writer.watermark import Written, read_lag, read_progress
from kit.tasks import SharedLook
from kit.time import DAY_SECONDS, SECOND_US, now_seconds, now_us

LOOK_SECONDS: Final = 1.0
SAMPLE_SECONDS: Final = 600.0
CLOCK_SECONDS: Final = 2.0
SKEWED_SECONDS: Final = 60.0
LEAST_SECONDS: Final = 3 * SAMPLE_SECONDS
MOST_SAMPLES: Final = round(DAY_SECONDS / SAMPLE_SECONDS) + 1
Point = tuple[float, float]  # a time in seconds, an amount
GROWTH: Final[tuple[GaugeName, ...]] = ("store_days_to_full", "store_growth_seconds")


class Pipeline:
    """One worker's looks at the store. What it saw stands on its desk, where every worker finds it."""

    def __init__(self, connection: Connection, desk: Desk) -> None:
        self._connection = connection
        self._desk = desk

    async def look(self, away: StoreCause | None) -> tuple[Written | None, StoreCause | None]:
        """How far the log is written, or why the store does not say. One that is known to be `away` is not asked.

        It moves when the writer does not, because nothing of it is told by the writer.
        """
        if away is not None:
            return None, None
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                written = Written({}, await read_progress(self._connection))
                lag = await read_lag(self._connection, written.shards, now_us())
                memory = await read_memory(self._connection)
        except StoreUnavailable as unavailable:
            return None, unavailable.cause
        except TimeoutError:
            return None, "store_timeout"
        gauge = self._desk.gauge
        gauge("pending_events", written.pending)
        gauge("lag_seconds", lag if written.pending else 0.0)
        gauge("store_used_bytes", memory.held)
        gauge("store_limit_bytes", memory.limit)
        gauge("store_aof_bytes", memory.appended)
        gauge("looked_at", time.monotonic())
        return written, None


class Disk(NamedTuple):
    """Bytes of a disk."""

    free: int
    size: int


class Disks:
    """The disks that a data directory is on. One that hangs takes one thread, whoever asks and however often."""

    def __init__(self, data: Path) -> None:
        self._shared = SharedLook(lambda: asyncio.to_thread(fullest_disk, data), 0.0)
        self._last: Disk | None = None

    async def look(self) -> Disk | None:
        """The fullest one, as it was last seen where a disk does not answer now; None where none ever did."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(LOOK_SECONDS):
                self._last = await self._shared.answer()
        return self._last


def fullest_disk(data: Path) -> Disk:
    """That with the least share free of those that the data directory and its folders are on."""
    directory = DataDirectory(data)
    found = [Disk(*directory.room())]
    for folder in filter(Path.is_dir, data.iterdir()):  # each may be a disk of its own
        with contextlib.suppress(FileNotFoundError):
            found.append(Disk(*DataDirectory(folder).room()))
    return min(found, key=lambda disk: disk.free / disk.size if disk.size else 0.0)


def known(board: Board) -> Mapping[GaugeName, float]:
    """What the worker saw that looked last, and how the store grows by the one that has looked for the longest."""
    workers = [desk.gauges() for desk in board.desks("worker")]
    latest = max(workers, key=lambda gauges: gauges.get("looked_at", 0.0))
    longest = max(workers, key=lambda gauges: gauges.get("store_growth_seconds", 0.0))
    return {**latest, **{name: longest.get(name, math.nan) for name in GROWTH}}


class StoreGrowth:
    """Keeps what each look found, of a day at most, and tells on the board in how many days the limit is reached.

    Each worker has its own; who has looked for the longest is believed (`known`).
    """

    def __init__(self, connection: Connection, desk: Desk, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._desk = desk
        self._clock = clock
        self._samples = deque[Point](maxlen=MOST_SAMPLES)
        self._tell(0.0, math.nan)

    async def look(self) -> None:
        """To be done every SAMPLE_SECONDS. A store that does not answer leaves a gap, which a line bridges."""
        with contextlib.suppress(StoreUnavailable):
            self.note(await read_memory(self._connection))

    def note(self, memory: StoreMemory) -> None:
        """So much is held now."""
        now = self._clock()
        self._samples.append((now, float(memory.held)))
        seconds = now - self._samples[0][0]
        long_enough = seconds >= LEAST_SECONDS and memory.limit
        self._tell(seconds, days_to(memory.limit, self._samples) if long_enough else math.nan)

    def _tell(self, seconds: float, days: float) -> None:
        self._desk.gauge("store_days_to_full", days)
        self._desk.gauge("store_growth_seconds", seconds)


class StoreClock:
    """Names the store's clock once it is far from ours: some moments are told by the one, some by the other."""

    def __init__(self, connection: Connection, desk: Desk) -> None:
        self._connection = connection
        self._desk = desk

    async def look(self) -> None:
        """To be done every CLOCK_SECONDS. What a store said last holds while it does not answer."""
        with contextlib.suppress(StoreUnavailable):
            asked = now_seconds()
            times = [int(whole) + int(part) / SECOND_US for whole, part in await self._connection.ask_each("TIME")]
            answered = now_seconds()
            away = max((time - min(max(time, asked), answered) for time in times), key=abs, default=0.0)
            way = "ahead of" if away > 0 else "behind"
            told = f"the store is {abs(away) / 60:.0f} min {way} the service" if abs(away) > SKEWED_SECONDS else None
            self._desk.note("clock_skew", told)


def days_to(limit: float, samples: Sequence[Point]) -> float:
    """From the last sample on, by the straight line nearest to all of them (least squares); NaN where it does not rise.

    What falls at times, because something is given back, does not hide what grows beneath it.
    """
    count = len(samples)
    middle = sum(at for at, _ in samples) / count
    mean = sum(amount for _, amount in samples) / count
    spread = sum((at - middle) ** 2 for at, _ in samples)
    slope = sum((at - middle) * (amount - mean) for at, amount in samples) / spread
    if slope <= 0:
        return math.nan
    return max(0.0, limit - samples[-1][1]) / slope / DAY_SECONDS
