"""The published catalogue as a worker or the analysis sees it: live, and as of a time."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from experiments.catalog.catalog import Catalog, catalog_of
from experiments.catalog.files import CatalogPaths, history_files, read_keeper_state, read_published, time_of
from experiments.catalog.phases import FrozenDesign, Phases, read_phases
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

    One a process: a catalogue is compiled once. It never writes.
    """

    def __init__(self, data: Path) -> None:
        """Load what is published; raises NoCatalog where nothing is."""
        self.data = data
        self._paths = CatalogPaths(data)
        self._marks: tuple[FileMark | None, FileMark | None] = (None, None)
        self._catalog: Catalog | None = None
        self.errors: tuple[DefinitionError, ...] = ()
        self._phases: Phases = {}
        self._phases_mark: FileMark | None = None
        self._past: dict[str, Catalog] = {}
        self._told: set[str] = set()  # names of the snapshots that the next two were read from
        self._conclusions: dict[tuple[str, int], Conclusion] = {}
        self._holdouts: dict[str, datetime] = {}
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
            published = read_published(self._paths.current) if marks[0] != self._marks[0] else None
            if published is not None:
                self._catalog = catalog_of(published)
            errors = read_keeper_state(self._paths).errors
            changed = published is not None or errors != self.errors
            self._marks, self.errors = marks, errors
        return changed

    def at(self, time: datetime) -> Catalog | None:
        """The catalogue that was served at a time; None before the first."""
        known = [path for path in history_files(self._paths) if time_of(path) <= time]
        with self._loading:
            for path in reversed(known):
                if path.name not in self._past and (snapshot := read_published(path)):
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
            for path in history_files(self._paths):
                if path.name in self._told:
                    continue
                self._told.add(path.name)
                snapshot = read_published(path)
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

    def _designs(self) -> Phases:
        mark = mark_of(self._paths.phases)
        if mark != self._phases_mark:
            self._phases, self._phases_mark = read_phases(self._paths), mark
        return self._phases
