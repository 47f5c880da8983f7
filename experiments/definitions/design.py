"""What an experiment file says about who takes part and how it is judged: its traffic, layer, audience and plan."""

from collections.abc import Mapping
from itertools import pairwise
from re import fullmatch
from typing import Any, Final

from experiments.definitions.grammar import (
    FieldSpec,
    Kind,
    Section,
    by_name,
    constant,
    either,
    listed,
    one_of,
    scalar,
    words,
)
from experiments.definitions.model import (
    Audience,
    Correction,
    DefinedPrior,
    GoalMargin,
    Guardrail,
    IdentityRule,
    Layer,
    Method,
    Plan,
    TrafficStep,
)
from experiments.definitions.quantities import (
    AUDIENCE_CONDITION,
    DATE_PATTERN,
    DAYS,
    DURATION,
    EFFECT,
    LINE,
    NAME,
    NUMBER,
    PERCENTAGE,
    PROBABILITY,
    SECONDS,
    as_number,
    as_seconds,
    as_share,
    moment_in,
    percent,
    share_percent,
    whole,
    words_of,
)
from kit.located import Located, Location, Wrong

AUDIENCE: Final = Section(Audience, {"segments": listed(NAME), "where": AUDIENCE_CONDITION}).kind


def _range(node: Located) -> tuple[float, float]:
    if not isinstance(node.value, tuple) or len(node.value) != 2:
        raise Wrong("a share of a layer has a beginning and an end, write [0%, 40%]")
    start, end = (share_percent(item) for item in node.value)
    if start >= end:
        raise Wrong(f"begins at {words_of(start)} and ends at {words_of(end)}, the end must be greater")
    return float(start / 100), float(end / 100)


_LAYER_HINT: Final = "write {name: product-page, share: [0%, 40%]}"
_RANGE: Final = scalar(_range, {"type": "array", "items": words(PERCENTAGE), "minItems": 2, "maxItems": 2})
LAYER: Final = Section(
    Layer,
    {"name": FieldSpec(NAME, needed=_LAYER_HINT), "share": FieldSpec(_RANGE, needed=_LAYER_HINT)},
    build=lambda name, share: Layer(name=name, start=share[0], end=share[1]),
).kind


def _traffic(place: Location) -> tuple[TrafficStep, ...] | None:
    """One percentage, or one from each date on."""
    if not isinstance(place.node.value, Mapping):
        share = place.attempt(as_share)
        return None if share is None else (TrafficStep(since=None, share=share),)
    if not place.fields:
        place.fail("names no date, write {2026-01-05: 10%} or one percentage")
    steps: list[TrafficStep] = []
    for date, value in place.fields.items():
        try:
            steps.append(TrafficStep(since=moment_in(date, place.problems.zone), share=as_share(value)))
        except Wrong as wrong:
            place.fail(str(wrong), value.line)
    steps.sort(key=lambda step: step.since.timestamp() if step.since else 0.0)
    for before, after in pairwise(steps):
        if before.since == after.since:
            place.fail(f"{after.since:%Y-%m-%dT%H:%MZ} stands twice, keep one")
        elif after.share < before.share:
            shares = f"{words_of(before.share * 100)} to {words_of(after.share * 100)}"
            message = f"narrows from {shares} at {after.since:%Y-%m-%dT%H:%MZ}, traffic only ever widens within a phase"
            place.fail(message)
    return tuple(steps)


_BY_DATE: Final = {f"^{DATE_PATTERN}$": words(PERCENTAGE)}
TRAFFIC: Final = Kind(
    _traffic,
    either(
        words(PERCENTAGE),
        {"type": "object", "patternProperties": _BY_DATE, "additionalProperties": False, "minProperties": 1},
    ),
    written=lambda steps: f"{steps[0].share:.0%}",
)


POINTS: Final = rf"{NUMBER} points?"


def _amount(what: str) -> Kind[tuple[float, bool]]:
    """How large a harm or margin is, and whether that is relative."""

    def convert(node: Located) -> tuple[float, bool]:
        amount = node.text.partition(" ")[0]
        if fullmatch(POINTS, node.text) and float(amount) > 0:
            return float(amount), False
        if fullmatch(PERCENTAGE, node.text) and percent(node) > 0:
            return float(percent(node) / 100), True
        raise Wrong(f"{node.described} is no {what}, write 10% (relative) or 0.2 points (in the metric's unit)")

    return scalar(convert, words(PERCENTAGE, POINTS))


