"""Merges parts: few files instead of many, without what repeats and who was erased; what it replaced goes later."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from events.arrow import Table
from events.digests import read_digests
from events.listing import FolderListing, Found
from events.manifest import PartName
from events.merging import merged, rewritten
from events.parts import DataDamaged, Part, PartListing, verify
from events.sealing import Place, write_part
from events.tombstones import Tombstone, may_concern, read_tombstones

MOST_PARTS: Final = 32
_LOG: Final = "log"
_logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """The process is asked to end: the merge under way is given up, and made the next time."""


class Compaction:
    """The compaction of one data directory. Only the process that writes the log may run it.

    A merge gets its name by a link, like any part, and counts once its manifest stands; from then on readers ignore
    what it covers, and after a grace period that goes. A crash in between leaves a file that no reader takes and the
    next run removes.
    """

    def __init__(
        self,
        data: Path,
        grace_seconds: float = 120.0,
        now: Callable[[], float] = time.time,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Keep replaced parts for `grace_seconds`; `now` is in seconds since 1970; give up soon once `is_stopping`."""
        self._data = data
        self._log = data / _LOG
        self._grace_seconds = grace_seconds
        self._now = now
        self._is_stopping = is_stopping
        self._listing = PartListing(self._log)

    def run(self) -> list[Part]:
        """Merge what is due and remove what is replaced; returns the new parts. Damaged parts are left as they are."""
        self._remove_replaced()
        stones = read_tombstones(self._data)
        merges: list[Part] = []
        for parts in self._due(stones):
            try:
                merges += self._merge(parts, stones)
            except Interrupted:
                break
        return merges

    def _due(self, stones: Sequence[Tombstone]) -> list[list[Part]]:
        live = self._listing.survey().parts
        due = [
            run for _, day in groupby(live, key=lambda part: (part.shard, part.date)) for run in self._runs(list(day))
        ]
        planned = {part.path for run in due for part in run}
        return due + [[part] for part in live if part.path not in planned and self._holds_erased(part, stones)]

    def _runs(self, parts: list[Part]) -> Iterator[list[Part]]:
        """What to merge of one shard and day: everything of a closed day, else more than 32 of one generation."""
        if self._is_closed(parts[0]):
            yield from (run for run in _unbroken(parts) if len(run) > 1)
            return
        for _, tier in groupby(parts, key=lambda part: part.generation):
            yield from (run for run in _unbroken(list(tier)) if len(run) > MOST_PARTS)

    def _is_closed(self, part: Part) -> bool:
        return datetime.fromtimestamp(self._now() - self._grace_seconds, UTC).date() > part.date

    def _holds_erased(self, part: Part, stones: Sequence[Tombstone]) -> bool:
        if not any(stone.positions.get(part.shard, -1) >= part.first_stream_number for stone in stones):
            return False
        concerned = may_concern(
            stones, part.shard, part.first_stream_number, read_digests(part.digests, part.path).people
        )
        return bool(concerned) and rewritten(part, concerned)

    def _merge(self, parts: Sequence[Part], stones: Sequence[Tombstone]) -> list[Part]:
        generation = max(part.generation for part in parts) + 1
        name = PartName(parts[0].shard, parts[0].low, parts[-1].high, generation)
        place = Place(self._log, parts[0].date, name, max(part.last_stream_number for part in parts))
        try:
            for part in parts:
                verify(part)  # a flipped bit must not get a new, right sha256
        except DataDamaged as damage:
            _logger.error("parts are not merged", extra={"part": damage.name, "why": damage.cause})
            return []
        return [write_part(place, self._unless_stopping(merged(parts, stones)))]

    def _unless_stopping(self, tables: Iterator[Table]) -> Iterator[Table]:
        for table in tables:
            if self._is_stopping():
                raise Interrupted
            yield table

    def _remove_replaced(self) -> None:
        """Remove parts that a merge has stood in for long enough, and merges that never came to their end."""
        for _, folder in groupby(FolderListing(self._log).files(), key=lambda file: file.folder):
            files = list(folder)
            merges = [file for file in files if file.name.generation > 0 and file.has_manifest and file.has_data]
            old = [merge for merge in merges if self._is_old(merge)]
            for file in files:
                begun = file.name.generation > 0 and not file.has_manifest
                if begun or any(merge.name.covers(file.name) for merge in old):
                    _remove(file)

    def _is_old(self, merge: Found) -> bool:
        return self._now() - os.stat(merge.manifest).st_mtime >= self._grace_seconds


def _unbroken(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts in runs without a gap in their sequence (a clock that jumped may have put others into another day)."""
    runs: list[list[Part]] = []
    for part in parts:
        if runs and runs[-1][-1].high + 1 == part.low:
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _remove(file: Found) -> None:
    """The data goes first: without its manifest a plain part would look like one that is still being written."""
    for path in (file.data, file.digests, file.manifest):
        path.unlink(missing_ok=True)
