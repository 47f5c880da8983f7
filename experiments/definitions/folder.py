"""Reads a folder of definition files, which must agree: all of it or, with every mistake, nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from experiments.definitions.content import CatalogContent
from experiments.definitions.experiment import ExperimentFile, experiment_file
from experiments.definitions.grammar import meant
from experiments.definitions.located import DefinitionError, DefinitionErrors, Located, Place, Problems
from experiments.definitions.metrics import metrics_of
from experiments.definitions.model import Experiment, Layer, Metric, Shop
from experiments.definitions.quantities import words_of
from experiments.definitions.side_files import HOLDOUTS, SEGMENTS, SHOP, SLOTS
from experiments.definitions.yaml import MAX_BYTES, read_yaml


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
            hint = meant(name, known) or f"; none are declared in {where}"
            kind = "metric" if where == "metrics.yaml" else where.removesuffix("s.yaml")
            yield DefinitionError(
                file.file, file.line(*field.split("."), step), field, f'unknown {kind} "{name}"{hint}'
            )


def _unknown_slots(file: ExperimentFile, known: Collection[str] | None) -> Iterator[DefinitionError]:
    """A slot need not be declared where the variant names its strategy."""
    for place, variant in enumerate(file.experiment.variants):
        shown = variant.recommend
        if shown and shown.slot and not shown.strategy and known is not None and shown.slot not in known:
            hint = meant(shown.slot, known) or "; none are declared in recommendations.yaml"
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


SUFFIXES: Final = (".yaml", ".yml")
SIDES: Final = ("shop", "metrics", "segments", "holdouts", "recommendations")


@dataclass(frozen=True, slots=True)
class FolderReading:
    """What a folder says: `content` is None where there are errors. `files` by key, `sources` bytes by file name.

    `content` has no in-file tests: nothing that is served depends on them.
    """

    content: CatalogContent | None
    errors: tuple[DefinitionError, ...]
    files: Mapping[str, ExperimentFile]
    sources: Mapping[str, bytes]

    def complete(self) -> CatalogContent:
        """The content; raises DefinitionErrors where the folder has mistakes."""
        if self.content is None:
            raise DefinitionErrors(self.errors)
        return self.content


def definition_files(folder: Path) -> list[Path]:
    """The definition files of a folder, in order of name; hidden files and subfolders are none."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in found if not path.is_dir())


def read_folder(folder: Path) -> FolderReading:
    """Everything the folder says, or everything that is wrong with it."""
    try:
        paths = definition_files(folder)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        right = "make the folder with `resonate new KEY`, or name another in RESONATE_DEFINITIONS"
        wrong = DefinitionError(str(folder), 0, "", f"{reason}; {right}")
        return FolderReading(None, (wrong,), {}, {})
    errors: list[DefinitionError] = []
    sources = dict(_sources(paths, errors))
    return _Reader(sources, errors).reading()


def read_sources(sources: Mapping[str, bytes]) -> FolderReading:
    """As `read_folder`, of file contents by file name."""
    return _Reader(dict(sources), []).reading()


@cache
def builtin_metrics() -> tuple[Metric, ...]:
    """The metrics that every shop has."""
    path = Path(__file__).with_name("builtin_metrics.yaml")
    problems = Problems(path.name)
    metrics = metrics_of(read_yaml(path.read_bytes(), problems), problems)
    if problems.found:
        raise DefinitionErrors(problems.found)
    return tuple(metrics.values())


