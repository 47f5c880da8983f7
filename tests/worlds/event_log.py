"""Writes a log of real parts straight to disk, for tests of what reads it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from events.parts.arrow import arrow
from events.parts.manifest import PartName
from events.parts.part import SCHEMA, Part
from events.parts.sealing import Place, write_part
from events.records import COLUMNS, Record, stream_number
from events.writer.decoding import received_date


@dataclass(frozen=True, slots=True)
class Received:
    """A record and the moment (µs) at which the store took it."""

    record: Record
    received_at: int


def received(records: Sequence[Record], delay_us: int = 0) -> list[Received]:
    """Each record received when it happened, or a while later."""
    return [Received(record, record.time + delay_us) for record in records]


def write_log(data: Path, events: Sequence[Received], cut: int = 1000, shard: int = 0, first: int = 0) -> list[Part]:
    """Parts of at most `cut` rows, in order of receipt; `first` is the number of the first of them."""
    ordered = sorted(events, key=lambda event: event.received_at)
    rows = [_row(event, shard, number) for number, event in enumerate(ordered)]
    parts: list[Part] = []
    for day, group in groupby(rows, key=lambda row: received_date(row["received_at"])):
        chosen = list(group)
        for start in range(0, len(chosen), cut):
            chunk = chosen[start : start + cut]
            name = PartName(shard, first + len(parts), first + len(parts), 0)
            place = Place(data / "log", day, name, int(chunk[-1]["stream_id"]))
            parts.append(write_part(place, [arrow.Table.from_pylist(chunk, schema=SCHEMA)]))
    return parts


def log_rows(events: Sequence[Received]) -> list[dict[str, Any]]:
    """The rows that the log gives a readout: each message once, from whom is believed most; exposures of everybody."""
    ordered = sorted(events, key=lambda event: event.received_at)
    rows = [_row(event, 0, number) for number, event in enumerate(ordered)]
    best = sorted(reversed(rows), key=lambda row: row["authority"])  # of equal authority the first goes last
    return list({(row["message_id"], row["type"] == "exposure" and row["authority"]): row for row in best}.values())


def _row(event: Received, shard: int, number: int) -> dict[str, Any]:
    values = msgspec.structs.asdict(event.record)
    row = {name: values.get(name) for name in COLUMNS}
    for name in ("properties", "context"):
        row[name] = None if row[name] is None else json.dumps(row[name])
    stream = stream_number(event.received_at // 1000, number)
    return row | {"shard": shard, "stream_id": stream, "position": 0, "received_at": event.received_at}
