"""A running store for each test of the log, and the same store in its four shapes for the contract tests."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from servers.patience import reached
from servers.stores import StoreCluster, StoreServer, TlsDoor, start_cluster

from events.ingest.stream import Stream
from events.records import Record
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """An embedded store of its own for one test."""
    embedded = EmbeddedStore(tmp_path)
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def connection(store: EmbeddedStore) -> AsyncIterator[Connection]:
    opened = await connect(None, store.socket, data=store.data)
    yield opened
    await opened.close()


@pytest.fixture
async def stream(connection: Connection) -> AsyncIterator[Stream]:
    opened = Stream(connection)
    yield opened
    await opened.close()


@dataclass(frozen=True)
class StoreAddress:
    """What `connect` needs to reach a store of some shape."""

    url: str | None
    socket_path: Path | None = None


@pytest.fixture(scope="session")
def embedded_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    embedded = EmbeddedStore(tmp_path_factory.mktemp("embedded"))
    embedded.start()
    yield StoreAddress(None, embedded.socket)
    embedded.stop()


@pytest.fixture(scope="session")
def single_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("single")).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def single_store(single_server: StoreServer) -> StoreAddress:
    return StoreAddress(single_server.url)


@pytest.fixture(scope="session")
def tls_store(single_server: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    door = TlsDoor(tmp_path_factory.mktemp("tls"), single_server).start()
    yield StoreAddress(door.url)
    door.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCluster]:
    started = start_cluster(tmp_path_factory.mktemp("cluster"))
    yield started
    for node in started.nodes:
        node.kill()


@pytest.fixture(scope="session")
def cluster_store(cluster: StoreCluster) -> StoreAddress:
    return StoreAddress(cluster.url)


@pytest.fixture(params=["embedded", "single", "tls", "cluster"])
async def any_connection(request: pytest.FixtureRequest) -> AsyncIterator[Connection]:
    """A connection to an empty store of each shape."""
    address: StoreAddress = request.getfixturevalue(f"{request.param}_store")
    opened = await connect(address.url, address.socket_path)
    await opened.client.flushall()
    await opened.close()
    opened = await connect(address.url, address.socket_path)
    await reached(partial(is_prepared, opened), "a store that was just emptied answers, on a busy machine too")
    yield opened
    await opened.close()


async def is_prepared(connection: Connection) -> bool:
    with contextlib.suppress(StoreUnavailable):
        await connection.prepare()
        return True
    return False


@pytest.fixture
def record() -> Callable[..., Record]:
    """Makes a record from what the test cares about."""

    def make(message_id: str, visitor_id: str = "v-1", **fields: Any) -> Record:
        return Record(
            **{"message_id": message_id, "visitor_id": visitor_id, "type": "track", "time": 1_790_000_000_000_000}
            | fields
        )

    return make
