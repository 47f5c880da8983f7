"""RESONATE_STORE_REPLICAS: what is acknowledged is on so many replicas, or it is refused, and a repeat counts once."""

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import msgspec
import pytest
from oracles.proving import examples
from oracles.writing import record
from redis import Redis
from servers.patience import reached, until
from servers.stores import DURABLE, Door, StoreServer, start_cluster

from events.ingest.stream import Appended, Stream
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.keys import events_key

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("replicas")]

OPTIONS = (*DURABLE, "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
AT_ONCE = 4  # senders of a failover
BEFORE, AFTER = 150, 20  # events that are acknowledged before the primary is killed, and after that


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[StoreServer, StoreServer]]:
    """A primary and its replica, which has caught up."""
    primary = StoreServer(folder / "primary", OPTIONS).start()
    replica = StoreServer(folder / "replica", OPTIONS).start()
    try:
        follow(replica, primary)
        yield primary, replica
    finally:
        os.kill(replica.process.pid, signal.SIGCONT)
        primary.kill()
        replica.kill()


def follow(replica: StoreServer, primary: StoreServer) -> None:
    """Makes a server a replica, and waits until it tells what it has fsynced."""
    with Redis(port=replica.port) as client, Redis(port=primary.port, single_connection_client=True) as asked:
        client.execute_command("REPLICAOF", "127.0.0.1", primary.port)

        def follows() -> bool:
            asked.set("written", 1)
            return asked.execute_command("WAITAOF", 1, 1, 100)[1] == 1

        until(follows, "the replica follows")


@asynccontextmanager
async def streaming(url: str, replicas: int = 1) -> AsyncIterator[tuple[Connection, Stream]]:
    connection = await connect(url, replicas=replicas)
    stream = Stream(connection)
    try:
        yield connection, stream
    finally:
        await stream.close()
        await connection.close()


@contextmanager
def standing_still(server: StoreServer) -> Iterator[None]:
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


async def refusal(stream: Stream, message_id: str) -> str:
    with pytest.raises(StoreUnavailable) as refused:
        await stream.append([record(message_id)])
    return refused.value.cause


def ids_in(port: int) -> list[str]:
    """The messageId of every event in a server's stream of shard 0."""
    with Redis(port=port) as client:
        entries = client.xrange(events_key(0))
    return [row["message_id"] for _, fields in entries for row in msgspec.json.decode(fields[b"e"])]


async def test_an_event_that_no_replica_has_is_refused_and_its_repeat_counts_once(tmp_path: Path) -> None:
    with replicated(tmp_path) as (primary, replica):
        async with streaming(primary.url) as (connection, stream):
            assert connection.warnings[-1].startswith("the store's maxmemory-policy")  # none of replicas
            assert await stream.append([record("m-1")]) == Appended(1, 0)
            with standing_still(replica):
                assert await refusal(stream, "m-2") == "store_replicas_short"
                with pytest.raises(StoreUnavailable, match="store_replicas_short"):  # a probe is not fooled by silence
                    await connection.call("resonate_append", events_key(0), b"", b"", b"[]")
                assert stream.state.cause == "store_replicas_short"
            await reached(lambda: stream.state.available, "the replica follows again")
            assert await stream.append([record("m-2")]) == Appended(0, 1)
            assert ids_in(primary.port) == ids_in(replica.port) == ["m-1", "m-2"]


async def test_a_repeat_is_refused_for_as_long_as_no_replica_has_its_first(tmp_path: Path) -> None:
    """A connection that has written nothing itself would be told at once that all it wrote is there."""
    with replicated(tmp_path) as (primary, replica), standing_still(replica):
        for _ in range(2):
            async with streaming(primary.url) as (_, stream):
                assert await refusal(stream, "m-1") == "store_replicas_short"
        assert ids_in(primary.port) == ["m-1"]


async def test_a_replica_is_asked_again_and_again(tmp_path: Path) -> None:
    """One that was asked just before it fsyncs says nothing more for a second, which is all the time there is."""

    def asked(primary: Redis) -> int:
        return int(primary.info("commandstats")["cmdstat_waitaof"]["calls"])

    with replicated(tmp_path) as (primary, replica), Redis(port=primary.port) as client:
        async with streaming(primary.url) as (connection, stream):
            assert await stream.append([record("m-0")]) == Appended(1, 0)
            before = asked(client)
            with standing_still(replica), pytest.raises(StoreUnavailable, match="store_replicas_short"):  # one call
                await connection.call("resonate_append", events_key(0), b"", b"", b"[]")
            assert asked(client) >= before + 3
            assert await stream.append([record("m-1")]) == Appended(1, 0)


