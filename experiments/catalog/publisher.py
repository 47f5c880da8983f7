"""Keeps the last good catalogue on disk: the one keeper (in the supervisor) that reads the folder and publishes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

from experiments.catalog.catalog import Catalog, catalog_of, former_designs
from experiments.catalog.changes import DefinitionChange, definition_changes
from experiments.catalog.files import (
    CatalogPaths,
    KeeperState,
    last_good,
    publish_catalog,
    read_keeper_state,
    read_sources_of,
    write_keeper_state,
    write_sources,
)
from experiments.catalog.freeze import DesignFreezer, FreezeSources, half_written, refused_changes, refused_phases
from experiments.catalog.overrides import outranking, read_overrides, settled_overrides, started_by_order
from experiments.definitions.content import CatalogContent, Course, PublishedCatalog, content_version
from experiments.definitions.experiment import ExperimentFile
from experiments.definitions.folder import FolderReading, definition_files, read_folder
from kit.files import FileMark, mark_of
from kit.located import DefinitionError, DefinitionErrors

SETTLED_SECONDS: Final = 0.15
Telling = Callable[[Sequence[DefinitionChange], bool], None]
Signature = tuple[tuple[str, FileMark | None], ...]


class CatalogKeeper:
    """The one process that reads the folder, freezes designs and publishes the snapshot.

    `boot` once, then `poll` every quarter of a second: a change is taken when the files stayed the same from one poll
    to another for a moment (`pace` counts its seconds), so that nobody is caught in the middle of saving. `tell` gets
    each change before it is served, and whether it can wait to be noted; else an OSError of it keeps the change out.
    """

    def __init__(
        self,
        definitions: Path,
        data: Path,
        clock: Callable[[], datetime],
        sources: FreezeSources | None = None,
        pace: Callable[[], float] = monotonic,
    ) -> None:
        self._definitions = definitions
        self._paths = CatalogPaths(data)
        self._clock = clock
        self._pace = pace
        self._seen: Signature = ()
        self._seen_since = 0.0
        self._taken: Signature = ()
        self._ordered: FileMark | None = None
        self._next_start: datetime | None = None
        self._files: Mapping[str, ExperimentFile] = {}
        self._snapshot: PublishedCatalog | None = None
        self._catalog: Catalog | None = None
        self._freezer = DesignFreezer(self._paths, sources or FreezeSources())
        self._good_sources: Mapping[str, bytes] = {}
        self._written: CatalogContent | None = None
        self.errors: tuple[DefinitionError, ...] = ()
        self.tell: Telling = lambda changes, can_wait: None

    @property
    def catalog(self) -> Catalog:
        """The catalogue that is served; `boot` comes first."""
        if self._catalog is None:
            raise DefinitionErrors(self.errors)
        return self._catalog

    def boot(self) -> Catalog:
        """Publish the folder's catalogue, or keep the last good one; DefinitionErrors where none ever existed."""
        self._snapshot = last_good(self._paths)
        self._good_sources = read_sources_of(self._paths)
        self._written = self._snapshot.content.under(self._snapshot.written) if self._snapshot else None
        self._seen = self._signature()
        self._take(self._seen)
        if self._snapshot is None:
            raise DefinitionErrors(self.errors)
        self._catalog = catalog_of(self._snapshot)
        return self._catalog

    def poll(self) -> bool:
        """Look at file times; True when another catalogue, or other errors, were published. Never raises for a file."""
        version, errors = self.catalog.version, self.errors
        try:
            now = self._clock()
            self._freezer.ask_again(now)
            signature = self._signature()
            if signature != self._seen:
                self._seen, self._seen_since = signature, self._pace()
            settled = self._pace() - self._seen_since >= SETTLED_SECONDS
            if settled and self._seen != self._taken:
                self._take(self._seen)
            elif mark_of(self._paths.overrides) != self._ordered or (self._next_start and now >= self._next_start):
                self._publish(now)
        except OSError as error:
            reason = (error.strerror or "unknown cause").lower()
            self.errors = (DefinitionError("the data directory", 0, "", f"cannot keep the catalogue: {reason}"),)
        return (version, errors) != (self.catalog.version, self.errors)

    def _signature(self) -> Signature:
        try:
            return tuple((path.name, mark_of(path)) for path in definition_files(self._definitions))
        except OSError as error:
            return ((str(error), None),)

    def _take(self, signature: Signature) -> None:
        """Read the folder; adopt all of it, or keep what is served and say what is wrong."""
        now = self._clock()
        reading = read_folder(self._definitions)
        if self._catalog and self._signature() != signature:
            return  # somebody wrote while it was read; the next polls see to it
        errors = [*reading.errors]
        if reading.content is not None:
            errors.extend(self._refusals(reading, reading.content, now))
        if reading.content is not None and not errors:
            changes = definition_changes(self._written, self._good_sources, reading, self._freezer.phases)
            if changes:
                self.tell(changes, self._catalog is None or all(change.halts for change in changes))
            self._written, self._files = reading.content, reading.files
            self._publish(now, reading.sources)
        elif self._written is not None:
            self._publish(now)
        if self._freezer.moved_aside:
            moved = "could not be read and was moved aside, designs are frozen anew"
            errors.append(DefinitionError("phases.json", 0, "", moved))
        found = tuple(sorted(set(errors)))
        if found != read_keeper_state(self._paths).errors or not self._paths.state.exists():
            write_keeper_state(self._paths, KeeperState(errors=found, since=now if found else None))
        self.errors, self._taken = found, signature

    def _refusals(self, reading: FolderReading, content: CatalogContent, now: datetime) -> list[DefinitionError]:
        """What stands in the way of serving a folder that is well written."""
        phases = self._freezer.phases
        orders = read_overrides(self._paths)
        started = content.under(started_by_order(orders, content))
        errors = [*refused_changes(started, self._written, reading.files, phases, now)]
        if self._written is not None:
            errors.extend(half_written(reading.sources, self._good_sources, content, self._written))
        ordered = content.under(outranking(orders, content))
        errors.extend(refused_phases(ordered, self._written, reading.files, phases))
        return errors or self._freezer.claim(ordered, reading.files, now)

    def _publish(self, now: datetime, sources: Mapping[str, bytes] | None = None) -> None:
        """Serve what the files said last, under the orders of now; designs are frozen before they are served."""
        if self._written is None:
            return
        self._ordered = mark_of(self._paths.overrides)
        overridden = settled_overrides(self._paths, self._written)
        content = self._written.under(overridden)
        self._freezer.claim(content, self._files, now)
        self._freezer.follow(content, now)
        self._next_start = self._freezer.next_start(content, now)
        version = content_version(content, overridden)
        if self._snapshot is None or version != self._snapshot.version:
            published = PublishedCatalog(
                version=version,
                received_at=now,
                content=content,
                written={
                    item.key: Course(
                        status=item.status, decision=item.decision if overridden[item.key].decision else None
                    )
                    for item in self._written.experiments
                    if item.key in overridden
                },
                overridden=dict(overridden),
                former=former_designs(self._snapshot, content, now) if self._snapshot else (),
            )
            catalog = catalog_of(published)
            publish_catalog(self._paths, published, sources or self._good_sources)
            self._snapshot, self._catalog = published, catalog
        elif sources is not None and sources != self._good_sources:
            write_sources(self._paths, sources)
        self._good_sources = dict(sources or self._good_sources)
