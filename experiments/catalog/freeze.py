"""Freezes designs at their first serving, follows what becomes of them, and says what may not change meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from experiments.catalog.files import CatalogPaths
from experiments.catalog.phases import (
    DailyUnits,
    FrozenDesign,
    Phases,
    design_parts,
    followed,
    freeze,
    read_phases,
    with_traffic,
)
from experiments.definitions.content import CatalogContent
from experiments.definitions.experiment import ExperimentFile
from experiments.definitions.folder import SIDES
from experiments.definitions.model import Experiment
from experiments.definitions.quantities import words_of
from kit.located import DefinitionError, shortened
from kit.time import DAY_SECONDS


def refused_changes(
    content: CatalogContent,
    before: CatalogContent | None,
    files: Mapping[str, ExperimentFile],
    phases: Phases,
    now: datetime,
) -> Iterator[DefinitionError]:
    """Every change of a running experiment that needs a new phase, with the line that makes it."""
    for experiment in content.experiments:
        design = phases.get((experiment.key, experiment.phase))
        file = files[experiment.key]
        if design is None:
            continue
        if experiment.servable:
            yield from changed_design(design, content, file)
            end = experiment.end
            earlier = end is not None and end < now and (design.end is None or end < design.end)
            if earlier and experiment.status == "running":
                passed = f"{end:%Y-%m-%d %H:%M} UTC has passed, an end may move later"
                yield DefinitionError(
                    file.file, file.line("end"), "end", f"{passed}; to stop now write status: stopped"
                )
        former = before.experiment(experiment.key) if before else None
        if former and former.phase == experiment.phase:
            served, asked = former.traffic_share(now), experiment.traffic_share(now)
            message = f"narrows from {words_of(served * 100)}, which is served, to {words_of(asked * 100)};"
            message += f" traffic only ever widens within a phase, write phase: {experiment.phase + 1} to begin anew"
            if asked < served:
                yield DefinitionError(file.file, file.line("traffic"), "traffic", message)


def refused_phases(
    ordered: CatalogContent, before: CatalogContent | None, files: Mapping[str, ExperimentFile], phases: Phases
) -> Iterator[DefinitionError]:
    """Every phase that would run again after it ended, and every phase number that falls.

    `ordered` is what the files say under the orders given without them. What an older version let run again goes on.
    """
    newest = {key: phase for key, phase in sorted(phases)}
    for experiment in ordered.experiments:
        file, design = files[experiment.key], phases.get((experiment.key, experiment.phase))
        former = before.experiment(experiment.key) if before else None
        served = former.phase if former and former.servable else 0
        latest = max(served, newest.get(experiment.key, 0))
        if latest > experiment.phase and (former is None or former.phase != experiment.phase):
            message = f"{experiment.phase} comes after {latest}, which was served, and a phase number never falls;"
            message += f" write phase: {latest} or more"
            yield DefinitionError(file.file, file.line("phase"), "phase", message)
        elif design and design.ended and experiment.status in ("running", "paused"):
            control = design.experiment.variants[0].key
            shown = next((each.variant for each in design.shipped if each.until is None), None) or control
            since = (
                f"from {design.stopped_at:%Y-%m-%d %H:%M} UTC to now" if design.stopped_at else "since it was stopped"
            )
            message = f"{experiment.status}, but variant {shown} was shown to everyone {since}, so phase {design.phase}"
            message += f" does not run again: write `phase: {latest + 1}` to begin anew"
            yield DefinitionError(file.file, file.line("status"), "status", message)


def changed_design(design: FrozenDesign, content: CatalogContent, file: ExperimentFile) -> Iterator[DefinitionError]:
    """One error for each part of a frozen design that the files would change.

    Once an experiment is stopped, side files may change for those that run: its readout has the frozen ones.
    """
    wanted = freeze(file.experiment, content, design.frozen_at)
    released = {name: design.metrics[name] for name in wanted.builtin if name in design.builtin}
    wanted = wanted.model_copy(update={"metrics": wanted.metrics | released})  # what a release redefines is no change
    frozen, asked = design_parts(design), design_parts(wanted)
    for part, value in frozen.items():
        what = _what_changed(part, design, wanted)
        if asked[part] == value or (file.experiment.status == "stopped" and what != "this"):
            continue
        since = f"{design.frozen_at:%Y-%m-%d %H:%M} UTC"
        changed = _became(design.experiment, file.experiment, part) if what == "this" else f"{what} changed"
        message = (
            f"{changed}, but the design of phase {design.phase} is frozen"
            f" since {since}; undo it, or write phase: {design.phase + 1} to begin anew"
        )
        field = file.goal_field if part == "goals" else part
        yield DefinitionError(file.file, file.line(field), field, message)


def _what_changed(part: str, design: FrozenDesign, wanted: FrozenDesign) -> str:
    """The thing itself, where a side file changed it and not the experiment's own."""
    if part == "audience" and design.experiment.audience == wanted.experiment.audience:
        names = [name for name in design.segments if design.segments[name] != wanted.segments[name]]
        return f"{', '.join(names)} of segments.yaml"
    if part == "holdouts" and design.experiment.holdouts == wanted.experiment.holdouts:
        names = [name for name in design.holdouts if design.holdouts[name].share != wanted.holdouts[name].share]
        return f"{', '.join(names)} of holdouts.yaml"
    same = design.experiment.margins == wanted.experiment.margins
    if (
        part in ("goals", "guardrails")
        and same
        and getattr(design.experiment, part) == getattr(wanted.experiment, part)
    ):
        names = [name for name in design.metrics if design.metrics[name] != wanted.metrics.get(name)]
        return f"{', '.join(names)} of metrics.yaml"
    return "this"


