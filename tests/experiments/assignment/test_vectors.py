"""The published GrowthBook SDK cases, each one either met or left out with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from oracles.growthbook_features import (
    Context,
    FeatureAnswer,
    Run,
    bucket,
    choose_variation,
    evaluate,
    in_namespace,
    run,
)

from experiments.assignment.bucketing import bucket_ranges, equal_weights
from experiments.targeting.predicates import compile_condition

LEFT_OUT = {
    ("run", "querystring force"): "the variation is forced by the page's URL",
    ("run", "querystring force with inactive"): "the variation is forced by the page's URL",
}
LEFT_OUT_GROUPS = {
    "getQueryStringOverride": "reads the page's URL",
    "urlRedirect": "redirects a browser",
    "stickyBucket": "needs the state of earlier visits; phases freeze our designs instead",
    "decrypt": "payloads are not encrypted: they hold nothing that pages may not see",
    "contextualBandit": "bandits are not offered; what `feature` has of them is met",
}
CONTEXT = {
    "attributes": "attributes",
    "features": "features",
    "savedGroups": "saved_groups",
    "contextualBandits": "contextual_bandits",
    "forcedVariations": "forced_variations",
    "enabled": "enabled",
    "qaMode": "qa_mode",
}


@pytest.fixture(scope="session")
def vectors(shared: Path) -> dict[str, list[Any]]:
    return json.loads((shared / "vectors" / "growthbook-cases.json").read_text())


def test_hashes_are_those_of_the_sdks(vectors: dict[str, list[Any]]) -> None:
    for seed, value, version, expected in vectors["hash"]:
        assert bucket(seed, value, version) == expected, (seed, value, version)


def test_bucket_ranges_are_those_of_the_sdks(vectors: dict[str, list[Any]]) -> None:
    for name, (count, coverage, weights), expected in vectors["getBucketRange"]:
        ranges = bucket_ranges(count, coverage, weights)
        assert ranges == [pytest.approx(tuple(pair), abs=1e-9) for pair in expected], name


def test_the_chosen_variation_is_that_of_the_sdks(vectors: dict[str, list[Any]]) -> None:
    for name, position, ranges, expected in vectors["chooseVariation"]:
        assert choose_variation(position, ranges) == expected, name


def test_equal_weights_are_those_of_the_sdks(vectors: dict[str, list[Any]]) -> None:
    for count, expected in vectors["getEqualWeights"]:
        assert equal_weights(count) == pytest.approx(expected, abs=1e-8), count


def test_namespaces_are_those_of_the_sdks(vectors: dict[str, list[Any]]) -> None:
    for name, unit, namespace, expected in vectors["inNamespace"]:
        assert in_namespace(unit, namespace) is expected, name


def test_every_condition_case_is_met(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["evalCondition"]) == 248
    for name, condition, attributes, expected, *groups in vectors["evalCondition"]:
        meets = compile_condition(condition, groups[0] if groups else None, lenient=True)
        assert meets(attributes) is expected, name


def test_every_feature_case_is_met(vectors: dict[str, list[Any]]) -> None:
    for name, context, key, expected in vectors["feature"]:
        answer = evaluate(key, context_of(context))
        assert answer_as_published(answer, key) == expected, name


def test_every_run_case_without_a_url_is_met(vectors: dict[str, list[Any]]) -> None:
    for name, context, experiment, value, in_experiment, hash_used in vectors["run"]:
        if ("run", name) not in LEFT_OUT:
            outcome = run(experiment, context_of(context))
            assert (outcome.value, outcome.in_experiment, outcome.hash_used) == (value, in_experiment, hash_used), name


def test_every_case_left_out_exists_and_has_its_reason(vectors: dict[str, list[Any]]) -> None:
    for group, name in LEFT_OUT:
        assert any(case[0] == name for case in vectors[group]), name
    met = {"hash", "getBucketRange", "chooseVariation", "getEqualWeights", "inNamespace", "evalCondition"}
    assert set(vectors) == met | {"feature", "run", "specVersion"} | set(LEFT_OUT_GROUPS)


def context_of(published: dict[str, Any]) -> Context:
    return Context(**{CONTEXT[name]: value for name, value in published.items()})


def answer_as_published(answer: FeatureAnswer, key: str) -> dict[str, Any]:
    published = {
        "value": answer.value,
        "on": bool(answer.value),
        "off": not answer.value,
        "source": answer.source,
        "ruleId": answer.rule_id,
    }
    if answer.run is not None and answer.experiment is not None:
        bandit = answer.experiment.get("contextualBandit", {})
        published |= {
            "experiment": answer.experiment,
            "experimentResult": run_as_published(answer.run, key) | bandit,
        }
    return published


def run_as_published(outcome: Run, feature: str) -> dict[str, Any]:
    published = {
        "featureId": feature,
        "value": outcome.value,
        "variationId": outcome.variation,
        "inExperiment": outcome.in_experiment,
        "hashUsed": outcome.hash_used,
        "hashAttribute": outcome.hash_attribute,
        "hashValue": outcome.hash_value,
        "key": outcome.key,
        "stickyBucketUsed": False,
    }
    optional = {"bucket": outcome.bucket, "name": outcome.name}
    return published | {name: value for name, value in optional.items() if value is not None}
