"""A part's rows in order of their positions, some at a time, however many they are and however the part is sorted."""

import bisect
import weakref
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from events.arrow import Table, arrow, parquet
from events.digests import read_columns
from events.parts import SCHEMA, Part

CHUNK_ROWS: Final = 50_000
_READ_ANEW: Final = 4
"""A part of no more chunks is read once for each."""
_LAID_OUT: Final = 40
"""So many chunks of a larger one are laid out in one pass, when the first of them is asked for."""


class Place(NamedTuple):
    """A position in a shard, past which there is more."""

    stream_number: int = -1
    position: int = -1


class PartChunks:
    """One part, cut into chunks of rows that follow each other; the last chunk that was read is kept."""

    def __init__(self, part: Part) -> None:
        """Cut a part that was verified."""
        self.part = part
        order = read_columns(part.path, ["stream_id", "position"])
        numbers, positions = (order.column(name).to_numpy() for name in ("stream_id", "position"))
        sequence = np.lexsort((positions, numbers))
        lasts = [*range(CHUNK_ROWS - 1, len(sequence) - 1, CHUNK_ROWS), len(sequence) - 1] if len(sequence) else []
        self._ends = [Place(int(numbers[sequence[last]]), int(positions[sequence[last]])) for last in lasts]
        self._chunk_of_row = np.empty(len(sequence), np.int32)
        self._chunk_of_row[sequence] = np.arange(len(sequence)) // CHUNK_ROWS
        self._layout: _Layout | None = None
        self._read: tuple[int, Table] = (-1, SCHEMA.empty_table())

    def after(self, place: Place) -> tuple[Table, bool]:
        """The rows of one chunk that lie past a place, and whether no other chunk follows."""
        chunk = bisect.bisect_right(self._ends, place)
        if chunk == len(self._ends):
            return SCHEMA.empty_table(), True
        if self._read[0] != chunk:
            self._read = chunk, self._rows(chunk).sort_by([("stream_id", "ascending"), ("position", "ascending")])
        rows = self._read[1]
        return rows.slice(_first_after(rows, place)), chunk == len(self._ends) - 1

    def _rows(self, chunk: int) -> Table:
        if len(self._ends) > _READ_ANEW:
            if self._layout is None or chunk not in self._layout.chunks:
                self._layout = _layout(self.part, self._chunk_of_row, range(chunk, chunk + _LAID_OUT))
            if self._layout is not None:
                return self._layout.rows(chunk)
        return _taken(self.part, np.flatnonzero(self._chunk_of_row == chunk))


class _Layout:
    """Some chunks of a part, compressed, in a file without a name: it is gone with the process that reads it."""

    def __init__(self, part: Part, chunk_of_row: npt.NDArray[np.int32], chunks: range) -> None:
        self.chunks = chunks
        self._file = TemporaryFile(dir=part.path.parent)  # noqa: SIM115 - open as long as this object lives
        weakref.finalize(self, self._file.close)
        self._pieces: dict[int, list[tuple[int, int]]] = {chunk: [] for chunk in chunks}
        first = 0
        for table in _row_groups(part):
            self._sort(table, chunk_of_row[first : first + table.num_rows])
            first += table.num_rows

    def rows(self, chunk: int) -> Table:
        return arrow.concat_tables([self._piece(*piece) for piece in self._pieces[chunk]])

    def _sort(self, table: Table, chunk_of_row: npt.NDArray[np.int32]) -> None:
        wanted = np.flatnonzero((chunk_of_row >= self.chunks.start) & (chunk_of_row < self.chunks.stop))
        wanted = wanted[np.argsort(chunk_of_row[wanted], kind="stable")]
        rows, inside = table.take(arrow.array(wanted)), chunk_of_row[wanted]
        for chunk in np.unique(inside):
            start, stop = np.searchsorted(inside, (chunk, chunk + 1))
            self._add(int(chunk), rows.slice(start, stop - start))

    def _add(self, chunk: int, rows: Table) -> None:
        sink = arrow.BufferOutputStream()
        with arrow.ipc.new_stream(sink, SCHEMA, options=arrow.ipc.IpcWriteOptions(compression="zstd")) as stream:
            stream.write_table(rows)
        self._pieces[chunk].append((self._file.tell(), self._file.write(sink.getvalue())))

    def _piece(self, start: int, size: int) -> Table:
        self._file.seek(start)
        return arrow.ipc.open_stream(self._file.read(size)).read_all()


def _layout(part: Part, chunk_of_row: npt.NDArray[np.int32], chunks: range) -> _Layout | None:
    """None where the disk has no room for it: the part is read anew for each chunk then."""
    try:
        return _Layout(part, chunk_of_row, chunks)
    except OSError:
        return None


def _row_groups(part: Part) -> Iterator[Table]:
    file = parquet.ParquetFile(part.path)
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, use_threads=False).cast(SCHEMA)


def _taken(part: Part, wanted: npt.NDArray[np.intp]) -> Table:
    tables, first = [SCHEMA.empty_table()], 0
    for table in _row_groups(part):
        inside = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + table.num_rows)]
        tables.append(table.take(arrow.array(inside - first)))
        first += table.num_rows
    return arrow.concat_tables(tables)


def _first_after(table: Table, place: Place) -> int:
    numbers = table.column("stream_id").to_numpy()
    start = np.searchsorted(numbers, place.stream_number, "left")
    stop = np.searchsorted(numbers, place.stream_number, "right")
    inside = table.column("position").to_numpy()[start:stop]
    return int(start + np.searchsorted(inside, place.position, "right"))
