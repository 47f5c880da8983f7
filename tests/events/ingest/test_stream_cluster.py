"""A cluster that loses a node: errors, yes; an acknowledged event, never."""

import asyncio
import gc
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from redis import Redis
from servers.patience import HUNG_SECONDS, reached
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


@dataclass
class Crowd:
    """Clients that send one event after the other until they are told to end; no answer may take forever."""

    stream: Stream
    record: MakeRecord
    told: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: set[str] = field(default_factory=set)
    refused: int = 0

    async def send(self, name: str) -> None:
        number = 0
        while not self.told.is_set():
            message_id, number = f"{name}-{number}", number + 1
            try:
                async with asyncio.timeout(HUNG_SECONDS):
                    await self.stream.append([self.record(message_id, message_id)])
                self.acknowledged.add(message_id)
            except StoreUnavailable:
                self.refused += 1
                await asyncio.sleep(0)  # what is refused at once leaves the others no turn

    async def goes_on(self, events: int) -> None:
        """Until so many more were acknowledged."""
        before = len(self.acknowledged)
        await reached(lambda: len(self.acknowledged) >= before + events, f"{events} more are acknowledged")


async def test_a_killed_node_costs_errors_but_no_acknowledged_event(
    mortal_cluster: StoreCluster, record: MakeRecord
) -> None:
    connection = await connect(mortal_cluster.url)
    stream = Stream(connection)
    crowd = Crowd(stream, record)
    clients = [asyncio.create_task(crowd.send(f"c{number}")) for number in range(8)]
    await crowd.goes_on(100)
    mortal_cluster.nodes[1].kill()
    await reached(lambda: crowd.refused, "an event of the dead node is refused")
    await crowd.goes_on(100)
    mortal_cluster.nodes[1].start()
    await reached(lambda: stream.state.available, "all shards take events again")
    await crowd.goes_on(100)
    crowd.told.set()
    await asyncio.gather(*clients)

    stored = await message_ids(connection)
    assert crowd.acknowledged <= set(stored)
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


async def test_a_slot_that_moves_in_the_middle_of_an_append_leaves_no_id_behind(mortal_cluster: StoreCluster) -> None:
    """Ids of hashes that are there are kept before one comes whose hash is not: what is refused is new when it comes
    again, and nothing was counted of it."""
    connection = await connect(mortal_cluster.url, shards=1)
    key = events_key(0)
    there, elsewhere = ([bytes([0, 0, place]) + bytes([number]) * 5 + b"bb" for number in (1, 2)] for place in (1, 2))

    async def append(*digests: bytes) -> list[Any]:
        entry = b"[" + b",".join(b"{}" for _ in digests) + b"]"
        lengths = struct.pack(f">{len(digests)}I", *[2] * len(digests))
        return await connection.call("resonate_append", key, b"".join(digests), lengths, entry)

    async def held() -> tuple[list[Any], dict[str, str]]:
        owner = await connection.client.execute_command("HGETALL", "{0}:counters")
        return await connection.client.xrange(key), owner

    await append(there[0])  # its hash, and no other, is there
    clients = [Redis(port=node.port) for node in mortal_cluster.nodes]
    slot = clients[0].execute_command("CLUSTER", "KEYSLOT", key)
    [owner] = [client for client in clients if client.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot)]
    heir = next(client for client in clients if client is not owner).execute_command("CLUSTER", "MYID")
    before = await held()
    owner.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", heir)
    with pytest.raises(StoreUnavailable):
        await append(there[1], elsewhere[0])
    assert await held() == before
    owner.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")
    assert (await append(there[1], elsewhere[0], elsewhere[1], there[0]))[1] == [3]
    for client in clients:
        client.close()
    await connection.close()
