"""One data directory at a time takes events out of a store."""

import asyncio
import logging
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from oracles.writing import messages, settle, writing, written_ids
from servers.patience import HUNG_SECONDS, reached, stall

from events.ingest.stream import Stream
from events.store.connection import Connection
from events.store.embedded import EmbeddedStore
from events.store.keys import OWNER
from events.writer.lease import Lease, Owner, while_owner
from events.writer.shard import WriterOptions
from events.writer.watermark import StoreTakenOver
from events.writer.writer import run_writer

pytestmark = pytest.mark.anyio

SECONDS = 0.4
RENEWALS = 8  # while a lease lasts


def owner(folder: Path) -> Owner:
    folder.mkdir(exist_ok=True)
    return Owner.of(folder, 7)


class Work:
    """Work that lasts until it is told to stop, or cut off."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.begun = asyncio.Event()
        self.cut_off = False

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await self.stop.wait()
        except asyncio.CancelledError:
            self.cut_off = True
            raise

    def under(self, lease: Lease) -> asyncio.Task[None]:
        return asyncio.create_task(while_owner(lease, self, self.stop, SECONDS / RENEWALS))


def test_a_data_directory_keeps_its_identity_and_no_two_have_the_same(tmp_path: Path) -> None:
    assert owner(tmp_path / "a").log == owner(tmp_path / "a").log
    assert owner(tmp_path / "a").log != owner(tmp_path / "b").log


async def test_a_second_data_directory_is_refused_with_the_name_of_the_first(
    any_connection: Connection, tmp_path: Path
) -> None:
    first, second = (owner(tmp_path / name) for name in "ab")
    assert await Lease(any_connection, first).claim() is None
    assert await Lease(any_connection, second).claim() == first
    assert await Lease(any_connection, second).other() == first
    assert "pid 7 on" in str(first)
    assert str(tmp_path / "a") in str(first)


async def test_the_same_data_directory_goes_on_at_once(any_connection: Connection, tmp_path: Path) -> None:
    """However long the lease holds, and whatever pid it has: the directory's lock says that the other one is gone."""
    first = owner(tmp_path)
    assert await Lease(any_connection, first).claim() is None
    assert await Unwatched(any_connection, Owner.of(tmp_path, first.pid)).claim() is None
    assert await Unwatched(any_connection, Owner.of(tmp_path, 9)).other() is None


class Unwatched(Lease):
    """A lease whose holder must be known to be gone, or not, without a look at how long it holds."""

    def __init__(self, connection: Connection, owner: Owner) -> None:
        super().__init__(connection, owner, watch_seconds=HUNG_SECONDS)


def copy_of(folder: Path) -> Path:
    subprocess.run(["cp", "-a", folder, folder.with_name("copy")], check=True)
    return folder.with_name("copy")


async def test_a_copy_is_refused_until_the_lease_ends(connection: Connection, tmp_path: Path) -> None:
    first = owner(tmp_path / "a")
    assert await Lease(connection, first, SECONDS).claim() is None
    copy = Unwatched(connection, Owner.of(copy_of(tmp_path / "a"), first.pid))
    assert await copy.other() == first
    assert await copy.claim() == first
    await reached(lambda: claimed(copy), "the lease has ended")
    assert await Lease(connection, first).claim() is not None


MOVED = {"a restart of the machine": {"boot": "another"}, "another mount": {"device": "another"}}


@pytest.mark.parametrize("changed", MOVED.values(), ids=MOVED)
async def test_where_it_may_be_the_same_directory_a_lease_that_is_not_renewed_is_over(
    changed: dict[str, str], connection: Connection, tmp_path: Path
) -> None:
    before = replace(owner(tmp_path), **changed)
    assert await Lease(connection, before, HUNG_SECONDS).claim() is None
    assert await Lease(connection, owner(tmp_path), watch_seconds=SECONDS).other() is None
    assert await Lease(connection, owner(tmp_path), watch_seconds=SECONDS).claim() is None


@pytest.mark.parametrize("changed", MOVED.values(), ids=MOVED)
async def test_where_it_may_be_the_same_directory_a_lease_that_is_renewed_is_held(
    changed: dict[str, str], connection: Connection, tmp_path: Path
) -> None:
    before = replace(owner(tmp_path), **changed)
    lives = asyncio.Event()
    renewing = asyncio.create_task(while_owner(Lease(connection, before), lives.wait, lives, SECONDS / RENEWALS))
    await reached(lambda: connection.client.exists(OWNER), "the lease is held")
    assert await Unwatched(connection, owner(tmp_path)).other() == before
    assert await Unwatched(connection, owner(tmp_path)).claim() == before
    lives.set()
    await renewing


async def test_a_holder_that_a_release_without_runs_left_is_waited_for(connection: Connection, tmp_path: Path) -> None:
    ours = owner(tmp_path)
    before = Owner(ours.log, ours.data, ours.host, ours.pid)
    text = msgspec.json.encode({name: msgspec.structs.asdict(before)[name] for name in ("log", "data", "host", "pid")})
    claim = ("resonate_claim", OWNER, before.log, text)
    assert await connection.call(*claim, 60_000) is None
    assert await Unwatched(connection, ours).claim() == before
    assert await connection.call(*claim, 60_000) is None  # the older release goes on renewing it
    assert await connection.call(*claim, 0) is None
    assert await Unwatched(connection, ours).claim() is None
    assert await connection.call(*claim, 60_000) is not None


