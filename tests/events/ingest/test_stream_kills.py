"""Kills of the store and of its writers while they write: nothing acknowledged is lost, doubled or invented."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from redis import Redis
from servers.patience import until

from events.store.embedded import EmbeddedStore

PRODUCER = Path(__file__).parents[2] / "servers" / "store_producer.py"


class Producers:
    """One producing process, replaced by a new one when it is killed."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._names: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._names.append(f"p{len(self._names)}")
        environment = os.environ | {"PYTHONPATH": str(PRODUCER.parents[2])}
        command = [sys.executable, str(PRODUCER), str(self._data), self._names[-1]]
        self._process = subprocess.Popen(command, env=environment)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def journal(self, word: str) -> set[str]:
        """The ids of one kind of line; a line that the kill cut short says nothing."""
        ids: set[str] = set()
        for name in self._names:
            path = self._data / f"{name}.journal"
            for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
                if line.startswith(f"{word} ") and line.endswith("\n"):
                    ids.update(line.split()[1:])
        return ids


@pytest.fixture
def producers(store: EmbeddedStore) -> Iterator[Producers]:
    running = Producers(store.data)
    running.start()
    goes_on(store, running, 100)
    yield running
    running.kill()


def goes_on(store: EmbeddedStore, producers: Producers, events: int) -> None:
    """Until so many more events are acknowledged; a supervisor looks after the store meanwhile."""
    before = len(producers.journal("ok"))
    until(lambda: store.poll() and len(producers.journal("ok")) >= before + events, f"{events} more are acknowledged")


def kill_store(store: EmbeddedStore) -> None:
    os.kill(store.pid, signal.SIGKILL)
    store._process.wait(10)
    until(lambda: store.poll().running and store.pid is not None, "the store is back")


def stall_store(store: EmbeddedStore, producers: Producers) -> None:
    """Until an append was refused that waits in the store, so that its acknowledgement is ambiguous."""
    before = producers.journal("refused")
    os.kill(store.pid, signal.SIGSTOP)
    until(lambda: producers.journal("refused") - before, "an append is refused")
    os.kill(store.pid, signal.SIGCONT)


def stored(store: EmbeddedStore) -> Counter[str]:
    with Redis(unix_socket_path=str(store.socket)) as client:
        entries = client.xrange("{0}:events")
    return Counter(event["message_id"] for _, fields in entries for event in msgspec.json.decode(fields[b"e"]))


def run_kills(store: EmbeddedStore, producers: Producers, kills: int, seed: int) -> int:
    """Kills at random moments, then holds the promise; the number of acknowledged events."""
    chance = random.Random(seed)
    for number in range(kills):
        goes_on(store, producers, chance.randrange(200, 2_000))
        match number % 4:
            case 1:
                producers.kill()
                producers.start()
            case 3:
                stall_store(store, producers)
            case _:
                kill_store(store)
    goes_on(store, producers, 1)  # by itself
    producers.kill()
    counts, sent, acknowledged = stored(store), producers.journal("sent"), producers.journal("ok")
    assert acknowledged - counts.keys() == set()
    assert [message_id for message_id, count in counts.items() if count > 1] == []
    assert counts.keys() - sent == set()
    return len(acknowledged)


def test_nothing_acknowledged_is_lost_doubled_or_invented(store: EmbeddedStore, producers: Producers) -> None:
    assert run_kills(store, producers, kills=4, seed=1) > 500


@pytest.mark.slow
@pytest.mark.drawn(0)
def test_the_same_over_fifty_kills(store: EmbeddedStore, producers: Producers) -> None:
    assert run_kills(store, producers, kills=50, seed=2) > 50_000
