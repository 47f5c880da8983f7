"""The way of a backup to the stream: the store of a running service, an external one, or a copy of the files."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings
from events.records import stream_text
from events.store.availability import StoreRefused, StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore, StoreBroken
from events.store.health import store_directory
from events.store.process import socket_path
from events.store.recovery import AOF_FOLDER
from events.writer.rest import Rest, take_rest
from events.writer.watermark import read_progress, wait_until_written
from kit.files import copy_file, take_lock

WAIT_SECONDS: Final = 10.0  # for the writer to cut, and for a store that is on its way
AGAIN_SECONDS: Final = 0.2


class StreamAway(Exception):
    """What no part holds cannot be taken, so that there is no backup; the message says why."""


class Taken(NamedTuple):
    """What was taken: the last stream id of each shard when it was begun, and the rest of each."""

    asked: dict[int, str]
    rests: dict[int, Rest]


async def take_stream(settings: Settings, folder: Path) -> Taken:
    """Take what no part holds into files of a folder, a file a shard. Raises StreamAway, OSError."""
    try:
        async with _connected(settings, folder) as (connection, writes):
            if connection is None:
                return Taken({}, {})
            if writes:
                asked = dict((await wait_until_written(connection, WAIT_SECONDS)).asked)
            else:
                asked = {shard: seen.stream_number for shard, seen in (await read_progress(connection)).items()}
            rests = {shard: await take_rest(connection, shard, folder / str(shard)) for shard in sorted(asked)}
            return Taken({shard: stream_text(number) for shard, number in asked.items()}, rests)
    except StoreUnavailable as away:
        raise StreamAway(
            f"the event store does not answer ({away.cause}), so that the backup would lack what no part holds yet; try"
            " again once it does"
        ) from None
    except (StoreRefused, StoreBroken) as error:
        raise StreamAway(f"the event store cannot be used: {error}") from None


@asynccontextmanager
async def _connected(settings: Settings, folder: Path) -> AsyncGenerator[tuple[Connection | None, bool]]:
    """A connection to the stream (None: there never was a store), and whether a writer takes from it.

    The number of shards is the recorded one.
    """
    with contextlib.ExitStack() as stack:
        private = folder.parent / ".store"
        with contextlib.ExitStack() as locked:
            stopped = await _stopped_or_reached(settings, locked)
            if stopped and settings.redis_url is None and not _copy_store(settings.data, private, stack):
                yield None, False
                return
        if stopped and settings.redis_url is None:
            store = EmbeddedStore(private, memory_bytes=settings.store_memory_mb << 20)
            stack.callback(store.stop)
            store.start(WAIT_SECONDS)
            connection = await connect(None, store.socket, data=private)
        else:
            connection = await _reached(settings)
        try:
            yield connection, not stopped
        finally:
            await connection.close()


async def _reached(settings: Settings) -> Connection:
    data = None if settings.redis_url else settings.data
    return await connect(settings.redis_url, data and socket_path(data), data=data)


async def _stopped_or_reached(settings: Settings, locked: contextlib.ExitStack) -> bool:
    """Whether the data directory is no service's, and stays so as long as it is locked; else False, as soon as the
    store answers, or after some time.
    """
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            lock = take_lock(DataDirectory(settings.data).lock_file)
        except OSError:  # a copy that can only be read
            return True
        if lock is not None:
            locked.callback(os.close, lock)
            return True
        connection = await _reached(settings)
        try:
            await connection.probe()
            return False
        except StoreUnavailable:
            if time.monotonic() > until:
                return False
        finally:
            await connection.close()
        await asyncio.sleep(AGAIN_SECONDS)


def _copy_store(data: Path, private: Path, stack: contextlib.ExitStack) -> bool:
    """Copy the files of the embedded store, for a server of our own: they are left as they are, also on a full disk or
    one that can only be read. The copy goes with the stack. False where there are none. Raises OSError.
    """
    files = store_directory(data) / AOF_FOLDER
    if not files.is_dir():
        return False
    own = store_directory(private) / AOF_FOLDER
    stack.callback(shutil.rmtree, private, ignore_errors=True)
    own.mkdir(parents=True, mode=0o700)
    for file in sorted(files.iterdir()):
        copy_file(file, own / file.name)
    return True