async def test_numbers_of_a_directory_are_kept_whole(connection: Connection, tmp_path: Path) -> None:
    first = replace(owner(tmp_path), inode="18446744073709551615", device="9007199254740993")
    assert await Lease(connection, first).claim() is None
    assert await Unwatched(connection, Owner("b", "b", "b", 1, "b")).other() == first


async def test_a_lease_that_is_given_back_is_free_and_one_that_is_not_renewed_ends(
    connection: Connection, tmp_path: Path
) -> None:
    first = Lease(connection, owner(tmp_path / "a"), 2 * HUNG_SECONDS)
    second = Lease(connection, owner(tmp_path / "b"), SECONDS)
    await first.claim()
    await first.release()
    await reached(lambda: claimed(second), "the lease that was given back is free")
    assert await first.claim() is not None
    await reached(lambda: claimed(first), "the lease that is not renewed has ended")


async def test_a_lease_whose_store_went_back_in_time_ends_once_nobody_has_renewed_it_for_so_long(
    connection: Connection, tmp_path: Path
) -> None:
    first = Lease(connection, owner(tmp_path / "a"), 3_600.0)  # what a clock leaves of it that went back by an hour
    second = Lease(connection, owner(tmp_path / "b"), still_seconds=SECONDS)
    for _ in range(2 * RENEWALS):
        assert await first.claim() is None
        assert await second.claim() is not None
        stall(SECONDS / RENEWALS, "a lease is renewed by the time that passes")
    await reached(lambda: claimed(second), "the lease that nobody renews is over")


async def claimed(lease: Lease) -> bool:
    return await lease.claim() is None


class CountedLease(Lease):
    """A lease that counts how often it was claimed."""

    claims = 0

    async def claim(self) -> Owner | None:
        self.claims += 1
        return await super().claim()


async def test_a_lease_is_renewed_while_the_work_lasts_and_passes_on_when_it_ends(
    connection: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (CountedLease(connection, owner(tmp_path / name), SECONDS) for name in "ab")
    here, there = Work(), Work()
    task = here.under(first)
    await here.begun.wait()
    with caplog.at_level(logging.ERROR):
        waiting = there.under(second)
        for lease in (first, second):  # for more than twice as long as a lease lasts
            await reached(lambda lease=lease: lease.claims > 2 * RENEWALS, "the lease was renewed, or asked for")
    assert not there.begun.is_set()
    assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1
    assert f"belongs to the service of {tmp_path / 'a'}" in caplog.text
    here.stop.set()
    await task
    await reached(there.begun.is_set, "the work there has begun")
    there.stop.set()
    await waiting


async def test_work_whose_lease_was_taken_over_is_cut_off_and_begun_again_later(
    connection: Connection, tmp_path: Path
) -> None:
    first, second = (Lease(connection, owner(tmp_path / name), SECONDS) for name in "ab")
    here = Work()
    task = here.under(first)
    await here.begun.wait()
    here.begun.clear()

    async def is_taken_over() -> bool:
        taken = await second.claim() is None
        if not taken:  # the work renews it now and then
            await first.release()
        return taken

    await reached(is_taken_over, "the lease is taken over")
    await reached(here.begun.is_set, "the work has begun again")
    assert here.cut_off
    here.stop.set()
    await task


async def test_what_goes_wrong_in_the_work_ends_it(connection: Connection, tmp_path: Path) -> None:
    async def broken() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await while_owner(Lease(connection, owner(tmp_path)), broken, asyncio.Event())


async def test_a_store_that_is_away_is_left_to_the_work(
    connection: Connection, store: EmbeddedStore, tmp_path: Path
) -> None:
    store.stop()
    here = Work()
    task = here.under(Lease(connection, owner(tmp_path / "a")))
    await asyncio.wait_for(here.begun.wait(), 30)
    here.stop.set()
    await asyncio.wait_for(task, 30)


async def test_a_writer_that_stood_still_for_longer_than_its_lease_trims_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    """It has a part on its disk that nobody knows of; the store forgets nothing that the new owner has not read."""
    halted, goes_on = threading.Event(), threading.Event()

    def stand_still(point: str) -> None:
        if point == "after_link":
            halted.set()
            goes_on.wait(20)

    stream = Stream(connection)
    await stream.append(messages(1, 2))
    slow = asyncio.create_task(
        run_writer(connection, tmp_path / "a", WriterOptions(owner="a", reach=stand_still), asyncio.Event())
    )
    await asyncio.to_thread(halted.wait, 20)
    async with writing(connection, tmp_path / "b", WriterOptions(owner="b")):
        await settle(connection)
        goes_on.set()
        await stream.append(messages(3))
        with pytest.raises(StoreTakenOver):
            await asyncio.wait_for(slow, 20)
    await stream.close()
    assert written_ids(tmp_path / "b") == ["m-1", "m-2", "m-3"]


async def test_work_that_finds_the_store_taken_over_is_begun_again_with_the_lease(
    connection: Connection, tmp_path: Path
) -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise StoreTakenOver("taken over")

    await while_owner(Lease(connection, owner(tmp_path), SECONDS), work, asyncio.Event(), SECONDS / RENEWALS)
    assert begun == 2
