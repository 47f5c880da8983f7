"""Reads one experiment file: every field of it, its variants and its tests, every mistake of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from re import fullmatch
from typing import Any

from experiments.definitions.design import audience_of, guardrails_of, layer_of, plan_of, traffic_of
from experiments.definitions.located import Located, Problems, Section, Wrong, shortened
from experiments.definitions.model import (
    DecisionNote,
    Expectation,
    Experiment,
    GivenVisitor,
    NotInReason,
    Outcome,
    Preview,
    Recommend,
    SplitTest,
    Status,
    Strategy,
    UnitKind,
    Variant,
    VisitorTest,
)
from experiments.definitions.quantities import (
    KEY,
    NUMBER,
    PERCENTAGE,
    as_key,
    as_line,
    as_mapping,
    as_name,
    as_share,
    as_text,
    as_truth,
    listed,
    moment,
    one_of,
    whole,
    words_of,
)


def tests_of(section: Section) -> tuple[VisitorTest | SplitTest, ...]:
    """The field `tests`."""
    node = section.take("tests")
    if node is None:
        return ()
    if not isinstance(node.value, tuple):
        section.fail("is no list, begin each test with a dash: - {split: 10000, tolerance: 1%}", name="tests")
        return ()
    read = [_test(item, f"tests[{place + 1}]", section) for place, item in enumerate(node.value)]
    return tuple(test for test in read if test)


def _test(node: Located, path: str, experiment: Section) -> VisitorTest | SplitTest | None:
    section = Section(node, path, experiment.problems)
    if section.has("split") or section.has("tolerance"):
        return _split(section)
    if section.clean and not section.has("given") and not section.has("expect"):
        section.fail("a test has given and expect, or split: {given: {visitor: v-1}, expect: {in: true}}")
        return None
    given = section.section("given")
    expect = section.section("expect")
    if section.clean and (given is None or expect is None):
        section.fail("a test has both given and expect: {given: {visitor: v-1}, expect: {in: true}}")
    if given is None or expect is None:
        return None
    visitor, expectation = _given(given), _expectation(expect)
    return VisitorTest(line=node.line, given=visitor, expect=expectation) if section.close() else None


def _split(section: Section) -> SplitTest | None:
    visitors = section.require(
        "split", whole(100, 1_000_000), "say with how many made-up visitors: {split: 10000, tolerance: 1%}"
    )
    tolerance = section.read("tolerance", as_share, 0.01)
    if not section.close() or visitors is None:
        return None
    return SplitTest(line=section.line, visitors=visitors, tolerance=tolerance)


def _given(section: Section) -> GivenVisitor:
    given = GivenVisitor(
        visitor=section.read("visitor", as_line, None),
        user=section.read("user", as_line, None),
        segments=section.read("segments", listed(as_name), ()),
        attributes=section.read("attributes", as_mapping, {}),
    )
    if section.close() and given.visitor is None and given.user is None:
        section.fail("names nobody, write {visitor: v-1}")
    return given


def _expectation(section: Section) -> Expectation:
    expected = Expectation(
        in_experiment=section.read("in", as_truth, None),
        because=section.read("because", one_of(NotInReason), None),
        variant=section.read("variant", as_name, None),
    )
    if not section.close():
        return expected
    if expected == Expectation():
        section.fail("expects nothing, write {in: true}, {in: false, because: audience} or {variant: control}")
    if expected.because and expected.in_experiment:
        section.fail("in: true has no because, leave one of them out")
    return expected


FINEST = Decimal("0.0001")
MOST_VARIANTS = 100


@dataclass(frozen=True, slots=True)
class _Weight:
    value: Decimal
    percent: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """A variant before the weights of all are known."""

    key: str
    line: int
    weight: _Weight | None
    payload: Any
    has_payload: bool
    recommend: Recommend | None


def variants_of(section: Section) -> tuple[Variant, ...]:
    """The field `variants`; empty, with the mistakes reported, where it cannot be read."""
    node = section.take("variants")
    if node is None:
        section.fail("variants is missing, name the messages to compare, the control first: [control, threshold]")
        return ()
    if not isinstance(node.value, tuple) or not 2 <= len(node.value) <= MOST_VARIANTS:
        found = f"{len(node.value)} named" if isinstance(node.value, tuple) else f"{node.described} is no list"
        section.fail(
            f"{found}, name two or more (at most {MOST_VARIANTS}), the control first: [control, threshold]",
            name="variants",
        )
        return ()
    drafts = [_draft(item, place, section.problems) for place, item in enumerate(node.value)]
    read = [draft for draft in drafts if draft]
    if len(read) < len(drafts) or not _distinct(read, section):
        return ()
    return _weighed(read, section)


def _draft(node: Located, place: int, problems: Problems) -> _Draft | None:
    path = f"variants[{place + 1}]"
    if not isinstance(node.value, (tuple, Mapping)):
        key = problems.attempt(node, path, as_name)
        return None if key is None else _Draft(key, node.line, None, {}, False, None)
    section = Section(node, path, problems)
    key = section.require("key", as_name, "name the variant: {key: control}")
    section.path = f"variants.{key}" if key else path
    weight = section.read("weight", _weight, None)
    section.take("payload")
    payload = section.fields.get("payload")
    recommend = _recommend(section)
    if not section.close() or key is None:
        return None
    return _Draft(key, node.line, weight, payload.plain() if payload else {}, payload is not None, recommend)


def _weight(node: Located) -> _Weight | None:
    scalar = not isinstance(node.value, (tuple, Mapping))
    if scalar and fullmatch(PERCENTAGE, node.text):
        return _Weight(Decimal(node.text.rstrip("% ")), percent=True)
    if scalar and fullmatch(NUMBER, node.text):
        return _Weight(Decimal(node.text), percent=False)
    raise Wrong(f"{node.described} is no weight, write a number such as 1 or a percentage such as 50%")


def _recommend(section: Section) -> Recommend | None:
    inner = section.section("recommend")
    if inner is None:
        return None
    slot = inner.read("slot", as_name, None)
    strategy = inner.read("strategy", one_of(Strategy), None)
    limit = inner.read("limit", whole(1, 100), None)
    if inner.close() and slot is None and strategy is None:
        inner.fail("names neither a slot nor a strategy, write one of them: {strategy: bought_together}")
    return Recommend(slot=slot, strategy=strategy, limit=limit)


def _distinct(drafts: list[_Draft], section: Section) -> bool:
    keys = [draft.key for draft in drafts]
    for place, draft in enumerate(drafts):
        if draft.key in keys[:place]:
            section.fail(f'"{draft.key}" stands twice, every variant needs its own name', draft.line, "variants")
    return len(set(keys)) == len(keys)


def _weighed(drafts: list[_Draft], section: Section) -> tuple[Variant, ...]:
    _check_payloads(drafts, section)
    try:
        shares = _shares(drafts)
    except Wrong as wrong:
        section.fail(str(wrong), wrong.line, "variants")
        return ()
    return tuple(
        Variant(key=draft.key, weight=share, payload=draft.payload, recommend=draft.recommend)
        for draft, share in zip(drafts, shares, strict=True)
    )


def _shares(drafts: list[_Draft]) -> list[float]:
    """Weights as shares of 1; raises Wrong where they do not add up or are too fine."""
    weights = [draft.weight or _Weight(Decimal(1), percent=False) for draft in drafts]
    if any(weight.percent for weight in weights):
        return _percentages(drafts)
    total = sum(weight.value for weight in weights)
    if not total:
        raise Wrong("all weights are 0, at least one variant needs a weight")
    for draft, weight in zip(drafts, weights, strict=True):
        if 0 < weight.value / total < FINEST:
            share = words_of(weight.value / total * 100)
            raise Wrong(
                f"{draft.key} has a share of {share}, finer than 0.01 %, the finest share bucketing knows", draft.line
            )
    return [float(weight.value / total) for weight in weights]


def _percentages(drafts: list[_Draft]) -> list[float]:
    for draft in drafts:
        if draft.weight is None or not draft.weight.percent:
            raise Wrong(f"{draft.key} has no percentage, give every variant one, or write plain numbers", draft.line)
    shares = [draft.weight.value for draft in drafts if draft.weight]
    for draft, share in zip(drafts, shares, strict=True):
        if share % Decimal("0.01"):
            raise Wrong(f"{words_of(share)} is finer than 0.01 %, the finest share bucketing knows", draft.line)
    if sum(shares) != 100:
        names = " and ".join((", ".join(words_of(share) for share in shares[:-1]), words_of(shares[-1])))
        right = "they may not exceed 100 %" if sum(shares) > 100 else "they must add up to 100 %"
        raise Wrong(f"shares {names} add up to {words_of(Decimal(sum(shares)))}, {right}")
    return [float(share / 100) for share in shares]


def _check_payloads(drafts: list[_Draft], section: Section) -> None:
    first = drafts[0]
    for draft in drafts[1:]:
        if _json_type(draft.payload) != _json_type(first.payload):
            section.fail(
                f"the payload of {first.key} is {_described(first)}, that of {draft.key} is {_described(draft)};"
                " a payload has one type in all variants",
                draft.line,
                "variants",
            )


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    return {str: "a text", list: "a list", dict: "a mapping", type(None): "null"}[type(value)]


def _described(draft: _Draft) -> str:
    return (
        _json_type(draft.payload)
        if draft.has_payload
        else f"{_json_type(draft.payload)} (the default {shortened('{}')})"
    )


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
