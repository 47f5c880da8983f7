"""The catalogue as GrowthBook features: what an SDK computes from them is what `assign` answers.

An experiment that assigns is one rule. One that is paused, stopped or not yet begun has no rule, so everyone gets
control as the default value. Shipped variants and previews are forced values, which no SDK reports as an exposure.

Conditions rewritten so that every SDK decides them alike where an attribute is missing.

A missing attribute is null. JavaScript orders null as 0 and searches it as the text "null", other SDKs never match it.
Where a test asks such a thing, the answer that `compile_condition` gives for null is written into the condition.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from experiments.assignment.assign import VISITOR_ATTRIBUTE, CompiledExperiment, Gate
from experiments.targeting.predicates import compile_condition

# Every SDK agrees on these about null.
_AGREED: Final = frozenset(
    {"$eq", "$ne", "$in", "$nin", "$ini", "$nini", "$inGroup", "$notInGroup", "$exists", "$type"}
)


def portable(condition: Mapping[str, Any], saved_groups: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same condition, with a branch for null wherever SDKs differ about it."""
    parts: list[dict[str, Any]] = []
    plain: dict[str, Any] = {}
    for key, value in condition.items():
        if key in ("$and", "$or", "$nor"):
            plain[key] = [portable(item, saved_groups) for item in value]
        elif key == "$not":
            plain[key] = portable(value, saved_groups)
        elif key.startswith("$") or _agreed(value):
            plain[key] = value
        else:
            parts.append(_with_branch_for_null(key, value, saved_groups))
    if not parts:
        return plain
    return {"$and": [*([plain] if plain else []), *parts]}


def _agreed(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(operator in _AGREED or not operator.startswith("$") for operator in value)
    return not (value == "null" or (isinstance(value, int | float) and not isinstance(value, bool) and value == 0))


def _with_branch_for_null(path: str, value: Any, saved_groups: Mapping[str, Any] | None) -> dict[str, Any]:
    if compile_condition({path: value}, saved_groups)({}):
        return {"$or": [{path: {"$exists": False}}, {path: value}]}
    return {"$and": [{path: {"$exists": True}}, {path: value}]}


JSON = dict[str, Any]


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
