"""Reads a folder of definition files, which must agree: all of it or, with every mistake, nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from experiments.definitions.content import CatalogContent
from experiments.definitions.experiment import ExperimentFile, experiment_file
from experiments.definitions.grammar import meant
from experiments.definitions.metrics import METRICS
from experiments.definitions.model import EffectScale, Layer
from experiments.definitions.quantities import words_of
from experiments.definitions.shop import KPIS_ALONE, Metric, Recommendations, Shop
from experiments.definitions.side_files import HOLDOUTS, LEARN_FROM, RECOMMENDATIONS, SEGMENTS, SHOP
from kit.files import in_utf_8
from kit.located import DefinitionError, DefinitionErrors, Located, Location, Problems
from kit.suggestions import did_you_mean
from kit.yaml import MAX_BYTES, read_yaml


@dataclass(frozen=True, slots=True)
class Declared:
    """The names that side files declare; None where a file cannot be read, so that no name counts as unknown.

    `scales` are those of the metrics that could be read.
    """

    metrics: Collection[str] | None
    scales: Mapping[str, EffectScale]
    segments: Collection[str] | None
    holdouts: Collection[str] | None
    slots: Collection[str] | None


def check_references(files: Mapping[str, ExperimentFile], declared: Declared) -> Iterator[DefinitionError]:
    """Every name that no file declares, every effect on another scale than its metric's, every overlap in a layer."""
    for file in files.values():
        yield from _other_scales(file, declared.scales)
        experiment = file.experiment
        guardrails = [guardrail.metric for guardrail in experiment.guardrails]
        named: tuple[tuple[str, Collection[str], Collection[str] | None, str], ...] = (
            (file.goal_field, experiment.goals, declared.metrics, "metric"),
            ("secondary", experiment.secondary, declared.metrics, "metric"),
            ("guardrails", guardrails, declared.metrics, "metric"),
            ("holdouts", experiment.holdouts, declared.holdouts, "holdout"),
            ("audience.segments", experiment.audience.segments, declared.segments, "segment"),
        )
        for field, names, known, kind in named:
            for place, name in enumerate(names):
                if known is not None and name not in known:
                    line = file.line(*field.split("."), name if field == "guardrails" else place)
                    hint = meant_metric(name, known) if kind == "metric" else meant(name, known)
                    hint = hint or f"; none are declared in {kind}s.yaml"
                    yield DefinitionError(file.file, line, field, f'unknown {kind} "{name}"{hint}')
        for place, variant in enumerate(experiment.variants):
            shown, known = variant.recommend, declared.slots  # where a variant names its strategy, any slot will do
            if shown and shown.slot and not shown.strategy and known is not None and shown.slot not in known:
                hint = meant(shown.slot, known) or "; none are declared in recommendations.yaml"
                line = file.line("variants", place, "recommend", "slot")
                path = f"variants.{variant.key}.recommend.slot"
                yield DefinitionError(file.file, line, path, f'unknown slot "{shown.slot}"{hint}, or name a strategy')
    yield from _overlaps(files)


def meant_metric(name: str, known: Collection[str]) -> str:
    """`, did you mean "x"?` where a known metric shares a stem, else that it may be declared, and what there is; of a
    KPI of customers' experience that is none why that is so.
    """
    if name in KPIS_ALONE:
        return f"; it is a KPI of /v1/cx and no metric of experiments: {KPIS_ALONE[name]}"
    stems = {word[:STEM] for word in name.lower().split("_")}
    akin = [each for each in known if stems & {word[:STEM] for word in each.split("_")}]
    listed = f"; declare it in metrics.yaml, or take one of {', '.join(sorted(known))}"
    return did_you_mean(name, akin, listed, quote='"')


STEM: Final = 4  # letters


def _other_scales(file: ExperimentFile, scales: Mapping[str, EffectScale]) -> Iterator[DefinitionError]:
    """A percentage of a metric in points (of a control that may be zero), or an mde in points of a relative one."""
    experiment = file.experiment
    goals = enumerate(experiment.goals)
    written = [("guardrails", each.metric, each.metric, each.relative) for each in experiment.guardrails]
    written += [
        (file.goal_field, place, name, each.relative) for place, name in goals if (each := experiment.margin(name))
    ]
    for name in experiment.plan.mde:
        written.append(("plan.mde", name, name, "point" not in file.root.at(("plan", "mde", name)).text))
    for field, place, name, relative in written:
        scale, message = scales.get(name), ""
        if scale == "points" and relative:
            message = f"{name} is shown in points, write points such as 2 points"
        elif scale == "relative" and not relative and field != "guardrails":
            message = f"{name} is shown relative to control, write a percentage such as 2%"
        if message:
            yield DefinitionError(file.file, file.line(*field.split("."), place), field, message)


def _overlaps(files: Mapping[str, ExperimentFile]) -> Iterator[DefinitionError]:
    """Each overlap is the mistake of the file that is not running, else of the later one."""
    layers: dict[str, list[tuple[Layer, ExperimentFile]]] = {}
    for file in sorted(files.values(), key=lambda file: (file.experiment.status != "running", file.experiment.key)):
        layer = file.experiment.layer
        if layer and file.experiment.status != "archived":
            layers.setdefault(layer.name, []).append((layer, file))
    for members in layers.values():
        for (theirs, other), (mine, file) in combinations(members, 2):
            if mine.start < theirs.end and theirs.start < mine.end:
                overlap = f"{_range(mine.start, mine.end)} overlaps {_range(theirs.start, theirs.end)}"
                free = _free([layer for layer, member in members if member is not file])
                message = f"{mine.name}: {overlap} of {other.experiment.key}; free is {free}"
                yield DefinitionError(file.file, file.line("layer", "share"), "layer", message)


