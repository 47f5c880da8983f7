"""The way to the store: which stores are refused, what is warned about, and how many shards there are."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from redis import Redis
from servers.stores import DURABLE, StoreServer

from events.ingest.stream import Appended, Stream
from events.records import Record
from events.store.availability import StoreRefused, StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.store.preparation import Client, settle_format
from events.writer.watermark import read_progress, read_watermarks

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]


@asynccontextmanager
async def connected(url: str | None, socket_path: Path | None = None, **options: int) -> AsyncIterator[Connection]:
    connection = await connect(url, socket_path, **options)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def server(single_server: StoreServer) -> Iterator[Redis]:
    """The shared single server; its settings are put back afterwards."""
    with Redis(port=single_server.port) as client:
        client.flushall()
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendfsync", "always")


@asynccontextmanager
async def streaming(connection: Connection) -> AsyncIterator[Stream]:
    """A stream that is closed again."""
    stream = Stream(connection)
    try:
        yield stream
    finally:
        await stream.close()


async def test_an_evicting_store_is_refused(server: Redis, single_server: StoreServer) -> None:
    server.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreRefused, match=r"allkeys-lru.*set it to volatile-lru"):
        await connect(single_server.url)


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-ttl"])
async def test_a_store_that_evicts_what_expires_alone_is_used(
    server: Redis, single_server: StoreServer, policy: str
) -> None:
    server.config_set("maxmemory-policy", policy)
    async with connected(single_server.url) as connection:
        assert connection.warnings == ()


async def test_a_store_that_does_not_fsync_every_write_is_used_with_a_warning(
    server: Redis, single_server: StoreServer
) -> None:
    server.config_set("appendfsync", "everysec")
    async with connected(single_server.url) as connection:
        assert connection.warnings == (
            "the store's maxmemory-policy is noeviction: purchase histories can take the memory that events need; set"
            " it to volatile-lru, which drops histories alone",
            "the store's appendfsync is everysec: the last second of acknowledged events can be lost; set it to always",
        )


async def test_a_store_without_an_append_only_file_is_used_with_a_warning(tmp_path: Path) -> None:
    server = StoreServer(tmp_path, ("--save", "")).start()
    try:
        async with connected(server.url) as connection:
            assert "keeps no append-only file" in connection.warnings[1]
    finally:
        server.kill()


async def test_settings_that_may_not_be_read_are_a_warning(
    server: Redis, single_server: StoreServer, record: MakeRecord
) -> None:
    server.execute_command("ACL", "SETUSER", "limited", "on", ">secret-word", "~*", "+@all", "-config")
    url = single_server.url.replace("redis://", "redis://limited:secret-word@")
    async with connected(url) as connection:
        assert "does not let its settings be read" in connection.warnings[0]
        assert "secret-word" not in connection.address
        async with streaming(connection) as stream:
            assert await stream.append([record("m-1")]) == Appended(1, 0)


async def test_a_wrong_password_is_named_without_being_shown(server: Redis, single_server: StoreServer) -> None:
    async with connected(single_server.url.replace("redis://", "redis://nobody:secret-word@")) as connection:
        with pytest.raises(StoreUnavailable) as caught:
            await connection.prepare()
    assert caught.value.cause == "store_login_refused"
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", ""])
async def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(StoreRefused, match="redis://, rediss://"):
        await connect(url)


async def test_neither_an_address_nor_a_socket_is_refused() -> None:
    with pytest.raises(StoreRefused, match="RESONATE_REDIS_URL"):
        await connect(None)


async def test_nobody_at_the_address_is_no_error_until_something_is_asked() -> None:
    async with connected("redis://127.0.0.1:1") as connection:
        with pytest.raises(StoreUnavailable):
            _ = connection.shards
        with pytest.raises(StoreUnavailable):
            await connection.call("resonate_position", "{0}:events")
        assert (connection.version, connection.warnings) == ("", ())


async def test_a_store_found_unfit_after_it_was_down_is_not_used(tmp_path: Path, record: MakeRecord) -> None:
    server = StoreServer(tmp_path, (*DURABLE, "--maxmemory-policy", "allkeys-lru"))
    async with connected(server.url) as connection:
        server.start()
        try:
            with pytest.raises(StoreUnavailable) as caught:
                await connection.call("resonate_position", "{0}:events")
            assert caught.value.cause == "store_refused"
        finally:
            server.kill()


async def test_the_number_of_shards_is_recorded_and_kept(store: EmbeddedStore, record: MakeRecord) -> None:
    async with connected(None, store.socket, shards=4) as connection:
        assert connection.shards == 4
        async with streaming(connection) as stream:
            await stream.append([record(f"m-{number}", f"v-{number}") for number in range(20)])
    async with connected(None, store.socket) as connection:
        assert connection.shards == 4
        assert len(await read_watermarks(connection)) == 4


async def test_the_number_of_shards_changes_only_when_everything_is_written(
    store: EmbeddedStore, record: MakeRecord
) -> None:
    async with connected(None, store.socket) as connection:
        assert connection.shards == 1
        async with streaming(connection) as stream:
            await stream.append([record("m-1")])
        with pytest.raises(StoreRefused, match="drain with 1 shards first"):
            await connect(None, store.socket, shards=2)
        [(stream_id, _)] = await connection.client.xrange("{0}:events")
        await connection.call("resonate_mark", "{0}:events", stream_id, "stream_id", "1")
    async with connected(None, store.socket, shards=2) as connection:
        assert connection.shards == 2


@pytest.mark.parametrize("shards", [0, 5000])
async def test_an_impossible_number_of_shards_is_refused(store: EmbeddedStore, shards: int) -> None:
    with pytest.raises(StoreRefused, match="from 1 to 1024"):
        await connect(None, store.socket, shards=shards)


async def test_functions_are_written_to_the_store_only_when_they_changed(store: EmbeddedStore) -> None:
    async with connected(None, store.socket) as connection:
        [increment] = (store.data / "store" / "appendonlydir").glob("*.incr.aof")
        size = increment.stat().st_size
        await connection.check()
        assert increment.stat().st_size - size < 1000


async def test_asking_again_and_again_opens_nothing_that_stays(store: EmbeddedStore, record: MakeRecord) -> None:
    async with connected(None, store.socket) as connection:
        stream = Stream(connection)
        await stream.append([record("m-1")])
        asked = await read_progress(connection)
        before = psutil.Process().num_fds(), len(connection._held)
        for _ in range(100):
            assert await read_progress(connection) == asked
        assert (psutil.Process().num_fds(), len(connection._held)) == before
        await stream.close()
        assert connection._held == set()


async def test_a_store_that_writes_its_file_anew_already_is_no_fault(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        for _ in range(5):
            await connection.rewrite_file()
    assert "does not write its file anew" in caplog.text
    assert [record for record in caplog.records if record.exc_info] == []


async def test_another_users_server_in_place_of_the_embedded_store_hears_nothing(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.store.preparation.is_trusted", lambda _: False)
    monkeypatch.setattr("kit.private.is_trusted", lambda _: False)
    async with connected(None, store.socket) as connection:
        with pytest.raises(StoreUnavailable):
            await connection.probe()
    assert store.version == ""


async def test_a_store_that_is_lost_while_it_is_looked_at_is_looked_at_again(
    server: Redis, single_server: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one may answer by then, whose format nobody has read."""
    looked: list[int] = []

    async def settle(client: Client) -> None:
        await settle_format(client)
        looked.append(len(looked))
        if len(looked) == 1:  # somebody else's call meets the end of its connection now
            connection.unavailable(ConnectionResetError())

    async with connected(single_server.url) as connection:
        connection.unavailable(ConnectionResetError())
        monkeypatch.setattr("events.store.connection.settle_format", settle)
        for _ in range(3):
            await connection.probe()
        assert looked == [0, 1]
