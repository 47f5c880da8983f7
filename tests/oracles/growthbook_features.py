"""GrowthBook features and experiments evaluated as their SDKs do: what we publish can be held to what we assign.

Left to the SDKs: sticky buckets, URL targeting, forced query strings and redirects, which need a browser's state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from experiments.assignment.bucketing import Range, bucket_ranges, fnv1a, position, unit_text, usable_weights
from experiments.targeting.predicates import compile_condition

JSON = Mapping[str, Any]
Prerequisites = Literal["met", "unmet", "gate", "cyclic"]

_EXPERIMENT_FIELDS: Final = (
    *("key", "name", "phase", "seed", "hashAttribute", "hashVersion", "condition", "filters", "namespace"),
    *("coverage", "weights", "ranges", "meta"),
)
_NO_LEAF: Final = -1  # the bandit leaf of those whom no context describes


@dataclass(frozen=True, slots=True)
class Context:
    """What an evaluation may look at: the visitor's attributes and the payload around the feature."""

    attributes: JSON = field(default_factory=dict)
    features: Mapping[str, JSON] = field(default_factory=dict)
    saved_groups: JSON = field(default_factory=dict)
    contextual_bandits: JSON = field(default_factory=dict)
    forced_variations: Mapping[str, int] = field(default_factory=dict)
    enabled: bool = True
    qa_mode: bool = False

    def meets(self, condition: JSON | None) -> bool:
        """Whether the visitor meets a condition; no condition is met by all."""
        return not condition or compile_condition(condition, self.saved_groups, lenient=True)(self.attributes)

    def unit(self, attribute: str | None) -> str | None:
        """The text to hash, None where the visitor has none."""
        return unit_text(self.attributes.get(attribute or "id"))


@dataclass(frozen=True, slots=True)
class Run:
    """The outcome of one experiment for one visitor; `bucket` is None where nothing was hashed."""

    variation: int
    value: Any
    key: str
    in_experiment: bool
    hash_used: bool
    hash_attribute: str
    hash_value: Any
    bucket: float | None = None
    name: str | None = None
    passthrough: bool = False


@dataclass(frozen=True, slots=True)
class FeatureAnswer:
    """The value of a feature and where it comes from; `experiment` and `run` where an experiment decided."""

    value: Any
    source: str
    rule_id: str = ""
    experiment: JSON | None = None
    run: Run | None = None


def evaluate(key: str, context: Context, visited: frozenset[str] = frozenset()) -> FeatureAnswer:
    """The answer of the first rule that applies, else the default value."""
    feature = context.features.get(key)
    if feature is None:
        return FeatureAnswer(None, "unknownFeature")
    if key in visited:
        return FeatureAnswer(None, "cyclicPrerequisite")
    for rule in feature.get("rules", ()):
        answer = _rule_answer(key, rule, context, visited | {key})
        if answer is not None:
            return answer
    return FeatureAnswer(feature.get("defaultValue"), "defaultValue")


def run(experiment: JSON, context: Context, visited: frozenset[str] = frozenset()) -> Run:
    """The variation of an inline experiment; the first one, not in the experiment, where anything says no."""
    forced = context.forced_variations.get(experiment["key"])
    if len(experiment["variations"]) < 2 or not context.enabled:
        return _outcome(experiment, context, None)
    if forced is not None:
        return _outcome(experiment, context, forced)
    if not experiment.get("active", True) or not _eligible(experiment, context, visited):
        return _outcome(experiment, context, None)
    return _hashed(experiment, context)


def _rule_answer(key: str, rule: JSON, context: Context, visited: frozenset[str]) -> FeatureAnswer | None:
    prerequisites = _prerequisites(rule, context, visited)
    if prerequisites in ("gate", "cyclic"):
        return FeatureAnswer(None, "prerequisite" if prerequisites == "gate" else "cyclicPrerequisite")
    applies = prerequisites == "met" and context.meets(rule.get("condition")) and _passes_filters(rule, context)
    if not applies:
        return None
    if "force" in rule:
        return _forced_answer(key, rule, context)
    variations = rule.get("contextualVariations", rule.get("variations"))
    return None if variations is None else _experiment_answer(key, rule, variations, context, visited)


def _forced_answer(key: str, rule: JSON, context: Context) -> FeatureAnswer | None:
    if "range" in rule or "coverage" in rule:
        unit = context.unit(rule.get("hashAttribute"))
        place = None if unit is None else bucket(rule.get("seed") or key, unit, rule.get("hashVersion") or 1)
        share = rule.get("range") or (0.0, rule["coverage"])
        if place is None or not in_ranges(place, [share]):
            return None
    return FeatureAnswer(rule["force"], "force", rule.get("id", ""))


