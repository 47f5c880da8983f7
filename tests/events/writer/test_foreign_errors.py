"""What nobody foresaw ends the writer at once and aloud, with all its parts: whoever started it starts it again."""

import asyncio
from pathlib import Path

import pytest
from oracles.writing import messages, write_all, written_ids

from events.ingest.stream import Stream
from events.store.connection import Connection
from events.writer.lease import Lease, Owner, while_owner
from events.writer.shard import WriterOptions
from events.writer.writer import run_writer

pytestmark = pytest.mark.anyio

HUNG_SECONDS = 20


async def test_a_foreign_error_in_one_shard_ends_the_whole_writer_and_the_next_one_loses_nothing(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    def fail(point: str) -> None:
        raise KeyError(point)

    await stream.append(messages(1, 2, 3))
    tasks = asyncio.all_tasks()
    with pytest.raises(KeyError):
        await asyncio.wait_for(
            run_writer(connection, tmp_path, WriterOptions(reach=fail), asyncio.Event()), HUNG_SECONDS
        )
    assert asyncio.all_tasks() == tasks
    await write_all(connection, tmp_path)
    assert written_ids(tmp_path) == ["m-1", "m-2", "m-3"]


async def test_a_foreign_error_in_renewing_the_lease_ends_the_work_and_is_raised(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, begun, ended = Lease(connection, Owner.of(tmp_path, 7)), asyncio.Event(), list[str]()

    async def claim() -> None:
        raise KeyError("foreign")

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    async def break_renewal() -> None:
        await begun.wait()
        monkeypatch.setattr(lease, "claim", claim)

    breaking = asyncio.create_task(break_renewal())
    with pytest.raises(KeyError, match="foreign"):
        await asyncio.wait_for(while_owner(lease, work, asyncio.Event(), 0.01), HUNG_SECONDS)
    await breaking
    assert ended == ["work"]
