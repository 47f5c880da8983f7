"""The published catalogue as a worker or the analysis sees it: live, and as of a time."""

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from experiments.catalog.catalog import Catalog, catalog_of
from experiments.catalog.files import (
    CatalogPaths,
    history_files,
    history_path,
    keeper_state_of,
    read_keeper_state,
    read_published,
    time_of,
)
from experiments.catalog.phases import FrozenDesign, Phases, phases_of, read_phases
from experiments.definitions.content import PublishedCatalog
from experiments.definitions.model import DecisionNote
from kit.files import FileMark, mark_of
from kit.located import DefinitionError


class NoCatalog(Exception):
    """The keeper has published nothing yet in this data directory."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What was decided of a phase, and when the catalogue first said so."""

    decision: DecisionNote
    since: datetime


_REMEMBERED: Final = 8  # past catalogues kept in memory


class CatalogReader:
    """The published catalogue of one data directory: the one that is served, those that were, and frozen designs.

    One a process: a catalogue is compiled once. It never writes. One that is `told` by the keeper has all that is of
    now from it, and the files are of the past: a full disk may keep them from following.
    """

    def __init__(self, data: Path, told: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Load what is published, or what the keeper `told` first, by topic; raises NoCatalog where nothing is."""
        self.data = data
        self._is_told = False
        self._unkept: dict[str, PublishedCatalog] = {}  # told, and not in the history yet, by the name it will have
        self._paths = CatalogPaths(data)
        self._marks: tuple[FileMark | None, FileMark | None] = (None, None)
        self._catalog: Catalog | None = None
        self.errors: tuple[DefinitionError, ...] = ()
        self._phases: Phases = {}
        self._phases_mark: FileMark | None = None
        self._phases_told = False
        self._past: dict[str, Catalog] = {}
        self._told: set[str] = set()  # names of the snapshots that the next two were read from
        self._conclusions: dict[tuple[str, int], Conclusion] = {}
        self._holdouts: dict[str, datetime] = {}
        self._loading = threading.Lock()  # remembered readouts are looked up while another is computed
        for topic, content in told.items():
            self.take(topic, content)
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
        if self._is_told:
            with self._loading, contextlib.suppress(OSError):
                if self._unkept:  # those that are in the files by now need not be held
                    self._history()
            return False
        marks = mark_of(self._paths.current), mark_of(self._paths.state)
        if marks == self._marks:
            return False
        with self._loading:
            published = read_published(self._paths.current) if marks[0] != self._marks[0] else None
            if published is not None:
                self._catalog = catalog_of(published)
            errors = read_keeper_state(self._paths).errors
            changed = published is not None or errors != self.errors
            self._marks, self.errors = marks, errors
        return changed

    def take(self, topic: str, content: bytes) -> None:
        """What the keeper tells holds from now on; the files are not looked at any more for what is of now."""
        with self._loading:
            self._is_told = True
            if topic == "catalogue":
                published = PublishedCatalog.model_validate_json(content)
                self._catalog = catalog_of(published)
                self._unkept[history_path(self._paths, published).name] = published
            elif topic == "state":
                self.errors = keeper_state_of(content).errors
            elif topic == "phases":
                self._phases, self._phases_told = phases_of(content), True

    def at(self, time: datetime) -> Catalog | None:
        """The catalogue that was served at a time; None before the first."""
        with self._loading:
            known = [path for path in self._history() if time_of(path) <= time]
            for path in reversed(known):
                if path.name not in self._past and (snapshot := self._snapshot(path)):
                    while len(self._past) >= _REMEMBERED:
                        del self._past[next(iter(self._past))]
                    self._past[path.name] = catalog_of(snapshot)
                if path.name in self._past:
                    return self._past[path.name]
        return None

    def design(self, key: str, phase: int) -> FrozenDesign | None:
        """What is analysed for (key, phase), also for former phases; None where it was never served."""
        return self._designs().get((key, phase))

    def phases(self, key: str) -> tuple[FrozenDesign, ...]:
        """Every frozen design of a key, in order of phase."""
        designs = self._designs()
        return tuple(designs[name] for name in sorted(designs) if name[0] == key)

    def conclusions(self) -> Mapping[tuple[str, int], Conclusion]:
        """By (key, phase) what was decided of it: of former phases, and of experiments that have no file any more."""
        self._read_history()
        return dict(self._conclusions)

    def holdout_since(self, name: str) -> datetime | None:
        """When the catalogue first had a holdout of this name; None where it never had."""
        self._read_history()
        return self._holdouts.get(name)

    def _read_history(self) -> None:
        """Each snapshot is read once; what a later one says of a phase takes the place of what an earlier one said."""
        with self._loading:
            for path in self._history():
                if path.name in self._told:
                    continue
                self._told.add(path.name)
                snapshot = self._snapshot(path)
                for holdout in snapshot.content.holdouts if snapshot else ():
                    self._holdouts.setdefault(holdout.name, time_of(path))
                for experiment in snapshot.content.experiments if snapshot else ():
                    name, decision = (experiment.key, experiment.phase), experiment.decision
                    known = self._conclusions.get(name)
                    if experiment.status not in ("stopped", "archived") or decision.outcome is None:
                        self._conclusions.pop(name, None)
                    elif known is None or (known.decision.outcome, known.decision.variant) != (
                        decision.outcome,
                        decision.variant,
                    ):
                        self._conclusions[name] = Conclusion(decision, time_of(path))

    def _history(self) -> list[Path]:
        """Every snapshot that was served, the oldest first: those in the files, and the newest before they are."""
        files = history_files(self._paths)
        for path in files:
            self._unkept.pop(path.name, None)
        return sorted([*files, *(self._paths.history / name for name in self._unkept)])

    def _snapshot(self, path: Path) -> PublishedCatalog | None:
        return self._unkept.get(path.name) or read_published(path)

    def _designs(self) -> Phases:
        if self._phases_told:
            return self._phases
        mark = mark_of(self._paths.phases)
        if mark != self._phases_mark:
            self._phases, self._phases_mark = read_phases(self._paths), mark
        return self._phases
