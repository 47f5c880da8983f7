"""Reads one experiment file: every field of it, every mistake of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from re import fullmatch
from typing import Any

from experiments.definition import DecisionNote, Experiment, Outcome, Preview, Status, UnitKind, VisitorTest
from experiments.definition_design import audience_of, guardrails_of, layer_of, plan_of, traffic_of
from experiments.definition_located import Located, Problems, Section
from experiments.definition_tests import tests_of
from experiments.definition_variants import variants_of
from experiments.definition_words import KEY, as_key, as_line, as_name, as_text, listed, moment, one_of, whole


@dataclass(frozen=True, slots=True)
class ExperimentFile:
    """A file, what could be read of it, and what is needed to point into it later.

    Where the file has mistakes, `complete` is False and wrong fields of `experiment` hold their defaults (goals and
    variants: nothing), so that the mistakes of other files can be found all the same.
    """

    file: str
    experiment: Experiment
    root: Located
    complete: bool

    @property
    def goal_field(self) -> str:
        """Whether the file says `goal` or `goals`."""
        return "goals" if self.root.at(("goals",)) is not self.root else "goal"

    def line(self, *path: str | int) -> int:
        """The line of a field, or of the nearest field around it."""
        return self.root.at(path).line


def experiment_file(root: Located | None, stem: str, zone: tzinfo, problems: Problems) -> ExperimentFile | None:
    """The experiment of a file named `stem`, every mistake reported; None where nothing can be made of the file."""
    if root is None:
        if not problems.found:
            problems.add(1, "", "is empty; the smallest experiment has key, variants and goal")
        return None
    section = Section(root, "", problems)
    if not section.clean:
        return None
    experiment = _experiment(section, stem, zone)
    return ExperimentFile(problems.file, experiment, root, complete=not problems.found)


def _experiment(section: Section, stem: str, zone: tzinfo) -> Experiment:
    nameable = fullmatch(KEY, stem) is not None
    hint = f"write the name of the file: key: {stem}" if nameable else "as in key: sale, and name the file sale.yaml"
    key = section.require("key", as_key, hint)
    if key is not None and key != stem:
        write = f"write key: {stem}, or " if nameable else ""
        section.fail(f'"{key}" is not the name of the file, {write}name the file {key}.yaml', name="key")
    fields: dict[str, Any] = {**_words(section, key or stem), **_dates(section, zone), **_design(section, zone)}
    goals, secondary = _goals(section), section.read("secondary", listed(as_name), ())
    fields |= {"goals": goals, "secondary": secondary, "tests": tests_of(section)}
    fields |= {"preview": _preview(section), "decision": _decision(section)}
    for name in secondary:
        if name in goals:
            section.fail(f"{name} is a goal already, leave it out here", name="secondary")
    section.close()
    experiment = Experiment.model_construct(key=key or stem, **fields)
    _check(experiment, section)
    return Experiment(key=experiment.key, **fields) if section.clean else experiment


def _words(section: Section, key: str) -> dict[str, Any]:
    return {
        "name": section.read("name", as_line, key),
        "owner": section.read("owner", as_line, None),
        "hypothesis": section.read("hypothesis", as_text, None),
        "status": section.read("status", one_of(Status), "draft"),
        "phase": section.read("phase", whole(0, 9999), 0),
        "unit": section.read("unit", one_of(UnitKind), "visitor"),
    }


def _dates(section: Section, zone: tzinfo) -> dict[str, Any]:
    start, end = section.read("start", moment(zone), None), section.read("end", moment(zone), None)
    if start and end and end <= start:
        section.fail(f"{end:%Y-%m-%dT%H:%MZ} is not after the start, {start:%Y-%m-%dT%H:%MZ}", name="end")
    return {"start": start, "end": end}


def _design(section: Section, zone: tzinfo) -> dict[str, Any]:
    return {
        "layer": layer_of(section),
        "holdouts": section.read("holdouts", listed(as_name), ()),
        "traffic": traffic_of(section, zone),
        "audience": audience_of(section),
        "variants": variants_of(section),
        "guardrails": guardrails_of(section),
        "plan": plan_of(section),
    }


def _goals(section: Section) -> tuple[str, ...]:
    goal = section.read("goal", as_name, None)
    goals = section.read("goals", listed(as_name, least=1), None)
    if section.has("goal") and section.has("goals"):
        section.fail("stands beside goals, keep one of them", name="goal")
    elif not section.has("goal") and not section.has("goals"):
        section.fail("goal is missing, name the metric that decides: goal: purchase_rate")
    return goals or ((goal,) if goal else ())


def _preview(section: Section) -> Preview | None:
    inner = section.section("preview")
    if inner is None:
        return None
    hint = "write {variant: threshold, visitors: [qa-1]}"
    variant = inner.require("variant", as_name, hint)
    visitors = inner.require("visitors", listed(as_line), hint)
    inner.close()
    return Preview(variant=variant, visitors=visitors) if variant and visitors is not None else None


def _decision(section: Section) -> DecisionNote:
    inner = section.section("decision")
    if inner is None:
        return DecisionNote()
    note = DecisionNote(
        outcome=inner.read("outcome", one_of(Outcome), None),
        variant=inner.read("variant", as_name, None),
        note=inner.read("note", as_text, None),
    )
    inner.close()
    return note


def _check(experiment: Experiment, section: Section) -> None:
    """What the fields say about each other."""
    decision = experiment.decision
    keys = [variant.key for variant in experiment.variants]
    for field, line, variant in _named_variants(experiment):
        if keys and variant not in keys:
            section.fail(f"{variant} is no variant, they are {', '.join(keys)}", line, field)
    if decision.outcome == "shipped" and not decision.variant:
        section.fail("shipped what? name the variant: {outcome: shipped, variant: threshold}", name="decision")
    status = section.fields["status"].text if section.has("status") else experiment.status
    if decision.outcome and status not in ("stopped", "archived"):
        message = f"{decision.outcome} is for a stopped experiment, the status is {status}"
        section.fail(message, name="decision")
    for metric in experiment.plan.mde:
        if experiment.goals and metric not in experiment.metrics:
            message = f"{metric} is no metric of this experiment, they are {', '.join(experiment.metrics)}"
            section.problems.add(section.fields["plan"].at(("mde", metric)).line, "plan.mde", message)


def _named_variants(experiment: Experiment) -> Iterator[tuple[str, int | None, str]]:
    """Where the file names a variant: field, line (None: the field's) and name."""
    if experiment.preview:
        yield "preview", None, experiment.preview.variant
    if experiment.decision.variant:
        yield "decision", None, experiment.decision.variant
    for test in experiment.tests:
        if isinstance(test, VisitorTest) and test.expect.variant:
            yield "tests", test.line, test.expect.variant
