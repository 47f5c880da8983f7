"""Turns entries of a stream into rows of the log, part by part."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from events.authority import Authority
from events.parts.arrow import Array, Table, arrow
from events.parts.part import SCHEMA
from events.records import COLUMNS, SEQUENCE_BITS, Record, position_number, stream_text
from kit.files import replace_file

_logger = logging.getLogger(__name__)

EARLIEST_CLOCK: Final = 1_577_836_800_000_000
"""2020-01-01 in microseconds: a machine that says it is earlier has no clock, and its time bounds nothing."""

_NO_JSON: Final = msgspec.Raw(b"")
_ROW: Final = msgspec.defstruct(
    "Row",
    [
        (field.name, msgspec.Raw, _NO_JSON)
        if COLUMNS[field.name] == "json"
        else (field.name, int if field.type is Authority else field.type, field.default)
        for field in msgspec.structs.fields(Record)
    ]
    + [("backend", bool, False)],
    kw_only=True,
    gc=False,
)
"""`Record` as the log keeps it: what is JSON stays the text it came as. Older entries say `backend` of an authority."""
_FIELDS: Final = _ROW.__struct_fields__
_DECODER: Final = msgspec.json.Decoder(list[_ROW])


class Entry(NamedTuple):
    """One entry of a shard's stream: all events of one flush, as a JSON array of `Record`s."""

    stream_number: int
    size: int
    events: bytes


class EntryUnreadable(Exception):
    """An entry that is no JSON array of records: it can be no rows, and is kept aside."""


def entry(stream_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    """The entry that the store gave for a stream id."""
    return Entry(position_number(stream_id), int(fields.get(b"n", 0)), fields.get(b"e", b""))


def received_at(number: int, now_us: int) -> int:
    """When an entry was received: the time in its stream id, but never later than now.

    A store whose clock once jumped ahead goes on counting from there. Its ids still order, but such a time would put
    rows into a folder that never closes and out of reach of every `at=`.
    """
    microseconds = (number >> SEQUENCE_BITS) * 1000
    return microseconds if now_us < EARLIEST_CLOCK else min(microseconds, now_us)


def received_date(microseconds: int) -> date:
    """The UTC day of a part. (The shop's days, which readouts use, are made from the rows' times.)"""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).date()


def rows(shard: int, entries: Sequence[Entry], now_us: int) -> Table:
    """The rows of the entries in order of their positions; raises `EntryUnreadable` when one of them has none."""
    try:
        batches = [_DECODER.decode(item.events) for item in entries]
        # A column for each field. One flat list, sliced, costs a sixth of asking every record for every field.
        values = list(chain.from_iterable(map(msgspec.structs.astuple, chain.from_iterable(batches))))
        columns: dict[str, Array] = {}
        sent_by_backend = values[len(_FIELDS) - 1 :: len(_FIELDS)]
        for index, name in enumerate(_FIELDS[:-1]):
            kind, own = SCHEMA.field(name).type, values[index :: len(_FIELDS)]
            if name == "authority":
                own = [int(Authority.BACKEND) if old else each for each, old in zip(own, sent_by_backend, strict=True)]
            if COLUMNS[name] == "json":
                own = [None if value is _NO_JSON else bytes(value) for value in own]
            columns[name] = arrow.nulls(len(own), kind) if own.count(None) == len(own) else arrow.array(own, kind)
        counts = [len(batch) for batch in batches]
        numbers = [item.stream_number for item, count in zip(entries, counts, strict=True) for _ in range(count)]
        times = {item.stream_number: received_at(item.stream_number, now_us) for item in entries}
        columns |= {
            "shard": arrow.array([shard] * len(numbers), arrow.int64()),
            "stream_id": arrow.array(numbers, arrow.int64()),
            "position": arrow.array([index for count in counts for index in range(count)], arrow.int64()),
            "received_at": arrow.array([times[number] for number in numbers], arrow.int64()),
        }
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise EntryUnreadable(str(error)) from error
    return arrow.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def in_parts(entries: Iterable[Entry], most_events: int, now_us: int) -> Iterator[list[Entry]]:
    """The entries, part by part: each is of one received date, and has not many more than so many events."""
    taken: list[Entry] = []
    events, day = 0, None
    for item in entries:
        received = received_date(received_at(item.stream_number, now_us))
        if taken and (events >= most_events or received != day):
            yield taken
            taken, events = [], 0
        day = received
        taken.append(item)
        events += item.size
    if taken:
        yield taken


def readable_rows(log: Path, shard: int, entries: Sequence[Entry], now_us: int) -> Table:
    """The rows of the entries; one that has none is kept aside as it came, for `verify` to report. Raises OSError."""
    try:
        return rows(shard, entries, now_us)
    except EntryUnreadable:
        readable: list[Entry] = []
        for item in entries:
            try:
                rows(shard, [item], now_us)
                readable.append(item)
            except EntryUnreadable as error:
                path = log / f"unreadable-{shard}-{stream_text(item.stream_number)}.json"
                _logger.error("an entry of the stream is not readable, it is kept aside", extra={"why": str(error)})
                replace_file(path, item.events)
        return rows(shard, readable, now_us)