def _experiment_answer(
    key: str, rule: JSON, variations: Sequence[Any], context: Context, visited: frozenset[str]
) -> FeatureAnswer | None:
    experiment = {name: rule[name] for name in _EXPERIMENT_FIELDS if name in rule}
    experiment |= {"key": rule.get("key") or key, "variations": variations}
    bandit = context.contextual_bandits.get(rule.get("contextualBanditRef", ""))
    if bandit is not None:
        experiment |= _bandit(bandit, experiment, context)
    outcome = run(experiment, context, visited)
    if not outcome.in_experiment or outcome.passthrough:
        return None
    if not outcome.hash_used:
        experiment.pop("contextualBandit", None)
    return FeatureAnswer(outcome.value, "experiment", rule.get("id", ""), experiment, outcome)


def _bandit(bandit: JSON, experiment: JSON, context: Context) -> dict[str, Any]:
    """Weights of the first context the visitor meets, else the rule's own; and what to report of it."""
    leaf = next((leaf for leaf in bandit.get("contexts", ()) if context.meets(leaf.get("condition"))), None)
    weights = usable_weights(len(experiment["variations"]), (leaf or experiment).get("weights"))
    report = {"leafId": leaf["leafId"] if leaf else _NO_LEAF, "variationWeights": list(weights)}
    version = {"banditVersion": bandit["banditVersion"]} if "banditVersion" in bandit else {}
    return {"weights": list(weights), "contextualBandit": report | version}


def _eligible(experiment: JSON, context: Context, visited: frozenset[str]) -> bool:
    unit = context.unit(experiment.get("hashAttribute"))
    if unit is None:
        return False
    if experiment.get("filters"):
        inside = _passes_filters(experiment, context)
    else:
        inside = "namespace" not in experiment or in_namespace(unit, experiment["namespace"])
    return (
        inside and context.meets(experiment.get("condition")) and _prerequisites(experiment, context, visited) == "met"
    )


def _hashed(experiment: JSON, context: Context) -> Run:
    unit = context.unit(experiment.get("hashAttribute")) or ""
    place = bucket(experiment.get("seed") or experiment["key"], unit, experiment.get("hashVersion") or 1)
    if place is None:
        return _outcome(experiment, context, None)
    ranges = experiment.get("ranges") or bucket_ranges(
        len(experiment["variations"]), experiment.get("coverage", 1.0), experiment.get("weights")
    )
    variation = choose_variation(place, ranges)
    if variation >= 0 and "force" in experiment:
        return _outcome(experiment, context, experiment["force"])
    if variation < 0 or context.qa_mode:
        return _outcome(experiment, context, None)
    return _outcome(experiment, context, variation, place)


def _outcome(experiment: JSON, context: Context, variation: int | None, place: float | None = None) -> Run:
    variations = experiment["variations"]
    valid = variation is not None and 0 <= variation < len(variations)
    index = variation if variation is not None and valid else 0
    attribute = experiment.get("hashAttribute") or "id"
    meta = experiment["meta"][index] if experiment.get("meta") else {}
    return Run(
        variation=index,
        value=variations[index],
        key=meta.get("key") or str(index),
        in_experiment=valid,
        hash_used=valid and place is not None,
        hash_attribute=attribute,
        hash_value=context.attributes.get(attribute, ""),
        bucket=place,
        name=meta.get("name"),
        passthrough=meta.get("passthrough", False),
    )


def _passes_filters(rule: JSON, context: Context) -> bool:
    return all(_passes(one, context) for one in rule.get("filters", ()))


def _passes(one: JSON, context: Context) -> bool:
    unit = context.unit(one.get("attribute"))
    place = None if unit is None else bucket(one.get("seed", ""), unit, one.get("hashVersion") or 2)
    return place is not None and in_ranges(place, one["ranges"])


def _prerequisites(rule: JSON, context: Context, visited: frozenset[str]) -> Prerequisites:
    for parent in rule.get("parentConditions", ()):
        answer = evaluate(parent["id"], context, visited)
        if answer.source == "cyclicPrerequisite":
            return "cyclic"
        condition = compile_condition(parent["condition"], context.saved_groups, lenient=True)
        if not condition({"value": answer.value}):
            return "gate" if parent.get("gate") else "unmet"
    return "met"


def bucket(seed: str, unit: str, version: int = 2) -> float | None:
    """The place in [0, 1) of a unit under a seed; None for a hash version nobody knows.

    Version 2 has 10,000 buckets and is ours, version 1 (legacy) has 1,000.
    """
    if version == 2:
        return position(seed, unit)
    return fnv1a(unit + seed) % 1000 / 1000 if version == 1 else None


def choose_variation(place: float, ranges: Sequence[Range]) -> int:
    """The index of the range that holds the place, -1 where none does."""
    return next((index for index, (low, high) in enumerate(ranges) if low <= place < high), -1)


def in_ranges(place: float, ranges: Sequence[Range]) -> bool:
    """Whether any of the ranges holds the place."""
    return choose_variation(place, ranges) >= 0


def in_namespace(unit: str, namespace: tuple[str, float, float]) -> bool:
    """Whether a unit is in a legacy namespace (name, low, high), hash version 1."""
    name, low, high = namespace
    return low <= fnv1a(unit + "__" + name) % 1000 / 1000 < high
