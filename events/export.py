"""Reads the log out page by page, in order of positions, each event exactly once."""

import base64
import binascii
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from events.arrow import Table, arrow, parquet
from events.columns import COLUMNS, stream_text
from events.digests import read_columns
from events.hidden import HiddenRows
from events.parts import SCHEMA, Part, PartListing, verify

Row: TypeAlias = dict[str, Any]
CHUNK_ROWS: Final = 50_000
_LOG: Final = "log"
_POSITION: Final = ["shard", "stream_id", "position"]
_JSON: Final = [name for name, kind in COLUMNS.items() if kind == "json"]
_PAST_EVERY_POSITION: Final = 1 << 40


class InvalidCursor(ValueError):
    """The cursor is none that an export gave."""


class Page(NamedTuple):
    """Some rows (as `as_rows` writes them) and the cursor of the next ones."""

    rows: list[Row]
    cursor: str


class Place(NamedTuple):
    """The last position of a shard that was read."""

    stream_number: int = -1
    position: int = -1


class _Chunk(NamedTuple):
    """Rows of a part in order of their positions: all of them after `after`, or the first `CHUNK_ROWS`."""

    part: Path
    after: Place
    rows: Table
    is_last: bool


class Exporter:
    """The export of one data directory, for the process that answers page after page."""

    def __init__(self, data: Path) -> None:
        """Read the log below `data`."""
        self._listing = PartListing(data / _LOG)
        self._hidden = HiddenRows(data)
        self._verified: set[Path] = set()
        self._chunks: dict[int, _Chunk] = {}

    def page(self, cursor: str | None, limit: int) -> Page:
        """At most `limit` rows after the cursor (None: from the beginning), shard by shard, and the next cursor.

        Repeats and erased rows are left out, whatever compaction did between two pages. No row: nothing more was
        written so far. Raises `InvalidCursor`, or `DataDamaged` for a part that is not what was written.
        """
        places = _decoded(cursor)
        parts = self._listing.live()
        hidden = self._hidden.positions(parts)
        self._verified &= {part.path for part in parts}
        rows: list[Row] = []
        for part in parts:
            while len(rows) < limit and (place := places.get(part.shard, Place())) < _end(part):
                more, places[part.shard] = self._rows(part, place, hidden, limit - len(rows))
                rows += more
        return Page(rows, _encoded(places))

    def _rows(self, part: Part, after: Place, hidden: Table, limit: int) -> tuple[list[Row], Place]:
        chunk = self._chunk(part, after)
        rest = chunk.rows.slice(_first_after(chunk.rows, after))
        visible = without(rest, hidden)
        if visible.num_rows > limit:
            page = visible.slice(0, limit)
            return as_rows(page), _place_of(page, limit - 1)
        end = _end(part) if chunk.is_last else _place_of(rest, rest.num_rows - 1)
        return as_rows(visible), end

    def _chunk(self, part: Part, after: Place) -> _Chunk:
        """The rows after a place; those that were read ahead for the page before, while they last."""
        known = self._chunks.get(part.shard)
        if known is not None and known.part == part.path and known.after <= after:
            last = _place_of(known.rows, known.rows.num_rows - 1) if known.rows.num_rows else known.after
            if known.is_last or after < last:
                return known
        if part.path not in self._verified:
            verify(part)
            self._verified.add(part.path)
        chunk = self._chunks[part.shard] = _read_chunk(part, after)
        return chunk


def as_rows(table: Table) -> list[Row]:
    """Rows as they leave the log: column names, no nulls, JSON columns as what they say, stream ids as the store's."""
    rows: list[Row] = []
    for values in table.to_pylist():
        row = {name: value for name, value in values.items() if value is not None}
        row["stream_id"] = stream_text(row["stream_id"])
        row |= {name: msgspec.json.decode(row[name]) for name in _JSON if name in row}
        rows.append(row)
    return rows


def without(table: Table, hidden: Table) -> Table:
    """The rows of a table, in their order, whose positions are not among the hidden ones."""
    if hidden.num_rows == 0 or table.num_rows == 0:
        return table
    keys = table.select(_POSITION).append_column("row", arrow.array(np.arange(table.num_rows)))
    kept = keys.join(hidden, keys=_POSITION, join_type="left anti", use_threads=False).column("row")
    return table.take(kept.combine_chunks().sort())


def _end(part: Part) -> Place:
    return Place(part.last_stream_number, _PAST_EVERY_POSITION)


def _place_of(table: Table, index: int) -> Place:
    return Place(table.column("stream_id")[index].as_py(), table.column("position")[index].as_py())


def _first_after(table: Table, after: Place) -> int:
    numbers = table.column("stream_id").to_numpy()
    start = np.searchsorted(numbers, after.stream_number, "left")
    stop = np.searchsorted(numbers, after.stream_number, "right")
    inside = table.column("position").to_numpy()[start:stop]
    return int(start + np.searchsorted(inside, after.position, "right"))


def _read_chunk(part: Part, after: Place) -> _Chunk:
    """One pass over the part. Its rows are sorted by visitor once it is merged, so those of a chunk lie everywhere."""
    order = read_columns(part.path, ["stream_id", "position"])
    numbers, positions = (order.column(name).to_numpy() for name in ("stream_id", "position"))
    later = np.flatnonzero(
        (numbers > after.stream_number) | ((numbers == after.stream_number) & (positions > after.position))
    )
    later = later[np.lexsort((positions[later], numbers[later]))]
    wanted = np.sort(later[:CHUNK_ROWS])
    rows = _taken(part, wanted).sort_by([("stream_id", "ascending"), ("position", "ascending")])
    return _Chunk(part.path, after, rows, is_last=len(later) <= CHUNK_ROWS)


def _taken(part: Part, wanted: npt.NDArray[np.intp]) -> Table:
    file = parquet.ParquetFile(part.path)
    tables = [SCHEMA.empty_table()]
    first = 0
    for group in range(file.num_row_groups):
        rows: int = file.metadata.row_group(group).num_rows
        inside = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + rows)]
        if len(inside):
            tables.append(file.read_row_group(group).cast(SCHEMA).take(arrow.array(inside - first)))
        first += rows
    return arrow.concat_tables(tables)


def _encoded(places: dict[int, Place]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(places)).decode().rstrip("=")


def _decoded(cursor: str | None) -> dict[int, Place]:
    if not cursor:
        return {}
    try:
        content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(content, type=dict[int, Place])
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor(
            "the cursor is not one that an export gave; send X-Resonate-Next-Cursor as it came, or none to begin anew"
        ) from error
