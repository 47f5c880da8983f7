"""A file is seen whole or not at all: by readers, after a kill, on a full disk; and of several makers one wins."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.small_disk import fill, small_disk

from kit.files import (
    PIECE_BYTES,
    PIECES,
    Ballast,
    FilesToKeep,
    create_file,
    keep_file,
    leftovers,
    locked,
    make_folder,
    mark_of,
    naming,
    read_or_none,
    remove_leftovers,
    replace_file,
    sync,
    take_lock,
    temporary_file,
    temporary_path,
    why_unwritten,
    write_file,
)

OLD, NEW = b"old" * 1000, b"new" * 2000
DISK_CALLS = ("open", "fsync", "replace", "link")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(content=st.binary(), durable=st.booleans())
def test_what_is_written_is_read_and_nothing_else_is_left(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, durable: bool
) -> None:
    path = tmp_path_factory.mktemp("files") / "a" / "b" / "file"
    replace_file(path, OLD)
    replace_file(path, content, durable=durable)
    assert read_or_none(path) == content
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("call", range(5))
@pytest.mark.parametrize("write", [replace_file, create_file])
def test_a_disk_that_refuses_any_one_call_leaves_the_old_or_the_new_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], object], call: int
) -> None:
    path = tmp_path / "file"
    if write is replace_file:
        path.write_bytes(OLD)
    with monkeypatch.context() as patch:
        counted = refuse(patch, call)
        with contextlib.suppress(OSError):
            write(path, NEW)
    assert read_or_none(path) in ((OLD, NEW) if write is replace_file else (None, NEW))
    assert names(tmp_path) in ([], ["file"])
    assert len(counted) == call + 1, "the refused call was not the last one, or never came"


def refuse(patch: pytest.MonkeyPatch, number: int) -> list[str]:
    """The disk refuses the call of this number; the calls that were made, by name."""
    made: list[str] = []

    def wrapped(name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(os, name)

        def call(*arguments: object, **named: object) -> object:
            made.append(name)
            if len(made) == number + 1:
                raise OSError(28, "No space left on device")
            return real(*arguments, **named)

        return call

    for name in DISK_CALLS:
        patch.setattr(os, name, wrapped(name))
    return made


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        made = refuse(patch, 100)
        replace_file(tmp_path / "file", NEW)
        replaced = list(made)
        create_file(tmp_path / "other", NEW)
    assert replaced == ["open", "fsync", "replace", "open", "fsync"]
    assert made[len(replaced) :] == ["open", "fsync", "link", "open", "fsync"]


def test_a_full_disk_refuses_and_keeps_the_old_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        replace_file(disk / "file", OLD)
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            replace_file(disk / "file", NEW * 100)
        assert (disk / "file").read_bytes() == OLD
        assert names(disk) == ["ballast", "file"]


def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from kit.files import replace_file\n"
        "for number in range(10**9): replace_file(Path(sys.argv[1]), b'%d' % (number % 10) * 50_000)"
    )
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "file")]) as writer:
            seen: set[bytes] = set()
            while len(seen) < 4:
                content = read_or_none(tmp_path / "file")
                assert content is None or (len(content) == 50_000 and content == content[:1] * 50_000)
                seen |= {content} if content else set()
            writer.send_signal(signal.SIGKILL)
        content = (tmp_path / "file").read_bytes()
        assert content == content[:1] * 50_000
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["file"]


def test_of_many_who_create_a_file_at_once_one_succeeds(tmp_path: Path) -> None:
    path, made = tmp_path / "keys", list[bytes]()
    start = threading.Barrier(8)

    def make(content: bytes) -> None:
        start.wait()
        if create_file(path, content, 0o600):
            made.append(content)

    makers = [threading.Thread(target=make, args=(b"%d" % number,)) for number in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [path.read_bytes()] == made
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_temporary_file_goes_with_its_block_whatever_ends_it(tmp_path: Path) -> None:
    with contextlib.suppress(KeyError), temporary_file(tmp_path / "upload") as file:
        file.write(b"half")
        assert len(names(tmp_path)) == 1
        raise KeyError
    assert names(tmp_path) == []


def test_leftovers_go_unless_they_are_young_and_nothing_else_goes(tmp_path: Path) -> None:
    kept, young, old = tmp_path / "file", temporary_path(tmp_path / "x"), temporary_path(tmp_path / "y")
    for path in (kept, young):
        path.write_bytes(b"")
    old.mkdir()
    (old / "inside").write_bytes(b"")
    assert sorted(leftovers(tmp_path)) == sorted([young, old])
    remove_leftovers(tmp_path, {young})
    assert names(tmp_path) == sorted([kept.name, young.name])
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [kept.name]


@pytest.mark.parametrize(
    "error", [PermissionError(1, "not permitted"), OSError(16, "busy"), FileNotFoundError()], ids=repr
)
def test_a_leftover_that_cannot_be_removed_is_told_and_keeps_no_other(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    several = [temporary_path(tmp_path / name) for name in "xyz"]
    for path in several:
        path.write_bytes(b"")
    stubborn, unlink = sorted(several)[1], Path.unlink

    def refuse(path: Path) -> None:
        if path == stubborn:
            raise error
        unlink(path)

    monkeypatch.setattr(Path, "unlink", refuse)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [stubborn.name]
    assert ("a leftover cannot be removed" in caplog.text) == (not isinstance(error, FileNotFoundError))


def test_a_file_that_is_not_there_is_none_and_has_no_mark(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"x")
    assert read_or_none(tmp_path / "none") is None
    assert read_or_none(tmp_path / "file" / "below") is None
    assert mark_of(tmp_path / "none") is None
    assert mark_of(tmp_path / "file" / "below") is None


def test_every_replacement_changes_the_mark_and_looking_does_not(tmp_path: Path) -> None:
    path, marks = tmp_path / "file", list[object]()
    for content in (b"a", b"b", b"a", b"a"):
        replace_file(path, content)
        marks.append(mark_of(path))
        path.read_bytes()
        assert mark_of(path) == marks[-1]
    assert all(before != after for before, after in pairwise(marks))


def test_a_folder_is_made_with_those_above_it_and_stays_when_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    make_folder(folder)
    (folder / "file").write_bytes(b"x")
    make_folder(folder)
    sync(folder)
    assert names(folder) == ["file"]


def test_who_holds_the_lock_of_a_file_is_alone_with_it(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    replace_file(path, b"0")

    def count() -> None:
        for _ in range(50):
            with locked(path):
                replace_file(path, b"%d" % (int(path.read_bytes()) + 1), durable=False)

    counters = [threading.Thread(target=count) for _ in range(4)]
    for counter in counters:
        counter.start()
    for counter in counters:
        counter.join()
    assert path.read_bytes() == b"200"


def test_a_lock_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from kit.files import take_lock; print(take_lock(Path(sys.argv[1]))"
    )
    program += ", flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip().isdigit()
        assert take_lock(tmp_path / "lock") is None
        holder.kill()
    descriptor = take_lock(tmp_path / "lock")
    assert descriptor is not None
    os.close(descriptor)


def test_who_waits_for_a_lock_that_somebody_keeps_gives_up(tmp_path: Path) -> None:
    file = tmp_path / "shared"
    with locked(file), pytest.raises(BlockingIOError), locked(file, 0.05):
        pass
    with locked(file, 0.0):
        assert take_lock(tmp_path / ".shared.lock") is None


def test_ballast_becomes_a_file_where_nothing_else_would(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        ballast = Ballast(disk)
        ballast.lay()
        assert [piece.stat().st_size for piece in ballast.pieces] == [PIECE_BYTES] * PIECES
        assert all(piece.stat().st_blocks * 512 >= PIECE_BYTES for piece in ballast.pieces)
        for number in range(PIECES + 1):
            fill(disk).rename(disk / f"full-{number}")
            if number < PIECES:
                keep_file(disk / "orders", b"x" * (number + 1), ballast)
        assert (disk / "orders").read_bytes() == b"x" * PIECES
        with pytest.raises(OSError, match="No space left") as refused:
            keep_file(disk / "orders", bytes(PIECE_BYTES), ballast)
        assert why_unwritten(refused.value) == f"{disk / 'orders'}: no space is left on the disk; make room there"
        assert (disk / "orders").read_bytes() == b"x" * PIECES
        ballast.lay()
        assert not any(piece.exists() for piece in ballast.pieces)  # it takes no room that others need
        for number in range(PIECES + 1):
            (disk / f"full-{number}").unlink()
        ballast.lay()
        assert all(piece.exists() for piece in ballast.pieces)


def test_what_waits_for_the_disk_is_written_in_order_with_its_newest_content(tmp_path: Path) -> None:
    waiting = FilesToKeep()
    (tmp_path / "shut").write_text("in the way")
    waiting.put(tmp_path / "first", b"old")
    waiting.put(tmp_path / "shut" / "second", b"2")
    waiting.put(tmp_path / "first", b"new")
    with pytest.raises(FileExistsError):
        waiting.keep()
    assert not (tmp_path / "first").exists()
    (tmp_path / "shut").unlink()
    waiting.keep()
    assert (tmp_path / "first").read_bytes() == b"new"
    assert (tmp_path / "shut" / "second").read_bytes() == b"2"


def test_a_write_to_an_open_file_that_fails_names_the_folder_and_what_has_a_name_keeps_it(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="left on device") as failed,
        naming(tmp_path, unless_named=True),
        open("/dev/full", "wb") as full,
    ):
        full.write(b"x" * 100_000)
    assert why_unwritten(failed.value) == f"{tmp_path}: no space is left on the disk; make room there"
    with pytest.raises(FileNotFoundError) as missing, naming(tmp_path, unless_named=True):
        Path("/nowhere/at/all").read_bytes()
    assert missing.value.filename == "/nowhere/at/all"
