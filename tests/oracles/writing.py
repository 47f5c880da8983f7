"""Runs the writer and reads back what it wrote, for tests of the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from servers.patience import reached

from events.ingest.stream import Stream
from events.log.export import Exporter
from events.log.reader import LogReader
from events.parts.part import live_parts
from events.records import Record
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.writer.shard import WriterOptions
from events.writer.watermark import wait_until_written
from events.writer.writer import run_writer


@asynccontextmanager
async def writing(connection: Connection, data: Path, options: WriterOptions | None = None) -> AsyncIterator[None]:
    """A writer that runs as long as the block, and then writes what is left."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_writer(connection, data, options or WriterOptions(), stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def write_all(connection: Connection, data: Path, options: WriterOptions | None = None) -> None:
    """Take everything that is in the stream into parts."""
    async with writing(connection, data, options):
        await settle(connection)


async def delivered(stream: Stream, records: Sequence[Record]) -> None:
    """Appends as a client does that waits and sends again what was refused, such as while a writer starts up."""

    async def taken() -> bool:
        with contextlib.suppress(StoreUnavailable):
            await stream.append(records)
            return True
        return False

    await reached(taken, "the store answers")


async def settle(connection: Connection, timeout_seconds: float = 30) -> None:
    """Wait until the writer has passed what was acknowledged; fails when it does not get there."""
    for _ in range(10):  # a store on a busy machine may need more than the one second that a service would give it
        with contextlib.suppress(StoreUnavailable):
            written = await wait_until_written(connection, timeout_seconds)
            assert not written.behind
            return
    raise AssertionError("the store does not answer")


async def looked(connection: Connection, times: int = 2) -> None:
    """Until the only writer has looked at the stream so often from now on: what it read before, it has taken."""

    async def looks() -> int:
        return int((await connection.client.info("commandstats")).get("cmdstat_xrange", {}).get("calls", 0))

    before = await looks()

    async def has_looked() -> bool:
        return await looks() >= before + times

    await reached(has_looked, "the writer has looked at the stream")


def record(message_id: str, visitor_id: str = "v-1", **fields: Any) -> Record:
    """A record from what the test cares about."""
    chosen: dict[str, Any] = {"type": "track", "time": 1_790_000_000_000_000} | fields
    return Record(message_id=message_id, visitor_id=visitor_id, **chosen)


def written_ids(data: Path) -> list[str]:
    """The message_id of every row in live parts, hidden or not."""
    tables = [pq.ParquetFile(part.path).read(columns=["message_id"]) for part in live_parts(data / "log")]
    return sorted(name for table in tables for name in table.column("message_id").to_pylist())


def exported(data: Path, limit: int = 1000) -> list[dict[str, Any]]:
    """Everything that the export gives, page by page."""
    exporter, rows, cursor = Exporter(LogReader(data)), [], None
    while (page := exporter.page(cursor, limit)).rows:
        rows += page.rows
        cursor = page.cursor
    return rows


def exported_ids(data: Path, limit: int = 1000) -> list[str]:
    """The message_id of every exported row, in order of the names."""
    return sorted(row["message_id"] for row in exported(data, limit))


def messages(*names: str | int) -> Sequence[Record]:
    """Records of as many visitors as there are names."""
    return [record(f"m-{name}", f"v-{name}") for name in names]
