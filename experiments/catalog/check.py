"""`resonate check`: every mistake of a folder, the tests inside the files, and warnings of what will not work well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from math import ceil, sqrt
from pathlib import Path
from re import fullmatch
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from experiments.assignment.assign import CompiledExperiment, assign
from experiments.assignment.compilation import compile_as_designed
from experiments.assignment.payload import NotHashable, Secured
from experiments.catalog.calendar import LONGEST_DAYS, State, state_of
from experiments.catalog.files import CatalogPaths, last_good
from experiments.catalog.freeze import refused_changes, refused_phases
from experiments.catalog.overrides import Override, outranking, read_overrides, started_by_order, unwritten_orders
from experiments.catalog.phases import Phases, followed, read_phases
from experiments.definitions.content import CatalogContent, canonical
from experiments.definitions.experiment import MOST_MADE_UP, ExperimentFile
from experiments.definitions.folder import FolderReading, definition_files, read_folder
from experiments.definitions.model import Audience, Experiment, Guardrail, SplitTest, TrafficStep, VisitorTest
from experiments.definitions.page_changes import CHANGES
from experiments.definitions.quantities import words_of
from experiments.definitions.shop import Metric
from experiments.page.check import page_mistakes
from experiments.targeting.attributes import ATTRIBUTES, impossible
from kit.conditions import PLAIN, Field, Members, Nested, Operation, fields, parse
from kit.located import DefinitionError
from kit.suggestions import did_you_mean

MATCHED_DAYS: Final = 7
EQUALITIES: Final = (PLAIN, "$eq", "$ne", "$in", "$nin")
MOST_VALUES: Final = 50  # of an attribute; longer lists are mostly of people


def _unknown(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class SiteHistory:
    """What the log says about the site; every answer may be None: not known.

    `events`: how many events a metric would have read in the last 28 days. `days_to_mde`: days until the effect the
    plan names for a metric can be detected. `smallest_harm`: the smallest harm, in the guardrail's own unit, that the
    planned days can rule out. `matching_visitors`: how many visitors of the last 7 days meet the audience.
    """

    events: Callable[[Metric], int | None] = _unknown
    days_to_mde: Callable[[Experiment, str], float | None] = _unknown
    smallest_harm: Callable[[Experiment, Guardrail], float | None] = _unknown
    matching_visitors: Callable[[Experiment], int | None] = _unknown


def warnings_of(
    content: CatalogContent, files: Mapping[str, ExperimentFile], history: SiteHistory
) -> Iterator[DefinitionError]:
    """All warnings about the experiments that are not over."""
    metrics = {metric.name: metric for metric in content.metrics}
    secured = Secured(frozenset(content.shop.secure_attributes), content.shop.secure_salt or "")
    for file in files.values():
        if file.experiment.status in ("draft", "running", "paused"):
            yield from _read_by_pages(file, content, secured)
            yield from _never_asked(file)
            yield from _plan_warnings(file, metrics, history)
            for place, name in enumerate(file.experiment.goals):
                if history.events(metrics[name]) == 0:
                    message = f"{name} has no event in the last 28 days; check the event's name, or send it first"
                    yield DefinitionError(file.file, file.line(file.goal_field, place), file.goal_field, message)
            if history.matching_visitors(file.experiment) == 0:
                message = f"nobody matched in the last {MATCHED_DAYS} days"
                yield _warning(file, "audience", f"{message}; check the names and values of the attributes")
    running = [file for file in files.values() if file.experiment.status == "running"]
    for one, other in combinations(running, 2):
        yield from _blurring(one, other)


def never_told(
    content: CatalogContent, files: Mapping[str, ExperimentFile], untold: Mapping[str, str]
) -> Iterator[DefinitionError]:
    """Audiences of pages that ask what nobody tells."""
    wheres = {segment.name: segment.where for segment in content.segments}
    for file in files.values():
        audience, live = file.experiment.audience, file.experiment.status in ("draft", "running", "paused")
        asked = [
            field
            for where in (*(wheres[name] for name in audience.segments), audience.where)
            for field in fields(parse(where).where)
        ]
        names = {field.name for field in asked} if live and file.experiment.delivery != "server" else set[str]()
        for name in sorted(names & untold.keys()):
            yield _warning(file, "audience", f"nobody tells the pages their {name}; {untold[name]}")


def kept_rates(
    content: CatalogContent, files: Mapping[str, ExperimentFile], phases: Phases
) -> Iterator[DefinitionError]:
    """Running phases that other rates do not reach."""
    for file in files.values():
        design = phases.get((file.experiment.key, file.experiment.phase))
        if design and file.experiment.status in ("running", "paused") and design.rates != content.shop.rates:
            message = f"rates of shop.yaml are others than phase {design.phase} began with; it keeps its own,"
            yield _warning(file, "phase", f"{message} and the next phase takes the new ones")


def _warning(file: ExperimentFile, path: str, message: str) -> DefinitionError:
    return DefinitionError(file.file, file.line(*path.split(".")), path, message)


def _plan_warnings(
    file: ExperimentFile, metrics: Mapping[str, Metric], history: SiteHistory
) -> Iterator[DefinitionError]:
    """A plan that is too long, and effects and harms that its days cannot show."""
    plan = file.experiment.plan
    if plan.days > LONGEST_DAYS:
        message = f"{plan.days} days are more than 8 weeks; cookies and seasons will blur the result"
        yield _warning(file, "plan.days", message)
    for metric, effect in plan.mde.items():
        days = history.days_to_mde(file.experiment, metric)
        if days is not None and days > LONGEST_DAYS:
            wanted = _effect_words(effect, metrics[metric].effect_scale == "relative")
            message = f"{wanted} takes {days:.0f} days at the site's traffic, more than 8 weeks"
            yield _warning(file, f"plan.mde.{metric}", f"{message}; aim for a larger effect")
    for guardrail in file.experiment.guardrails:
        harm = history.smallest_harm(file.experiment, guardrail)
        if harm is not None and harm > guardrail.max_harm:
            found, wanted = (_effect_words(each, guardrail.relative) for each in (harm, guardrail.max_harm))
            message = f"{plan.days} days can rule out a harm of {found}, not of {wanted}"
            yield _warning(file, f"guardrails.{guardrail.metric}", f"{message}; allow more harm, or plan more days")


def _read_by_pages(file: ExperimentFile, content: CatalogContent, secured: Secured) -> Iterator[DefinitionError]:
    """An audience that the payload would tell every page, people by their addresses and ids, or that it cannot tell."""
    audience = file.experiment.audience
    named = [segment.where for segment in content.segments if segment.name in audience.segments]
    asked = [field for where in (*named, audience.where) for field in fields(parse(where).where)]
    if file.experiment.delivery == "server":
        return
    remedy = "secure_attributes of shop.yaml hide values, delivery: server keeps the experiment out of the payload"
    for field in asked:
        try:
            secured.written(field)
        except NotHashable as error:
            yield _warning(file, "audience", f"{error}, so it is not in the payload of SDKs; ask for equality only")
            continue
        told = [] if secured.hides(field.name) else [text for test in field.tests for text in _texts(test)]
        if any(fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text) for text in told):
            yield _warning(file, "audience", f"{field.name} names an e-mail address, and pages read it; {remedy}")
        elif len(told) > MOST_VALUES:
            yield _warning(file, "audience", f"{field.name} lists {len(told)} values, and pages read them; {remedy}")


def _never_asked(file: ExperimentFile) -> Iterator[DefinitionError]:
    """Attributes that the tag tells under nearly that name, and values that they never have."""
    for field in fields(parse(file.experiment.audience.where).where):
        name, place = field.name.split(".")[0], ("audience", "where", *field.path)
        path, meant = ".".join(str(step) for step in place), did_you_mean(name, ATTRIBUTES, quote='"')
        if name not in ATTRIBUTES and meant:
            message = f"the tag tells no {name}{meant} Else hand it over: resonate.attributes({{{name}: …}})"
            yield DefinitionError(file.file, file.line(*place), path, message)
        elif (told := _never_equal(field)) is not None:
            yield DefinitionError(file.file, file.line(*place), path, told)


def _never_equal(field: Field) -> str | None:
    """What is wrong with the texts that a field is to be equal to."""
    equal = [test for test in field.tests if isinstance(test, Operation) and test.operator in EQUALITIES]
    return impossible(field.name, [text for test in equal for text in _texts(test)])


def _texts(test: Operation | Nested | Members) -> Iterator[str]:
    """The texts that a test of a field compares it with."""
    if isinstance(test, Nested):
        yield from (text for part in test.parts for each in part for text in _texts(each))
    elif isinstance(test, Members):
        yield from (text for field in fields(test.where) for each in field.tests for text in _texts(each))
    else:
        operands = test.operand if isinstance(test.operand, tuple | list) else (test.operand,)
        yield from (each for each in operands if isinstance(each, str))


def _effect_words(effect: float, relative: bool) -> str:
    return words_of(effect * 100) if relative else f"{effect:.4g} points"


def _blurring(one: ExperimentFile, other: ExperimentFile) -> Iterator[DefinitionError]:
    """Two experiments that change the same thing blur each other, unless one layer of one unit keeps them apart."""
    first, second = one.experiment, other.experiment
    layer = second.layer if first.layer and second.layer and first.layer.name == second.layer.name else None
    if layer and first.unit != second.unit:
        message = f"{layer.name} holds {first.key} of unit {first.unit} too"
        yield _warning(other, "layer", f"{message}; visitors and users cannot exclude each other")
    for field in [] if layer else sorted(_tested_fields(first) & _tested_fields(second)):
        message = f"payload field {field} is changed by {first.key} too; put both in one layer, or name it differently"
        yield _warning(other, "variants", message)


def _tested_fields(experiment: Experiment) -> set[str]:
    """The fields of the payload in which variants differ; what they change on pages is compared place by place."""
    payloads = [variant.payload for variant in experiment.variants if isinstance(variant.payload, dict)]
    fields: set[str] = set().union(*payloads) - {CHANGES}
    return {
        field
        for field in fields
        if len({canonical(payload[field]) if field in payload else None for payload in payloads}) > 1
    }


_LUCKY_DRAW: Final = 4.0  # standard errors: chance alone goes beyond once in 16,000 draws


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `resonate check` says: mistakes and failed tests in `errors`, the rest in `warnings`.

    `states` are those of the experiments once the files are served; of a folder with mistakes nobody knows them.
    """

    errors: tuple[DefinitionError, ...]
    warnings: tuple[DefinitionError, ...]
    experiments: int
    tests: int
    states: Mapping[str, State]

    @property
    def passed(self) -> bool:
        """Whether the folder may be served; warnings do not stand in the way."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, frozen and ordered already, so that a check says beforehand which change would be refused."""

    content: CatalogContent
    phases: Phases
    orders: Mapping[str, Override]


