"""What the analysis asks about the past: the definitions received by a time, and the frozen designs."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Final

from experiments.catalog import Catalog, catalog_of
from experiments.catalog_files import CatalogPaths, FileMark, mark_of
from experiments.catalog_follower import CatalogFollower
from experiments.catalog_phases import FrozenDesign, Phases, read_phases
from experiments.catalog_snapshot import history_files, read_snapshot, received_at

_REMEMBERED: Final = 8  # past catalogues kept in memory


class CatalogArchive:
    """Catalogues and frozen designs of one data directory; it never writes."""

    def __init__(self, data: Path) -> None:
        """Raises NoCatalog where nothing was published yet."""
        self._paths = CatalogPaths(data)
        self._follower = CatalogFollower(data)
        self._phases: Phases = {}
        self._phases_mark: FileMark | None = None
        self._past: dict[str, Catalog] = {}
        self._loading = threading.Lock()  # remembered readouts are looked up while another is computed

    def latest(self) -> Catalog:
        """The catalogue that is served now."""
        self._follower.poll()
        return self._follower.catalog

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