_HARM: Final = _amount("harm")
_SAFE: Final = constant("safe", "is not known, write require: safe or leave it out")
_STRICT: Final = Section(
    Guardrail,
    {
        "max_harm": FieldSpec(_HARM, needed="write {max_harm: 10%, require: safe}", unnamed=True),
        "require": FieldSpec(_SAFE, unnamed=True),
    },
    build=lambda max_harm, require=None: Guardrail(
        metric="", max_harm=max_harm[0], relative=max_harm[1], require_safe=require is not None
    ),
).kind


def _guardrail(place: Location) -> Guardrail | None:
    if isinstance(place.node.value, Mapping):
        strict = _STRICT.read(place)
        return strict.model_copy(update={"metric": place.name}) if strict else None
    harm = _HARM.read(place)
    return harm and Guardrail(metric=place.name, max_harm=harm[0], relative=harm[1])


_GUARDRAILS: Final = by_name(Kind(_guardrail, either(_HARM.schema, _STRICT.schema)))


def _guardrails(place: Location) -> tuple[Guardrail, ...] | None:
    if not isinstance(place.node.value, Mapping):
        return place.fail("name each metric with the largest harm it may take: {refund_rate: 10%}")
    return tuple((_GUARDRAILS.read(place) or {}).values())


GUARDRAILS: Final = Kind(_guardrails, _GUARDRAILS.schema)


_MARGIN_HINT: Final = "write {metric: purchase_rate, margin: 2%}"
_NOT_WORSE: Final = Section(
    GoalMargin,
    {
        "metric": FieldSpec(NAME, needed=_MARGIN_HINT),
        "margin": FieldSpec(_amount("margin"), needed=_MARGIN_HINT),
    },
    build=lambda metric, margin: GoalMargin(metric=metric, margin=margin[0], relative=margin[1]),
).kind


def _goal(place: Location) -> str | GoalMargin | None:
    return _NOT_WORSE.read(place) if isinstance(place.node.value, Mapping) else NAME.read(place)


GOAL: Final = Kind(_goal, either(NAME.schema, _NOT_WORSE.schema))


def _wanted_effect(place: Location) -> float | None:
    amount = place.node.text.partition(" ")[0]
    in_points = fullmatch(POINTS, place.node.text) and float(amount) > 0
    return float(amount) if in_points else EFFECT.read(place)


_WANTED: Final = Kind(_wanted_effect, either(EFFECT.schema, words(POINTS)))


def _look_back(node: Located) -> int:
    return 0 if node.value is False or node.text in ("off", "0", "0 days") else as_seconds(node)


def _signed_effect(node: Located) -> float:
    if not fullmatch(rf"-?{PERCENTAGE}", node.text):
        raise Wrong(f"{node.described} is no percentage, write it with its sign, as in 2%")
    return as_number(Located(node.text, node.line, node.text.rstrip("% "))) / 100


_LOOK_BACK: Final = scalar(
    _look_back, either(words(DURATION, "off", "0 days"), {"enum": [False, 0]}), written=SECONDS.written
)
_PRIOR_HINT: Final = "write how far relative lifts usually lie from the mean: {mean: 0%, sd: 10%}"
_PRIOR: Final = Section(
    DefinedPrior,
    {"mean": scalar(_signed_effect, words(f"-?{PERCENTAGE}")), "sd": FieldSpec(EFFECT, needed=_PRIOR_HINT)},
    build=lambda sd, mean=0.0: DefinedPrior(mean=mean, sd=sd),
).kind


def _plan(**fields: Any) -> Plan:
    """A plan of a few days has no more looks, and no later first day, than days."""
    plan = Plan(**fields)
    bounded = {"min_days": min(plan.min_days, plan.days), "looks": min(plan.looks, plan.days)}
    return plan.model_copy(update={**bounded, **fields})


def _check_plan(plan: Plan, place: Location) -> None:
    if plan.min_days > plan.days:
        place.fail(f"{plan.min_days} is more than the {plan.days} days of the plan", name="min_days")
    if plan.looks > plan.days:
        place.fail(f"{plan.looks} looks need as many days, the plan has {plan.days}", name="looks")


PLAN: Final = Section(
    Plan,
    {
        "method": one_of(Method),
        "alpha": PROBABILITY,
        "power": PROBABILITY,
        "days": DAYS,
        "min_days": DAYS,
        "looks": whole(1, 100),
        "mde": by_name(_WANTED),
        "cuped": FieldSpec(_LOOK_BACK, to="cuped_seconds"),
        "correction": one_of(Correction),
        "dimensions": listed(LINE),
        "prior": _PRIOR,
        "identity": one_of(IdentityRule),
    },
    build=_plan,
    check=_check_plan,
)
