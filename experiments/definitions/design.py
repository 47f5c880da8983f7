"""Reads what an experiment file says about who takes part and how it is judged: traffic, layer, audience, plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from itertools import pairwise
from re import fullmatch
from typing import Any, Final

from experiments.definitions.located import Located, Section, Wrong, entries, joined, refuse
from experiments.definitions.model import (
    Audience,
    Correction,
    Guardrail,
    IdentityRule,
    Layer,
    Method,
    Plan,
    Prior,
    TrafficStep,
)
from experiments.definitions.quantities import (
    NUMBER,
    PERCENTAGE,
    as_days,
    as_effect,
    as_line,
    as_mapping,
    as_name,
    as_number,
    as_probability,
    as_seconds,
    as_share,
    listed,
    moment_of,
    one_of,
    percent,
    share_percent,
    whole,
    words_of,
)
from experiments.targeting.predicates import ConditionError, compile_condition

MOST_CONDITION_MISTAKES: Final = 20  # named of one condition


def as_condition(node: Located) -> dict[str, Any]:
    """A condition in GrowthBook's language, checked by compiling it."""
    refuse([*_condition_mistakes(node)])
    return as_mapping(node)


def _condition_mistakes(node: Located) -> Iterator[Wrong]:
    """Compiling stops at the first mistake, so each is taken out and the rest compiled again."""
    rest = as_mapping(node)
    for _ in range(MOST_CONDITION_MISTAKES):
        try:
            compile_condition(rest, {})
        except ConditionError as error:
            yield Wrong(str(error), node.at(error.path).line, joined(*(str(step) for step in error.path)))
            if not _taken_out(rest, error.path):
                return
        else:
            return


def _taken_out(condition: Any, path: tuple[str | int, ...]) -> bool:
    """Put something harmless in the place of a mistake; whether there was such a place."""
    try:
        for step in path[:-1]:
            condition = condition[step]
        if isinstance(condition, dict):
            del condition[path[-1]]
        else:
            condition[path[-1]] = {}
    except (LookupError, TypeError):
        return False
    return True


def audience_of(section: Section) -> Audience:
    """The field `audience`; everyone where it is absent."""
    inner = section.section("audience")
    if inner is None:
        return Audience()
    audience = Audience(
        segments=inner.read("segments", listed(as_name), ()), where=inner.read("where", as_condition, {})
    )
    inner.close()
    return audience


def layer_of(section: Section) -> Layer | None:
    """The field `layer`, a name and the part of it this experiment takes."""
    inner = section.section("layer")
    if inner is None:
        return None
    hint = "write {name: product-page, share: [0%, 40%]}"
    name = inner.require("name", as_name, hint)
    share = inner.require("share", _as_range, hint)
    inner.close()
    return Layer(name=name, start=share[0], end=share[1]) if name and share else None


def _as_range(node: Located) -> tuple[float, float]:
    if not isinstance(node.value, tuple) or len(node.value) != 2:
        raise Wrong("a share of a layer has a beginning and an end, write [0%, 40%]")
    start, end = (share_percent(item) for item in node.value)
    if start >= end:
        raise Wrong(f"begins at {words_of(start)} and ends at {words_of(end)}, the end must be greater")
    return float(start / 100), float(end / 100)


def traffic_of(section: Section, zone: tzinfo) -> tuple[TrafficStep, ...]:
    """The field `traffic`, one percentage or one from each date on; everyone where it is absent."""
    node = section.take("traffic")
    if node is None:
        return (TrafficStep(since=None, share=1.0),)
    if not isinstance(node.value, Mapping):
        share = section.problems.attempt(node, section.named("traffic"), as_share)
        return (TrafficStep(since=None, share=1.0 if share is None else share),)
    steps: list[TrafficStep] = []
    for date, value in entries(node, section.named("traffic"), section.problems):
        step = section.problems.attempt(
            value, section.named("traffic"), lambda item, date=date: _step(date, item, zone)
        )
        steps.extend([step] if step else [])
    return _widening(steps, node, section)


def _step(date: str, node: Located, zone: tzinfo) -> TrafficStep:
    return TrafficStep(since=moment_of(date, zone), share=as_share(node))


def _widening(steps: list[TrafficStep], node: Located, section: Section) -> tuple[TrafficStep, ...]:
    ordered = sorted(steps, key=lambda step: step.since.timestamp() if step.since else 0.0)
    for before, after in pairwise(ordered):
        if before.since == after.since:
            section.fail(f"{after.since:%Y-%m-%dT%H:%MZ} stands twice, keep one", node.line, "traffic")
        elif after.share < before.share:
            shares = f"{words_of(before.share * 100)} to {words_of(after.share * 100)}"
            message = f"narrows from {shares} at {after.since:%Y-%m-%dT%H:%MZ}, traffic only ever widens within a phase"
            section.fail(message, node.line, "traffic")
    if isinstance(node.value, Mapping) and not node.value:
        section.fail("names no date, write {2026-01-05: 10%} or one percentage", node.line, "traffic")
    return tuple(ordered)


