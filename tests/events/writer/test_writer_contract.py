"""The writer keeps its promise on every shape of store: embedded, one server, over TLS, a cluster of three."""

from pathlib import Path

import pytest
from oracles.writing import delivered, exported, exported_ids, messages, record, settle, write_all, writing, written_ids

from events.authority import Authority
from events.ingest.stream import Stream
from events.log.reader import LogReader
from events.parts.part import live_parts
from events.privacy.erasure import erase
from events.store.connection import Connection
from events.store.keys import events_key
from events.writer.shard import WriterOptions
from events.writer.watermark import wait_until_written

pytestmark = pytest.mark.anyio


async def test_every_shard_is_written_once(any_connection: Connection, tmp_path: Path) -> None:
    stream = Stream(any_connection)
    async with writing(any_connection, tmp_path, WriterOptions(cut_seconds=0.2)):
        for start in range(0, 200, 20):
            await delivered(stream, messages(*range(start, start + 20)))
        await settle(any_connection)
        assert (await wait_until_written(any_connection, 0)).pending == 0
    await stream.close()
    assert written_ids(tmp_path) == sorted(f"m-{number}" for number in range(200))
    assert {part.shard for part in live_parts(tmp_path / "log")} == set(range(any_connection.shards))
    assert len(exported(tmp_path, 7)) == 200


async def test_a_person_is_erased_over_all_shards(any_connection: Connection, tmp_path: Path) -> None:
    stream = Stream(any_connection)
    of_anna = [record(f"m-{n}", f"v-{n}", user_id="anna", authority=Authority.BACKEND) for n in range(20)]
    await delivered(stream, [*of_anna, record("m-20", "v-20", user_id="bert")])
    async with writing(any_connection, tmp_path):
        await settle(any_connection)
        erased = await erase(any_connection, LogReader(tmp_path), "visitor", "v-3")
        await delivered(stream, [record("m-21", "v-4", user_id="anna")])
        await settle(any_connection)
    await stream.close()
    assert len(erased.person.visitors) == 20
    assert exported_ids(tmp_path) == ["m-20", "m-21"]


async def test_entries_behind_the_parts_are_appended_again(any_connection: Connection, tmp_path: Path) -> None:
    event = b'[{"message_id":"m-1","type":"track","visitor_id":"v","time":1}]'
    client, key = any_connection.client, events_key(0)
    await client.xadd(key, {"n": 1, "t": 1, "e": event}, id="4102444800000-0")
    await write_all(any_connection, tmp_path)
    await client.delete(key)
    for number in (2, 3):
        await client.xadd(key, {"n": 1, "t": number, "e": event.replace(b"m-1", b"m-%d" % number)})
    await write_all(any_connection, tmp_path)
    assert exported_ids(tmp_path) == ["m-1", "m-2", "m-3"]
    assert await client.xlen(key) == 0
