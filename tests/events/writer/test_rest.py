"""What no part holds, taken out of a stream of any length and made parts of: every entry once, in order."""

from pathlib import Path

import pytest
from oracles.writing import exported, exported_ids, messages, write_all

from events.ingest.stream import Stream
from events.log.verify import verify_log
from events.records import stream_text
from events.store.connection import Connection
from events.store.keys import events_key
from events.writer import rest
from events.writer.rest import RestUnreadable, entries_in, take_rest, write_rest

pytestmark = pytest.mark.anyio


async def test_what_is_taken_becomes_parts_of_a_size_with_each_event_once(
    connection: Connection, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "READ_BYTES", 2_000)
    monkeypatch.setattr(rest, "PART_EVENTS", 40)
    for number in range(30):
        await stream.append(messages(*range(number * 10, number * 10 + 10)))
    taken = await take_rest(connection, 0, tmp_path / "rest" / "0")
    assert (taken.entries, taken.events) == (30, 300)
    assert write_rest(tmp_path / "restored", 0, tmp_path / "rest" / "0", 1 << 62) == 300
    assert len(exported_ids(tmp_path / "restored")) == 300
    report = verify_log(tmp_path / "restored")
    assert (report.is_sound, report.parts) == (True, 8)


async def test_entries_below_the_parts_that_none_of_them_holds_go_above_them(
    connection: Connection, stream: Stream, tmp_path: Path
) -> None:
    """A store that was lost counts anew, with a clock that went back."""
    await connection.client.xadd(
        events_key(0), {"n": 1, "t": 1, "e": '[{"message_id":"m-1","type":"track","visitor_id":"v","time":1}]'},
        id="4102444800000-0",
    )  # fmt: skip
    await write_all(connection, tmp_path)
    await connection.client.flushall()
    await stream.append(messages(2))
    await take_rest(connection, 0, tmp_path / "rest" / "0")
    assert write_rest(tmp_path, 0, tmp_path / "rest" / "0", 1 << 62) == 1
    rows = exported(tmp_path)
    assert [row["message_id"] for row in rows] == ["m-1", "m-2"]
    assert verify_log(tmp_path).is_sound
    assert rows[1]["stream_id"] > stream_text(4_102_444_800_000 << 20)


async def test_an_entry_that_is_no_event_is_kept_aside(connection: Connection, tmp_path: Path) -> None:
    await connection.client.xadd(events_key(0), {"n": 1, "t": 1, "e": "no\nevent"})
    await take_rest(connection, 0, tmp_path / "rest" / "0")
    assert write_rest(tmp_path, 0, tmp_path / "rest" / "0", 1 << 62) == 0
    assert len(verify_log(tmp_path).unreadable) == 1


def test_a_file_that_is_cut_short_is_no_rest(tmp_path: Path) -> None:
    for content in (b"1 1 10\n[", b"what is this\n"):
        (tmp_path / "0").write_bytes(content)
        with pytest.raises(RestUnreadable):
            list(entries_in(tmp_path / "0"))