def served_in(data: Path) -> Served | None:
    """What a data directory serves; None where it never served anything, or cannot be read."""
    paths = CatalogPaths(data)
    snapshot = last_good(paths)
    if snapshot is None:
        return None
    try:
        return Served(snapshot.content.under(snapshot.written), read_phases(paths), read_overrides(paths))
    except (OSError, ValidationError):
        return None


def check_folder(
    folder: Path,
    now: datetime,
    served: Served | None = None,
    history: SiteHistory | None = None,
    untold: Mapping[str, str] = MappingProxyType({}),
    instead: Mapping[str, bytes] = MappingProxyType({}),
) -> CheckResult:
    """Check a folder of definition files; with `served` also against the running designs, with `history` the log.

    `untold` are attributes that nobody tells the pages of this service, with what to do about it; `instead` are files
    that are not written yet, by their names.
    """
    reading = read_folder(folder, instead)
    tests = sum(len(file.experiment.tests) for file in reading.files.values() if file.complete)
    errors, warnings, states = [*reading.errors], list[DefinitionError](), dict[str, State]()
    if reading.content is not None:
        errors.extend(failed_tests(reading, reading.content, now))
        errors.extend(page_mistakes(reading))
        phases, ordered = served.phases if served else {}, reading.content
        if served:
            started = reading.content.under(started_by_order(served.orders, reading.content))
            errors.extend(refused_changes(started, served.content, reading.files, phases, now))
            warnings.extend(unwritten_orders(served.orders, reading.content, reading.files))
            ordered = reading.content.under(outranking(served.orders, reading.content))
            errors.extend(refused_phases(ordered, served.content, reading.files, phases))
        warnings.extend(warnings_of(reading.content, reading.files, history or SiteHistory()))
        warnings.extend(never_told(reading.content, reading.files, untold))
        warnings.extend(kept_rates(reading.content, reading.files, phases))
        warnings.extend(gone(reading.content, served))
        states = {} if errors else served_states(ordered, phases, now)
    warnings.extend(not_read(folder))
    return CheckResult(tuple(sorted(set(errors))), tuple(sorted(set(warnings))), len(reading.files), tests, states)


