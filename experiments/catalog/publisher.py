"""Applies definitions and orders: the one keeper (in the supervisor) reads the folder, publishes, and keeps it all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final, Literal

from experiments.catalog.catalog import Catalog, catalog_of, former_designs
from experiments.catalog.changes import (
    DefinitionChange,
    definition_changes,
    halting,
    held_files,
    missing_of,
    named_briefly,
)
from experiments.catalog.files import (
    CatalogPaths,
    KeeperState,
    keeper_state_json,
    last_good,
    publish_catalog,
    put_sources,
    read_keeper_state,
    read_sources_of,
)
from experiments.catalog.freeze import DesignFreezer, FreezeSources, half_written, refused_changes, refused_phases
from experiments.catalog.overrides import (
    Order,
    Override,
    Telling,
    new_order,
    orders_joined,
    outranking,
    overrides_json,
    read_overrides,
    settled_orders,
    started_by_order,
)
from experiments.catalog.phases import phases_json
from experiments.definitions.content import CatalogContent, Course, PublishedCatalog, content_version
from experiments.definitions.experiment import ExperimentFile
from experiments.definitions.folder import FolderReading, definition_files, read_folder
from kit.files import Ballast, FileMark, FilesToKeep, keep_file, locked, mark_of, read_or_none
from kit.located import DefinitionError, DefinitionErrors

logger = logging.getLogger("resonate.supervisor")

SETTLED_SECONDS: Final = 0.15
KEEP_SECONDS: Final = 1.0  # between attempts to write what a disk did not take
BALLAST_SECONDS: Final = 30.0
NO_ORDERS: Final = b"{}"
NO_DESIGNS: Final = b"[]"
Topic = Literal["state", "phases", "catalogue"]
Cause = Literal["catalogue_not_kept", "definitions_missing"]
Noting = Callable[[Cause, str | None], None]
NotingChanges = Callable[[Sequence[DefinitionChange], bool], None]
Signature = tuple[tuple[str, FileMark | None], ...]


class CatalogKeeper:
    """The one process that reads the folder, freezes designs and publishes the snapshot.

    `boot` once, then `poll` every quarter of a second: a change is taken when the files stayed the same from one poll
    to another for a moment (`pace` counts its seconds), so that nobody is caught in the middle of saving. `order` and
    then `hold` at once. Whatever it is, it holds in memory first, where `publish` tells everybody of it; the files
    follow, and while the disk does not take them they are tried again each second.

    `tell` gets each change before it is served, and whether it can wait to be noted; else an OSError of it keeps the
    change out. `note` says what is not as it should be ("" or names), and when it is over (None).
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
        self._taken: Signature | None = ()
        self._next_start: datetime | None = None
        self._files: Mapping[str, ExperimentFile] = {}
        self._snapshot: PublishedCatalog | None = None
        self._catalog: Catalog | None = None
        self._freezer = DesignFreezer(self._paths, sources or FreezeSources())
        self._good_sources: Mapping[str, bytes] = {}
        self._written: CatalogContent | None = None
        self._orders: Mapping[str, Override] = {}
        self._orders_mark: FileMark | None = None
        self._orders_kept = NO_ORDERS
        self._designs_told = read_or_none(self._paths.phases) or NO_DESIGNS
        self._state = read_keeper_state(self._paths)
        self._to_keep = FilesToKeep()
        self._ballast = Ballast(data)
        self._keep_at = self._lay_at = 0.0
        self.missing: tuple[str, ...] = ()
        self.errors: tuple[DefinitionError, ...] = ()
        self.not_kept: str | None = None  # why the files lag behind
        self.tell: NotingChanges = lambda changes, can_wait: None
        self.publish: Callable[[Topic, bytes], None] = lambda topic, content: None
        self.note: Noting = lambda cause, named: None

    @property
    def catalog(self) -> Catalog:
        """The catalogue that is served; `boot` comes first."""
        if self._catalog is None:
            raise DefinitionErrors(self.errors)
        return self._catalog

    def boot(self) -> Catalog:
        """Publish the folder's catalogue, or keep the last good one; DefinitionErrors where none ever existed."""
        kept = self._snapshot = last_good(self._paths)
        self._good_sources = read_sources_of(self._paths)
        self._written = self._snapshot.content.under(self._snapshot.written) if self._snapshot else None
        self._take_orders()
        self._seen = self._signature()
        self._take(self._seen)
        if self._snapshot is None:
            raise DefinitionErrors(self.errors)
        self._catalog = catalog_of(self._snapshot)
        self.publish("state", keeper_state_json(self._state))
        self.publish("phases", self._designs_told)
        if kept is not None and self._snapshot is kept:  # else it was published just now
            self.publish("catalogue", kept.model_dump_json().encode())
        self._keep()
        return self._catalog

    def poll(self) -> bool:
        """Look at file times; True when another catalogue, or other errors, were published. Never raises for a file."""
        version, errors = self.catalog.version, self.errors
        try:
            now = self._clock()
            if self._freezer.ask_again(now):
                self._tell_designs()
            signature = self._signature()
            if signature != self._seen:
                self._seen, self._seen_since = signature, self._pace()
            settled_down = self._pace() - self._seen_since >= SETTLED_SECONDS
            ordered = self._take_orders()
            if settled_down and self._seen != self._taken:
                self._take(self._seen)
            elif ordered or (self._next_start and now >= self._next_start):
                self._publish(now)
        except OSError as error:
            reason = (error.strerror or "unknown cause").lower()
            self._taken = None  # the folder is read again, so that this is said no longer than it holds
            self._err((DefinitionError("the data directory", 0, "", f"cannot keep the catalogue: {reason}"),))
        self._keep_in_time()
        return (version, errors) != (self.catalog.version, self.errors)

    def order(self, told: Order, now: datetime, tell: Telling = lambda before, after: None) -> Override:
        """Take up an order that makes sense; it is carried out by `hold`, with all that came with it.

        Raises NothingToOverride, OverrideRefused, or what `tell` raises ahead of an order that waits for it.
        """
        self._take_orders()
        change, new = new_order(self.catalog, self._orders.get(told.key), told, now)
        tell(*change)
        self._orders = {**self._orders, told.key: new}
        if self._written is not None:  # what the next order is held against, as if this one were carried out
            self._orders = settled_orders(self._orders, self._written)
        if told.key in self.missing:  # what was held may be over by this
            self._taken = None
        return new

    def hold(self, now: datetime) -> None:
        """Carry out what was ordered: when this returns it holds, `not_kept` says whether a restart may forget it."""
        self._publish(now)
        self._keep()

    def _signature(self) -> Signature:
        try:
            return tuple((path.name, mark_of(path)) for path in definition_files(self._definitions))
        except OSError as error:
            return ((str(error), None),)

    def _take(self, signature: Signature) -> None:
        """Read the folder; adopt all of it, or keep what is served and say what is wrong."""
        now = self._clock()
        reading, errors = self._read()
        if self._catalog and self._signature() != signature:
            return  # somebody wrote while it was read; the next polls see to it
        if reading.content is not None:
            errors.extend(self._refusals(reading, reading.content, now))
        if reading.content is not None and not errors:
            self._tell_changes(reading, reading.content, now)
            self._written, self._files = reading.content, reading.files
            self._publish(now, reading.sources)
        elif self._written is not None:
            self._publish(now)
        if self._freezer.moved_aside:
            moved = "could not be read and was moved aside, designs are frozen anew"
            errors.append(DefinitionError("phases.json", 0, "", moved))
        self._taken = signature
        self._err(tuple(sorted(set(errors))))

    def _read(self) -> tuple[FolderReading, list[DefinitionError]]:
        """The folder with what is held of it, and what is wrong with it."""
        try:
            names: list[str] | None = [path.name for path in definition_files(self._definitions)]
        except OSError:
            names = None
        served = self._written and self._written.under(outranking(self._orders, self._written))
        missing = missing_of(served, names or ()) if served else ()
        held = held_files(missing, self._good_sources, names) if names is not None else {}
        self._miss(missing)
        reading = read_folder(self._definitions, held)
        lost = () if names is None else missing_of(served, (*names, *held)) if served else ()
        mistakes = [error for error in reading.errors if error.file not in held] or reading.errors
        return reading, [*mistakes, *map(_lost, lost)]

    def _miss(self, missing: tuple[str, ...]) -> None:
        """Say whose files are gone, once for each."""
        for key in missing:
            if key not in self.missing:
                told = "%s is running and its file is gone: it is still served. Put the file back, or end it: "
                logger.error(told + "resonate stop %s", key, key)
        self.missing = missing
        self.note("definitions_missing", named_briefly(missing) if missing else None)

    def _tell_changes(self, reading: FolderReading, content: CatalogContent, now: datetime) -> None:
        """Who changes definitions is noted before they are served; pauses and stops among them wait for nothing."""
        changes = definition_changes(self._written, self._good_sources, reading, self._freezer.phases)
        can_wait = self._catalog is None or all(change.halts for change in changes)
        try:
            if changes:
                self.tell(changes, can_wait)
        except OSError:
            halts = [change for change in changes if change.halts]
            if self._written is not None and halts:
                self._written = halting(self._written, halts, content)
                self._publish(now)
                self.tell(halts, True)
            raise

    def _refusals(self, reading: FolderReading, content: CatalogContent, now: datetime) -> list[DefinitionError]:
        """What stands in the way of serving a folder that is well written."""
        phases = self._freezer.phases
        started = content.under(started_by_order(self._orders, content))
        errors = [*refused_changes(started, self._written, reading.files, phases, now)]
        if self._written is not None:
            errors.extend(half_written(reading.sources, self._good_sources, content, self._written))
        ordered = content.under(outranking(self._orders, content))
        errors.extend(refused_phases(ordered, self._written, reading.files, phases))
        return errors or self._freezer.claim(ordered, reading.files, now)

    def _publish(self, now: datetime, sources: Mapping[str, bytes] | None = None) -> None:
        """Serve what the files said last, under the orders of now; designs are frozen before they are served."""
        if self._written is None:
            return
        overridden = outranking(self._orders, self._written)
        self._orders = settled_orders(self._orders, self._written)
        content = self._written.under(overridden)
        self._freezer.claim(content, self._files, now)
        self._freezer.follow(content, now)
        self._tell_designs()
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
            self._catalog, self._snapshot = catalog_of(published), published
            self.publish("catalogue", published.model_dump_json().encode())
            publish_catalog(self._paths, published, self._to_keep)
        if sources is not None and sources != self._good_sources:  # an order changes none of them
            put_sources(self._paths, sources, self._to_keep)
        self._good_sources = dict(sources or self._good_sources)
        self._keep_at = 0.0

    def _tell_designs(self) -> None:
        designs = phases_json(self._freezer.phases)
        if designs != self._designs_told:
            self._designs_told, self._keep_at = designs, 0.0
            self._to_keep.put(self._paths.phases, designs)
            self.publish("phases", designs)

    def _err(self, errors: tuple[DefinitionError, ...]) -> None:
        self.errors = errors
        if errors != self._state.errors or not self._paths.state.exists():
            self._state = KeeperState(errors=errors, since=self._clock() if errors else None)
            told, self._keep_at = keeper_state_json(self._state), 0.0
            self._to_keep.put(self._paths.state, told)
            self.publish("state", told)

    def _take_orders(self) -> bool:
        """Take up orders that were written while nobody could be told; whether there are any."""
        mark = mark_of(self._paths.overrides)
        if mark == self._orders_mark:
            return False
        there = read_overrides(self._paths)
        self._orders_mark, self._orders_kept = mark, overrides_json(there)
        before, self._orders = self._orders, orders_joined(self._orders, there)
        return self._orders != before

    def _keep_in_time(self) -> None:
        now = self._pace()
        if now >= self._keep_at:
            self._keep()
        if now >= self._lay_at:
            self._ballast.lay()
            self._lay_at = now + BALLAST_SECONDS

    def _keep(self) -> None:
        """Write what the files do not say yet: the orders first, with the ballast if need be."""
        reasons = [reason for reason in map(_tried, (self._keep_orders, self._to_keep.keep)) if reason]
        self._keep_at = self._pace() + KEEP_SECONDS
        if reasons and self.not_kept is None:
            logger.warning("what is served is not on the disk yet, it is tried each second: %s", reasons[0])
        elif not reasons and self.not_kept is not None:
            logger.info("what is served is on the disk again")
        self.not_kept = reasons[0] if reasons else None
        self.note("catalogue_not_kept", "" if reasons else None)

    def _keep_orders(self) -> None:
        """Raises OSError."""
        if overrides_json(self._orders) == self._orders_kept:
            return
        with locked(self._paths.overrides, seconds=0.0):  # whoever holds it writes an order meanwhile
            if self._take_orders():
                self._keep_at = 0.0
            wanted = overrides_json(self._orders)
            keep_file(self._paths.overrides, wanted, self._ballast)
            self._orders_mark, self._orders_kept = mark_of(self._paths.overrides), wanted


def _tried(keep: Callable[[], None]) -> str | None:
    """Why something could not be written; None where it was."""
    try:
        keep()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _lost(key: str) -> DefinitionError:
    return DefinitionError(f"{key}.yaml", 0, "", "is gone, and so is what is known of it; put the file back")
