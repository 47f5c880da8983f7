"""The supervisor's view of the embedded store: one that loads its data lives, however long that takes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from servers.patience import until

from app.processes.heartbeats import IMPORT_SECONDS, Watch
from app.processes.store import Store
from app.runtime.board import Board
from app.runtime.settings import load_settings
from events.store.embedded import EmbeddedStore
from events.store.health import StoreState
from events.store.process import socket_path
from kit.private import private_folder

LOADING = b"-LOADING Valkey is loading the dataset in memory\r\n"


@pytest.fixture
def loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose server loads its data, and says so to whoever asks."""
    state = StoreState(running=False, cause="store_loading", detail="the store is loading its data")
    monkeypatch.setattr(EmbeddedStore, "child_pid", 100)
    monkeypatch.setattr(EmbeddedStore, "poll", lambda self: state)
    monkeypatch.setattr(EmbeddedStore, "kill", lambda self: pytest.fail("a store that lives was killed"))
    settings = load_settings({"RESONATE_DATA": str(tmp_path)})
    place = socket_path(tmp_path)
    private_folder(place.parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def answer() -> None:
            while True:
                try:
                    asking, _ = listener.accept()
                except OSError:
                    return
                with asking, suppress(OSError):  # who asks may have gone already
                    asking.recv(64)
                    asking.sendall(LOADING)

        server = threading.Thread(target=answer, daemon=True)
        server.start()
        store = Store(settings, tmp_path, Board.make(1).desk("store"))
        yield store
        store.stop()
        listener.shutdown(socket.SHUT_RDWR)
    server.join()


def test_a_store_that_loads_its_data_for_longer_than_a_start_may_take_is_not_killed(loading: Store) -> None:
    now = 1000.0
    watch = Watch([loading], Board.make(1).desk("supervisor"), 8.0, lambda: now)
    for _ in range(2):
        before = loading.desk.beat_at

        def beats(before: float = before) -> bool:
            loading.watch()
            return loading.desk.beat_at > before

        until(beats, "it has said that it loads")
        for _ in range(round(IMPORT_SECONDS) - 1):
            now += 1.0
            watch.look()
    assert not loading.ready
