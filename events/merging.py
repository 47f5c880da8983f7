"""The rows of a merge: those of its parts, sorted by visitor and time, without repeats and without erased people."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from events.arrow import Table, arrow, compute, parquet
from events.digests import MESSAGE_SEED, digests, read_columns, repeated
from events.parts import SCHEMA, Part
from events.tombstones import Tombstone, erased

SLICE_ROWS: Final = 100_000
"""So many rows are in memory at a time, however large the day."""

_SAMPLED_AT_ONCE: Final = 65_536
_SAMPLE_EVERY: Final = 64
_ORDER: Final = [(name, "ascending") for name in ("visitor_id", "time", "stream_id", "position")]
_PERSON: Final = ["visitor_id", "user_id", "stream_id"]

Bounds = tuple[str | None, str | None]
"""The visitors of a slice: from the first one on, below the second one; None is open."""


def merged(parts: Sequence[Part], stones: Sequence[Tombstone], slice_rows: int = SLICE_ROWS) -> Iterator[Table]:
    """The rows of one shard's parts, slice by slice in order of (visitor_id, time).

    A repeat of a message goes here only if it is of the same person, who would be erased with the first one; all other
    repeats stay and are hidden (`events.hidden`). So what compaction drops never changes what a readout sees.
    """
    for bounds in _slices(parts, slice_rows):
        table = arrow.concat_tables([_read(part, bounds) for part in parts])
        if stones:
            table = table.filter(arrow.array(~erased(table, parts[0].shard, stones)))
        yield _without_repeats(table.sort_by(_ORDER))


def rewritten(part: Part, stones: Sequence[Tombstone]) -> bool:
    """Whether a merge of this part alone would drop rows of erased people."""
    return bool(erased(read_columns(part.path, _PERSON), part.shard, stones).any())


def _slices(parts: Sequence[Part], slice_rows: int) -> list[Bounds]:
    rows = sum(part.rows for part in parts)
    count = -(-rows // slice_rows)
    if count <= 1:
        return [(None, None)]
    ordered = sorted({visitor for part in parts for visitor in _sample(part)})
    cuts = sorted({ordered[len(ordered) * index // count] for index in range(1, count)})
    return list(zip([None, *cuts], [*cuts, None], strict=True))


def _sample(part: Part) -> Iterator[str]:
    """Every so manieth visitor of a part."""
    for batch in parquet.ParquetFile(part.path).iter_batches(_SAMPLED_AT_ONCE, columns=["visitor_id"]):
        yield from batch.column(0)[::_SAMPLE_EVERY].to_pylist()


def _read(part: Part, bounds: Bounds) -> Table:
    file = parquet.ParquetFile(part.path)
    groups = [group for group in range(file.num_row_groups) if _overlaps(file.metadata.row_group(group), bounds)]
    table = file.read_row_groups(groups, use_threads=False).cast(SCHEMA)
    low, high = bounds
    if low is not None:
        table = table.filter(compute.greater_equal(table.column("visitor_id"), low))
    if high is not None:
        table = table.filter(compute.less(table.column("visitor_id"), high))
    return table


def _overlaps(group: Table, bounds: Bounds) -> bool:
    statistics = group.column(SCHEMA.get_field_index("visitor_id")).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    low, high = bounds
    return (low is None or statistics.max >= low) and (high is None or statistics.min < high)


def _without_repeats(table: Table) -> Table:
    """The rows without those whose person sent the same message at a lower position."""
    hashed = digests(table.column("message_id"), MESSAGE_SEED)
    suspects = np.flatnonzero(np.isin(hashed, repeated(np.sort(hashed))))
    if len(suspects) == 0:
        return table
    keep = np.ones(table.num_rows, np.bool_)
    keep[suspects[_repeats(table.take(arrow.array(suspects)))]] = False
    return table.filter(arrow.array(keep))


def _repeats(suspects: Table) -> npt.NDArray[np.intp]:
    columns = ("stream_id", "position", "message_id", "visitor_id", "user_id")
    rows = list(zip(*(suspects.column(name).to_pylist() for name in columns), strict=True))
    seen: set[tuple[str, ...]] = set()
    repeats: list[int] = []
    for index in sorted(range(len(rows)), key=lambda index: rows[index][:2]):
        message = rows[index][2:]
        if message in seen:
            repeats.append(index)
        seen.add(message)
    return np.array(repeats, np.intp)
