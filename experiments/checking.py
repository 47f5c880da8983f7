"""`resonate check`: every mistake of a folder, the tests inside the files, and warnings of what will not work well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil, sqrt
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from experiments.assignment import CompiledExperiment, assign
from experiments.assignment_compile import compile_as_designed
from experiments.catalog_changes import refused_changes
from experiments.catalog_content import CatalogContent
from experiments.catalog_files import CatalogPaths
from experiments.catalog_folder import FolderReading, read_folder
from experiments.catalog_phases import Phases, read_phases
from experiments.catalog_snapshot import last_good
from experiments.check_warnings import SiteHistory, warnings_of
from experiments.definition import Audience, Experiment, Holdout, Segment, SplitTest, TrafficStep, VisitorTest
from experiments.definition_errors import DefinitionError
from experiments.definition_experiment import ExperimentFile

_LUCKY_DRAW: Final = 4.0  # standard errors: chance alone goes beyond once in 16,000 draws
_EVERYONE: Final = (TrafficStep(since=None, share=1.0),)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `resonate check` says: mistakes and failed tests in `errors`, the rest in `warnings`."""

    errors: tuple[DefinitionError, ...]
    warnings: tuple[DefinitionError, ...]
    experiments: int
    tests: int

    @property
    def passed(self) -> bool:
        """Whether the folder may be served; warnings do not stand in the way."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class Served:
    """What is served and frozen already, so that a check says beforehand which change would be refused."""

    content: CatalogContent
    phases: Phases


def served_in(data: Path) -> Served | None:
    """What a data directory serves; None where it never served anything, or cannot be read."""
    paths = CatalogPaths(data)
    snapshot = last_good(paths)
    if snapshot is None:
        return None
    try:
        return Served(snapshot.content.under(snapshot.written), read_phases(paths))
    except (OSError, ValidationError):
        return None


def check(folder: Path, now: datetime, served: Served | None = None, history: SiteHistory | None = None) -> CheckResult:
    """Check a folder of definition files; with `served` also against the running designs, with `history` the log."""
    reading = read_folder(folder)
    tests = sum(len(file.experiment.tests) for file in reading.files.values() if file.complete)
    errors, warnings = [*reading.errors], list[DefinitionError]()
    if reading.content is not None:
        errors.extend(failed_tests(reading, reading.content, now))
        if served:
            errors.extend(refused_changes(reading.content, served.content, reading.files, served.phases, now))
        warnings.extend(warnings_of(reading.content, reading.files, history or SiteHistory()))
    return CheckResult(tuple(sorted(set(errors))), tuple(sorted(set(warnings))), len(reading.files), tests)


def failed_tests(reading: FolderReading, content: CatalogContent, now: datetime) -> Iterator[DefinitionError]:
    """The tests inside the files that fail."""
    segments = {segment.name: segment for segment in content.segments}
    holdouts = {holdout.name: holdout for holdout in content.holdouts}
    for file in reading.files.values():
        for test in file.experiment.tests:
            if isinstance(test, SplitTest):
                failure = _split_failure(file, test, now)
            else:
                failure = _visitor_failure(file, test, (segments, holdouts), now)
            if failure:
                yield DefinitionError(file.file, test.line, "tests", failure)


def _visitor_failure(
    file: ExperimentFile,
    test: VisitorTest,
    named: tuple[Mapping[str, Segment], Mapping[str, Holdout]],
    now: datetime,
) -> str | None:
    given, expected = test.given, test.expect
    compiled = compile_as_designed(file.experiment, *named, given.segments)
    attributes = {**given.attributes, **({"user_id": given.user} if given.user else {})}
    who = given.visitor or given.user or ""
    answer = assign(compiled, who, attributes, now.timestamp())
    found = (
        f"{who} is in and gets {answer.variant}"
        if answer.in_experiment
        else f"{who} is out because of {answer.because}"
    )
    if expected.in_experiment not in (None, answer.in_experiment):
        return f"expected in: {str(expected.in_experiment).lower()}, but {found}"
    if expected.because and expected.because != answer.because:
        return f"expected because: {expected.because}, but {found}"
    if expected.variant and expected.variant != answer.variant:
        return (
            f"expected variant: {expected.variant}, but {found}{'' if answer.in_experiment else f', {answer.variant}'}"
        )
    return None


def _split_failure(file: ExperimentFile, test: SplitTest, now: datetime) -> str | None:
    """Everyone takes part in a split test: it asks how the variants share those who do."""
    experiment = file.experiment
    open_to_all = experiment.model_copy(
        update={"audience": Audience(), "holdouts": (), "layer": None, "traffic": _EVERYONE}
    )
    counts = _drawn(compile_as_designed(open_to_all, {}, {}), experiment, test.visitors, now)
    for variant in experiment.variants:
        share = counts[variant.key] / test.visitors
        if abs(share - variant.weight) > test.tolerance:
            return (
                f"{variant.key} got {share:.2%} of {test.visitors} visitors, its weight is {variant.weight:.2%},"
                f" the tolerance {test.tolerance:.2%}{_by_chance(variant.weight, share, test)}"
            )
    return None


def _by_chance(weight: float, share: float, test: SplitTest) -> str:
    """What would be right, where the tolerance asks more of so few visitors than chance allows."""
    luck = _LUCKY_DRAW * sqrt(weight * (1 - weight) / test.visitors)
    if abs(share - weight) > luck:
        return ""
    enough = ceil(weight * (1 - weight) * (_LUCKY_DRAW / test.tolerance) ** 2) if test.tolerance else 0
    more = f", or split: {enough}" if 0 < enough <= 1_000_000 else ""
    return f"; with so few it is chance, write tolerance: {ceil(luck * 1000) / 10:g}%{more}"


def _drawn(compiled: CompiledExperiment, experiment: Experiment, visitors: int, now: datetime) -> Counter[str]:
    names = (f"{experiment.key}-{number}" for number in range(visitors))
    moment = now.timestamp()
    return Counter(assign(compiled, name, {"user_id": name}, moment).variant for name in names)
