"""What the writer tells of its log in numbers is what lies on the disk, and how its jobs went."""

from pathlib import Path

import pytest
from oracles.writing import record
from worlds.event_log import received, write_log

from events.gauges import WriterGauge
from events.parts.manifest import LOG, FolderListing
from events.parts.part import DataDamaged, PartListing
from events.writer.shard import WriterOptions
from events.writer.standing import run_job, tell_damage, tell_newest, tell_size

Told = dict[WriterGauge, float]


def test_a_log_without_parts_has_none_and_never_had() -> None:
    told: Told = {}
    tell_newest(Path("/nowhere"), told.__setitem__)
    tell_size(FolderListing(Path("/nowhere")), told.__setitem__)
    assert told == {"last_part_at": 0, "log_parts": 0, "log_bytes": 0}


def test_parts_count_with_all_their_files(tmp_path: Path) -> None:
    folder = tmp_path / LOG / "date=2026-11-29"
    folder.mkdir(parents=True)
    for name, size in (("0-000000000000", 7), ("0-000000000001", 5), ("0-000000000000-000000000001.1", 11)):
        for suffix in (".parquet", ".json", ".ids"):
            (folder / f"{name}{suffix}").write_bytes(b"x" * size)
    (folder / ".tmp-1-half").write_bytes(b"x" * 100)
    told: Told = {}
    tell_size(FolderListing(tmp_path / LOG), told.__setitem__)
    tell_newest(tmp_path / LOG, told.__setitem__)
    assert (told["log_parts"], told["log_bytes"]) == (3, 3 * (7 + 5 + 11))
    assert told["last_part_at"] == (folder / "0-000000000001.json").stat().st_mtime


@pytest.mark.anyio
async def test_a_job_that_fails_is_told_as_failed_and_ends_nothing() -> None:
    told: Told = {}
    options = WriterOptions(gauge=told.__setitem__, now=lambda: 5.0)

    def fails() -> None:
        raise OSError("no room")

    await run_job("compaction", fails, options)
    assert (told["compaction_ok"], told["compaction_at"]) == (0.0, 5.0)
    await run_job("compaction", int, options)
    assert told["compaction_ok"] == 1.0


def test_what_is_missing_in_the_log_is_told_before_anybody_reads_it_and_is_over_when_it_is_back(tmp_path: Path) -> None:
    write_log(tmp_path, received([record(f"m-{number}", "v-1") for number in range(3)]), cut=1)
    told: list[str | None] = []
    listing = PartListing(tmp_path / LOG)

    def tell(damage: DataDamaged | None) -> None:
        told.append(damage and str(damage))

    tell_damage(listing, tell)
    [first, *_] = sorted((tmp_path / LOG).rglob("*.parquet"))
    away = first.rename(tmp_path / "away")
    tell_damage(listing, tell)
    away.rename(first)
    tell_damage(listing, tell)
    assert (told[0], told[2]) == (None, None)
    assert told[1] is not None
    assert first.name in told[1]
