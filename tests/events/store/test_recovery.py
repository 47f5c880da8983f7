"""What is saved of a damaged append-only file, against the server's own reading of it."""

import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from servers.patience import until

from events.store.embedded import EmbeddedStore
from events.store.health import store_directory
from events.store.recovery import AOF_FOLDER, MANIFEST, damaged_folders, lacks_manifest, recover, sound_length

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
words = st.lists(st.binary(max_size=20), min_size=1, max_size=4)


def command(*arguments: bytes) -> bytes:
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in arguments)


def aof(commands: Sequence[Sequence[bytes]]) -> bytes:
    return b"".join(command(b"SET", *each) for each in commands)


@given(st.lists(words, max_size=6), st.data())
def test_the_sound_length_of_a_torn_file_is_that_of_its_whole_commands(
    commands: list[list[bytes]], data: st.DataObject
) -> None:
    whole = [aof([each]) for each in commands]
    content = b"".join(whole)
    cut = data.draw(st.integers(0, len(content)))
    ends = [sum(len(each) for each in whole[:count]) for count in range(len(whole) + 1)]
    assert sound_length(io.BytesIO(content[:cut])) == max(end for end in ends if end <= cut)


@given(st.lists(words, min_size=1, max_size=6), st.binary(max_size=60))
def test_garbage_after_sound_commands_costs_none_of_them(commands: list[list[bytes]], garbage: bytes) -> None:
    content = aof(commands)
    assert sound_length(io.BytesIO(content + garbage)) >= len(content)
    assert sound_length(io.BytesIO(content + b"\0" + garbage)) == len(content)


@pytest.mark.parametrize(
    "tail",
    [
        command(b"MULTI") + command(b"SET", b"a", b"1"),
        command(b"NOSUCHCOMMAND", b"a"),
        b"*0\r\n",
        b"*99999999999999\r\n",
        b"*2\r\n$99999999999999\r\n",
        b"*-1\r\n",
        b"*1\r\n$4\r\nPINGxx",
        b"*1\r\nPING\r\n",
    ],
)
def test_what_no_server_could_replay_is_not_sound(tail: bytes) -> None:
    sound = command(b"SELECT", b"0") + command(b"MULTI") + command(b"SET", b"a", b"1") + command(b"EXEC")
    assert sound_length(io.BytesIO(sound + tail)) == len(sound)


def test_annotations_of_time_are_sound() -> None:
    content = b"#TS:1700000000\r\n" + command(b"SET", b"a", b"1")
    assert sound_length(io.BytesIO(content)) == len(content)


def fill(store: EmbeddedStore, first: int, last: int) -> None:
    with Redis(unix_socket_path=str(store.socket)) as client:
        for number in range(first, last):
            client.set(f"key-{number}", "x" * 50)


def kept(store: EmbeddedStore) -> list[int]:
    with Redis(unix_socket_path=str(store.socket)) as client:
        return sorted(int(key.split(b"-")[1]) for key in client.keys("key-*"))


def rewrite(store: EmbeddedStore) -> None:
    with Redis(unix_socket_path=str(store.socket)) as client:
        client.bgrewriteaof()
        until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the file is rewritten")


@pytest.fixture
def stopped(store: EmbeddedStore) -> EmbeddedStore:
    """A store with keys 0-49 in its base and 50-99 in the increment after it."""
    fill(store, 0, 50)
    rewrite(store)
    fill(store, 50, 100)
    store.stop()
    return store


def only(store: EmbeddedStore, pattern: str) -> Path:
    [path] = (store_directory(store.data) / AOF_FOLDER).glob(pattern)
    return path


def test_a_damaged_base_costs_its_end_but_not_the_increments(stopped: EmbeddedStore) -> None:
    base = only(stopped, "*.base.aof")
    content = base.read_bytes()
    base.write_bytes(content[: len(content) // 2] + os.urandom(100) + content[len(content) // 2 + 100 :])

    stopped.start()

    numbers = kept(stopped)
    assert set(range(50, 100)) <= set(numbers)
    assert 5 <= sum(number < 50 for number in numbers) <= 30
    assert "damaged" in stopped.poll().recovery


def test_a_base_cut_short_costs_its_end_but_not_the_increments(stopped: EmbeddedStore) -> None:
    base = only(stopped, "*.base.aof")
    os.truncate(base, base.stat().st_size - 30)
    stopped.start()
    assert set(range(50, 100)) <= set(kept(stopped))


def test_a_lost_increment_is_said_and_the_base_used(stopped: EmbeddedStore) -> None:
    only(stopped, "*.incr.aof").unlink()
    stopped.start()
    assert set(kept(stopped)) == set(range(50))
    assert stopped.poll().recovery


def test_an_empty_manifest_never_empties_the_store(stopped: EmbeddedStore) -> None:
    only(stopped, MANIFEST).write_bytes(b"")
    stopped.start()
    assert kept(stopped) == list(range(100))


def test_leftovers_that_the_manifest_does_not_name_are_not_replayed(stopped: EmbeddedStore) -> None:
    stray = only(stopped, "*.incr.aof").with_name("appendonly.aof.99.incr.aof")
    stray.write_bytes(command(b"SET", b"key-999", b"stray"))
    increment = only(stopped, "*.2.incr.aof")
    increment.write_bytes(increment.read_bytes() + b"garbage" * 20 + command(b"SET", b"key-1000", b"1"))
    stopped.start()
    assert kept(stopped) == list(range(100))


def test_a_new_folder_lacks_nothing(tmp_path: Path) -> None:
    assert not lacks_manifest(tmp_path)
    (tmp_path / AOF_FOLDER).mkdir()
    assert not lacks_manifest(tmp_path)


def test_damaged_files_are_kept_untouched_under_names_of_their_own(stopped: EmbeddedStore) -> None:
    directory = store_directory(stopped.data)
    content = only(stopped, "*.incr.aof").read_bytes() + b"torn"
    only(stopped, "*.incr.aof").write_bytes(content)

    first, second = recover(directory, NOW), recover(directory, NOW)

    assert [folder.name for folder in damaged_folders(directory)] == [first.aside.name, second.aside.name]
    assert first.aside.name == "damaged-2026-01-02T03-04-05"
    assert (first.aside / only(stopped, "*.incr.aof").name).read_bytes() == content
    assert (first.lost_bytes, second.lost_bytes) == (4, 0)
    assert first.files == (only(stopped, "*.incr.aof").name,)


def test_a_recovery_that_fails_leaves_the_files_in_their_place(
    stopped: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    directory = store_directory(stopped.data)
    before = {path.name: path.read_bytes() for path in (directory / AOF_FOLDER).iterdir()}
    monkeypatch.setattr("events.store.recovery.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        recover(directory, NOW)
    assert {path.name: path.read_bytes() for path in (directory / AOF_FOLDER).iterdir()} == before
    assert damaged_folders(directory) == []


def test_a_recovery_interrupted_before_its_last_step_is_finished_at_the_next_start(
    stopped: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = store_directory(stopped.data)
    with monkeypatch.context() as crash:
        crash.setattr("events.store.recovery.finish_interrupted", lambda store: None)
        recover(directory, NOW)
    assert not (directory / AOF_FOLDER).exists()
    stopped.start()
    assert kept(stopped) == list(range(100))
