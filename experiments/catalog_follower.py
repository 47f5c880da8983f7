"""The published catalogue as a worker or the analysis process sees it."""

from __future__ import annotations

from pathlib import Path

from experiments.catalog import Catalog, catalog_of
from experiments.catalog_files import CatalogPaths, FileMark, mark_of
from experiments.catalog_snapshot import read_snapshot, read_state
from experiments.definition_errors import DefinitionError


class NoCatalog(Exception):
    """The keeper has published nothing yet in this data directory."""


class CatalogFollower:
    """The published snapshot as a worker or the analysis process sees it."""

    def __init__(self, data: Path) -> None:
        """Load what is published; raises NoCatalog where nothing is."""
        self._paths = CatalogPaths(data)
        self._marks: tuple[FileMark | None, FileMark | None] = (None, None)
        self._catalog: Catalog | None = None
        self.errors: tuple[DefinitionError, ...] = ()
        self.poll()
        if self._catalog is None:
            raise NoCatalog(
                f"no catalogue in {self._paths.folder.name}/ of the data directory; the supervisor writes it"
            )

    @property
    def catalog(self) -> Catalog:
        """The catalogue that is served."""
        if self._catalog is None:
            raise NoCatalog("no catalogue was loaded")
        return self._catalog

    def poll(self) -> bool:
        """Two stats; True when `catalog` or `errors` were swapped. An unreadable snapshot leaves the old one."""
        marks = mark_of(self._paths.current), mark_of(self._paths.state)
        if marks == self._marks:
            return False
        changed = marks[0] != self._marks[0] and self._load()
        errors = read_state(self._paths).errors
        changed = changed or errors != self.errors
        self._marks, self.errors = marks, errors
        return changed

    def _load(self) -> bool:
        snapshot = read_snapshot(self._paths.current)
        if snapshot is None:
            return False
        self._catalog = catalog_of(snapshot)
        return True
