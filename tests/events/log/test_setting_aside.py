"""A person may decide to go on without a damaged part; nothing forgets that."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from oracles.writing import exported_ids, messages, record, write_all
from worlds.event_log import received, write_log

from events.ingest.stream import Stream
from events.log.verify import NotDamaged, set_aside, verify_log
from events.parts.part import DataDamaged, Part, live_parts
from events.store.connection import Connection

NOW = datetime(2026, 9, 22, 8, tzinfo=UTC)
START = 1_790_000_000_000_000


def log_of(data: Path) -> list[Part]:
    return write_log(data, received([record(f"m-{n}", f"v-{n}", time=START + n) for n in range(4)]), cut=1)


@pytest.mark.parametrize("number", [0, 2, 3])
@pytest.mark.parametrize("gone", [False, True])
def test_the_log_goes_on_without_the_part_and_says_so(tmp_path: Path, number: int, gone: bool) -> None:
    part = log_of(tmp_path)[number]
    part.path.unlink() if gone else part.path.write_bytes(b"")
    with pytest.raises(DataDamaged):
        exported_ids(tmp_path)
    set_aside(tmp_path, part.path.name, NOW)
    report = verify_log(tmp_path)
    assert report.is_sound
    assert [(loss.name, loss.set_aside_at) for loss in report.set_aside] == [
        (part.path.name, "2026-09-22T08:00:00+00:00")
    ]
    assert exported_ids(tmp_path) == [f"m-{n}" for n in range(4) if n != number]
    assert (tmp_path / "log" / "set-aside" / part.path.name).exists() is not gone


def test_a_sound_part_is_not_set_aside(tmp_path: Path) -> None:
    part = log_of(tmp_path)[1]
    for name in (part.path.name, "0-000000000099.parquet", "../keys.json"):
        with pytest.raises(NotDamaged):
            set_aside(tmp_path, name, NOW)
    assert verify_log(tmp_path).is_sound


@pytest.mark.anyio
async def test_the_number_of_the_newest_part_is_not_used_again(connection: Connection, tmp_path: Path) -> None:
    parts = log_of(tmp_path)
    parts[-1].path.write_bytes(b"")
    set_aside(tmp_path, parts[-1].path.name, NOW)
    stream = Stream(connection)
    await stream.append(messages("new"))
    await stream.close()
    await write_all(connection, tmp_path)
    assert live_parts(tmp_path / "log")[-1].low == 4
    assert exported_ids(tmp_path) == ["m-0", "m-1", "m-2", "m-new"]
