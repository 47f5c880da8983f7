"""Reads a folder of definition files: all of it or, with every mistake of every file, nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from experiments.catalog_checks import Declared, check_references
from experiments.catalog_content import CatalogContent
from experiments.catalog_yaml import MAX_BYTES, read_yaml
from experiments.definition import Shop
from experiments.definition_errors import DefinitionError, DefinitionErrors
from experiments.definition_experiment import ExperimentFile, experiment_file
from experiments.definition_located import Located, Problems
from experiments.definition_metrics import metrics_of
from experiments.definition_sides import holdouts_of, segments_of, shop_of, slots_of
from experiments.metric_definition import Metric

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
    named = metrics_of(read_yaml(path.read_bytes(), problems), "EUR", problems)
    if problems.found:
        raise DefinitionErrors(problems.found)
    return tuple(entry.thing for entry in named.values())


def _sources(paths: list[Path], errors: list[DefinitionError]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
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
        shop = shop_of(roots["shop"][1], roots["shop"][0])
        own = metrics_of(roots["metrics"][1], shop.currency, roots["metrics"][0])
        metrics = {metric.name: metric for metric in builtin_metrics()} | {
            name: entry.thing for name, entry in own.items()
        }
        segments = segments_of(roots["segments"][1], roots["segments"][0])
        holdouts = holdouts_of(roots["holdouts"][1], roots["holdouts"][0])
        slots = slots_of(roots["recommendations"][1], roots["recommendations"][0])
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
        zone = ZoneInfo(shop.timezone)
        for name, source in self._sources.items():
            stem = name.rpartition(".")[0]
            if stem in SIDES:
                continue
            problems = Problems(name)
            root = read_yaml(source, problems)
            read = experiment_file(root, stem, zone, problems)
            if read and read.experiment.key in self._files:
                problems.add(1, "", f"{self._files[read.experiment.key].file} has the same key, keep one of the files")
            elif read:
                self._files[read.experiment.key] = read
            self._errors.extend(problems.found)


def _names(root: Located | None) -> frozenset[str]:
    return frozenset(root.value if root is not None and isinstance(root.value, Mapping) else ())
