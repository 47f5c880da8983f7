"""A full disk under the store: named, not retried in a loop, healed when space returns, nothing acknowledged lost."""

import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from servers.patience import reached, until

from events.ingest.stream import Stream
from events.records import Record
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import LONGEST_BACK_OFF_SECONDS, EmbeddedStore
from events.store.health import read_state
from events.store.keys import events_key

pytestmark = pytest.mark.anyio
MakeRecord = Callable[..., Record]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Three megabytes of disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def message_ids(connection: Connection) -> list[str]:
    entries = await connection.client.xrange(events_key(0))
    return [event["message_id"] for _, fields in entries for event in msgspec.json.decode(fields[b"e"])]


async def fill(stream: Stream, record: MakeRecord, acknowledged: list[str]) -> str:
    """Appends until it is refused; the cause."""
    for number in range(10_000):
        message_id = f"m-{len(acknowledged)}-{number}"
        try:
            await stream.append([record(message_id, properties={"note": "x" * 4000})])
        except StoreUnavailable as unavailable:
            return unavailable.cause
        acknowledged.append(message_id)
    return "never"


async def healed(store: EmbeddedStore, stream: Stream, record: Record) -> None:
    """Until an append goes through, while a supervisor looks after the store."""

    async def is_accepted() -> bool:
        store.poll()
        try:
            return bool(await stream.append([record]))
        except StoreUnavailable:
            return False

    await reached(is_accepted, "an append goes through")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets the store's clock, which goes on by itself, jump by some seconds."""
    jumps: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(jumps))
    monkeypatch.setattr("events.store.embedded.time", clock)
    return jumps.append


@pytest.fixture
async def full_store(small_disk: Path) -> AsyncIterator[tuple[EmbeddedStore, Connection, Stream]]:
    (small_disk / "ballast").write_bytes(bytes(1_500_000))
    store = EmbeddedStore(small_disk)
    store.start()
    connection = await connect(None, store.socket, data=small_disk)
    stream = Stream(connection)
    yield store, connection, stream
    await stream.close()
    await connection.close()
    store.stop()


async def test_a_full_disk_is_named_and_heals_when_space_returns(
    full_store: tuple[EmbeddedStore, Connection, Stream], record: MakeRecord, later: Callable[[float], None]
) -> None:
    store, connection, stream = full_store
    acknowledged: list[str] = []
    await fill(stream, record, acknowledged)
    assert len(acknowledged) > 100

    until(lambda: store.poll().cause == "store_disk_full", "the full disk is named")
    for _ in range(50):
        later(LONGEST_BACK_OFF_SECONDS)
        state = store.poll()
        assert (state.running, state.cause) == (False, "store_disk_full")
    assert state.restarts <= 2
    assert read_state(store.data) == state
    await reached(lambda: stream.state.cause == "store_disk_full", "those who append are told of it")
    with pytest.raises(StoreUnavailable, match="store_disk_full"):
        await stream.append([record("refused")])

    (store.data / "ballast").unlink()
    later(LONGEST_BACK_OFF_SECONDS)
    await healed(store, stream, record("after"))
    stored = await message_ids(connection)
    assert {*acknowledged, "after"} <= set(stored)
    assert len(stored) == len(set(stored))