async def test_a_server_that_does_not_tell_what_is_fsynced_tells_what_was_received(tmp_path: Path) -> None:
    with replicated(tmp_path) as (primary, replica):
        with Redis(port=primary.port) as client:
            client.execute_command("ACL", "SETUSER", "limited", "on", ">secret-word", "~*", "+@all", "-waitaof")
        async with streaming(primary.url.replace("redis://", "redis://limited:secret-word@")) as (_, stream):
            assert await stream.append([record("m-1")]) == Appended(1, 0)
            with standing_still(replica):
                assert await refusal(stream, "m-2") == "store_replicas_short"


async def test_fewer_replicas_at_the_start_are_a_warning_and_events_are_refused_until_one_is_there(
    tmp_path: Path,
) -> None:
    primary = StoreServer(tmp_path / "primary", OPTIONS).start()
    replica = StoreServer(tmp_path / "replica", OPTIONS).start()
    try:
        async with streaming(primary.url) as (connection, stream):
            assert "the store has 0 replicas, and RESONATE_STORE_REPLICAS asks for 1" in connection.warnings[-1]
            assert await refusal(stream, "m-1") == "store_replicas_short"
            follow(replica, primary)
            await reached(lambda: stream.state.available, "the replica follows")
            assert await stream.append([record("m-1")]) == Appended(0, 1)
    finally:
        primary.kill()
        replica.kill()


async def test_a_primary_that_wants_replicas_itself_refuses_by_the_same_name(tmp_path: Path) -> None:
    with replicated(tmp_path) as (primary, _):
        async with streaming(primary.url) as (_, stream):
            await stream.append([record("m-1")])
            with Redis(port=primary.port) as client:
                client.config_set("min-replicas-to-write", 2)
            assert await refusal(stream, "m-2") == "store_replicas_short"


async def test_on_a_cluster_the_replicas_are_those_of_the_node_that_has_the_shard(tmp_path: Path) -> None:
    cluster = start_cluster(tmp_path)
    extra = StoreServer(tmp_path / "replica", cluster.nodes[0].options).start()
    try:
        connection = await connect(cluster.url, shards=1, replicas=1)
        stream = Stream(connection)
        assert await refusal(stream, "m-1") == "store_replicas_short"
        node = connection.client.get_node_from_key(events_key(0))
        with Redis(port=node.port) as owner, Redis(port=extra.port) as client:
            name = owner.execute_command("CLUSTER", "MYID").decode()
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", node.port)
            until(lambda: name in str(client.execute_command("CLUSTER", "NODES")), "the nodes have met")
            client.execute_command("CLUSTER", "REPLICATE", name)
        await reached(lambda: stream.state.available, "the replica follows")
        assert await stream.append([record("m-1")]) == Appended(0, 1)
        with standing_still(extra):
            assert await refusal(stream, "m-2") == "store_replicas_short"
        await stream.close()
        await connection.close()
    finally:
        for server in (*cluster.nodes, extra):
            server.kill()


@pytest.mark.parametrize("number", range(min(10, 2 * examples(1))))
async def test_a_primary_killed_under_load_loses_nothing_that_was_acknowledged(number: int, tmp_path: Path) -> None:
    third = StoreServer(tmp_path / f"third-{number}", OPTIONS).start()
    with replicated(tmp_path) as (primary, replica):
        door = Door(primary).start()
        try:
            async with streaming(door.url) as (_, stream), Senders(stream) as senders:
                await reached(lambda: len(senders.acknowledged) > BEFORE, "events are acknowledged")
                primary.kill()
                with Redis(port=replica.port) as client:
                    client.execute_command("REPLICAOF", "NO", "ONE")
                follow(third, replica)
                door.server, before = replica, len(senders.acknowledged)
                await reached(lambda: len(senders.acknowledged) > before + AFTER, "events are acknowledged again")
        finally:
            door.stop()
            third.kill()
        kept = ids_in(replica.port)
        assert {*senders.acknowledged} <= {*kept}
        assert len(kept) == len({*kept})


class Senders:
    """Several that send events for as long as the block runs, and note what is acknowledged."""

    def __init__(self, stream: Stream) -> None:
        self.acknowledged: list[str] = []
        self._stream = stream
        self._over = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._sending = [asyncio.create_task(self._send(sender)) for sender in range(AT_ONCE)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await asyncio.gather(*self._sending)

    async def _send(self, sender: int) -> None:
        for each in itertools.count():
            with contextlib.suppress(StoreUnavailable):
                await self._stream.append([record(f"m-{sender}-{each}", f"v-{each}")])
                self.acknowledged.append(f"m-{sender}-{each}")
            if self._over.is_set():
                return
            await asyncio.sleep(0)