def start_mistakes(folder: Path, data: Path, key: str, now: datetime) -> tuple[str, ...]:
    """What stands in the way of starting a draft by an order: mistakes of the files, and what its start would break."""
    served = served_in(data)
    if served is None:
        return ()
    started = Override(status="running", ordered_at=now, started=True)
    result = check_folder(folder, now, replace(served, orders={**served.orders, key: started}))
    return tuple(str(error) for error in result.errors)


def gone(content: CatalogContent, served: Served | None) -> Iterator[DefinitionError]:
    """Experiments that run by what is served, and whose files are there no more: they would end with them."""
    kept = {experiment.key for experiment in content.experiments}
    for experiment in served.content.experiments if served else ():
        if experiment.status == "running" and experiment.key not in kept:
            message = f"is gone, and {experiment.key} is running: to end it, keep the file with `status: stopped`"
            yield DefinitionError(f"{experiment.key}.yaml", 0, "", message)


def not_read(folder: Path) -> Iterator[DefinitionError]:
    """Definition files in subfolders, which nothing reads."""
    found = folder.iterdir() if folder.is_dir() else ()
    for inner in sorted(path for path in found if path.is_dir() and not path.name.startswith(".")):
        found = definition_files(inner)
        if found:
            more = f", and {len(found) - 1} more beside it" if len(found) > 1 else ""
            message = f"is not read, because it stands in a subfolder{more}; move it to {folder.name}"
            yield DefinitionError(f"{inner.name}/{found[0].name}", 0, "", message)