def _became(before: Experiment, after: Experiment, part: str) -> str:
    """What was written of a part and what is written now: `benefit became benefits`."""
    was, now = (each.model_dump(mode="json") for each in (before, after))
    found = list(_differences(was[part], now[part], ""))
    if part == "goals":
        was, now = ({each["metric"]: _amount(each) for each in written["margins"]} for written in (was, now))
        found += _differences(was, now, "margin of ")
    more = f" and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    return (", ".join(found[:MOST_TOLD]) or "this changed") + more


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    """Each leaf that is another one, by its way; things of a list by their names."""
    if isinstance(before, list) and isinstance(after, list):
        names = [[_name(each) for each in items] for items in (before, after)]
        if names[0] != names[1]:
            yield f"{path}{', '.join(names[0]) or 'nothing'} became {', '.join(names[1]) or 'nothing'}"
            return
        before, after = (dict(zip(names[0], items, strict=True)) for items in (before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        before, after = (
            {**each, **({"max_harm": _amount(each)} if "max_harm" in each else {})} for each in (before, after)
        )
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _differences(before.get(name), after.get(name), f"{path}{name}: ")
    elif before != after:
        name = path.split(": ")[-2] if ": " in path else ""
        yield f"{_in_file(path)}{_written(before, name)} became {_written(after, name)}"


def _amount(bound: Mapping[str, Any]) -> str:
    """A margin or a largest harm as a file says it."""
    size = bound.get("max_harm", bound.get("margin"))
    return words_of(size * 100) if bound.get("relative", True) else f"{size:g} points"


def _name(item: Any) -> str:
    """By which name a thing of a list is known: a variant's key, a metric."""
    known = (item.get("key") or item.get("metric")) if isinstance(item, dict) else item
    return shortened(str(known))


def _in_file(path: str) -> str:
    return path.replace(_SECONDS, ": ")


def _written(value: Any, name: str) -> str:
    """A value as a file would write it, as far as that is known."""
    if isinstance(value, float) and name in ("weight", "start", "end", "alpha", "power"):
        return words_of(value * 100)
    if isinstance(value, int) and name.endswith(_SECONDS.removesuffix(": ")):
        return f"{value / DAY_SECONDS:g} days"
    if value is None or value in ({}, []):
        return "nothing"
    return shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


_SECONDS: Final = "_seconds: "
MOST_TOLD: Final = 3


def half_written(
    sources: Mapping[str, bytes], good: Mapping[str, bytes], content: CatalogContent, before: CatalogContent
) -> Iterator[DefinitionError]:
    """Files that are the beginning of what is served from them, and mean something else: someone is still writing."""
    for name, source in sources.items():
        served = good.get(name, b"")
        key = name.rpartition(".")[0]
        same = key not in SIDES and content.experiment(key) == before.experiment(key)
        if len(source) < len(served) and served.startswith(source) and not same:
            message = (
                "is the served file cut off here; finish it, or, to shorten it on purpose, end it with a comment (# …)"
            )
            yield DefinitionError(name, source.count(b"\n") + 1, "", message)


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
    """The frozen designs of a data directory, which one process freezes and follows; that keeps them too."""

    def __init__(self, paths: CatalogPaths, sources: FreezeSources) -> None:
        self._sources = sources
        self._unmirrored: set[tuple[str, int]] = set()
        self._away_since: datetime | None = None
        self.moved_aside = False
        self.phases: dict[tuple[str, int], FrozenDesign] = {}
        try:
            self.phases = read_phases(paths)
        except ValidationError:  # nobody can read it: moved aside, so that the shop still opens
            paths.phases.replace(paths.phases.with_suffix(".damaged"))
            self.moved_aside = True

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
        """Note pauses, stops and ends of everything frozen."""
        present = {experiment.key: experiment for experiment in content.experiments}
        self.phases = {name: followed(design, present.get(name[0]), now) for name, design in self.phases.items()}

    def next_start(self, content: CatalogContent, now: datetime) -> datetime | None:
        """When the next experiment begins that is not frozen yet."""
        starts = (
            experiment.start
            for experiment in content.experiments
            if experiment.status == "running" and (experiment.key, experiment.phase) not in self.phases
        )
        return min((start for start in starts if start and start > now), default=None)

    def ask_again(self, now: datetime) -> bool:
        """Ask once more for what was not known: the log's traffic, and at most every ten seconds the external store.

        True where that may have told something.
        """
        before = dict(self.phases)
        for name, design in before.items():
            known = with_traffic(design, self._sources.daily_units)
            if known is not design:
                self.phases[name] = self._mirrored(known, now)
        mirrored = set() if self._away(now) else set(self._unmirrored)
        for name in mirrored:
            self.phases[name] = self._mirrored(self.phases[name], now)
        return bool(mirrored) or self.phases != before

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
