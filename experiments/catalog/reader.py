"""The published catalogue as a worker or the analysis sees it: live, as of a time, and as snapshots on disk."""

from __future__ import annotations

import gzip
import re
import threading
import zlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from experiments.catalog.catalog import Catalog, catalog_of
from experiments.catalog.files import CatalogPaths, FileMark, mark_of, read_or_none, replace_file
from experiments.catalog.phases import FrozenDesign, Phases, read_phases
from experiments.definitions.content import Snapshot
from experiments.definitions.located import DefinitionError
from experiments.definitions.model import Definition
from kit.time import microseconds, moment_of

_HISTORY_NAME: Final = re.compile(r"(\d{16})-([0-9a-f]{32})\.json\.gz")


class KeeperState(Definition):
    """What is wrong with the definition files now; no errors where the folder is what is served."""

    errors: tuple[DefinitionError, ...] = ()
    since: datetime | None = None


_STATE: TypeAdapter[KeeperState] = TypeAdapter(KeeperState)
_SOURCES: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


def read_snapshot(path: Path) -> Snapshot | None:
    """A snapshot; None where there is none that can be read."""
    try:
        content = read_or_none(path)
        if content and path.suffix == ".gz":
            content = gzip.decompress(content)
        return Snapshot.model_validate_json(content) if content else None
    except (OSError, EOFError, zlib.error, ValidationError):
        return None


def last_good(paths: CatalogPaths) -> Snapshot | None:
    """The snapshot to serve at boot: the current one, else the newest of the history that can be read."""
    found = read_snapshot(paths.current)
    return found or next(filter(None, map(read_snapshot, reversed(history_files(paths)))), None)


def publish(paths: CatalogPaths, snapshot: Snapshot, sources: Mapping[str, bytes]) -> None:
    """Make a snapshot the one that is served; it enters the history first."""
    content = snapshot.model_dump_json().encode()
    replace_file(
        paths.history / f"{microseconds(snapshot.received_at):016d}-{snapshot.version}.json.gz",
        gzip.compress(content, mtime=0),
    )
    replace_file(paths.current, content)
    write_sources(paths, sources)


def write_sources(paths: CatalogPaths, sources: Mapping[str, bytes]) -> None:
    """Keep the texts that the served catalogue was read from."""
    replace_file(
        paths.sources, _SOURCES.dump_json({name: text.decode(errors="replace") for name, text in sources.items()})
    )


def read_sources_of(paths: CatalogPaths) -> dict[str, bytes]:
    """The texts that the served catalogue was read from; none where they cannot be read."""
    try:
        content = read_or_none(paths.sources)
        texts = _SOURCES.validate_json(content) if content else {}
    except (OSError, ValidationError):
        return {}
    return {name: text.encode() for name, text in texts.items()}


def write_state(paths: CatalogPaths, state: KeeperState) -> None:
    """Tell the workers what is wrong."""
    replace_file(paths.state, _STATE.dump_json(state))


def read_state(paths: CatalogPaths) -> KeeperState:
    """What is wrong, as the keeper last said."""
    try:
        content = read_or_none(paths.state)
        return _STATE.validate_json(content) if content else KeeperState()
    except (OSError, ValidationError):
        return KeeperState()


def history_files(paths: CatalogPaths) -> list[Path]:
    """Every snapshot that was served, the oldest first."""
    try:
        names = sorted(path.name for path in paths.history.iterdir() if _HISTORY_NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []
    return [paths.history / name for name in names]


def received_at(path: Path) -> datetime:
    """When a snapshot of the history was received."""
    return moment_of(int(path.name.partition("-")[0]))


class NoCatalog(Exception):
    """The keeper has published nothing yet in this data directory."""


_REMEMBERED: Final = 8  # past catalogues kept in memory


class CatalogReader:
    """The published catalogue of one data directory: the one that is served, those that were, and frozen designs.

    One a process: a catalogue is compiled once. It never writes.
    """

    def __init__(self, data: Path) -> None:
        """Load what is published; raises NoCatalog where nothing is."""
        self._paths = CatalogPaths(data)
        self._marks: tuple[FileMark | None, FileMark | None] = (None, None)
        self._catalog: Catalog | None = None
        self.errors: tuple[DefinitionError, ...] = ()
        self._phases: Phases = {}
        self._phases_mark: FileMark | None = None
        self._past: dict[str, Catalog] = {}
        self._loading = threading.Lock()  # remembered readouts are looked up while another is computed
        self.poll()
        if self._catalog is None:
            raise NoCatalog(
                f"no catalogue in {self._paths.folder.name}/ of the data directory; the supervisor writes it"
            )

    @property
    def catalog(self) -> Catalog:
        """The catalogue that is served, as of the last poll."""
        if self._catalog is None:
            raise NoCatalog("no catalogue was loaded")
        return self._catalog

    def latest(self) -> Catalog:
        """The catalogue that is served now."""
        self.poll()
        return self.catalog

    def poll(self) -> bool:
        """Two stats; True when `catalog` or `errors` were swapped. An unreadable snapshot leaves the old one."""
        marks = mark_of(self._paths.current), mark_of(self._paths.state)
        if marks == self._marks:
            return False
        with self._loading:
            changed = marks[0] != self._marks[0] and self._load_current()
            errors = read_state(self._paths).errors
            changed = changed or errors != self.errors
            self._marks, self.errors = marks, errors
        return changed

    def at(self, time: datetime) -> Catalog | None:
        """The catalogue that was served at a time; None before the first."""
        known = [path for path in history_files(self._paths) if received_at(path) <= time]
        with self._loading:
            return next(filter(None, (self._past.get(path.name) or self._load(path) for path in reversed(known))), None)

    def design(self, key: str, phase: int) -> FrozenDesign | None:
        """What is analysed for (key, phase), also for former phases; None where it was never served."""
        return self._designs().get((key, phase))

    def phases(self, key: str) -> tuple[FrozenDesign, ...]:
        """Every frozen design of a key, in order of phase."""
        designs = self._designs()
        return tuple(designs[name] for name in sorted(designs) if name[0] == key)

    def _load_current(self) -> bool:
        snapshot = read_snapshot(self._paths.current)
        if snapshot is None:
            return False
        self._catalog = catalog_of(snapshot)
        return True

    def _designs(self) -> Phases:
        mark = mark_of(self._paths.phases)
        if mark != self._phases_mark:
            self._phases, self._phases_mark = read_phases(self._paths), mark
        return self._phases

    def _load(self, path: Path) -> Catalog | None:
        snapshot = read_snapshot(path)
        if snapshot is None:
            return None
        while len(self._past) >= _REMEMBERED:
            del self._past[next(iter(self._past))]
        self._past[path.name] = catalog_of(snapshot)
        return self._past[path.name]