def served_states(ordered: CatalogContent, phases: Phases, now: datetime) -> dict[str, State]:
    """What each experiment is as soon as this is served, by the designs that are frozen already."""
    metrics, states = {metric.name: metric for metric in ordered.metrics}, dict[str, State]()
    for experiment in sorted(ordered.experiments, key=lambda each: each.key):
        design = phases.get((experiment.key, experiment.phase))
        design = followed(design, experiment, now) if design else None
        states[experiment.key] = state_of(experiment, design, metrics, now)
    return states


def failed_tests(reading: FolderReading, content: CatalogContent, now: datetime) -> Iterator[DefinitionError]:
    """The tests inside the files that fail."""
    segments = {segment.name: segment for segment in content.segments}
    holdouts = {holdout.name: holdout for holdout in content.holdouts}
    for file in reading.files.values():
        for test in file.experiment.tests:
            if isinstance(test, SplitTest):
                failure = _split_failure(file.experiment, test, now)
            else:
                compiled = compile_as_designed(file.experiment, segments, holdouts, test.given.segments)
                failure = _visitor_failure(compiled, test, now)
            if failure:
                yield DefinitionError(file.file, test.line, "tests", failure)


def _visitor_failure(compiled: CompiledExperiment, test: VisitorTest, now: datetime) -> str | None:
    given, expected = test.given, test.expect
    attributes = {**given.attributes, **({"user_id": given.user} if given.user else {})}
    who = given.visitor or given.user or ""
    answer = assign(compiled, who, attributes, now.timestamp())
    found = f"is in and gets {answer.variant}" if answer.in_experiment else f"is out because of {answer.because}"
    if expected.in_experiment not in (None, answer.in_experiment):
        return f"expected in: {str(expected.in_experiment).lower()}, but {who} {found}"
    if expected.because and expected.because != answer.because:
        return f"expected because: {expected.because}, but {who} {found}"
    if expected.variant and expected.variant != answer.variant:
        all_the_same = "" if answer.in_experiment else f", {answer.variant}"
        return f"expected variant: {expected.variant}, but {who} {found}{all_the_same}"
    return None


def _split_failure(experiment: Experiment, test: SplitTest, now: datetime) -> str | None:
    """Everyone takes part in a split test: it asks how the variants share those who do."""
    everyone = {"audience": Audience(), "traffic": (TrafficStep(since=None, share=1.0),)}
    open_to_all = experiment.model_copy(update={**everyone, "holdouts": (), "layer": None})
    compiled, moment = compile_as_designed(open_to_all, {}, {}), now.timestamp()
    names = (f"{experiment.key}-{number}" for number in range(test.visitors))
    counts = Counter(assign(compiled, name, {"user_id": name}, moment).variant for name in names)
    for variant in experiment.variants:
        share, weight = counts[variant.key] / test.visitors, variant.weight
        if abs(share - weight) <= test.tolerance:
            continue
        failure = f"{variant.key} got {share:.2%} of {test.visitors} visitors, its weight is {weight:.2%}"
        failure += f", the tolerance {test.tolerance:.2%}"
        luck = _LUCKY_DRAW * sqrt(weight * (1 - weight) / test.visitors)
        if abs(share - weight) > luck:
            return failure
        enough = ceil(weight * (1 - weight) * (_LUCKY_DRAW / test.tolerance) ** 2) if test.tolerance else 0
        more = f", or split: {enough}" if 0 < enough <= MOST_MADE_UP else ""
        return f"{failure}; with so few it is chance, write tolerance: {ceil(luck * 1000) / 10:g}%{more}"
    return None
