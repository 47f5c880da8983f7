"""What is allowed in definition files and will still not work well: warnings of `resonate check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from experiments.catalog_content import CatalogContent, canonical
from experiments.definition import Experiment, Guardrail
from experiments.definition_errors import DefinitionError
from experiments.definition_experiment import ExperimentFile
from experiments.definition_words import words_of
from experiments.metric_definition import Metric

LONGEST_DAYS: Final = 56
MATCHED_DAYS: Final = 7


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
    for file in files.values():
        if file.experiment.status in ("draft", "running", "paused"):
            yield from _duration(file, history)
            yield from _goals_without_history(file, metrics, history)
            yield from _unreachable_margins(file, history)
            yield from _nobody_matched(file, history)
    running = [file for file in files.values() if file.experiment.status == "running"]
    for one, other in combinations(running, 2):
        yield from _same_payload_field(one, other)
        yield from _layer_of_two_units(one, other)


def _warning(file: ExperimentFile, path: str, message: str) -> DefinitionError:
    return DefinitionError(file.file, file.line(*path.split(".")), path, message)


def _duration(file: ExperimentFile, history: SiteHistory) -> Iterator[DefinitionError]:
    plan = file.experiment.plan
    if plan.days > LONGEST_DAYS:
        yield _warning(
            file, "plan.days", f"{plan.days} days are more than 8 weeks; cookies and seasons will blur the result"
        )
    for metric, effect in plan.mde.items():
        days = history.days_to_mde(file.experiment, metric)
        if days is not None and days > LONGEST_DAYS:
            wanted = words_of(effect * 100)
            message = (
                f"{wanted} takes {days:.0f} days at the site's traffic, more than 8 weeks; aim for a larger effect"
            )
            yield _warning(file, f"plan.mde.{metric}", message)


def _goals_without_history(
    file: ExperimentFile, metrics: Mapping[str, Metric], history: SiteHistory
) -> Iterator[DefinitionError]:
    field = file.goal_field
    for place, name in enumerate(file.experiment.goals):
        if history.events(metrics[name]) == 0:
            line = file.line(field, place)
            message = f"{name} has no event in the last 28 days; check the event's name, or send it first"
            yield DefinitionError(file.file, line, field, message)


def _unreachable_margins(file: ExperimentFile, history: SiteHistory) -> Iterator[DefinitionError]:
    for guardrail in file.experiment.guardrails:
        harm = history.smallest_harm(file.experiment, guardrail)
        if harm is not None and harm > guardrail.max_harm:
            found, wanted = _harm(harm, guardrail), _harm(guardrail.max_harm, guardrail)
            message = f"{file.experiment.plan.days} days can rule out a harm of {found}, not of {wanted}"
            yield _warning(file, f"guardrails.{guardrail.metric}", f"{message}; allow more harm, or plan more days")


def _harm(harm: float, guardrail: Guardrail) -> str:
    return words_of(harm * 100) if guardrail.relative else f"{harm:.4g} points"


def _nobody_matched(file: ExperimentFile, history: SiteHistory) -> Iterator[DefinitionError]:
    if history.matching_visitors(file.experiment) == 0:
        message = f"nobody matched in the last {MATCHED_DAYS} days; check the names and values of the attributes"
        yield _warning(file, "audience", message)


def _same_payload_field(one: ExperimentFile, other: ExperimentFile) -> Iterator[DefinitionError]:
    """Two experiments that change the same thing blur each other, unless one layer keeps them apart."""
    first, second = one.experiment, other.experiment
    apart = first.layer and second.layer and first.layer.name == second.layer.name
    shared = [] if apart else sorted(_tested_fields(first) & _tested_fields(second))
    for field in shared:
        message = f"payload field {field} is changed by {first.key} too; put both in one layer, or name it differently"
        yield _warning(other, "variants", message)


def _tested_fields(experiment: Experiment) -> set[str]:
    """The fields of the payload in which variants differ."""
    payloads = [variant.payload for variant in experiment.variants if isinstance(variant.payload, dict)]
    fields: set[str] = set().union(*payloads)
    missing = object()
    return {
        field
        for field in fields
        if len(
            {None if (value := payload.get(field, missing)) is missing else canonical(value) for payload in payloads}
        )
        > 1
    }


def _layer_of_two_units(one: ExperimentFile, other: ExperimentFile) -> Iterator[DefinitionError]:
    first, second = one.experiment, other.experiment
    if first.layer and second.layer and first.layer.name == second.layer.name and first.unit != second.unit:
        message = f"{second.layer.name} holds {first.key} of unit {first.unit} too"
        yield _warning(other, "layer", f"{message}; visitors and users cannot exclude each other")