def _range(start: float, end: float) -> str:
    return f"{words_of(start * 100)} to {words_of(end * 100)}"


def _free(taken: list[Layer]) -> str:
    """What is left of a layer, in words."""
    gaps: list[str] = []
    here = 0.0
    for layer in sorted(taken, key=lambda layer: layer.start):
        if layer.start > here:
            gaps.append(_range(here, layer.start))
        here = max(here, layer.end)
    if here < 1:
        gaps.append(_range(here, 1))
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


def read_folder(folder: Path, instead: Mapping[str, bytes] = MappingProxyType({})) -> FolderReading:
    """Everything the folder says, or everything that is wrong with it; as though the files `instead` stood in it."""
    try:
        paths = definition_files(folder)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        right = "make the folder with `resonate new KEY`, or name another in RESONATE_DEFINITIONS"
        wrong = DefinitionError(str(folder), 0, "", f"{reason}; {right}")
        return FolderReading(None, (wrong,), {}, {})
    errors: list[DefinitionError] = []
    sources: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    for path in (each for each in paths if each.name not in instead):
        readable = in_utf_8(path.name)
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
                sources[path.name] = file.read(MAX_BYTES + 1)
                sizes[path.name] = os.fstat(file.fileno()).st_size
        except OSError as error:
            reason = (error.strerror or "unknown cause").lower()
            errors.append(DefinitionError(path.name, 0, "", f"cannot be read: {reason}"))
    return read_sources(dict(sorted({**sources, **instead}.items())), errors, sizes)


def read_sources(
    sources: Mapping[str, bytes],
    errors: Iterable[DefinitionError] = (),
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> FolderReading:
    """As `read_folder`, of file contents by file name; `errors` were found before, `sizes` are those of the files."""
    found = [*errors]
    roots: dict[str, tuple[Problems, Located | None]] = {}
    for stem in SIDES:
        names = [stem + suffix for suffix in SUFFIXES if stem + suffix in sources] or [stem + SUFFIXES[0]]
        problems = Problems(names[0])
        for other in names[1:]:
            found.append(DefinitionError(other, 1, "", f"{names[0]} is there too, keep one of the files"))
        roots[stem] = (
            problems,
            None if names[0] not in sources else read_yaml(sources[names[0]], problems, sizes.get(names[0])),
        )
    content, declared = _sides(roots)
    for problems, _ in roots.values():
        found.extend(problems.found)
    files: dict[str, ExperimentFile] = {}
    for name, source in sources.items():
        stem = name.rpartition(".")[0]
        if stem in SIDES:
            continue
        problems = Problems(name, ZoneInfo(content.shop.timezone), content.shop.currency)
        read = experiment_file(read_yaml(source, problems, sizes.get(name)), stem, problems)
        if read and read.experiment.key in files:
            problems.add(1, "", f"{files[read.experiment.key].file} has the same key, keep one of the files")
        elif read:
            files[read.experiment.key] = read
        found.extend(problems.found)
    found.extend(check_references(files, declared))
    files = dict(sorted(files.items()))
    experiments = tuple(file.experiment.model_copy(update={"tests": ()}) for file in files.values())
    whole = None if found else content.model_copy(update={"experiments": experiments})
    return FolderReading(whole, tuple(sorted(set(found))), files, sources)


@cache
def builtin_metrics() -> tuple[Metric, ...]:
    """The metrics that every shop has."""
    path = Path(__file__).with_name("builtin_metrics.yaml")
    problems = Problems(path.name)
    root = read_yaml(path.read_bytes(), problems)
    metrics = METRICS.read(Location(root, problems)) if root else None
    if problems.found:
        raise DefinitionErrors(problems.found)
    return tuple((metrics or {}).values())


def _sides(roots: Mapping[str, tuple[Problems, Located | None]]) -> tuple[CatalogContent, Declared]:
    """The side files, and the names they declare: None where a file cannot be read, so that nothing is unknown."""
    places = {stem: Location(root or Located({}, 1), problems) for stem, (problems, root) in roots.items()}
    names = {stem: None if place.problems.found else frozenset(place.fields) for stem, place in places.items()}
    shop = SHOP.read(places["shop"]) or Shop()
    problems = replace(places["metrics"].problems, currency=shop.currency, converts=bool(shop.rates))
    own = METRICS.read(replace(places["metrics"], problems=problems)) or {}
    metrics = {metric.name: metric for metric in builtin_metrics()} | own
    at_home = replace(places["holdouts"].problems, zone=ZoneInfo(shop.timezone))
    holdouts = HOLDOUTS.read(replace(places["holdouts"], problems=at_home)) or {}
    recommended = RECOMMENDATIONS.read(places["recommendations"]) or Recommendations()
    own_names, slots = names["metrics"], names["recommendations"]
    declared = Declared(
        metrics=None if own_names is None else own_names | metrics.keys(),
        scales={name: metric.effect_scale for name, metric in metrics.items() if own_names is not None},
        segments=names["segments"],
        holdouts=names["holdouts"],
        slots=None if slots is None else slots - {LEARN_FROM},
    )
    for holdout in holdouts.values():
        for place, name in enumerate(holdout.metrics):
            if declared.metrics is not None and name not in declared.metrics:
                line = places["holdouts"].fields[holdout.name].at(("metrics", place)).line
                told = f'unknown metric "{name}"{meant_metric(name, declared.metrics)}'
                places["holdouts"].problems.add(line, f"{holdout.name}.metrics", told)
    content = CatalogContent(
        shop=shop,
        metrics=tuple(metrics.values()),
        segments=tuple((SEGMENTS.read(places["segments"]) or {}).values()),
        holdouts=tuple(holdouts.values()),
        slots=recommended.slots,
        learn_from=recommended.learn_from,
    )
    return content, declared
