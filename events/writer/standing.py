"""What the writer tells of itself in numbers: how large the log is, its newest part, and how its two jobs went."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from events.gauges import Gauge, WriterGauge
from events.parts.manifest import FolderListing
from events.parts.part import CopyTorn, DataDamaged, PartListing
from events.writer.shard import WriterOptions

Job = Literal["compaction", "retention"]
JOBS: Final[dict[Job, tuple[WriterGauge, WriterGauge, WriterGauge]]] = {
    "compaction": ("compaction_at", "compaction_seconds", "compaction_ok"),
    "retention": ("retention_at", "retention_seconds", "retention_ok"),
}
_logger = logging.getLogger(__name__)


async def run_job(job: Job, work: Callable[[], object], options: WriterOptions) -> None:
    """One run of a job in a thread; when it ended, how long it took and whether it went well is told.

    What goes wrong in it is logged, and must never stop the writing. One that hangs tells nothing: its last end ages.
    """
    at, seconds, ok = JOBS[job]
    began, went_well = time.monotonic(), 0.0
    try:
        await asyncio.to_thread(work)
        went_well = 1.0
    except Exception:
        _logger.exception("%s failed, it is tried again", job)
    options.gauge(seconds, time.monotonic() - began)
    options.gauge(ok, went_well)
    options.gauge(at, options.now())


def tell_newest(log: Path, gauge: Gauge) -> None:
    """When the newest part was written, for a writer that begins: 0 where there is none.

    A merge is of what was written before, so it counts only where nothing else is left.
    """
    files = [file for file in FolderListing(log).files() if file.has_manifest]
    plain = [file for file in files if file.name.generation == 0] or files
    gauge("last_part_at", max((_mark(file.manifest)[0] for file in plain), default=0.0))


def tell_size(listing: FolderListing, gauge: Gauge) -> None:
    """How many parts stand on the disk, with those that a merge replaced and that go soon, and the bytes of them all.

    Nothing is told where the log cannot be read: what was told last is nearer to the truth than a part of it.
    """
    try:
        files = listing.files()
    except OSError:
        return
    gauge("log_parts", len(files))
    gauge("log_bytes", sum(_mark(path)[1] for file in files for path in (file.data, file.manifest, file.digests)))


def tell_damage(parts: PartListing, tell: Callable[[DataDamaged | None], None]) -> None:
    """What is wrong with the log by its names and manifests, before anybody reads it; a torn copy says so by itself.

    Nothing is told where the log cannot be read now: another cause says so.
    """
    try:
        damages = parts.survey().damages
    except OSError:
        return
    tell(next((damage for damage in damages if not isinstance(damage, CopyTorn)), None))


def _mark(path: Path) -> tuple[float, int]:
    """When a file was written (seconds since 1970) and its bytes; zeros for one that goes at this moment."""
    try:
        told = os.stat(path)
    except OSError:
        return 0.0, 0
    return told.st_mtime, told.st_size
