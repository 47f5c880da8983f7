"""A cluster that loses a node: errors, yes; an acknowledged event, never."""

import asyncio
import gc
import time
import warnings
from collections.abc import Callable, Iterator

import msgspec
import pytest
from servers.patience import patience
from servers.stores import StoreCluster, start_cluster

from events.ingest.stream import Stream
from events.records import Record
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.keys import events_key

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]


@pytest.fixture
def mortal_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCluster]:
    cluster = start_cluster(tmp_path_factory.mktemp("mortal"))
    yield cluster
    for node in cluster.nodes:
        node.kill()
    with warnings.catch_warnings():  # the client leaves connections of nodes it replaced to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def message_ids(connection: Connection) -> list[str]:
    found: list[str] = []
    for shard in range(connection.shards):
        for _, fields in await connection.client.xrange(events_key(shard)):
            found += [event["message_id"] for event in msgspec.json.decode(fields[b"e"])]
    return found


async def sent_until_told(
    stream: Stream, record: MakeRecord, name: str, told: asyncio.Event
) -> tuple[set[str], int, float]:
    """Sends one event after the other, each again until it is acknowledged or the time is up."""
    acknowledged: set[str] = set()
    refused, longest, number = 0, 0.0, 0
    while not told.is_set():
        message_id, number = f"{name}-{number}", number + 1
        started = time.monotonic()
        try:
            await stream.append([record(message_id, message_id)])
            acknowledged.add(message_id)
        except StoreUnavailable:
            refused += 1
            await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - started)
    return acknowledged, refused, longest


async def test_a_killed_node_costs_errors_but_no_acknowledged_event(
    mortal_cluster: StoreCluster, record: MakeRecord
) -> None:
    connection = await connect(mortal_cluster.url)
    stream, told = Stream(connection), asyncio.Event()
    clients = [asyncio.create_task(sent_until_told(stream, record, f"c{number}", told)) for number in range(8)]
    await asyncio.sleep(0.5)
    mortal_cluster.nodes[1].kill()
    await asyncio.sleep(2.0)
    mortal_cluster.nodes[1].start()
    restarted = time.monotonic()
    while not stream.state.available:
        assert time.monotonic() - restarted < patience(5)
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    told.set()
    outcomes = await asyncio.gather(*clients)

    acknowledged = {message_id for ids, _, _ in outcomes for message_id in ids}
    stored = await message_ids(connection)
    assert sum(refused for _, refused, _ in outcomes) > 0
    assert len(acknowledged) > 200
    assert max(longest for _, _, longest in outcomes) < 2.0
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))
    await stream.close()
    await connection.close()


async def test_the_shards_of_living_nodes_go_on_taking_events(mortal_cluster: StoreCluster, record: MakeRecord) -> None:
    connection = await connect(mortal_cluster.url)
    stream = Stream(connection)
    await stream.append([record(f"m-{number}", f"v-{number}") for number in range(100)])
    mortal_cluster.nodes[2].kill()

    outcomes = await asyncio.gather(
        *[stream.append([record(f"n-{number}", f"v-{number}")]) for number in range(100)], return_exceptions=True
    )

    stored = sum(not isinstance(outcome, BaseException) for outcome in outcomes)
    assert 40 < stored < 90
    assert all(isinstance(each, StoreUnavailable) for each in outcomes if isinstance(each, BaseException))
    await stream.close()
    await connection.close()


async def test_one_living_node_of_those_named_is_enough(cluster: StoreCluster, record: MakeRecord) -> None:
    connection = await connect(f"redis+cluster://127.0.0.1:1,127.0.0.1:2,127.0.0.1:{cluster.nodes[2].port}")
    assert connection.shards == 16
    stream = Stream(connection)
    assert (await stream.append([record("m-named", "v-1"), record("n-named", "v-2")])).stored == 2
    await stream.close()
    await connection.close()
