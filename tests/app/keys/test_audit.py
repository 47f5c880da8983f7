"""The audit: lines are only added, whole, and on the disk before an act is answered; without one nothing is done."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.keys.audit import Actor, Audit, AuditLine, AuditUnusable, Wanted, line_of

ANA = Actor("key", "ana")


def lines(data: Path) -> list[AuditLine]:
    return Audit(data).page(None, 1_000, Wanted())[0]


def of(subject: str, at: str = "2027-01-05T08:00:00.000Z", actor: Actor = ANA) -> AuditLine:
    return AuditLine(at=at, id=subject, actor=actor, act="pause", subject=subject)


def test_a_line_holds_who_did_what_when_and_why(tmp_path: Path) -> None:
    Audit(tmp_path).write(line_of(ANA, "pause", "hero", ({"status": "running"}, {"status": "paused"}), "broken", "r-1"))
    [line] = lines(tmp_path)
    assert (line.actor, line.act, line.subject, line.reason, line.request_id) == (ANA, "pause", "hero", "broken", "r-1")
    assert (line.before, line.after) == ({"status": "running"}, {"status": "paused"})
    assert line.at.endswith("Z")
    [file] = (tmp_path / "audit").glob("*.ndjson")
    assert file.stem == line.at[:7]
    assert file.stat().st_mode & 0o077 == 0


def test_lines_are_on_the_disk_when_the_call_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)

    Audit(tmp_path).write(of("before"))
    monkeypatch.setattr(os, "fsync", fsync)
    Audit(tmp_path).write(of("a"))
    assert "2027-01.ndjson" in synced


def test_many_writers_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    audits = [Audit(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: audits[number % 4].write(of(f"s-{number}")), range(80)))
    assert sorted(line.subject for line in lines(tmp_path)) == sorted(f"s-{number}" for number in range(80))


def test_what_a_crash_tore_is_no_line_and_spoils_none(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit.write(of("a"))
    [file] = (tmp_path / "audit").glob("*.ndjson")
    whole = file.read_bytes()
    for cut in (1, 20, len(whole) - 1):
        file.write_bytes(whole + whole[:cut])
        assert [line.subject for line in lines(tmp_path)] == ["a"]
        audit.write(of("b"))
        assert [line.subject for line in lines(tmp_path)] == ["a", "b"]
        file.write_bytes(whole)


def test_pages_follow_a_cursor_over_months_and_narrow(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    for month in ("2026-11", "2026-12", "2027-02"):
        audit.write(*(of(f"{month}-{n}", f"{month}-03T00:00:00Z", Actor("key", f"k{n % 2}")) for n in range(3)))
    found: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        page, cursor = audit.page(cursor, 2, Wanted())
        found += [line.subject for line in page]
    assert found == [f"{month}-{n}" for month in ("2026-11", "2026-12", "2027-02") for n in range(3)]
    assert audit.page(cursor, 2, Wanted()) == ([], cursor)
    audit.write(of("later", "2027-02-28T00:00:00Z"))
    assert [line.subject for line in audit.page(cursor, 2, Wanted())[0]] == ["later"]
    assert [line.subject for line in audit.page(None, 9, Wanted(actor="k1"))[0]] == [
        "2026-11-1", "2026-12-1", "2027-02-1"
    ]  # fmt: skip
    assert len(audit.page(None, 9, Wanted(frozenset(["2026-12-2"])))[0]) == 1
    for wrong in ("", "x", "2026-11", "2026-11:x", "2026-11:-1", "../../:1"):
        with pytest.raises(ValueError, match="not a cursor"):
            audit.page(wrong or ":", 1, Wanted())


def test_where_it_cannot_be_written_nothing_is_added(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    with pytest.raises(AuditUnusable, match="cannot be written"):
        Audit(tmp_path).write(of("a"))


def test_what_could_not_wait_is_added_when_there_is_room_in_order(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    (tmp_path / "audit").write_text("in the way")
    assert not audit.follow(of("a"))
    assert not audit.follow(of("b"))
    assert audit.waits
    (tmp_path / "audit").unlink()
    assert audit.follow(of("c"))
    assert not audit.waits
    assert [line.subject for line in lines(tmp_path)] == ["a", "b", "c"]
