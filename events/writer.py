"""The writer: takes each shard's stream into Parquet parts, publishes how far it has come, and keeps the log tidy."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from events.arrow import release_memory
from events.compaction import Compaction
from events.connection import Connection
from events.durable import TEMPORARY_PREFIX
from events.listing import date_folders
from events.retention import retain
from events.shard_writer import ShardWriter, WriterOptions, pause
from events.store_errors import StoreUnavailable
from events.tombstones import mirror_tombstones

LOG: Final = "log"
_KEEP_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5
_logger = logging.getLogger(__name__)


async def run_writer(connection: Connection, data: Path, options: WriterOptions, stop: asyncio.Event) -> None:
    """Write until `stop` is set; then write what has been acknowledged so far and return.

    Only one process may run it on a data directory. A second one loses nothing and doubles nothing (its links fail),
    but both work for nothing.
    """
    log = data / LOG
    log.mkdir(parents=True, exist_ok=True)
    _remove_temporary_files(log)
    await _first_answer(connection, stop)
    if stop.is_set():
        return
    await _restore_tombstones(connection, data)
    writers = [ShardWriter(connection, log, shard, options) for shard in range(connection.shards)]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep(data, options, stop))
        for writer in writers:
            tasks.create_task(writer.run(stop))


async def _first_answer(connection: Connection, stop: asyncio.Event) -> None:
    """The number of shards is recorded in the store, so nothing begins before it answers."""
    while not stop.is_set():
        try:
            return await connection.prepare()
        except StoreUnavailable as error:
            _logger.warning("the writer waits for the store", extra={"cause": error.cause})
            await pause(stop, _AGAIN_SECONDS)
    return None


async def _restore_tombstones(connection: Connection, data: Path) -> None:
    """A data directory that was restored from a backup must not bring back who was erased since."""
    try:
        await mirror_tombstones(connection, data)
    except StoreUnavailable as error:
        _logger.warning("tombstones were not compared with the store's", extra={"cause": error.cause})


async def _keep(data: Path, options: WriterOptions, stop: asyncio.Event) -> None:
    """Compaction and retention, now and then; what goes wrong in them must never stop the writing."""
    compaction = Compaction(data, options.grace_seconds, options.now, stop.is_set)
    while not stop.is_set():
        try:
            await asyncio.to_thread(compaction.run)
            release_memory()
            if options.retention_days is not None:
                await asyncio.to_thread(retain, data / LOG, options.retention_days, options.now())
        except Exception:
            _logger.exception("compaction or retention failed, it is tried again")
        await pause(stop, _KEEP_SECONDS)


def _remove_temporary_files(log: Path) -> None:
    for folder in (log, *date_folders(log)):
        for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
            path.unlink(missing_ok=True)
