"""Freezes designs at their first serving, and follows what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from experiments.catalog_changes import changed_design
from experiments.catalog_content import CatalogContent
from experiments.catalog_files import CatalogPaths
from experiments.catalog_phases import (
    DailyUnits,
    FrozenDesign,
    followed,
    freeze,
    read_phases,
    with_traffic,
    write_phases,
)
from experiments.definition import Experiment
from experiments.definition_errors import DefinitionError
from experiments.definition_experiment import ExperimentFile

Mirror = Callable[[FrozenDesign], FrozenDesign]
_MIRROR_PAUSE_SECONDS: Final = 10.0


class MirrorUnavailable(Exception):
    """The external store of frozen designs cannot be asked now."""


def _unknown_traffic(_: Experiment, before: datetime) -> None:
    return None


def _own_design(design: FrozenDesign) -> FrozenDesign:
    return design


@dataclass(frozen=True, slots=True)
class FreezeSources:
    """What freezing asks: the log's daily traffic, and an external store that outlives this data directory.

    `daily_units` never waits: while the log is read it raises TrafficAwaited, the experiment goes live meanwhile, and
    it is asked again. `mirror` is given a design that is frozen and answers the one that holds: the same, or an earlier
    one under the same (key, phase). It raises MirrorUnavailable where it cannot; then it is asked again later.
    """

    daily_units: DailyUnits = _unknown_traffic
    mirror: Mirror = _own_design


class DesignFreezer:
    """The frozen designs of a data directory, written by one process."""

    def __init__(self, paths: CatalogPaths, sources: FreezeSources) -> None:
        self._paths = paths
        self._sources = sources
        self._unmirrored: set[tuple[str, int]] = set()
        self._away_since: datetime | None = None
        self.moved_aside = False
        self.phases: dict[tuple[str, int], FrozenDesign] = self._read()

    def _read(self) -> dict[tuple[str, int], FrozenDesign]:
        """What is on disk; a file that nobody can read is moved aside, so that the shop still opens."""
        try:
            return read_phases(self._paths)
        except ValidationError:
            self._paths.phases.replace(self._paths.phases.with_suffix(".damaged"))
            self.moved_aside = True
            return {}

    def claim(
        self, content: CatalogContent, files: Mapping[str, ExperimentFile], now: datetime
    ) -> list[DefinitionError]:
        """Freeze what is served for the first time; errors name designs the mirror held before that differ."""
        errors: list[DefinitionError] = []
        for experiment in content.experiments:
            name = experiment.key, experiment.phase
            if name not in self.phases and experiment.active(now):
                design = with_traffic(freeze(experiment, content, now), self._sources.daily_units)
                self.phases[name] = self._mirrored(design, now)
                if experiment.key in files:
                    errors.extend(changed_design(self.phases[name], content, files[experiment.key]))
        return errors

    def follow(self, content: CatalogContent, now: datetime) -> None:
        """Note pauses, stops and ends of everything frozen, and store what changed."""
        before = read_phases(self._paths)
        present = {experiment.key: experiment for experiment in content.experiments}
        self.phases = {name: followed(design, present.get(name[0]), now) for name, design in self.phases.items()}
        if self.phases != before:
            write_phases(self._paths, self.phases)

    def next_start(self, content: CatalogContent, now: datetime) -> datetime | None:
        """When the next experiment begins that is not frozen yet."""
        starts = (
            experiment.start
            for experiment in content.experiments
            if experiment.status == "running" and (experiment.key, experiment.phase) not in self.phases
        )
        return min((start for start in starts if start and start > now), default=None)

    def ask_again(self, now: datetime) -> None:
        """Ask once more for what was not known: the log's traffic, and at most every ten seconds the external store."""
        before = dict(self.phases)
        for name, design in before.items():
            known = with_traffic(design, self._sources.daily_units)
            if known is not design:
                self.phases[name] = self._mirrored(known, now)
        mirrored = set() if self._away(now) else set(self._unmirrored)
        for name in mirrored:
            self.phases[name] = self._mirrored(self.phases[name], now)
        if mirrored or self.phases != before:
            write_phases(self._paths, self.phases)

    def _mirrored(self, design: FrozenDesign, now: datetime) -> FrozenDesign:
        """The design that holds; a store that is away is not asked for every design, because each question waits."""
        name = design.key, design.phase
        self._unmirrored.add(name)
        if self._away(now):
            return design
        try:
            held = self._sources.mirror(design)
        except MirrorUnavailable:
            self._away_since = now
            return design
        self._unmirrored.discard(name)
        return held

    def _away(self, now: datetime) -> bool:
        since = self._away_since
        return since is not None and (now - since).total_seconds() < _MIRROR_PAUSE_SECONDS
