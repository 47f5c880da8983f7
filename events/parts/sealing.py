"""Turns rows into an immutable part: a temporary file, fsync, link under its name, digests, manifest."""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, Literal

import numpy as np

from events.parts.arrow import Table, compute, parquet
from events.parts.digests import NO_DIGESTS, PartDigests, distinct, table_digests, write_digests
from events.parts.manifest import Found, Manifest, PartName, date_folder, write_manifest
from events.parts.part import SCHEMA, Part, part_of
from kit.files import make_folder, temporary_file

CrashPoint = Literal["after_tmp", "after_fsync", "after_link", "after_trim"]
Reach = Callable[[CrashPoint], None]
"""Called at each point where a crash has to cost nothing; a test ends the process in it."""

COMPRESSION_LEVEL: Final = 3
_LAST_STREAM_NUMBER: Final = b"resonate.last_stream_number"
_SEQUENCE: Final = b"resonate.sequence"
_SHARD: Final = b"resonate.shard"
_ROW_GROUP: Final = 131_072
_RISING: Final = {name: "DELTA_BINARY_PACKED" for name in ("stream_id", "position", "time", "received_at")}
_DISTINCT: Final = {"message_id": "PLAIN"}


class PartExists(Exception):
    """Another writer has already given this name to a part: nothing was written."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part goes, and how far into its shard's stream the log reaches with it."""

    log: Path
    day: date
    name: PartName
    last_stream_number: int

    @property
    def files(self) -> Found:
        """The part's files, as they will be."""
        return Found(date_folder(self.log, self.day), self.name, has_data=True, has_manifest=True)


@dataclass(slots=True)
class _Tally:
    """What the manifest says of the rows, added up while they pass."""

    rows: int = 0
    first_stream_number: int = 0
    received_at: tuple[int, int] = (0, 0)
    each: list[PartDigests] = field(default_factory=list[PartDigests])

    def add(self, table: Table) -> None:
        if table.num_rows == 0:
            return
        first: int = compute.min(table.column("stream_id")).as_py()
        bounds = compute.min_max(table.column("received_at")).as_py()
        if self.rows:
            first = min(first, self.first_stream_number)
            bounds = {"min": min(bounds["min"], self.received_at[0]), "max": max(bounds["max"], self.received_at[1])}
        self.first_stream_number, self.received_at = first, (bounds["min"], bounds["max"])
        self.rows += table.num_rows
        self.each.append(table_digests(table))

    @property
    def digests(self) -> PartDigests:
        messages, people = (np.concatenate(kind) for kind in zip(NO_DIGESTS, *self.each, strict=True))
        messages.sort()
        people.sort()
        return PartDigests(messages, distinct(people))


def unreached(point: CrashPoint) -> None:
    """Nothing happens at this point: the service's own `Reach`."""


def write_part(place: Place, tables: Iterable[Table], reach: Reach = unreached) -> Part:
    """Make a part of the rows (of `SCHEMA`, one table per row group at most) and return it, durable and live.

    The link fences a second writer: raises `PartExists` when the name is taken. Until the manifest stands no reader
    takes the part for live, so a crash in between loses and doubles nothing (`adopt`). Raises OSError when the disk
    does not take it; nothing is left behind then.
    """
    files = place.files
    make_folder(files.folder)
    tally = _Tally()
    footer = {
        _SHARD: str(place.name.shard),
        _SEQUENCE: str(place.name.low),
        _LAST_STREAM_NUMBER: str(place.last_stream_number),
    }
    with temporary_file(files.data) as file:
        with parquet.ParquetWriter(
            Path(file.name),
            SCHEMA,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            use_dictionary=[name for name in SCHEMA.names if name not in _RISING | _DISTINCT],
            column_encoding=_RISING | _DISTINCT,
            store_schema=False,
        ) as writer:
            for table in tables:
                writer.write_table(table.cast(SCHEMA).replace_schema_metadata(), row_group_size=_ROW_GROUP)
                tally.add(table)
            writer.add_key_value_metadata(footer)
        reach("after_tmp")
        os.fsync(file.fileno())
        reach("after_fsync")
        try:
            os.link(file.name, files.data)
        except FileExistsError as error:
            raise PartExists(files.data.name) from error
    reach("after_link")
    return _seal(files, place, tally)


def adopt(found: Found, log: Path) -> Part:
    """Make the newest part of a shard live whose writer ended between its link and its manifest.

    It was on the disk before it had its name. Raises ValueError or OSError when it is nevertheless not whole: then
    its events are still in the stream, and the part may be thrown away.
    """
    metadata = _footer(found.data)
    if (
        metadata.get(_SHARD) != str(found.name.shard).encode()
        or metadata.get(_SEQUENCE) != str(found.name.low).encode()
    ):
        raise ValueError(f"{found.data.name} does not say that it is this part")
    tally = _Tally()
    tally.add(parquet.ParquetFile(found.data).read())
    return _seal(found, Place(log, found.date, found.name, int(metadata[_LAST_STREAM_NUMBER])), tally)


def footer_stream_number(path: Path) -> int:
    """How far into the stream a part's own footer says that it reaches; raises ValueError or OSError."""
    return int(_footer(path).get(_LAST_STREAM_NUMBER, b"none"))


def _footer(path: Path) -> dict[bytes, bytes]:
    return parquet.read_metadata(path).metadata or {}


def _seal(files: Found, place: Place, tally: _Tally) -> Part:
    write_digests(files.digests, tally.digests)
    with files.data.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = Manifest(
        **files.name._asdict(),
        rows=tally.rows,
        bytes=files.data.stat().st_size,
        sha256=sha256,
        first_stream_number=tally.first_stream_number,
        last_stream_number=place.last_stream_number,
        min_received_at=tally.received_at[0],
        max_received_at=tally.received_at[1],
    )
    write_manifest(files.manifest, manifest)
    return part_of(files, manifest)
