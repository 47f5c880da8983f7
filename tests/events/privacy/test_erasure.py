"""Who is erased is gone at once from what is read, and soon from what is stored; who returns counts anew."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.writing import exported, exported_ids, record, settle, write_all, writing
from servers.patience import reached

from events.authority import Authority
from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import Tombstone, mirror_tombstones, read_tombstones
from events.ingest.history import History, HistoryUpdates
from events.ingest.stream import Stream
from events.log.reader import LogReader
from events.parts.manifest import PartName
from events.parts.sealing import Place, write_part
from events.privacy.erasure import SeveralPeople, erase
from events.privacy.person import held, person_of
from events.records import stream_number
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.embedded import EmbeddedStore
from events.store.keys import TOMBSTONES, events_key
from events.store.shared_reads import SharedReads
from events.writer.compaction import Compaction
from events.writer.decoding import Entry, rows

pytestmark = pytest.mark.anyio
LATER = 4_000_000_000.0


async def test_an_erased_visitor_is_absent_at_once_and_counts_anew(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    async with writing(connection, tmp_path):
        await stream.append([record("m-1", "v-1"), record("m-2", "v-2")])
        await erase(connection, LogReader(tmp_path), "visitor", "v-1")
        assert exported_ids(tmp_path) == ["m-2"]
        await stream.append([record("m-3", "v-1")])
        await settle(connection)
    assert exported_ids(tmp_path) == ["m-2", "m-3"]


async def test_rows_of_a_shard_that_the_store_has_no_more_are_erased_too(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    """As in a log that was restored from that of a cluster."""
    entry = Entry(
        stream_number(1_790_000_000_000, 0), 1, b'[{"message_id":"m-1","type":"track","visitor_id":"v-1","time":1}]'
    )
    place = Place(tmp_path / "log", date(2026, 9, 21), PartName(5, 0, 0, 0), entry.stream_number)
    write_part(place, [rows(5, [entry], 1 << 62)])
    async with writing(connection, tmp_path):
        await stream.append([record("m-2", "v-1"), record("m-3", "v-2")])
        await erase(connection, LogReader(tmp_path), "visitor", "v-1")
        assert exported_ids(tmp_path) == ["m-3"]


@pytest.mark.parametrize("authority", Authority)
async def test_the_same_exposure_of_who_was_erased_and_returns_on_that_day_is_a_new_one(
    connection: Connection, stream: Stream, tmp_path: Path, authority: Authority
) -> None:
    exposures = [record(f"exposure:{visitor}", visitor, authority=authority) for visitor in ("v-1", "v-2")]
    async with writing(connection, tmp_path):
        await stream.append(exposures)
        await erase(connection, LogReader(tmp_path), "visitor", "v-1")
        assert exported_ids(tmp_path) == ["exposure:v-2"]
        assert (await stream.append(exposures)).duplicates == 1
        assert (await stream.append(exposures)).duplicates == 2
        await settle(connection)
    assert sorted(exported_ids(tmp_path)) == ["exposure:v-1", "exposure:v-2"]


async def test_who_shared_a_browser_is_erased_without_the_other(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append(
        [
            record("m-1", "kiosk", user_id="anna", authority=Authority.BACKEND),
            record("m-2", "kiosk", user_id="bert", authority=Authority.PROVEN),
            record("m-3", "kiosk", user_id="carl"),
            record("m-4", "kiosk"),
            record("m-5", "phone", user_id="anna", authority=Authority.PROVEN),
            record("m-6", "phone"),
            record("m-7", "laptop", user_id="bert", authority=Authority.BACKEND),
        ]
    )
    async with writing(connection, tmp_path):
        found = await erase(connection, LogReader(tmp_path), "user", "anna")
        assert found.person == ({"kiosk", "phone"}, {"anna"}, set())
        assert exported_ids(tmp_path) == ["m-2", "m-3", "m-7"]
        await erase(connection, LogReader(tmp_path), "user", "bert")
    assert exported_ids(tmp_path) == ["m-3"]
    assert {stone.unnamed for stone in read_tombstones(tmp_path) if stone.kind == "visitor"} == {True}


async def test_nobody_is_erased_while_several_may_be_meant(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    users = [record(f"m-{user}", "kiosk", user_id=user, authority=Authority.BACKEND) for user in ("anna", "bert")]
    await stream.append([*users, record("m-1", "kiosk")])
    async with writing(connection, tmp_path):
        with pytest.raises(SeveralPeople):
            await erase(connection, LogReader(tmp_path), "visitor", "kiosk")
        assert read_tombstones(tmp_path) == []
        await erase(connection, LogReader(tmp_path), "visitor", "kiosk", only=["bert"])
    assert exported_ids(tmp_path) == ["m-anna"]


async def test_an_erasure_that_the_store_broke_off_is_whole_when_it_is_asked_again(
    connection: Connection, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = {"event": "Order Completed", "order_id": "o-1", "product_ids": ["p"], "quantities": [1.0], "prices": [2.0]}
    bought = record("m-1", "phone", user_id="anna", authority=Authority.BACKEND, **order)
    await stream.append([bought])
    await HistoryUpdates(connection, lambda *_: None).apply([bought])
    async with writing(connection, tmp_path):
        with monkeypatch.context() as patched:
            patched.setattr(connection.client, "hset", away)
            with pytest.raises(StoreUnavailable):
                await erase(connection, LogReader(tmp_path), "visitor", "phone")
        await erase(connection, LogReader(tmp_path), "visitor", "phone")
    assert exported_ids(tmp_path) == []
    assert await connection.client.hlen(TOMBSTONES) == len(read_tombstones(tmp_path)) == 2
    assert (await History(connection).recent(["u:anna", "v:phone"])).purchases == ()


async def away(*_: object, **__: object) -> None:
    raise StoreUnavailable("store_down")


async def test_nothing_of_the_erased_is_left_in_any_file(
    connection: Connection, stream: Stream, tmp_path: Path, store: EmbeddedStore
) -> None:
    order = {"event": "Order Completed", "order_id": "o-1", "product_ids": ["p"], "quantities": [1.0], "prices": [2.0]}
    told = {"user_id": "user-to-erase", "authority": Authority.BACKEND}
    await stream.append([record("m-1", "visitor-to-erase", **told, **order), record("m-2", "v-2")])
    async with writing(connection, tmp_path):
        await erase(connection, LogReader(tmp_path), "visitor", "visitor-to-erase")
    Compaction(tmp_path, 0, lambda: LATER).run()
    Compaction(tmp_path, 0, lambda: LATER).run()
    assert await connection.client.xlen(events_key(0)) == 0
    recent = await History(SharedReads(connection)).recent(["v:visitor-to-erase", "u:user-to-erase"])
    assert recent.purchases == ()

    async def is_rewritten() -> bool:
        return not int((await connection.client.info("persistence"))["aof_rewrite_in_progress"])

    await reached(is_rewritten, "the append-only file is rewritten")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"to-erase" in path.read_bytes()] == []
    assert exported_ids(tmp_path) == ["m-2"]


async def test_an_erasure_waits_for_what_was_acknowledged_before_it(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append([record("m-1", "v-1")])
    with pytest.raises(StoreUnavailable, match="log_behind"):  # no writer: nobody can say who is joined with whom
        await erase(connection, LogReader(tmp_path), "visitor", "v-1")
    assert read_tombstones(tmp_path) == []


async def test_tombstones_outlive_the_disk_and_the_store(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append([record("m-1", "v-1")])
    async with writing(connection, tmp_path):
        await erase(connection, LogReader(tmp_path), "visitor", "v-1")
    stones = read_tombstones(tmp_path)
    (tmp_path / "tombstones.json").unlink()
    await write_all(connection, tmp_path)  # a writer that starts restores them
    assert read_tombstones(tmp_path) == stones
    await connection.client.delete(TOMBSTONES)
    await mirror_tombstones(connection, tmp_path)
    assert await connection.client.hlen(TOMBSTONES) == len(stones)


async def test_everything_that_is_held_about_a_person_is_shown(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    logged_in = record("m-1", "phone", user_id="anna", authority=Authority.PROVEN)
    await stream.append([logged_in, record("m-2", "phone"), record("m-3", "other")])
    await stream.append([record("m-4", "anna", user_id="anna"), record("m-5", "laptop")])
    await write_all(connection, tmp_path)
    shown = held(LogReader(tmp_path), "visitor", "phone")
    assert shown.found.person == ({"phone"}, {"anna"}, {"phone"})
    assert [(each.visitor, each.user, each.authority) for each in shown.found.joined_by] == [
        ("phone", "anna", Authority.PROVEN)
    ]
    assert shown.found.claims == {"anna": 1}
    assert shown.events == [row for row in exported(tmp_path) if row["message_id"] in {"m-1", "m-2", "m-4"}]
    async with writing(connection, tmp_path):
        await erase(connection, LogReader(tmp_path), "visitor", "phone")
    assert held(LogReader(tmp_path), "visitor", "phone").events == []


async def test_nothing_is_held_about_somebody_never_seen(tmp_path: Path) -> None:
    assert held(LogReader(tmp_path), "user", "nobody").events == []
    assert person_of(LogReader(tmp_path), "user", "nobody").person == (set(), {"nobody"}, set())


stones = st.builds(
    lambda positions, at: tombstone("visitor", "v", positions, at),
    st.dictionaries(st.integers(0, 3), st.integers(0, 9)),
    st.integers(0, 9),
)


@given(stones, stones, stones)
def test_tombstones_of_one_id_add_up_in_any_order(first: Tombstone, second: Tombstone, third: Tombstone) -> None:
    assert first.joined(second).joined(third) == third.joined(first.joined(second))
    assert first.joined(first) == first
