"""What may not change while an experiment runs: its frozen design, traffic that was served, an end that has passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from experiments.catalog_content import CatalogContent
from experiments.catalog_folder import SIDES
from experiments.catalog_phases import FrozenDesign, Phases, design_parts, freeze
from experiments.definition import Experiment
from experiments.definition_errors import DefinitionError
from experiments.definition_experiment import ExperimentFile
from experiments.definition_words import words_of


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
            yield from _end_in_the_past(design, experiment, file, now)
        former = before.experiment(experiment.key) if before else None
        if former and former.phase == experiment.phase:
            yield from _narrowed(former, experiment, file, now)


def changed_design(design: FrozenDesign, content: CatalogContent, file: ExperimentFile) -> Iterator[DefinitionError]:
    """One error for each part of a frozen design that the files would change.

    Once an experiment is stopped, side files may change for those that run: its readout has the frozen ones.
    """
    wanted = _wanted(design, content, file)
    frozen, asked = design_parts(design), design_parts(wanted)
    for part, value in frozen.items():
        what = _what_changed(part, design, wanted)
        if asked[part] == value or (file.experiment.status == "stopped" and what != "this"):
            continue
        since = f"{design.frozen_at:%Y-%m-%d %H:%M} UTC"
        message = (
            f"{what} changed, but the design of phase {design.phase} is frozen"
            f" since {since}; undo it, or write phase: {design.phase + 1} to begin anew"
        )
        field = file.goal_field if part == "goals" else part
        yield DefinitionError(file.file, file.line(field), field, message)


def _wanted(design: FrozenDesign, content: CatalogContent, file: ExperimentFile) -> FrozenDesign:
    """The design that the files ask for; a built-in metric that a later release defines anew is nobody's change."""
    wanted = freeze(file.experiment, content, design.frozen_at)
    released = {name: design.metrics[name] for name in wanted.builtin if name in design.builtin}
    return wanted.model_copy(update={"metrics": wanted.metrics | released})


def _what_changed(part: str, design: FrozenDesign, wanted: FrozenDesign) -> str:
    """The thing itself, where a side file changed it and not the experiment's own."""
    if part == "audience" and design.experiment.audience == wanted.experiment.audience:
        names = [name for name in design.segments if design.segments[name] != wanted.segments[name]]
        return f"{', '.join(names)} of segments.yaml"
    if part == "holdouts" and design.experiment.holdouts == wanted.experiment.holdouts:
        names = [name for name in design.holdouts if design.holdouts[name] != wanted.holdouts[name]]
        return f"{', '.join(names)} of holdouts.yaml"
    if part in ("goals", "guardrails") and getattr(design.experiment, part) == getattr(wanted.experiment, part):
        names = [name for name in design.metrics if design.metrics[name] != wanted.metrics.get(name)]
        return f"{', '.join(names)} of metrics.yaml"
    return "this"


def _end_in_the_past(
    design: FrozenDesign, experiment: Experiment, file: ExperimentFile, now: datetime
) -> Iterator[DefinitionError]:
    earlier = experiment.end and (design.end is None or experiment.end < design.end)
    if earlier and experiment.end and experiment.end < now and experiment.status == "running":
        message = (
            f"{experiment.end:%Y-%m-%d %H:%M} UTC has passed, an end may move later; to stop now write status: stopped"
        )
        yield DefinitionError(file.file, file.line("end"), "end", message)


def _narrowed(
    former: Experiment, experiment: Experiment, file: ExperimentFile, now: datetime
) -> Iterator[DefinitionError]:
    served, asked = former.traffic_share(now), experiment.traffic_share(now)
    if asked < served:
        message = (
            f"narrows from {words_of(served * 100)}, which is served, to {words_of(asked * 100)};"
            f" traffic only ever widens within a phase, write phase: {experiment.phase + 1} to begin anew"
        )
        yield DefinitionError(file.file, file.line("traffic"), "traffic", message)


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
