"""Reads the log out page by page, in order of positions, each event exactly once."""

import base64
import binascii
import bisect
import weakref
from tempfile import TemporaryFile
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from events.authority import Authority
from events.log.reader import LogReader
from events.parts.arrow import Table, arrow
from events.parts.part import POSITION, SCHEMA, Contents, Part
from events.records import COLUMNS, stream_text

LATEST: Final = "latest"  # a cursor behind all that is written
CHUNK_ROWS: Final = 50_000
_READ_ANEW: Final = 4
"""A part of no more chunks is read once for each."""
_LAID_OUT: Final = 40
"""So many chunks of a larger one are laid out in one pass, when the first of them is asked for."""


class Position(NamedTuple):
    """A position in a shard, past which there is more."""

    stream_number: int = -1
    position: int = -1


class PartChunks:
    """One part, cut into chunks of rows that follow each other; the last chunk that was read is kept."""

    def __init__(self, contents: Contents, part: Part) -> None:
        """Cut it by the order of its rows."""
        self.part = part
        self._contents = contents
        order = contents.columns(part, ["stream_id", "position"])
        numbers, positions = (order.column(name).to_numpy() for name in ("stream_id", "position"))
        sequence = np.lexsort((positions, numbers))
        lasts = [*range(CHUNK_ROWS - 1, len(sequence) - 1, CHUNK_ROWS), len(sequence) - 1] if len(sequence) else []
        self._ends = [Position(int(numbers[sequence[last]]), int(positions[sequence[last]])) for last in lasts]
        self._chunk_of_row = np.empty(len(sequence), np.int32)
        self._chunk_of_row[sequence] = np.arange(len(sequence)) // CHUNK_ROWS
        self._layout: _Layout | None = None
        self._read: tuple[int, Table] = (-1, SCHEMA.empty_table())

    def after(self, place: Position) -> tuple[Table, bool]:
        """The rows of one chunk that lie past a place, and whether no other chunk follows."""
        chunk = bisect.bisect_right(self._ends, place)
        if chunk == len(self._ends):
            return SCHEMA.empty_table(), True
        if self._read[0] != chunk:
            self._read = chunk, self._rows(chunk).sort_by([("stream_id", "ascending"), ("position", "ascending")])
        rows = self._read[1]
        numbers = rows.column("stream_id").to_numpy()
        start = np.searchsorted(numbers, place.stream_number, "left")
        stop = np.searchsorted(numbers, place.stream_number, "right")
        inside = rows.column("position").to_numpy()[start:stop]
        first = int(start + np.searchsorted(inside, place.position, "right"))
        return rows.slice(first), chunk == len(self._ends) - 1

    def _rows(self, chunk: int) -> Table:
        if len(self._ends) > _READ_ANEW:
            if self._layout is None or chunk not in self._layout.chunks:
                try:
                    chunks = range(chunk, chunk + _LAID_OUT)
                    self._layout = _Layout(self._contents, self.part, self._chunk_of_row, chunks)
                except OSError:  # the disk has no room for it: the part is read anew for each chunk
                    self._layout = None
            if self._layout is not None:
                return self._layout.rows(chunk)
        tables, first = [SCHEMA.empty_table()], 0
        for table in self._contents.row_groups(self.part):
            own = np.flatnonzero(self._chunk_of_row[first : first + table.num_rows] == chunk)
            tables.append(table.take(arrow.array(own)))
            first += table.num_rows
        return arrow.concat_tables(tables)


class _Layout:
    """Some chunks of a part, compressed, in a file without a name: it is gone with the process that reads it."""

    def __init__(self, contents: Contents, part: Part, chunk_of_row: npt.NDArray[np.int32], chunks: range) -> None:
        self.chunks = chunks
        self._file = TemporaryFile(dir=part.path.parent)  # noqa: SIM115 - open as long as this object lives
        weakref.finalize(self, self._file.close)
        self._pieces: dict[int, list[tuple[int, int]]] = {chunk: [] for chunk in chunks}
        first = 0
        for table in contents.row_groups(part):
            own = chunk_of_row[first : first + table.num_rows]
            first += table.num_rows
            wanted = np.flatnonzero((own >= chunks.start) & (own < chunks.stop))
            wanted = wanted[np.argsort(own[wanted], kind="stable")]
            rows, inside = table.take(arrow.array(wanted)), own[wanted]
            for chunk in np.unique(inside):
                start, stop = np.searchsorted(inside, (chunk, chunk + 1))
                sink = arrow.BufferOutputStream()
                options = arrow.ipc.IpcWriteOptions(compression="zstd")
                with arrow.ipc.new_stream(sink, SCHEMA, options=options) as stream:
                    stream.write_table(rows.slice(start, stop - start))
                self._pieces[int(chunk)].append((self._file.tell(), self._file.write(sink.getvalue())))

    def rows(self, chunk: int) -> Table:
        tables: list[Table] = []
        for start, size in self._pieces[chunk]:
            self._file.seek(start)
            tables.append(arrow.ipc.open_stream(self._file.read(size)).read_all())
        return arrow.concat_tables(tables)


