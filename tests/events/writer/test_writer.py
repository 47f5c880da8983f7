"""The writer takes what was acknowledged into parts, once, and says how far it has come."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from oracles.writing import exported, exported_ids, looked, messages, settle, write_all, writing, written_ids
from servers.patience import reached

from events.authority import Authority
from events.ingest.stream import Stream
from events.parts.part import DataDamaged, live_parts, survey
from events.records import COLUMNS, Record
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.store.keys import events_key
from events.writer.resumption import newest_on_disk
from events.writer.shard import WriterOptions
from events.writer.watermark import wait_until_written

pytestmark = pytest.mark.anyio


async def test_every_column_of_a_record_comes_back_from_the_parts(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    full = Record(
        message_id="m-1", type="track", visitor_id="v-1", time=1_790_000_000_123_456, event="Order Completed",
        user_id="u-1", experiment="e", variant="b", phase=2, propensity=0.25, exposure_source="ofrep", value=19.9,
        currency="EUR", order_id="o-1", product_ids=["p-1", "p-2"], quantities=[1.0, 2.0], prices=[9.9, 5.0],
        page_view_id="pv", engaged_ms=1200, url="https://a.example/ä", path="/ä", device="mobile", country="DE",
        network=7, bot=True, forced=True, forged=True, site="sk", issued=True,
        authority=Authority.BACKEND, quarantined=True,
        properties={"a": {"b": [1, 2.5, None, "ö"]}}, context={"ip": None},
    )  # fmt: skip
    await stream.append([full])
    await write_all(connection, tmp_path)
    row = exported(tmp_path)[0]
    told = {name: getattr(full, name) for name in Record.__struct_fields__}
    assert {name: row[name] for name in Record.__struct_fields__} == told | {"authority": "backend"}
    assert set(row) == set(COLUMNS)


async def test_a_part_is_cut_when_its_events_are_many(connection: Connection, stream: Stream, tmp_path: Path) -> None:
    for start in range(0, 100, 10):
        await stream.append(messages(*range(start, start + 10)))
    await write_all(connection, tmp_path, WriterOptions(cut_events=25))
    assert [part.rows for part in live_parts(tmp_path / "log")] == [30, 30, 30, 10]
    assert len(set(written_ids(tmp_path))) == 100


async def test_a_part_is_cut_once_its_first_event_is_old(
    connection: Connection, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("events.writer.shard.time", SimpleNamespace(monotonic=lambda: now))
    async with writing(connection, tmp_path, WriterOptions(cut_seconds=30)):
        await stream.append(messages(1))
        await looked(connection)
        now += 29
        await looked(connection)
        assert live_parts(tmp_path / "log") == []
        now += 2
        await reached(lambda: live_parts(tmp_path / "log"), "a part is cut")


async def test_a_waiting_reader_is_served_before_the_part_is_full(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    async with writing(connection, tmp_path, WriterOptions(cut_seconds=60)):
        await stream.append(messages(1))
        written = await wait_until_written(connection, 1.5)
        assert 0 < written.shards[0].mark.stream_number == written.asked[0]
        assert exported_ids(tmp_path) == ["m-1"]


async def test_pending_counts_what_is_acknowledged_and_in_no_part(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append(messages(1, 2))
    assert (await wait_until_written(connection, 0)).pending == 2
    async with writing(connection, tmp_path):
        await settle(connection)
        assert (await wait_until_written(connection, 0)).pending == 0
    await stream.append(messages(3))
    assert (await wait_until_written(connection, 0)).pending == 1


async def test_the_watermark_goes_on_when_nothing_happens(connection: Connection, tmp_path: Path) -> None:
    async with writing(connection, tmp_path):
        before = time.time_ns() // 1000

        async def is_later() -> bool:
            return (await wait_until_written(connection, 0)).watermark_us >= before

        await reached(is_later, "the watermark has passed")


async def test_the_stream_forgets_what_stands_in_parts(connection: Connection, stream: Stream, tmp_path: Path) -> None:
    await stream.append(messages(1, 2, 3))
    await write_all(connection, tmp_path)
    assert await connection.client.xlen(events_key(0)) == 0


async def test_parts_lie_in_the_folder_of_the_day_of_receipt(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await connection.client.xadd(events_key(0), _entry("m-1"), id="1789948799999-0")  # 2026-09-20T23:59:59.999Z
    await connection.client.xadd(events_key(0), _entry("m-2"), id="1789948800000-0")
    await write_all(connection, tmp_path)
    parts = live_parts(tmp_path / "log")
    assert [part.date.isoformat() for part in parts] == ["2026-09-20", "2026-09-21"]
    assert [part.path.parent.name for part in parts] == ["date=2026-09-20", "date=2026-09-21"]


async def test_a_store_clock_that_jumped_ahead_moves_no_row_into_the_future(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await connection.client.xadd(events_key(0), _entry("m-1"), id="4102444800000-0")  # 2100-01-01
    await stream.append(messages(2))
    await write_all(connection, tmp_path)
    parts = live_parts(tmp_path / "log")
    assert all(part.max_received_at <= time.time_ns() // 1000 for part in parts)
    assert exported_ids(tmp_path) == ["m-1", "m-2"]


async def test_an_entry_that_is_no_record_is_kept_aside_and_the_others_are_written(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append(messages(1))
    await connection.client.xadd(events_key(0), {"n": 1, "t": 2, "e": b'[{"message_id": "m-'})
    await stream.append(messages(3))
    await write_all(connection, tmp_path)
    assert exported_ids(tmp_path) == ["m-1", "m-3"]
    assert [path.read_bytes() for path in (tmp_path / "log").glob("unreadable-*")] == [b'[{"message_id": "m-']


async def test_two_writers_at_once_write_everything_once(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    options = WriterOptions(cut_seconds=0.01)
    async with writing(connection, tmp_path, options), writing(connection, tmp_path, options):
        for number in range(100):
            await stream.append(messages(number))
        await settle(connection)
    assert written_ids(tmp_path) == sorted(f"m-{number}" for number in range(100))


async def test_a_store_that_lost_everything_goes_on_above_the_parts(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await connection.client.xadd(events_key(0), _entry("m-1"), id="4102444800000-0")
    await write_all(connection, tmp_path)
    await connection.client.flushall()
    await stream.append(messages(2))  # its id lies behind the part's
    await write_all(connection, tmp_path)
    assert exported_ids(tmp_path) == ["m-1", "m-2"]
    await stream.append(messages(3))
    await write_all(connection, tmp_path)
    assert exported_ids(tmp_path) == ["m-1", "m-2", "m-3"]


async def test_parts_that_the_store_knows_of_and_the_disk_does_not_are_named_as_missing(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append(messages(1))
    await write_all(connection, tmp_path)
    for path in live_parts(tmp_path / "log")[0].path.parent.iterdir():
        path.unlink()
    await stream.append(messages(2))
    await write_all(connection, tmp_path)
    with pytest.raises(DataDamaged, match=r"parts up to 0, the log has none: the two are of different moments"):
        live_parts(tmp_path / "log")


async def test_events_of_a_damaged_part_that_the_store_still_has_are_written_again_and_count_once(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append(messages(1))
    entries = await connection.client.xrange(events_key(0))
    await write_all(connection, tmp_path)
    part = live_parts(tmp_path / "log")[0]
    sound = part.path.read_bytes()
    part.path.write_bytes(sound[:-7])
    for number, fields in entries:  # as if the writer had ended before it told the store to forget them
        await connection.client.delete(events_key(0))
        await connection.client.xadd(events_key(0), fields, id=number)
    await write_all(connection, tmp_path)
    part.path.write_bytes(sound)
    assert (written_ids(tmp_path), exported_ids(tmp_path)) == (["m-1", "m-1"], ["m-1"])


async def test_what_was_read_goes_to_the_disk_when_the_store_is_lost(
    connection: Connection, stream: Stream, tmp_path: Path, store: object
) -> None:
    async with writing(connection, tmp_path, WriterOptions(cut_seconds=60)):
        await stream.append(messages(1))
        await looked(connection)
        store.stop()  # type: ignore[attr-defined]
        await reached(lambda: live_parts(tmp_path / "log"), "a part is written")
        assert exported_ids(tmp_path) == ["m-1"]


async def test_a_writer_that_begins_before_its_store_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = EmbeddedStore(tmp_path)
    connection = await connect(None, store.socket)
    stream = Stream(connection)

    async def is_accepted() -> bool:
        try:
            return bool(await stream.append(messages(1)))
        except StoreUnavailable:
            return False

    async with writing(connection, tmp_path):
        await reached(lambda: "the writer waits for the store" in caplog.messages, "the writer waits for the store")
        store.start()
        await reached(is_accepted, "an append goes through")
        await settle(connection)
    await stream.close()
    await connection.close()
    store.stop()
    assert exported_ids(tmp_path) == ["m-1"]


async def test_the_writer_merges_and_drops_old_days_meanwhile(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    for day in range(4):
        for number in (2 * day, 2 * day + 1):
            milliseconds = 1_789_948_800_000 + day * 86_400_000 + number
            await connection.client.xadd(events_key(0), _entry(f"m-{number}"), id=f"{milliseconds}-0")
            await write_all(connection, tmp_path)
    async with writing(connection, tmp_path, WriterOptions(retention_days=2, now=lambda: 1_789_948_800 + 3.9 * 86_400)):
        await reached(lambda: len(live_parts(tmp_path / "log")) <= 4, "old days are merged and dropped")
    assert exported_ids(tmp_path) == [f"m-{number}" for number in range(2, 8)]


async def test_a_writer_whose_newest_part_is_damaged_goes_on_and_readers_name_the_part(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    await stream.append(messages(1))
    await write_all(connection, tmp_path)
    part = live_parts(tmp_path / "log")[0]
    part.path.with_suffix(".json").write_bytes(b"{")
    assert newest_on_disk(tmp_path / "log", 0) == (0, part.last_stream_number)  # the footer says it too
    part.path.write_bytes(b"")
    await stream.append(messages(2))
    await write_all(connection, tmp_path)
    assert [damage.name for damage in survey(tmp_path / "log").damages] == [part.path.name]
    assert [part.low for part in survey(tmp_path / "log").parts] == [1]


def _entry(message_id: str) -> dict[str, str | int]:
    event = f'[{{"message_id":"{message_id}","type":"track","visitor_id":"v","time":1790000000000000}}]'
    return {"n": 1, "t": 1, "e": event}
