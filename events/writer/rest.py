"""The rest of a stream, which no part holds yet: taken out of the store into a file, and made parts of later."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from events.deletes.erased_rows import erased
from events.deletes.tombstones import read_tombstones
from events.parts.arrow import Table, arrow, compute
from events.parts.ledger import read_dropped
from events.parts.manifest import LOG, PartName
from events.parts.part import Contents, DataDamaged, PartListing
from events.parts.sealing import Place, write_part
from events.records import stream_text
from events.store.connection import Connection
from events.store.keys import events_key
from events.writer.decoding import Entry, entry, in_parts, readable_rows, received_at, received_date
from events.writer.resumption import newest_on_disk
from kit.files import Content, Recording, recording

READ_SECONDS: Final = 5.0
READ_BYTES: Final = 8 << 20
FIRST_READ: Final = 16  # entries
PART_EVENTS: Final = 20_000


class RestUnreadable(Exception):
    """A file of a backup does not hold entries of a stream."""


class Rest(NamedTuple):
    """What was taken of one shard: how many entries with how many events, and the file that holds them."""

    entries: int
    events: int
    content: Content


async def take_rest(connection: Connection, shard: int, path: Path) -> Rest:
    """Everything that a shard's stream holds now, in order. Raises StoreUnavailable, OSError.

    The writer may go on: what it takes away meanwhile stands in parts by then, so list those only afterwards.
    """
    with recording(path) as file:
        entries, events = await _recorded(connection, shard, file)
    return Rest(entries, events, file.content)


async def _recorded(connection: Connection, shard: int, file: Recording) -> tuple[int, int]:
    after = entries = events = 0
    count = FIRST_READ
    while True:
        asked = connection.client.xrange(events_key(shard), min=f"({stream_text(after)}", count=count)
        answer: Iterable[tuple[bytes, dict[Any, Any]]] = await connection.answer(asked, READ_SECONDS) or []
        read = [entry(stream_id, fields) for stream_id, fields in answer]
        if not read:
            return entries, events
        for item in read:
            file.write(b"%d %d %d\n%b\n" % (item.stream_number, item.size, len(item.events), item.events))
        after = read[-1].stream_number
        entries, events = entries + len(read), events + sum(item.size for item in read)
        count = max(1, int(READ_BYTES * len(read) / max(1, sum(len(item.events) for item in read))))


def entries_in(path: Path) -> Iterator[Entry]:
    """The entries in a file of `take_rest`, in order. Raises RestUnreadable, OSError."""
    with path.open("rb") as file:
        while head := file.readline(80):
            try:
                number, size, length = map(int, head.split())
            except ValueError:
                raise RestUnreadable(f"{path.name} holds what is no entry of a stream") from None
            content = file.read(length + 1)
            if len(content) != length + 1:
                raise RestUnreadable(f"{path.name} ends within an entry")
            yield Entry(number, size, content[:-1])


def write_rest(data: Path, shard: int, path: Path, now_us: int) -> int:
    """Make parts of the rest of a shard, behind those that the log of a data directory has; how many events that were.

    What parts hold already, because the writer took it while the backup was made, counts once. Nobody else may write
    this log. Raises RestUnreadable, OSError.
    """
    log = data / LOG
    end = newest_on_disk(log, shard)
    early = _in_no_part(log, shard, path, end.stream_number)
    later = (item for item in entries_in(path) if item.stream_number > end.stream_number)
    sequence, last, written = read_dropped(log).after(shard, end.sequence + 1), end.stream_number, 0
    for entries in in_parts(later, PART_EVENTS, now_us):
        last = entries[-1].stream_number
        table = readable_rows(log, shard, entries, now_us)
        if table.num_rows:
            write_part(_place(log, PartName(shard, sequence, sequence, 0), last, now_us), [table])
            sequence, written = sequence + 1, written + table.num_rows
    if early:
        table = readable_rows(log, shard, early, now_us)
        table = table.filter(arrow.array(~erased(table, shard, read_tombstones(data))))
        if table.num_rows:
            place = _place(log, PartName(shard, sequence, sequence, 0), last + 1, now_us)
            write_part(place, [_at(table, last + 1)])
            written += table.num_rows
    return written


def _place(log: Path, name: PartName, number: int, now_us: int) -> Place:
    return Place(log, received_date(received_at(number, now_us)), name, number)


def _in_no_part(log: Path, shard: int, path: Path, until: int) -> list[Entry]:
    """Entries whose numbers lie below what parts hold, and which none of them holds: a store that was lost counts anew,
    with a clock that went back.
    """
    first = next(entries_in(path), None)
    if first is None or first.stream_number > until:
        return []
    contents, written = Contents(), set[int]()
    for part in PartListing(log).survey().parts:
        if part.shard == shard and part.last_stream_number >= first.stream_number:
            with suppress(DataDamaged):  # what comes twice once it is restored is hidden
                written.update(compute.unique(contents.columns(part, ["stream_id"]).column("stream_id")).to_pylist())
    return [item for item in entries_in(path) if item.stream_number <= until and item.stream_number not in written]


def _at(table: Table, number: int) -> Table:
    """The same rows at one stream number: the position of each is its place among them."""
    rows = table.num_rows
    for name, values in (("stream_id", [number] * rows), ("position", range(rows))):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(name), arrow.array(values, arrow.int64()))
    return table
