"""Reads the log out page by page, in order of positions, each event exactly once."""

import base64
import binascii
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np

from events.arrow import Table, arrow
from events.columns import COLUMNS, stream_text
from events.export_chunks import PartChunks, Place
from events.hidden import HiddenRows
from events.parts import Part, PartListing, verify

Row: TypeAlias = dict[str, Any]
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


class Exporter:
    """The export of one data directory, for the process that answers page after page."""

    def __init__(self, data: Path) -> None:
        """Read the log below `data`."""
        self._listing = PartListing(data / _LOG)
        self._hidden = HiddenRows(data)
        self._verified: set[Path] = set()
        self._chunks: dict[int, PartChunks] = {}

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
        rest, is_last = self._chunks_of(part).after(after)
        visible = without(rest, hidden)
        if visible.num_rows > limit:
            page = visible.slice(0, limit)
            return as_rows(page), _place_of(page, limit - 1)
        return as_rows(visible), _end(part) if is_last else _place_of(rest, rest.num_rows - 1)

    def _chunks_of(self, part: Part) -> PartChunks:
        """One part of each shard is kept open: pages follow each other."""
        known = self._chunks.get(part.shard)
        if known is None or known.part.path != part.path:
            if part.path not in self._verified:
                verify(part)
                self._verified.add(part.path)
            known = self._chunks[part.shard] = PartChunks(part)
        return known


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
