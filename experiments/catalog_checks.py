"""Checks what definition files say about each other: names that must exist, and shares of one layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from experiments.definition import Experiment, Layer
from experiments.definition_errors import DefinitionError, did_you_mean
from experiments.definition_experiment import ExperimentFile
from experiments.definition_words import words_of


@dataclass(frozen=True, slots=True)
class Declared:
    """The names that side files declare; None where a file cannot be read, so that no name counts as unknown."""

    metrics: Collection[str] | None
    segments: Collection[str] | None
    holdouts: Collection[str] | None
    slots: Collection[str] | None


def check_references(files: Mapping[str, ExperimentFile], declared: Declared) -> Iterator[DefinitionError]:
    """Every name that no file declares, and every overlap in a layer."""
    for file in files.values():
        yield from _unknown_metrics(file, declared.metrics)
        yield from _unknown(file, "holdouts", file.experiment.holdouts, declared.holdouts, "holdouts.yaml")
        segments = file.experiment.audience.segments
        yield from _unknown(file, "audience.segments", segments, declared.segments, "segments.yaml")
        yield from _unknown_slots(file, declared.slots)
    yield from _overlaps(files)


def _unknown_metrics(file: ExperimentFile, known: Collection[str] | None) -> Iterator[DefinitionError]:
    experiment = file.experiment
    guardrails = [guardrail.metric for guardrail in experiment.guardrails]
    named = {file.goal_field: experiment.goals, "secondary": experiment.secondary, "guardrails": guardrails}
    for field, names in named.items():
        yield from _unknown(file, field, names, known, "metrics.yaml")


def _unknown(
    file: ExperimentFile, field: str, names: Collection[str], known: Collection[str] | None, where: str
) -> Iterator[DefinitionError]:
    for place, name in enumerate(names):
        if known is not None and name not in known:
            step = name if field == "guardrails" else place
            hint = did_you_mean(name, known) or f"; none are declared in {where}"
            kind = "metric" if where == "metrics.yaml" else where.removesuffix("s.yaml")
            yield DefinitionError(
                file.file, file.line(*field.split("."), step), field, f'unknown {kind} "{name}"{hint}'
            )


def _unknown_slots(file: ExperimentFile, known: Collection[str] | None) -> Iterator[DefinitionError]:
    """A slot need not be declared where the variant names its strategy."""
    for place, variant in enumerate(file.experiment.variants):
        shown = variant.recommend
        if shown and shown.slot and not shown.strategy and known is not None and shown.slot not in known:
            hint = did_you_mean(shown.slot, known) or "; none are declared in recommendations.yaml"
            line = file.line("variants", place, "recommend", "slot")
            path = f"variants.{variant.key}.recommend.slot"
            yield DefinitionError(file.file, line, path, f'unknown slot "{shown.slot}"{hint}, or name a strategy')


def _overlaps(files: Mapping[str, ExperimentFile]) -> Iterator[DefinitionError]:
    """Each overlap is the mistake of the file that is not running, else of the later one."""
    layers: dict[str, list[ExperimentFile]] = {}
    for file in sorted(files.values(), key=lambda file: (file.experiment.status != "running", file.experiment.key)):
        layer = file.experiment.layer
        if layer and file.experiment.status != "archived":
            layers.setdefault(layer.name, []).append(file)
    for members in layers.values():
        yield from _overlaps_of(members)


def _overlaps_of(members: list[ExperimentFile]) -> Iterator[DefinitionError]:
    for place, file in enumerate(members):
        for other in members[:place]:
            mine, theirs = _layer(file.experiment), _layer(other.experiment)
            if mine.start < theirs.end and theirs.start < mine.end:
                free = _free([_layer(member.experiment) for member in members if member is not file])
                message = (
                    f"{mine.name}: {_range(mine)} overlaps {_range(theirs)} of {other.experiment.key}; free is {free}"
                )
                yield DefinitionError(file.file, file.line("layer", "share"), "layer", message)


def _layer(experiment: Experiment) -> Layer:
    if experiment.layer is None:
        raise ValueError(f"{experiment.key} has no layer")
    return experiment.layer


def _range(layer: Layer) -> str:
    return f"{words_of(layer.start * 100)} to {words_of(layer.end * 100)}"


def _free(taken: list[Layer]) -> str:
    """What is left of a layer, in words."""
    gaps: list[str] = []
    here = 0.0
    for layer in sorted(taken, key=lambda layer: layer.start):
        if layer.start > here:
            gaps.append(f"{words_of(here * 100)} to {words_of(layer.start * 100)}")
        here = max(here, layer.end)
    if here < 1:
        gaps.append(f"{words_of(here * 100)} to 100 %")
    return ", ".join(gaps) or "nothing"
