"""What the raw handlers of the fast tier take and give, for the OpenAPI; a test holds it against the path table."""

from typing import Any

from app.openapi_recommendations import ANSWER, ANSWER_EXAMPLE, EXAMPLE, REQUEST
from app.openapi_schemas import (
    COMMON,
    CONTEXT,
    CONTEXT_EXAMPLE,
    ERROR_WORDS,
    EXAMPLE_FLAG,
    EXAMPLES,
    FLAG,
    JSON,
    OBJECT,
    OFREP_FAILURE,
    PERSONALIZE,
    SECURITY,
    SPECIFIC,
    TEXT,
    TIME,
    TRACKED,
)


def hot_paths() -> JSON:
    """The path items of every hot route."""
    return {**_ofrep(), **_personalize(), **_recommendations(), **_tracking(), **_growthbook()}


def _ofrep() -> JSON:
    flag_key = {"name": "key", "in": "path", "required": True, "schema": TEXT, "example": "free-shipping-banner"}
    condition = {
        "name": "If-None-Match",
        "in": "header",
        "schema": {"type": "string"},
        "description": "The ETag of an earlier answer.",
    }
    flags = {"type": "object", "required": ["flags"], "properties": {"flags": {"type": "array", "items": FLAG}}}
    summary = "Evaluate one experiment for a visitor, and log the exposure"
    single = _operation("OFREP", summary, CONTEXT, CONTEXT_EXAMPLE,
                        _answer("The variant.", FLAG, EXAMPLE_FLAG), failures=OFREP_FAILURE)  # fmt: skip
    single["responses"]["404"] = _answer("No experiment of this key is served.", OFREP_FAILURE)
    single["description"] = 'Not an exposure when the context has `"resonate.expose": false`.'
    bulk = _operation("OFREP", "Evaluate every experiment for a visitor; never an exposure", CONTEXT, CONTEXT_EXAMPLE,
                      _answer("All flags, with a strong ETag.", flags, {"flags": [EXAMPLE_FLAG], "metadata": {}}),
                      failures=OFREP_FAILURE)  # fmt: skip
    bulk["responses"]["304"] = {"description": "Nothing has changed for this context."}
    return {
        "/ofrep/v1/evaluate/flags/{key}": {"post": {**single, "parameters": [flag_key]}},
        "/ofrep/v1/evaluate/flags": {"post": {**bulk, "parameters": [condition]}},
    }


def _personalize() -> JSON:
    body = {"visitor_id": "v-1", "attributes": {"device": "mobile"}, "experiments": ["free-shipping-banner"]}
    told = {"variant": "threshold", "payload": {"banner": "Free shipping from 50 EUR"}, "in_experiment": True,
            "reason": "SPLIT",
            "exposure": "logged", "exposure_id": "5f2c9f6a0d1e4b7a00000001"}  # fmt: skip
    answer = {"experiments": {"free-shipping-banner": told}, "recommendations": {}}
    schema = {
        "type": "object",
        "required": ["experiments", "recommendations"],
        "properties": {
            "experiments": {"type": "object"},
            "recommendations": {"type": "object"},
            "errors": {"type": "object"},
        },
    }
    summary = "Messages and products of one page view"
    operation = _operation("Assignment", summary, PERSONALIZE, body, _answer("What to show.", schema, answer))
    operation["description"] = (
        "Experiments that are named are exposed, unless `expose` says otherwise; all running ones are not."
    )
    return {"/v1/personalize": {"post": operation}}


def _recommendations() -> JSON:
    answer = _answer("As many products as were asked for, while there are so many.", ANSWER, ANSWER_EXAMPLE)
    operation = _operation("Recommendations", "Products for one visitor", REQUEST, EXAMPLE, answer)
    return {"/v1/recommendations": {"post": operation}}


def _tracking() -> JSON:
    paths: JSON = {}
    for kind, (required, fields) in SPECIFIC.items():
        schema = {
            "type": "object",
            "required": required,
            "properties": {**COMMON, **fields},
            "additionalProperties": True,
        }
        for path in (f"/v1/{kind}", f"/v1/{kind[0]}") if kind != "engagement" else (f"/v1/{kind}",):
            paths[path] = {"post": _tracked(f"One {kind} event", schema, EXAMPLES[kind])}
    item = {
        "type": "object",
        "required": ["type"],
        "properties": {**COMMON, "type": {"enum": sorted(SPECIFIC)}},
        "additionalProperties": True,
    }
    batch = {
        "type": "object",
        "required": ["batch"],
        "properties": {"batch": {"type": "array", "maxItems": 1000, "items": item}, "sentAt": TIME, "context": OBJECT},
    }
    example = {"batch": [{"type": "track", **EXAMPLES["track"]}], "sentAt": "2026-01-20T09:00:00Z"}
    for path in ("/v1/batch", "/v1/b"):
        paths[path] = {"post": _tracked("Many events; a bad one never costs the good ones", batch, example)}
    return paths


def _growthbook() -> JSON:
    key = {
        "name": "key",
        "in": "path",
        "required": True,
        "schema": TEXT,
        "description": "A publishable key.",
        "example": "pk_demo",
    }
    client_key = {
        "name": "client_key",
        "in": "query",
        "schema": {"type": "string"},
        "description": "A publishable key.",
    }
    payload = {
        "type": "object",
        "required": ["status", "features"],
        "properties": {"status": {"type": "integer"}, "features": {"type": "object"}},
    }
    example = {"status": 200, "features": {}, "dateUpdated": "2026-01-20T09:00:00.000Z"}
    features = {
        "tags": ["GrowthBook"],
        "summary": "The features payload of GrowthBook's SDKs",
        "operationId": "growthbook_features",
        "parameters": [key],
        "responses": {
            "200": _answer("Every experiment as a feature.", payload, example),
            "304": {"description": "The payload has not changed."},
            "400": _answer("An unknown key.", {"type": "object"}, {"status": 400, "error": "Invalid API key"}),
            "403": _problem(ERROR_WORDS["403"]),
            "429": _problem(ERROR_WORDS["429"]),
        },
    }
    event = {
        "type": "object",
        "required": ["event_name"],
        "properties": {"event_name": TEXT, "properties_json": OBJECT},
    }
    body = [{"event_name": "Experiment Viewed", "device_id": "v-1",
             "properties_json": {"experimentId": "free-shipping-banner", "variationId": "threshold",
                                 "hashAttribute": "id",
                                 "hashValue": "v-1"}}]  # fmt: skip
    ingest = _tracked(
        "Events of GrowthBook's SDKs", {"type": "array", "items": event, "maxItems": 1000}, body, tag="GrowthBook"
    )
    return {"/api/features/{key}": {"get": features}, "/track": {"post": {**ingest, "parameters": [client_key]}}}


def _tracked(summary: str, schema: JSON, example: Any, tag: str = "Tracking") -> JSON:
    answer = _answer("Every event that is not named as rejected is durable.", TRACKED, {"success": True})
    return _operation(tag, summary, schema, example, answer)


def _operation(tag: str, summary: str, schema: JSON, example: Any, answer: JSON, failures: JSON | None = None) -> JSON:
    responses: JSON = {"200": answer}
    for status, words in ERROR_WORDS.items():
        responses[status] = _problem(words) if failures is None else _answer(words, failures)
    return {
        "tags": [tag],
        "summary": summary,
        "security": SECURITY,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": responses,
    }


def _answer(description: str, schema: JSON, example: Any = None) -> JSON:
    content: JSON = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}


def _problem(description: str) -> JSON:
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
