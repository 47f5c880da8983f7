"""Where a shard's writer goes on: after the newest part, whatever happened to the writer or to the store before."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from events.parts.arrow import compute
from events.parts.ledger import change_dropped, read_dropped
from events.parts.manifest import read_manifest
from events.parts.part import Contents, DataDamaged, PartListing
from events.parts.sealing import adopt, footer_stream_number
from events.records import position_number, stream_text
from events.store.connection import Connection
from events.store.keys import events_key
from events.writer.watermark import read_watermarks

_AT_ONCE: Final = 100
_logger = logging.getLogger(__name__)


class ResumePoint(NamedTuple):
    """The newest part's sequence number (−1: none) and how far into the stream it reaches."""

    sequence: int
    stream_number: int


def newest_on_disk(log: Path, shard: int) -> ResumePoint:
    """The resume point in a shard's newest part.

    A part whose writer ended before it wrote the manifest is made live here. If it turns out not to be whole it goes:
    the stream forgets only what stands in parts with manifests, so its events are still there. A damaged part that
    had a manifest stays, for readers to name; its name says how far the sequence went.
    """
    found = PartListing(log).newest(shard)
    if found is None:
        return ResumePoint(-1, 0)
    try:
        if not found.has_manifest:
            _logger.info("a part without a manifest is adopted", extra={"part": found.name.stem})
            return ResumePoint(found.name.high, adopt(found, log).last_stream_number)
        try:
            number = read_manifest(found.manifest).last_stream_number
        except (OSError, ValueError):
            number = footer_stream_number(found.data)
        return ResumePoint(found.name.high, number)
    except (OSError, ValueError) as error:
        _logger.warning("the newest part is not whole", extra={"part": found.name.stem, "why": str(error)})
    if found.has_manifest:
        return ResumePoint(found.name.high, 0)
    found.data.unlink()
    return newest_on_disk(log, shard)


def newest_number(log: Path) -> int:
    """How far the parts of all shards reach, also of those that another store had: whatever comes, comes after it."""
    return max((part.last_stream_number for part in PartListing(log).survey().parts), default=0)


async def resume_point(connection: Connection, log: Path, shard: int, owner: str = "") -> ResumePoint:
    """Where to go on, with the store made ready for it; only `owner`, if given, may trim from then on.

    Raises StoreUnavailable.

    * A store that knows of later parts than the disk: they were lost, or the two were copied at different moments.
      Their sequence numbers are not used again, and the ledger says that they are missing, so that from now on every
      readout does.
    * A store whose ids lie behind the parts (it was wiped, or its clock went back): it goes on above them.
    * Entries behind the resume point that are in no part, from such a store: they are appended again above it.
    """
    point = newest_on_disk(log, shard)
    point = point._replace(sequence=read_dropped(log).after(shard, point.sequence + 1) - 1)
    known = (await read_watermarks(connection))[shard]
    if known.sequence > point.sequence:
        _logger.error("parts of the log are gone", extra={"shard": shard, "newest": known.sequence, "found": point[0]})
        torn = (shard, point.sequence + 1, known.sequence)
        change_dropped(log, lambda ledger: ledger.with_torn(*torn))
        point = point._replace(sequence=known.sequence)
    point = point._replace(stream_number=point.stream_number or known.stream_number)
    last = stream_text(max(point.stream_number, newest_number(log)))
    await connection.call("resonate_raise", events_key(shard), last, *([owner] if owner else []))
    await _append_unread(connection, log, shard, point)
    return point


async def _append_unread(connection: Connection, log: Path, shard: int, point: ResumePoint) -> None:
    key = events_key(shard)
    contents, after = Contents(), 0
    while True:
        until = stream_text(point.stream_number)
        answer: Iterable[tuple[bytes, dict[bytes, bytes]]] = (
            await connection.ask("XRANGE", key, f"({stream_text(after)}", until, "COUNT", _AT_ONCE) or []
        )
        entries = {position_number(stream_id): fields for stream_id, fields in answer}
        if not entries:
            return
        written: set[int] = set()
        for part in PartListing(log).survey().parts:
            if part.shard == shard and part.last_stream_number >= min(entries):
                try:
                    written.update(
                        compute.unique(contents.columns(part, ["stream_id"]).column("stream_id")).to_pylist()
                    )
                except DataDamaged as damage:  # what comes twice once it is restored is hidden
                    _logger.error("a part is read as if it were empty", extra={"part": damage.name})
        for number in sorted(entries.keys() - written):
            fields = [text for pair in entries[number].items() for text in pair]
            await connection.transact([("XADD", key, "*", *fields), ("XDEL", key, stream_text(number))])
        after = max(entries)
