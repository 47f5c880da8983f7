"""Digests of networks: one for all workers of a shop day, nothing to join days by, and no key on any disk."""

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.ingest.group_commit import Batch
from events.ingest.network_digests import NetworkDigests
from events.records import Record
from events.scrubbing import Scrubber
from events.store.connection import Connection

BRATISLAVA = ZoneInfo("Europe/Bratislava")
MIDNIGHT = datetime(2026, 11, 29, tzinfo=BRATISLAVA).timestamp()


class Clock:
    """A moment that a test moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def zone() -> tzinfo:
    return BRATISLAVA


@pytest.mark.anyio
async def test_all_workers_have_one_number_for_a_network_until_the_shops_midnight(connection: Connection) -> None:
    clock = Clock(MIDNIGHT - 7200)
    workers = [NetworkDigests(connection, zone, clock) for _ in range(2)]
    assert workers[0].of("192.0.2.1") is None  # no key yet
    for worker in workers:
        await worker.look()
    first = [worker.of("192.0.2.1") for worker in workers]
    assert first[0] == first[1] != workers[0].of("192.0.2.2")
    assert workers[0].of("") is None
    clock.now = MIDNIGHT - 30
    await workers[0].look()
    assert workers[0].of("192.0.2.1") == first[0]
    clock.now = MIDNIGHT
    assert workers[1].of("192.0.2.1") is None  # it did not look ahead, and says nothing wrong
    await workers[1].look()
    next_day = [worker.of("192.0.2.1") for worker in workers]
    assert next_day[0] == next_day[1] != first[0]


@pytest.mark.anyio
async def test_the_key_of_a_day_is_destroyed_with_it_and_was_never_among_the_keys_of_the_store(
    connection: Connection,
) -> None:
    clock = Clock(MIDNIGHT - 7200)
    before = await connection.client.dbsize()
    worker = NetworkDigests(connection, zone, clock)
    await worker.look()
    found = worker.of("192.0.2.1")
    assert await connection.client.dbsize() == before
    clock.now = MIDNIGHT + 1
    await worker.look()
    clock.now = MIDNIGHT - 7200  # nobody gets it back
    again = NetworkDigests(connection, zone, clock)
    await again.look()
    assert again.of("192.0.2.1") != found


@given(st.integers(0, 2**32 - 1) | st.none(), st.integers(0, 2**32 - 1) | st.none(), st.text(max_size=30))
def test_an_event_that_is_sent_again_from_another_network_is_the_same(
    one: int | None, other: int | None, text: str
) -> None:
    record = Record(message_id="m", type="track", visitor_id=text + ',"network":1,"time":2,', time=5, event=text)

    def digests(network: int | None, time: int) -> bytes:
        return Batch([replace(record, network=network, time=time)], Scrubber()).digests

    assert digests(one, 5) == digests(other, 6)
