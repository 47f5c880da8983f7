"""A writer that dies at the worst moment loses nothing and doubles nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from oracles.writing import exported_ids, looked, messages, settle, write_all, writing, written_ids
from servers.patience import reached

from events.ingest.stream import Stream
from events.log.verify import verify_log
from events.parts.part import live_parts, verify
from events.store.connection import Connection
from events.store.embedded import EmbeddedStore
from events.store.keys import events_key
from events.writer.compaction import Compaction
from events.writer.shard import WriterOptions

pytestmark = pytest.mark.anyio
REPOSITORY = Path(__file__).parents[3]
LATER = 4_000_000_000.0
POINTS = ("after_tmp", "after_fsync", "after_link", "after_trim")


@contextmanager
def writer_process(store: EmbeddedStore, data: Path, point: str = "") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", "tests/events/writer/writer_that_dies.py", str(store.socket), str(data), point]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("point", POINTS)
async def test_a_writer_that_dies_at_any_point_writes_everything_once(
    connection: Connection, stream: Stream, store: EmbeddedStore, tmp_path: Path, point: str
) -> None:
    await stream.append(messages(1, 2, 3))
    with writer_process(store, tmp_path, point) as process:
        assert await asyncio.to_thread(process.wait, 20) == -signal.SIGKILL
    await stream.append(messages(4, 5))
    async with writing(connection, tmp_path, WriterOptions(cut_seconds=0.05)):
        await settle(connection)
    assert written_ids(tmp_path) == [f"m-{number}" for number in range(1, 6)]  # once in the parts, not only in readouts
    assert exported_ids(tmp_path) == written_ids(tmp_path)
    assert verify_log(tmp_path).is_sound
    assert not list((tmp_path / "log").rglob(".tmp-*"))


async def test_a_writer_that_dies_again_and_again_at_every_point_writes_everything_once(
    connection: Connection, stream: Stream, store: EmbeddedStore, tmp_path: Path
) -> None:
    for number, point in enumerate(POINTS):
        await stream.append(messages(number))
        with writer_process(store, tmp_path, point) as process:
            assert await asyncio.to_thread(process.wait, 20) == -signal.SIGKILL
    async with writing(connection, tmp_path):
        await settle(connection)
    assert written_ids(tmp_path) == ["m-0", "m-1", "m-2", "m-3"]


async def test_a_torn_part_without_a_manifest_is_written_again(
    connection: Connection, stream: Stream, store: EmbeddedStore, tmp_path: Path
) -> None:
    await stream.append(messages(1))
    with writer_process(store, tmp_path, "after_link") as process:
        await asyncio.to_thread(process.wait, 20)
    torn = next((tmp_path / "log").rglob("*.parquet"))
    os.truncate(torn, 100)
    async with writing(connection, tmp_path):
        await settle(connection)
    assert written_ids(tmp_path) == ["m-1"]


async def test_a_writer_that_stood_still_while_another_one_went_on_writes_nothing_twice(
    connection: Connection, stream: Stream, store: EmbeddedStore, tmp_path: Path
) -> None:
    with writer_process(store, tmp_path) as process:
        await stream.append(messages(1))
        await settle(connection)
        process.send_signal(signal.SIGSTOP)
        async with writing(connection, tmp_path, WriterOptions(cut_seconds=0.05)):
            for number in range(2, 12):
                await stream.append(messages(number))
                await settle(connection)
            process.send_signal(signal.SIGCONT)
            await stream.append(messages(12))
            await settle(connection)
        await looked(connection)  # the one that stood still, as the other has ended
    assert written_ids(tmp_path) == sorted(f"m-{number}" for number in range(1, 13))
    for part in live_parts(tmp_path / "log"):
        verify(part)


async def test_a_writer_that_stood_still_until_its_next_name_was_merged_and_gone_loses_nothing(
    connection: Connection, stream: Stream, store: EmbeddedStore, tmp_path: Path
) -> None:
    with writer_process(store, tmp_path) as process:
        await stream.append(messages(1))
        await settle(connection)
        process.send_signal(signal.SIGSTOP)
        for number in (2, 3, 4):
            await stream.append(messages(number))
            await write_all(connection, tmp_path)
        for _ in range(2):
            Compaction(tmp_path, 0, lambda: LATER).run()
        assert len(list((tmp_path / "log").rglob("*.parquet"))) == 1
        process.send_signal(signal.SIGCONT)
        await stream.append(messages(5))

        async def is_empty() -> bool:
            return await connection.client.xlen(events_key(0)) == 0

        await reached(is_empty, "the stream is in parts")
    assert exported_ids(tmp_path) == [f"m-{number}" for number in range(1, 6)]


async def test_a_writer_that_is_killed_at_random_moments_writes_everything_once(
    connection: Connection, stream: Stream, store: EmbeddedStore, tmp_path: Path
) -> None:
    for number in range(4):
        with writer_process(store, tmp_path):
            for batch in range(20):
                await stream.append(messages(*range(number * 100 + batch * 5, number * 100 + batch * 5 + 5)))
                if batch == 4 * number:
                    await settle(connection)
                    before = {*(tmp_path / "log").rglob("*")}
            if number % 2:  # else it is killed before it has begun to write the rest
                await reached(lambda before=before: {*(tmp_path / "log").rglob("*")} != before, "a part is begun")
    async with writing(connection, tmp_path):
        await settle(connection)
    assert len(written_ids(tmp_path)) == 400
    assert len(set(written_ids(tmp_path))) == 400


async def test_a_writer_that_is_asked_to_end_writes_what_is_left(
    connection: Connection, stream: Stream, store: EmbeddedStore, tmp_path: Path
) -> None:
    with writer_process(store, tmp_path) as process:
        await looked(connection)
        await stream.append(messages(1, 2))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    assert written_ids(tmp_path) == ["m-1", "m-2"]
