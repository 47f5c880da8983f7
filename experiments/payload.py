"""The catalogue as GrowthBook features: what an SDK computes from them is what `assign` answers.

An experiment that assigns is one rule. One that is paused, stopped or not yet begun has no rule, so everyone gets
control as the default value. Shipped variants and previews are forced values, which no SDK reports as an exposure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from experiments.assignment import VISITOR_ATTRIBUTE, CompiledExperiment, Gate
from experiments.condition_portability import portable

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