Row: TypeAlias = dict[str, Any]
_JSON: Final = [name for name, kind in COLUMNS.items() if kind == "json"]
_PAST_EVERY_POSITION: Final = 1 << 40


class InvalidCursor(ValueError):
    """The cursor is none that an export gave."""


class Page(NamedTuple):
    """Some rows (as `as_rows` writes them) and the cursor of the next ones."""

    rows: list[Row]
    cursor: str


class Exporter:
    """The export of one log, for the process that answers page after page."""

    def __init__(self, reader: LogReader) -> None:
        """Read what this reader finds."""
        self._reader = reader
        self._chunks: dict[int, PartChunks] = {}

    def page(self, cursor: str | None, limit: int) -> Page:
        """At most `limit` rows after the cursor (None: from the beginning), shard by shard, and the next cursor.

        Repeats and erased rows are left out, whatever compaction did between two pages. No row: nothing more was
        written so far. LATEST gives no row, and the cursor of what comes from now on. Raises `InvalidCursor`, or
        `DataDamaged` for a part that is not what was written.
        """
        places: dict[int, Position] = {}
        if cursor == LATEST:
            return self._end_of_log()
        if cursor:
            try:
                content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
                places = msgspec.json.decode(content, type=dict[int, Position])
            except (binascii.Error, ValueError) as error:
                raise InvalidCursor(
                    "the cursor is not one that an export gave;"
                    " send X-Resonate-Next-Cursor as it came, or none to begin anew"
                ) from error
        snapshot = self._reader.snapshot()
        live = {part.path for part in snapshot.parts}
        self._chunks = {shard: chunks for shard, chunks in self._chunks.items() if chunks.part.path in live}
        rows: list[Row] = []
        for part in snapshot.parts:
            while len(rows) < limit and (place := places.get(part.shard, Position())) < _end(part):
                more, places[part.shard] = self._rows(part, place, snapshot.hidden.rows, limit - len(rows))
                rows += more
        return Page(rows, base64.urlsafe_b64encode(msgspec.json.encode(places)).decode().rstrip("="))

    def _end_of_log(self) -> Page:
        places: dict[int, Position] = {}
        for part in self._reader.snapshot().parts:
            places[part.shard] = max(places.get(part.shard, Position()), _end(part))
        return Page([], base64.urlsafe_b64encode(msgspec.json.encode(places)).decode().rstrip("="))

    def _rows(self, part: Part, after: Position, hidden: Table, limit: int) -> tuple[list[Row], Position]:
        chunks = self._chunks.get(part.shard)  # one part of each shard is kept open: pages follow each other
        if chunks is None or chunks.part.path != part.path:
            chunks = self._chunks[part.shard] = PartChunks(self._reader.contents, part)
        rest, is_last = chunks.after(after)
        visible = without(rest, hidden)
        if visible.num_rows > limit:
            page = visible.slice(0, limit)
            return as_rows(page), _place_of(page, limit - 1)
        return as_rows(visible), _end(part) if is_last else _place_of(rest, rest.num_rows - 1)


def as_rows(table: Table) -> list[Row]:
    """Rows as they leave the log: column names, no nulls, JSON columns as what they say, the authority as its word."""
    rows: list[Row] = []
    for values in table.to_pylist():
        row = {name: value for name, value in values.items() if value is not None}
        row["stream_id"] = stream_text(row["stream_id"])
        row["authority"] = Authority(row["authority"]).word
        row.setdefault("consent", "personal")  # of rows that are older than it
        row |= {name: msgspec.json.decode(row[name]) for name in _JSON if name in row}
        rows.append(row)
    return rows


def without(table: Table, hidden: Table) -> Table:
    """The rows of a table, in their order, whose positions are not among the hidden ones."""
    if hidden.num_rows == 0 or table.num_rows == 0:
        return table
    keys = table.select(POSITION).append_column("row", arrow.array(np.arange(table.num_rows)))
    kept = keys.join(hidden, keys=POSITION, join_type="left anti", use_threads=False).column("row")
    return table.take(kept.combine_chunks().sort())


def _end(part: Part) -> Position:
    return Position(part.last_stream_number, _PAST_EVERY_POSITION)


def _place_of(table: Table, index: int) -> Position:
    return Position(table.column("stream_id")[index].as_py(), table.column("position")[index].as_py())