def _sources(paths: list[Path], errors: list[DefinitionError]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        readable = os.fsencode(path.name).decode(errors="replace")
        if readable != path.name:
            errors.append(DefinitionError(readable, 0, "", "its name is not UTF-8, rename the file"))
            continue
        if path.suffix not in SUFFIXES:
            right = path.stem + path.suffix.lower()
            errors.append(DefinitionError(path.name, 0, "", f"ends in {path.suffix}, name the file {right}"))
            continue
        try:
            if not path.is_file():
                raise OSError(0, "is no regular file")
            with path.open("rb") as file:
                yield path.name, file.read(MAX_BYTES + 1)
        except OSError as error:
            errors.append(
                DefinitionError(path.name, 0, "", f"cannot be read: {(error.strerror or 'unknown cause').lower()}")
            )


class _Reader:
    """One reading of a folder; collects the errors of all files."""

    def __init__(self, sources: dict[str, bytes], errors: list[DefinitionError]) -> None:
        self._sources = sources
        self._errors = errors
        self._files: dict[str, ExperimentFile] = {}

    def reading(self) -> FolderReading:
        roots = {name: self._side(name) for name in SIDES}
        content, declared = self._sides(roots)
        self._experiments(content.shop)
        self._errors.extend(check_references(self._files, declared))
        files = dict(sorted(self._files.items()))
        experiments = tuple(file.experiment.model_copy(update={"tests": ()}) for file in files.values())
        whole = None if self._errors else content.model_copy(update={"experiments": experiments})
        return FolderReading(whole, tuple(sorted(set(self._errors))), files, self._sources)

    def _side(self, stem: str) -> tuple[Problems, Located | None]:
        names = [stem + suffix for suffix in SUFFIXES if stem + suffix in self._sources] or [stem + SUFFIXES[0]]
        problems = Problems(names[0])
        content = self._sources.get(names[0])
        for other in names[1:]:
            self._errors.append(DefinitionError(other, 1, "", f"{names[0]} is there too, keep one of the files"))
        return problems, None if content is None else read_yaml(content, problems)

    def _sides(self, roots: dict[str, tuple[Problems, Located | None]]) -> tuple[CatalogContent, Declared]:
        """The side files, and the names they declare: None where a file cannot be read, so that nothing is unknown."""
        unreadable = {stem for stem, (problems, _) in roots.items() if problems.found}
        places = {stem: Place(root, problems) for stem, (problems, root) in roots.items() if root is not None}
        shop = SHOP.read(places["shop"]) if "shop" in places else None
        shop = shop or Shop()
        problems, root = roots["metrics"]
        own = metrics_of(root, replace(problems, currency=shop.currency))
        metrics = {metric.name: metric for metric in builtin_metrics()} | own
        segments = (SEGMENTS.read(places["segments"]) if "segments" in places else None) or {}
        holdouts = (HOLDOUTS.read(places["holdouts"]) if "holdouts" in places else None) or {}
        slots = (SLOTS.read(places["recommendations"]) if "recommendations" in places else None) or {}
        for problems, _ in roots.values():
            self._errors.extend(problems.found)
        names = {stem: None if stem in unreadable else _names(root) for stem, (_, root) in roots.items()}
        own_names = names["metrics"]
        declared = Declared(
            metrics=None if own_names is None else own_names | metrics.keys(),
            segments=names["segments"],
            holdouts=names["holdouts"],
            slots=names["recommendations"],
        )
        content = CatalogContent(
            shop=shop,
            metrics=tuple(metrics.values()),
            segments=tuple(segments.values()),
            holdouts=tuple(holdouts.values()),
            slots=tuple(slots.values()),
        )
        return content, declared

    def _experiments(self, shop: Shop) -> None:
        for name, source in self._sources.items():
            stem = name.rpartition(".")[0]
            if stem in SIDES:
                continue
            problems = Problems(name, ZoneInfo(shop.timezone), shop.currency)
            root = read_yaml(source, problems)
            read = experiment_file(root, stem, problems)
            if read and read.experiment.key in self._files:
                problems.add(1, "", f"{self._files[read.experiment.key].file} has the same key, keep one of the files")
            elif read:
                self._files[read.experiment.key] = read
            self._errors.extend(problems.found)


def _names(root: Located | None) -> frozenset[str]:
    return frozenset(root.value if root is not None and isinstance(root.value, Mapping) else ())
