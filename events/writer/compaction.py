"""Merges parts: few files instead of many, without what repeats and who was erased; what it replaced goes later."""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from events.deletes.erased_rows import erased, may_concern
from events.deletes.tombstones import Tombstone, read_tombstones
from events.parts.arrow import Table, arrow, compute
from events.parts.digests import MESSAGE_SEED, digests, repeated
from events.parts.manifest import LOG, FolderListing, PartName
from events.parts.part import SCHEMA, Contents, DataDamaged, Part, PartListing, conformed
from events.parts.sealing import Place, write_part
from kit.files import FileMark, mark_of
from kit.time import now_seconds

SLICE_ROWS: Final = 100_000
"""So many rows are in memory at a time, however large the day."""

_SAMPLED_AT_ONCE: Final = 65_536
_SAMPLE_EVERY: Final = 64
_ORDER: Final = [(name, "ascending") for name in ("visitor_id", "time", "stream_id", "position")]
_PERSON: Final = ["visitor_id", "user_id", "stream_id"]

Bounds = tuple[str | None, str | None]
"""The visitors of a slice: from the first one on, below the second one; None is open."""


def merged(
    contents: Contents, parts: Sequence[Part], stones: Sequence[Tombstone], slice_rows: int = SLICE_ROWS
) -> Iterator[Table]:
    """The rows of one shard's parts, slice by slice in order of (visitor_id, time).

    A repeat of a message goes here only if it is of the same person, who would be erased with the first one; all other
    repeats stay and are hidden (`events.deletes.hidden`). So what compaction drops never changes what a readout sees.
    """
    count = -(-sum(part.rows for part in parts) // slice_rows)
    cuts: list[str] = []
    if count > 1:
        sample: set[str] = set()
        for part in parts:
            with contents.opened(part) as file:
                for batch in file.iter_batches(_SAMPLED_AT_ONCE, columns=["visitor_id"]):
                    sample.update(batch.column(0)[::_SAMPLE_EVERY].to_pylist())
        ordered = sorted(sample)
        cuts = sorted({ordered[len(ordered) * index // count] for index in range(1, count)})
    for bounds in zip([None, *cuts], [*cuts, None], strict=True):
        table = arrow.concat_tables([_read(contents, part, bounds) for part in parts])
        if stones:
            table = table.filter(arrow.array(~erased(table, parts[0].shard, stones)))
        yield _without_repeats(table.sort_by(_ORDER))


def _read(contents: Contents, part: Part, bounds: Bounds) -> Table:
    low, high = bounds
    groups: list[int] = []
    with contents.opened(part) as file:
        for group in range(file.num_row_groups):
            statistics = file.metadata.row_group(group).column(SCHEMA.get_field_index("visitor_id")).statistics
            if (
                statistics is None
                or not statistics.has_min_max
                or ((low is None or statistics.max >= low) and (high is None or statistics.min < high))
            ):
                groups.append(group)
        table = conformed(file.read_row_groups(groups, use_threads=False))
    if low is not None:
        table = table.filter(compute.greater_equal(table.column("visitor_id"), low))
    if high is not None:
        table = table.filter(compute.less(table.column("visitor_id"), high))
    return table


def _without_repeats(table: Table) -> Table:
    """The rows without those whose person sent the same message at a lower position."""
    hashed = digests(table.column("message_id"), MESSAGE_SEED)
    suspects = np.flatnonzero(np.isin(hashed, repeated(np.sort(hashed))))
    if len(suspects) == 0:
        return table
    columns = ("stream_id", "position", "authority", "message_id", "visitor_id", "user_id")
    suspected = table.take(arrow.array(suspects))
    rows = list(zip(*(suspected.column(name).to_pylist() for name in columns), strict=True))
    keep = np.ones(table.num_rows, np.bool_)
    seen: set[tuple[str, ...]] = set()
    for index in sorted(range(len(rows)), key=lambda index: rows[index][:2]):
        message = rows[index][2:]
        keep[suspects[index]] = message not in seen
        seen.add(message)
    return table.filter(arrow.array(keep))


MOST_PARTS: Final = 32
OLDEST_SECONDS: Final = 900.0
AGAIN_SECONDS: Final = 60.0
_STEP: Final = 4  # how much longer what was merged waits than what it was made of
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
        now: Callable[[], float] = now_seconds,
        is_stopping: Callable[[], bool] = lambda: False,
        pace: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep replaced parts for `grace_seconds`; `now` is in seconds since 1970; give up soon once `is_stopping`.

        `pace` counts the seconds between merges of an open day.
        """
        self._data = data
        self._log = data / LOG
        self._grace_seconds = grace_seconds
        self._now = now
        self._is_stopping = is_stopping
        self._pace = pace
        self._merged_at: dict[int, float] = {}  # by shard, by `pace`: the last merge of an open day
        self._damaged: dict[Path, FileMark | None] = {}  # what it could not merge, until it was put back
        self._listing = PartListing(self._log)

    def run(self) -> list[Part]:
        """Merge what is due and remove what is replaced; returns the new parts. Damaged parts are left as they are."""
        self._remove_replaced()
        contents = Contents()  # a flipped bit must not get a new, right sha256
        stones = read_tombstones(self._data)
        standing = self._listing.survey().parts
        self._damaged = {
            part.path: mark_of(part.path)
            for part in standing
            if part.path in self._damaged and self._damaged[part.path] == mark_of(part.path)
        }
        live = [
            part for part in standing if part.path not in self._damaged
        ]  # the others are merged on both sides of them
        days = groupby(live, key=lambda part: (part.shard, part.date))
        due = [run for (shard, _), day in days for run in self._runs(shard, list(day))]
        planned = {part.path for run in due for part in run}
        due += [[part] for part in live if part.path not in planned and self._holds_erased(contents, part, stones)]
        merges: list[Part] = []
        for parts in due:
            generation = max(part.generation for part in parts) + 1
            name = PartName(parts[0].shard, parts[0].low, parts[-1].high, generation)
            place = Place(self._log, parts[0].date, name, max(part.last_stream_number for part in parts))
            try:
                merges.append(write_part(place, self._unless_stopping(merged(contents, parts, stones))))
            except DataDamaged as damage:
                _logger.error("parts are not merged", extra={"part": damage.name, "why": damage.cause})
                self._damaged |= {part.path: mark_of(part.path) for part in parts if part.path.name == damage.name}
            except Interrupted:
                break
        return merges

    def _runs(self, shard: int, parts: list[Part]) -> Iterator[list[Part]]:
        """What to merge of one shard and day: everything of a closed day, of an open one at most one run a minute."""
        if datetime.fromtimestamp(self._now() - self._grace_seconds, UTC).date() > parts[0].date:
            yield from (run for run in _unbroken(parts) if len(run) > 1)
            return
        if self._pace() < self._merged_at.get(shard, -AGAIN_SECONDS) + AGAIN_SECONDS:
            return
        for run in _unbroken(parts):
            tail = self._tail(run)
            if len(tail) > 1:
                self._merged_at[shard] = self._pace()
                yield tail
                return

    def _tail(self, run: list[Part]) -> list[Part]:
        """The parts of an open day from the oldest generation on that is due: 32 stand, or the first has waited.

        Who was merged already waits four times as long as who was not, so that a row is written again a few times a
        day, however many events come; and what is newer goes along, or it would keep a merge of its own waiting.
        """
        start = 0
        for generation, tier in groupby(run, key=lambda part: part.generation):
            standing = list(tier)
            since = min((part.min_received_at for part in standing if part.rows), default=math.inf)
            waited = self._now() - since / 1e6
            if len(standing) >= MOST_PARTS or waited >= OLDEST_SECONDS * _STEP**generation:
                return run[start:]
            start += len(standing)
        return []

    def _holds_erased(self, contents: Contents, part: Part, stones: Sequence[Tombstone]) -> bool:
        """Whether a merge of this part alone would drop rows of erased people."""
        if not any(stone.positions.get(part.shard, -1) >= part.first_stream_number for stone in stones):
            return False
        try:
            concerned = may_concern(stones, part.shard, part.first_stream_number, contents.digests(part).people)
            return bool(concerned) and bool(erased(contents.columns(part, _PERSON), part.shard, concerned).any())
        except DataDamaged:
            return True  # the merge will fail over it, and say so

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
            old_enough = self._now() - self._grace_seconds
            old = [merge for merge in merges if os.stat(merge.manifest).st_mtime <= old_enough]
            for file in files:
                begun = file.name.generation > 0 and not file.has_manifest
                if begun or any(merge.name.covers(file.name) for merge in old):
                    file.remove()


def _unbroken(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts in runs without a gap in their sequence (a clock that jumped may have put others into another day)."""
    runs: list[list[Part]] = []
    for part in parts:
        if runs and runs[-1][-1].high + 1 == part.low:
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs
