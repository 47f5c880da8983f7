"""The writer: takes each shard's stream into Parquet parts, publishes how far it has come, and keeps the log tidy."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from events.deletes.tombstones import mirror_tombstones
from events.parts.arrow import release_memory
from events.parts.ledger import change_dropped, read_dropped
from events.parts.manifest import LOG, FolderListing, PartName, date_folders
from events.parts.part import PartListing
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.writer.compaction import Compaction
from events.writer.decoding import EARLIEST_CLOCK
from events.writer.shard import ShardWriter, WriterOptions, pause
from events.writer.standing import run_job, tell_damage, tell_newest, tell_size
from kit.files import remove_leftovers
from kit.tasks import together

_logger = logging.getLogger(__name__)


def retain(log: Path, days: int, now_seconds: float) -> list[PartName]:
    """Drop the parts received more than `days` days ago; returns what went.

    First the ledger says which sequence numbers are gone, from then on no reader sees them; then the files go. So a
    crash leaves files that are no part of the log any more, and the next run removes them.
    """
    if now_seconds * 1e6 < EARLIEST_CLOCK:
        return []
    files = FolderListing(log).files()
    oldest = datetime.fromtimestamp(now_seconds, UTC).date() - timedelta(days=days)
    ledger = read_dropped(log)
    newest: dict[int, int] = {}
    for file in files:
        newest[file.name.shard] = max(file.name.high, newest.get(file.name.shard, -1))
    old = [file for file in files if file.date < oldest and file.name.high < newest[file.name.shard]]
    gone = [file for file in old if not ledger.covers(file.name)]
    if gone:
        ledger = change_dropped(log, lambda known: known.with_names([file.name for file in gone]))
        _logger.info("retention dropped parts", extra={"parts": len(gone), "older_than": oldest.isoformat()})
    for file in files:
        if ledger.covers(file.name):
            file.remove()
            if not any(file.folder.iterdir()):
                file.folder.rmdir()
    return [file.name for file in gone]


_KEEP_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5


async def run_writer(connection: Connection, data: Path, options: WriterOptions, stop: asyncio.Event) -> None:
    """Write until `stop` is set; then write what has been acknowledged so far and return.

    Only one process may run it on a data directory. A second one loses nothing and doubles nothing (its links fail),
    but both work for nothing.
    """
    log = data / LOG
    log.mkdir(parents=True, exist_ok=True)
    for folder in (log, *date_folders(log)):
        remove_leftovers(folder)
    tell_newest(log, options.gauge)
    tell_size(FolderListing(log), options.gauge)
    while not stop.is_set():  # the number of shards is recorded in the store, so nothing begins before it answers
        try:
            await connection.prepare()
            break
        except StoreUnavailable as error:
            _logger.warning("the writer waits for the store", extra={"cause": error.cause})
            await pause(stop, _AGAIN_SECONDS)
    if stop.is_set():
        return
    try:  # a data directory that was restored from a backup must not bring back who was erased since
        await mirror_tombstones(connection, data, forgets=True)
    except StoreUnavailable as error:
        _logger.warning("tombstones were not compared with the store's", extra={"cause": error.cause})
    writers = [ShardWriter(connection, log, shard, options) for shard in range(connection.shards)]
    await together(_keep(data, options, stop), *[writer.run(stop) for writer in writers])


async def _keep(data: Path, options: WriterOptions, stop: asyncio.Event) -> None:
    """Compaction and retention, now and then, and how large the log is after them."""
    compaction = Compaction(data, options.grace_seconds, options.now, stop.is_set)
    listing, parts, days = FolderListing(data / LOG), PartListing(data / LOG), options.retention_days
    while not stop.is_set():
        await run_job("compaction", compaction.run, options)
        release_memory()
        if days is not None:
            await run_job("retention", partial(retain, data / LOG, days, options.now()), options)
        await asyncio.to_thread(tell_size, listing, options.gauge)
        await asyncio.to_thread(tell_damage, parts, options.damaged)
        await pause(stop, _KEEP_SECONDS)
