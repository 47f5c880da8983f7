"""Every kind of external store away, half away or moving its slots at the start: assignments go on, events are refused
by name, and all heals without a restart.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from oracles.promise import Journal, exported
from redis import Redis
from servers.faults import assign, degraded, recommend, seconds_until_ready, track
from servers.patience import until
from servers.stores import StoreCluster, StoreServer, TlsDoor, start_cluster

from events.store.keys import events_key

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

LEAVES_SECONDS = 8  # how long a client waits for an answer
Mend = Callable[[], object]


@contextlib.contextmanager
def cluster_of(folder: Path) -> Iterator[StoreCluster]:
    """A cluster of three whose nodes end with the block."""
    cluster = start_cluster(folder)
    try:
        yield cluster
    finally:
        for node in cluster.nodes:
            node.kill()


@contextlib.contextmanager
def cluster_away(folder: Path) -> Iterator[tuple[str, str, Mend]]:
    with cluster_of(folder) as cluster:
        for node in cluster.nodes:
            node.kill()

        def back() -> None:
            for node in cluster.nodes:
                node.start()
            until(cluster.is_whole, "the cluster is whole")

        yield cluster.url, "store_down", back


@contextlib.contextmanager
def cluster_half_away(folder: Path) -> Iterator[tuple[str, str, Mend]]:
    with cluster_of(folder) as cluster:
        cluster.nodes[1].kill()
        yield cluster.url, "store_down", cluster.nodes[1].start


@contextlib.contextmanager
def cluster_moving_slots(folder: Path) -> Iterator[tuple[str, str, Mend]]:
    """The slot of the only shard is on its way from one node to another."""
    with cluster_of(folder) as cluster, contextlib.ExitStack() as opened:
        clients = [opened.enter_context(Redis(port=node.port)) for node in cluster.nodes]
        names = [client.execute_command("CLUSTER", "MYID").decode() for client in clients]
        slot = clients[0].execute_command("CLUSTER", "KEYSLOT", events_key(0))
        [owner] = [at for at, client in enumerate(clients) if _has(client, names, at, slot)]
        heir = (owner + 1) % len(clients)
        clients[heir].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[owner])
        clients[owner].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[heir])

        def moved() -> None:
            for key in clients[owner].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1_000):
                clients[owner].execute_command("MIGRATE", "127.0.0.1", cluster.nodes[heir].port, key, 0, 5_000)
            for at in (heir, owner):
                clients[at].execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[heir])

        yield cluster.url, "store_cluster_down", moved


def _has(client: Redis, names: list[str], at: int, slot: int) -> bool:
    return any(
        first <= slot <= last and node[2].decode() == names[at]
        for first, last, node, *_ in client.execute_command("CLUSTER", "SLOTS", NEVER_DECODE=True)
    )


@contextlib.contextmanager
def tls_away(folder: Path) -> Iterator[tuple[str, str, Mend]]:
    """Who ends TLS answers, and the server behind it does not."""
    server = StoreServer(folder / "store")
    door = TlsDoor(folder / "door", server).start()
    try:
        yield door.url, "store_down", server.start
    finally:
        door.stop()
        server.kill()


KINDS = {
    "a cluster, away": cluster_away,
    "a cluster, half away": cluster_half_away,
    "a cluster that moves slots": cluster_moving_slots,
    "one server behind TLS, away": tls_away,
}


@pytest.mark.drawn(1)
@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_is_not_whole_at_the_start_costs_no_assignment_and_heals(
    kind: str, start_service: StartService, tmp_path: Path
) -> None:
    with KINDS[kind](tmp_path / "external") as (url, cause, mend):
        service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_SHARDS="1", RESONATE_REDIS_URL=url)
        with service.client(timeout=LEAVES_SECONDS) as client:
            for request in (assign, recommend):
                assert request(client, "v-1").status_code == 200
            refusal = track(client, "m-1")
            assert (refusal.status_code, refusal.json()["code"]) == (503, cause), refusal.text
            assert int(refusal.headers["retry-after"]) >= 1
            assert degraded(service) == [cause]
            mend()
            journal = Journal()
            seconds_until_ready(service, journal)
            until(lambda: degraded(service) == [], "nothing is degraded any more", tell=service.told)
            until(lambda: {row["message_id"] for row in exported(service)} == journal.acknowledged, "all is exported")
        assert service.stop() == 0
        assert "Traceback" not in service.log_text()
