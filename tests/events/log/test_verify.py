"""`verify_log` reads everything and says everything that is wrong, by name."""

from pathlib import Path

import msgspec
from oracles.writing import record
from worlds.event_log import received, write_log

from events.log.verify import verify_log
from events.parts.part import Part


def log_of(data: Path) -> list[Part]:
    return write_log(data, received([record(f"m-{n}", time=1_790_000_000_000_000 + n) for n in range(6)]), cut=1)


def test_a_sound_log_is_sound(tmp_path: Path) -> None:
    log_of(tmp_path)
    steps: list[tuple[int, int]] = []
    report = verify_log(tmp_path, lambda done, of: steps.append((done, of)))
    assert report.is_sound
    assert (report.parts, report.rows) == (6, 6)
    assert steps == [(number, 6) for number in range(1, 7)]
    assert msgspec.json.decode(msgspec.json.encode(report.as_json()))["sound"] is True


def test_no_log_is_sound(tmp_path: Path) -> None:
    assert verify_log(tmp_path).is_sound


def test_everything_that_is_wrong_is_named(tmp_path: Path) -> None:
    parts = log_of(tmp_path)
    parts[0].path.write_bytes(b"")
    parts[1].path.unlink()
    parts[2].path.with_suffix(".json").unlink()
    content = bytearray(parts[3].path.read_bytes())
    content[50] ^= 128
    parts[3].path.write_bytes(content)
    (tmp_path / "log" / "unreadable-0-5-0.json").write_bytes(b"[")
    (tmp_path / "tombstones.json").write_bytes(b"[{")
    report = verify_log(tmp_path)
    assert not report.is_sound
    assert sorted(damage.name for damage in report.damages) == [
        *(f"0-{number:012d}.parquet" for number in range(4)),
        "tombstones.json",
    ]
    assert report.unreadable == ("unreadable-0-5-0.json",)


def test_what_no_erasure_reaches_is_named(tmp_path: Path) -> None:
    log_of(tmp_path)
    left = ("log/set-aside/0-000000000001.parquet", "log/unreadable-0-5-0.json", "store/damaged-2026/appendonly.aof")
    for name in left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert verify_log(tmp_path).outside_erasure == (*left[:2], "store/damaged-2026")
    assert verify_log(tmp_path).is_sound


def test_a_manifest_that_belongs_to_other_rows_is_damage(tmp_path: Path) -> None:
    part = log_of(tmp_path)[0]
    manifest = part.path.with_suffix(".json")
    manifest.write_bytes(manifest.read_bytes().replace(b'"rows":1', b'"rows":2'))
    assert [damage.name for damage in verify_log(tmp_path).damages] == [part.path.name]
