"""Backups: what one lacks that was made under load, what one costs ingest, and its time of a large log against `cp -a`.

`python -m benchmarks.backup [BACKUPS [GIGABYTES [ROUNDS]]]` (20, 1 and 10 by default; 0 leaves one out). Clients in
a process of their own send without pause; each backup is restored, and its export compared with what had been
acknowledged before its command began. The large log has parts as compaction leaves them, of random content; all ways
are timed in turns, the middle one of five counts. Ingest is seen while a backup is made and in the second before it,
by the command, and by what the command does once its code is loaded.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx
import numpy as np
from conftest import SMALLEST_DEFINITIONS
from oracles.promise import Journal, goes_on, restless
from oracles.writing import exported, record
from servers.patience import until
from servers.service import Service, running
from worlds.event_log import received, write_log

from app.backup.making import make_backup
from app.backup.manifest import check_backup
from app.backup.restoring import restore_backup
from app.runtime.settings import load_settings
from events.parts.manifest import DATA_SUFFIX, MANIFEST_SUFFIX

ROUNDS = 5
PAUSE_SECONDS = 1.0
BACKUPS_A_ROUND = 5
EVENTS = 20  # of a request
RATE = 640  # events a second, as of the soak
PART_BYTES = 32 << 20


def silent(done: int, total: int) -> None:
    """Nobody looks."""


def under_load(root: Path, backups: int) -> None:
    """Make, restore and compare one after the other; prints what was wrong with them, which should be nothing."""
    missing = doubled = damages = waiting = acknowledged = 0
    seconds: list[float] = []
    with running(root, SMALLEST_DEFINITIONS, RESONATE_WORKERS="2") as service, restless(service, "client") as path:
        settings = load_settings(service.environment())
        for number in range(backups):
            goes_on(path, 200)
            before = Journal().read(path)
            backup, data = root / f"backup-{number}", root / f"restored-{number}"
            began = time.monotonic()
            make_backup(settings, backup)
            seconds.append(time.monotonic() - began)
            restored = restore_backup(backup, data, [], silent)
            counts = Counter(row["message_id"] for row in exported(data))
            promised = before.acknowledged | before.exposed
            acknowledged = len(promised)
            missing += len(promised - counts.keys())
            doubled += sum(count > 1 for count in counts.values())
            damages += len(restored.log.damages) + len(check_backup(backup, silent).damages)
            waiting += pending(data, service.definitions) if number == backups - 1 else 0
            shutil.rmtree(backup)
            shutil.rmtree(data)
    print(f"{backups} backups under load, {acknowledged} events acknowledged before the last one:")
    print(f"missing {missing}, doubled {doubled}, damages {damages}, pending {waiting}")
    print(f"a backup took {statistics.median(seconds):.2f} s, {max(seconds):.2f} s at most")


def pending(data: Path, definitions: Path) -> int:
    """What a service on the restored data says that it has not written yet, at once."""
    service = Service(data, definitions, {"RESONATE_WORKERS": "1"})
    try:
        service.start()
        with service.client() as client:
            return int(until(lambda: told_pending(client), "the export answers") or -1)
    finally:
        service.end()


def told_pending(client: httpx.Client) -> str | None:
    """As the first answer says it."""
    return client.get("/v1/export/events", params={"cursor": "latest"}).headers.get("x-resonate-pending")


def beside_ingest(root: Path, rounds: int, rate: int) -> None:
    """Backups with a pause before each; prints the medians of the rounds' ratios, of what was taken while a backup was
    made to what was taken in the pauses, with their quartiles.
    """
    with (
        running(root, SMALLEST_DEFINITIONS, RESONATE_WORKERS="2") as service,
        restless(service, "ingest", events=EVENTS, rate=rate // EVENTS) as path,
    ):
        settings, target = load_settings(service.environment()), root / "copy"
        command = [sys.executable, "-P", "-m", "app.cli.main", "backup", str(target)]
        ways: dict[str, Callable[[], object]] = {
            "resonate backup, as a command": lambda: subprocess.run(
                command, check=True, env=service.environment(), stdout=subprocess.DEVNULL
            ),
            "a backup, once it is loaded": lambda: make_backup(settings, target),
        }
        goes_on(path, 2_000)
        ingest = Ingest(service, path)
        found: dict[str, list[np.ndarray]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                pauses, backups = np.zeros(3), np.zeros(3)
                for _ in range(BACKUPS_A_ROUND):
                    pauses += ingest.during(lambda: time.sleep(PAUSE_SECONDS))
                    backups += ingest.during(way)
                    shutil.rmtree(target)
                found[name].append(np.stack([pauses, backups]))
    sent = f"of {rate} events a second" if rate else "of all that clients can send"
    print(f"\ningest {sent} while a backup is made against before it, {rounds} rounds of {BACKUPS_A_ROUND}")
    for name, each in found.items():
        (seconds, events, used) = np.moveaxis(np.array(each), 2, 0)
        print(f"{name:30} by the clock {_spread(events / seconds)}, by CPU an event {_spread(events / used)}")


def _spread(rates: np.ndarray) -> str:
    """Of the ratios of a second column to a first one."""
    low, middle, high = np.quantile(rates[:, 1] / rates[:, 0], [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


class Ingest:
    """What the journal of clients says is acknowledged, and what it cost workers, store and writer."""

    def __init__(self, service: Service, path: Path) -> None:
        roles = service.processes()
        self._tree = [each for role in ("worker", "store", "writer") for each in roles[role]]
        self._journal = path.open()
        self._acknowledged = 0

    def during(self, way: Callable[[], object]) -> np.ndarray:
        """Seconds, events and CPU seconds while something is done."""
        before = self._now()
        way()
        return self._now() - before

    def _now(self) -> np.ndarray:
        for line in self._journal:
            word, *ids = line.split() or [""]
            self._acknowledged += len(ids) if word == "ok" else 0
        used = sum(sum(each.cpu_times()[:2]) for each in self._tree)
        return np.array([time.perf_counter(), self._acknowledged, used])


def large_log(data: Path, gigabytes: float) -> None:
    """A log of so much: of a real part the first, of the others the names and the manifests."""
    part = write_log(data, received([record("m-1")]))[0]
    manifest = part.path.with_suffix(MANIFEST_SUFFIX).read_text()
    chance = np.random.default_rng(1)
    for sequence in range(1, int(gigabytes * (1 << 30) / PART_BYTES) + 1):
        stem = f"0-{sequence:012d}"
        (part.path.parent / f"{stem}{DATA_SUFFIX}").write_bytes(chance.bytes(PART_BYTES))
        told = manifest.replace('"low":0,"high":0', f'"low":{sequence},"high":{sequence}')
        told = told.replace(f'"bytes":{part.bytes}', f'"bytes":{PART_BYTES}').replace('"rows":1', '"rows":0')
        (part.path.parent / f"{stem}{MANIFEST_SUFFIX}").write_text(told)


def against_cp(root: Path, gigabytes: float) -> None:
    """Both on the same file system, in turns."""
    data = root / "large"
    data.mkdir()
    large_log(data, gigabytes)
    environment = {**os.environ, "RESONATE_DATA": str(data)}
    command = [sys.executable, "-P", "-m", "app.cli.main", "backup"]
    ways: dict[str, Callable[[Path], object]] = {
        "cp -a": lambda target: subprocess.run(["cp", "-a", str(data), str(target)], check=True),
        "backup": lambda target: make_backup(load_settings({"RESONATE_DATA": str(data)}), target),
        "resonate backup, as a command": lambda target: subprocess.run(
            [*command, str(target)], check=True, env=environment, stdout=subprocess.DEVNULL
        ),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            target = root / "copy"
            began = time.perf_counter()
            way(target)
            took[name].append(time.perf_counter() - began)
            shutil.rmtree(target)
    base = statistics.median(took["cp -a"])
    print(f"\n{gigabytes:g} GB of log in parts of {PART_BYTES >> 20} MB, middle of {ROUNDS}")
    for name, seconds in took.items():
        print(f"{name:30} {statistics.median(seconds):7.3f} s  {statistics.median(seconds) / base:6.3f} of cp -a")


def main(backups: int = 20, gigabytes: float = 1.0, rounds: int = 10) -> None:
    """Run all and print."""
    ways: tuple[tuple[Callable[[Path], None], float], ...] = (
        (lambda root: under_load(root, backups), backups),
        (lambda root: against_cp(root, gigabytes), gigabytes),
        (lambda root: beside_ingest(root, rounds, 0), rounds),
        (lambda root: beside_ingest(root, rounds, RATE), rounds),
    )
    for way, size in ways:
        with tempfile.TemporaryDirectory() as folder:
            if size:
                way(Path(folder))


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:1]), *map(float, given[1:2]), *map(int, given[2:]))
