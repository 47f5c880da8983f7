"""Reads one experiment file: every field of it, its variants and its tests, every mistake of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from re import fullmatch
from typing import Any, Final, NamedTuple

from pydantic import Field

from experiments.definitions.design import AUDIENCE, GOAL, GUARDRAILS, LAYER, PLAN, TRAFFIC
from experiments.definitions.grammar import (
    NAME_PATTERN,
    Entries,
    FieldSpec,
    Kind,
    Section,
    either,
    fields_schema,
    lacks_colon,
    listed,
    one_of,
    read_fields,
    scalar,
    words,
)
from experiments.definitions.model import (
    DecisionNote,
    Definition,
    Delivery,
    Expectation,
    Experiment,
    GivenVisitor,
    GoalMargin,
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
from experiments.definitions.page_changes import PAYLOAD
from experiments.definitions.quantities import (
    DATE,
    FINEST_SHARE,
    KEY,
    KEY_PATTERN,
    LINE,
    NAME,
    NUMBER,
    OBJECT,
    PERCENTAGE,
    SHARE,
    TEXT,
    TOO_FINE,
    TRUTH,
    as_name,
    decimal_comma,
    whole,
    words_of,
)
from experiments.targeting.javascript import type_name
from kit.located import Located, Location, Problems, Wrong
from kit.yaml import without_colon

MOST_VARIANTS: Final = 100
MOST_MADE_UP: Final = 10**6  # visitors of a split test


def _check_expectation(expected: Expectation, place: Location) -> None:
    if expected == Expectation():
        place.fail("expects nothing, write {in: true}, {in: false, because: audience} or {variant: control}")
    if expected.because and expected.in_experiment:
        place.fail("in: true has no because, leave one of them out")


_GIVEN: Final = Section(
    GivenVisitor,
    {"visitor": LINE, "user": LINE, "segments": listed(NAME), "attributes": OBJECT},
    least=("visitor", "user"),
    nothing="names nobody, write {visitor: v-1}",
).kind
_EXPECT: Final = Section(
    Expectation,
    {"in": FieldSpec(TRUTH, to="in_experiment"), "because": one_of(NotInReason), "variant": NAME},
    check=_check_expectation,
    also={"minProperties": 1},
).kind
_TEST_HINT: Final = "{given: {visitor: v-1}, expect: {in: true}}"
_VISITOR_TEST: Final = Section(
    VisitorTest, {"given": FieldSpec(_GIVEN, needed=_TEST_HINT), "expect": FieldSpec(_EXPECT, needed=_TEST_HINT)}
).kind
_VISITORS: Final = FieldSpec(
    whole(100, MOST_MADE_UP),
    needed="say with how many made-up visitors: {split: 10000, tolerance: 1%}",
    to="visitors",
)
SPLIT_TEST: Final = Section(SplitTest, {"split": _VISITORS, "tolerance": SHARE})


def _test(place: Location) -> VisitorTest | SplitTest | None:
    if place.has("split") or place.has("tolerance"):
        return SPLIT_TEST.read(place)
    asked = place.has("given"), place.has("expect")
    if isinstance(place.node.value, Mapping) and not all(asked):
        several = "both given and expect" if any(asked) else "given and expect, or split"
        return place.fail(f"a test has {several}: {_TEST_HINT}")
    return _VISITOR_TEST.read(place)


_TEST: Final = Kind(_test, either(_VISITOR_TEST.schema, SPLIT_TEST.kind.schema))


def _tests(place: Location) -> tuple[VisitorTest | SplitTest, ...] | None:
    if not isinstance(place.node.value, tuple):
        return place.fail("is no list, begin each test with a dash: - {split: 10000, tolerance: 1%}")
    items = enumerate(place.node.value, start=1)
    read = [_TEST.sound(Location(item, place.problems, place.around, f"tests[{number}]")) for number, item in items]
    return tuple(test for test in read if test)


class _Weight(NamedTuple):
    value: Decimal
    percent: bool = False


class _Draft(Definition):
    """A variant before the weights of all are known."""

    key: str
    line: int
    weight: _Weight | None = None
    payload: Any = Field(default_factory=dict[str, Any])
    recommend: Recommend | None = None


def _weight(node: Located) -> _Weight:
    scalar = not isinstance(node.value, (tuple, Mapping))
    if scalar and fullmatch(PERCENTAGE, node.text):
        return _Weight(Decimal(node.text.rstrip("% ")), percent=True)
    if scalar and fullmatch(NUMBER, node.text):
        return _Weight(Decimal(node.text))
    right = decimal_comma(node.text) or ", write a number such as 1 or a percentage such as 50%"
    raise Wrong(f"{node.described} is no weight{right}")


_RECOMMEND: Final = Section(
    Recommend,
    {"slot": NAME, "strategy": one_of(Strategy), "limit": whole(1, 100)},
    least=("slot", "strategy"),
    nothing="names neither a slot nor a strategy, write one of them: {strategy: bought_together}",
).kind
VARIANT: Final = Section(
    _Draft,
    {
        "key": FieldSpec(NAME, needed="name the variant: {key: control}"),
        "weight": scalar(_weight, either({"type": "number", "minimum": 0}, words(PERCENTAGE, NUMBER))),
        "payload": FieldSpec(
            PAYLOAD, null=True, help="Any JSON, of one type in all variants; the tag makes its `changes` of the page"
        ),
        "recommend": _RECOMMEND,
    },
)


_VARIANT: Final = Kind(VARIANT.read, either(NAME.schema, VARIANT.kind.schema))


def _draft(item: Located, number: int, variants: Location) -> _Draft | None:
    place = Location(item, variants.problems, variants.around, f"variants[{number}]")
    if not isinstance(item.value, (tuple, Mapping)):
        if lacks_colon(item.text, VARIANT.entries):
            return place.fail(without_colon(item.text))
        key = place.attempt(as_name)
        return None if key is None else _Draft(key=key, line=item.line)
    named = place.fields.get("key")
    if named and fullmatch(NAME_PATTERN, named.text):
        place = Location(item, variants.problems, variants.around, f"variants.{named.text}")
    return _VARIANT.sound(place)


def _variants(place: Location) -> tuple[Variant, ...] | None:
    """The variants, where all of them can be read: their weights only mean something together."""
    items = place.node.value
    if not isinstance(items, tuple) or not 2 <= len(items) <= MOST_VARIANTS:
        found = f"{len(items)} named" if isinstance(items, tuple) else f"{place.node.described} is no list"
        most = f"name two or more (at most {MOST_VARIANTS}), the control first: [control, threshold]"
        return place.fail(f"{found}, {most}")
    read = [_draft(item, number, place) for number, item in enumerate(items, start=1)]
    drafts = [draft for draft in read if draft]
    if len(drafts) < len(read):
        return None
    keys = [draft.key for draft in drafts]
    repeated = [draft for number, draft in enumerate(drafts) if draft.key in keys[:number]]
    for draft in repeated:
        place.fail(f'"{draft.key}" stands twice, every variant needs its own name', draft.line)
    if repeated:
        return None
    first, *others = drafts
    for draft in others:
        if type_name(draft.payload) != type_name(first.payload):
            both = f"{first.key} is {_payload_type(first)}, that of {draft.key} is {_payload_type(draft)}"
            place.fail(f"the payload of {both}; a payload has one type in all variants", draft.line)
    try:
        shares = _shares(drafts)
    except Wrong as wrong:
        return place.fail(str(wrong), wrong.line)
    return tuple(
        Variant(key=draft.key, weight=share, payload=draft.payload, recommend=draft.recommend)
        for draft, share in zip(drafts, shares, strict=True)
    )


def _shares(drafts: list[_Draft]) -> list[float]:
    """Weights as shares of 1; raises Wrong where they do not add up or are too fine."""
    weights = [draft.weight or _Weight(Decimal(1)) for draft in drafts]
    if any(weight.percent for weight in weights):
        return _percentages(drafts)
    total = sum(weight.value for weight in weights)
    if not total:
        raise Wrong("all weights are 0, at least one variant needs a weight")
    for draft, weight in zip(drafts, weights, strict=True):
        share = weight.value / total * 100
        if 0 < share < FINEST_SHARE:
            raise Wrong(f"{draft.key} has a share of {words_of(share)}, {TOO_FINE}", draft.line)
    return [float(weight.value / total) for weight in weights]


def _percentages(drafts: list[_Draft]) -> list[float]:
    for draft in drafts:
        if draft.weight is None or not draft.weight.percent:
            raise Wrong(f"{draft.key} has no percentage, give every variant one, or write plain numbers", draft.line)
    shares = [draft.weight.value for draft in drafts if draft.weight]
    for draft, share in zip(drafts, shares, strict=True):
        if share % FINEST_SHARE:
            raise Wrong(f"{words_of(share)} is {TOO_FINE}", draft.line)
    if sum(shares) != 100:
        names = " and ".join((", ".join(words_of(share) for share in shares[:-1]), words_of(shares[-1])))
        right = "they may not exceed 100 %" if sum(shares) > 100 else "they must add up to 100 %"
        raise Wrong(f"shares {names} add up to {words_of(Decimal(sum(shares)))}, {right}")
    return [float(share / 100) for share in shares]


_TYPES: Final = {
    "null": "null", "boolean": "true or false", "number": "a number",
    "string": "a text", "array": "a list", "object": "a mapping",
}  # fmt: skip


def _payload_type(draft: _Draft) -> str:
    return _TYPES[type_name(draft.payload)] + ("" if "payload" in draft.model_fields_set else " (the default {})")


_PREVIEW_HINT: Final = "write {variant: threshold, visitors: [qa-1]}"
EXPERIMENT: Final[Entries] = {
    "key": FieldSpec(KEY, needed="write the name of the file", help="The name of the file and of the flag"),
    "name": FieldSpec(LINE, help="What reports call it"),
    "owner": LINE,
    "hypothesis": TEXT,
    "status": one_of(Status),
    "start": DATE,
    "end": DATE,
    "phase": FieldSpec(whole(0, 9999), help="A change of design is a new phase"),
    "unit": one_of(UnitKind),
    "layer": LAYER,
    "holdouts": listed(NAME),
    "audience": AUDIENCE,
    "traffic": TRAFFIC,
    "variants": FieldSpec(
        Kind(_variants, listed(_VARIANT, least=2).schema),
        needed="name the messages to compare, the control first: [control, threshold]",
        help="The first is the control",
    ),
    "preview": Section(
        Preview,
        {"variant": FieldSpec(NAME, needed=_PREVIEW_HINT), "visitors": FieldSpec(listed(LINE), needed=_PREVIEW_HINT)},
    ).kind,
    "delivery": FieldSpec(one_of(Delivery), help="server keeps it out of the payload that pages read"),
    "goal": GOAL,
    "goals": listed(GOAL, least=1),
    "secondary": listed(NAME),
    "guardrails": GUARDRAILS,
    "plan": PLAN.kind,
    "tests": Kind(_tests, {"type": "array", "items": _TEST.schema}),
    "decision": Section(DecisionNote, {"outcome": one_of(Outcome), "variant": NAME, "note": TEXT}).kind,
}
EXPERIMENT_SCHEMA: Final = {
    **fields_schema(Experiment, EXPERIMENT),
    "oneOf": [{"required": ["goal"]}, {"required": ["goals"]}],
}


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


def experiment_file(root: Located | None, stem: str, problems: Problems) -> ExperimentFile | None:
    """The experiment of a file named `stem`, every mistake told; None where nothing can be made of the file."""
    if root is None:
        if not problems.found:
            problems.add(1, "", "is empty; the smallest experiment has key, variants and goal")
        return None
    place = Location(root, problems)
    nameable = fullmatch(KEY_PATTERN, stem) is not None
    hint = f"write the name of the file: key: {stem}" if nameable else "as in key: sale, and name the file sale.yaml"
    fields = read_fields(place, {**EXPERIMENT, "key": FieldSpec(KEY, needed=hint)})
    if fields is None:
        return None
    key = fields.setdefault("key", stem)
    if key != stem:
        write = f"write key: {stem}, or " if nameable else ""
        place.fail(f'"{key}" is not the name of the file, {write}name the file {key}.yaml', name="key")
    if place.has("goal") and place.has("goals"):
        place.fail("stands beside goals, keep one of them", name="goal")
    elif not place.has("goal") and not place.has("goals"):
        place.fail("goal is missing, name the metric that decides: goal: purchase_rate")
    goal = fields.pop("goal", None)
    goals = fields.get("goals", (goal,) if goal else ())
    fields["margins"] = tuple(each for each in goals if isinstance(each, GoalMargin))
    fields["goals"] = tuple(each.metric if isinstance(each, GoalMargin) else each for each in goals)
    experiment = Experiment.model_construct(None, **{"name": key, "variants": (), **fields})
    _check(experiment, place)
    if not problems.found:
        experiment = Experiment(**{"name": key, **fields})
    return ExperimentFile(problems.file, experiment, root, complete=not problems.found)


def _check(experiment: Experiment, place: Location) -> None:
    """What the fields say about each other."""
    _check_decision(experiment, place)
    start, end = experiment.start, experiment.end
    if start and end and end <= start:
        place.fail(f"{end:%Y-%m-%dT%H:%MZ} is not after the start, {start:%Y-%m-%dT%H:%MZ}", name="end")
    for name in {name for name in experiment.goals if experiment.goals.count(name) > 1}:
        place.fail(f"{name} stands twice, keep one", name="goals")
    for name in experiment.secondary:
        if name in experiment.goals:
            place.fail(f"{name} is a goal already, leave it out here", name="secondary")
    for metric in experiment.plan.mde:
        if experiment.goals and metric not in experiment.metrics:
            message = f"{metric} is no metric of this experiment, they are {', '.join(experiment.metrics)}"
            place.problems.add(place.fields["plan"].at(("mde", metric)).line, "plan.mde", message)


def _check_decision(experiment: Experiment, place: Location) -> None:
    """Every variant that is named is one, and only what is stopped is decided."""
    decision = experiment.decision
    keys = [variant.key for variant in experiment.variants]
    named: list[tuple[str, int | None, str | None]] = [("decision", None, decision.variant)]
    if experiment.preview:
        named.insert(0, ("preview", None, experiment.preview.variant))
    visitors = [test for test in experiment.tests if isinstance(test, VisitorTest)]
    named += [("tests", test.line, test.expect.variant) for test in visitors]
    for field, line, variant in named:
        if variant and keys and variant not in keys:
            place.fail(f"{variant} is no variant, they are {', '.join(keys)}", line, field)
    if decision.outcome == "shipped" and not decision.variant:
        place.fail("shipped what? name the variant: {outcome: shipped, variant: threshold}", name="decision")
    status = place.fields["status"].text if place.has("status") else experiment.status
    if decision.outcome and status not in ("stopped", "archived"):
        message = f"{decision.outcome} is for a stopped experiment, the status is {status}"
        place.fail(message, name="decision")