def guardrails_of(section: Section) -> tuple[Guardrail, ...]:
    """The field `guardrails`, the largest harm borne for each metric."""
    node = section.take("guardrails")
    if node is None:
        return ()
    path = section.named("guardrails")
    if not isinstance(node.value, Mapping):
        section.fail("name each metric with the largest harm it may take: {refund_rate: 10%}", name="guardrails")
        return ()
    read = [
        section.problems.attempt(value, f"{path}.{metric}", lambda item, metric=metric: _guardrail(metric, item))
        for metric, value in entries(node, path, section.problems)
    ]
    return tuple(guardrail for guardrail in read if guardrail)


def _guardrail(metric: str, node: Located) -> Guardrail:
    if not isinstance(node.value, Mapping):
        harm, relative = _harm(node)
        return Guardrail(metric=metric, max_harm=harm, relative=relative)
    refuse([*_strict_form_mistakes(node.value)])
    harm, relative = _harm(node.value["max_harm"])
    return Guardrail(metric=metric, max_harm=harm, relative=relative, require_safe="require" in node.value)


def _strict_form_mistakes(fields: Mapping[str, Located]) -> Iterator[Wrong]:
    for name, value in fields.items():
        if name not in ("max_harm", "require"):
            yield Wrong(f'unknown field "{name}"; known are max_harm, require', value.line)
        elif name == "require" and value.text != "safe":
            yield Wrong(f"{value.described} is not known, write require: safe or leave it out", value.line)
    if "max_harm" not in fields:
        yield Wrong("max_harm is missing, write {max_harm: 10%, require: safe}")


def _harm(node: Located) -> tuple[float, bool]:
    absolute = fullmatch(rf"({NUMBER}) points?", node.text)
    if absolute and float(absolute[1]) > 0:
        return float(absolute[1]), False
    if fullmatch(PERCENTAGE, node.text) and percent(node) > 0:
        return float(percent(node) / 100), True
    raise Wrong(f"{node.described} is no harm, write 10% (relative) or 0.2 points (in the metric's unit)", node.line)


def plan_of(section: Section) -> Plan:
    """The field `plan`, with its defaults."""
    inner = section.section("plan")
    if inner is None:
        return Plan()
    default = Plan()
    days = inner.read("days", as_days, default.days)
    plan = Plan(
        method=inner.read("method", one_of(Method), default.method),
        alpha=inner.read("alpha", as_probability, default.alpha),
        power=inner.read("power", as_probability, default.power),
        days=days,
        min_days=inner.read("min_days", as_days, min(default.min_days, days)),
        looks=inner.read("looks", whole(1, 100), min(default.looks, days)),
        mde=_mde(inner),
        cuped_seconds=inner.read("cuped", _as_look_back, default.cuped_seconds),
        correction=inner.read("correction", one_of(Correction), default.correction),
        dimensions=inner.read("dimensions", listed(as_line), ()),
        prior=_prior(inner),
        identity=inner.read("identity", one_of(IdentityRule), default.identity),
    )
    if inner.close():
        _check_plan(plan, inner)
    return plan


def _as_look_back(node: Located) -> int:
    if node.value is False or node.text in ("off", "0", "0 days"):
        return 0
    return as_seconds(node)


def _mde(plan: Section) -> dict[str, float]:
    node = plan.take("mde")
    if node is None:
        return {}
    path = plan.named("mde")
    effects = {
        metric: plan.problems.attempt(value, f"{path}.{metric}", as_effect)
        for metric, value in entries(node, path, plan.problems)
    }
    return {metric: effect for metric, effect in effects.items() if effect is not None}


def _prior(plan: Section) -> Prior | None:
    inner = plan.section("prior")
    if inner is None:
        return None
    mean = inner.read("mean", _as_signed_effect, 0.0)
    spread = inner.require(
        "sd", as_effect, "write how far relative lifts usually lie from the mean: {mean: 0%, sd: 10%}"
    )
    inner.close()
    return None if spread is None else Prior(mean=mean, sd=spread)


def _as_signed_effect(node: Located) -> float:
    if not fullmatch(rf"-?{PERCENTAGE}", node.text):
        raise Wrong(f"{node.described} is no percentage, write it with its sign, as in 2%")
    return as_number(Located(node.text, node.line, node.text.rstrip("% "))) / 100


def _check_plan(plan: Plan, section: Section) -> None:
    if plan.min_days > plan.days:
        section.fail(f"{plan.min_days} is more than the {plan.days} days of the plan", name="min_days")
    if plan.looks > plan.days:
        section.fail(f"{plan.looks} looks need as many days, the plan has {plan.days}", name="looks")
