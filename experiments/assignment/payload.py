"""The catalogue as GrowthBook features: what an SDK computes from them is what `assign` answers.

An experiment that assigns is one rule. One that is paused, stopped or not yet begun has no rule, so everyone gets
control as the default value. Shipped variants and previews are forced values, which no SDK reports as an exposure.

Conditions are rewritten so that every SDK decides them alike where an attribute is missing. A missing attribute is
null: JavaScript orders null as 0 and searches it as the text "null", other SDKs never match it. Where a test asks such
a thing, the answer that `compiled` gives for null is written into the condition.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from experiments.assignment.assign import VISITOR_ATTRIBUTE, CompiledExperiment, Gate
from experiments.targeting.predicates import compiled, read_condition
from kit.conditions import PLAIN, Field, Joined, Members, Nested, Never, Operation, Opposite, Where

JSON: TypeAlias = dict[str, Any]

# Every SDK agrees on these about null.
_AGREED: Final = frozenset(("$eq", "$ne", "$in", "$nin", "$ini", "$nini", "$exists", "$type"))


def features(experiments: Iterable[CompiledExperiment], now: float) -> JSON:
    """The `features` object of the SDK payload at `now` (epoch seconds), by experiment key."""
    return {experiment.key: _feature(experiment, now) for experiment in experiments}


def _feature(experiment: CompiledExperiment, now: float) -> JSON:
    rules = [*_preview_rules(experiment), *_rules(experiment, now)]
    return {"defaultValue": experiment.definition.control.payload, "rules": rules}


def _preview_rules(experiment: CompiledExperiment) -> list[JSON]:
    preview = experiment.definition.preview
    if preview is None:
        return []
    payload = next(variant.payload for variant in experiment.variants if variant.key == preview.variant)
    return [{"condition": {VISITOR_ATTRIBUTE: {"$in": list(preview.visitors)}}, "force": payload}]


def _rules(experiment: CompiledExperiment, now: float) -> list[JSON]:
    stage = experiment.stage(now)
    audience: JSON = {} if experiment.condition is None else {"condition": portable(experiment.condition)}
    if experiment.shipped is not None:
        return [{**audience, "force": experiment.shipped.payload}]
    if stage.closed:
        return []
    rule = {
        "key": experiment.key,
        "name": experiment.definition.name,
        "seed": experiment.seed,
        "phase": str(experiment.phase),
        "hashVersion": 2,
        "hashAttribute": experiment.hash_attribute,
        "variations": [variant.payload for variant in experiment.variants],
        "weights": [variant.weight for variant in experiment.variants],
        "coverage": stage.coverage,
        "meta": [{"key": variant.key} for variant in experiment.variants],
    }
    filters = [_filter(experiment, gate) for gate in experiment.gates]
    return [{**rule, **audience, **({"filters": filters} if filters else {})}]


def _filter(experiment: CompiledExperiment, gate: Gate) -> Mapping[str, Any]:
    return {
        "attribute": experiment.hash_attribute,
        "seed": gate.seed,
        "hashVersion": 2,
        "ranges": [[gate.low, gate.high]],
    }


def portable(condition: Mapping[str, Any]) -> JSON:
    """The same condition, with a branch for null wherever SDKs differ about it."""
    return _portable(read_condition(condition).where)


def _portable(where: Where) -> JSON:
    plain: JSON = {}
    parts: list[JSON] = []
    for entry in where.entries:
        match entry:
            case Field() if all(_agreed(test) for test in entry.tests):
                plain[entry.name] = entry.written
            case Field():
                missing = compiled(Where((entry,)))({})
                branch = {entry.name: {"$exists": not missing}}
                parts.append({"$or" if missing else "$and": [branch, {entry.name: entry.written}]})
            case Joined():
                plain[entry.operator] = [_portable(part) for part in entry.parts]
            case Opposite():
                plain["$not"] = _portable(entry.part)
            case Never():
                plain["$nor"] = [{}]
    return {"$and": [*([plain] if plain else []), *parts]} if parts else plain


def _agreed(test: Operation | Nested | Members) -> bool:
    if not isinstance(test, Operation) or test.operator != PLAIN:
        return test.operator in _AGREED
    number = isinstance(test.operand, int | float) and not isinstance(test.operand, bool)
    return test.operand != 0 if number else test.operand != "null"
