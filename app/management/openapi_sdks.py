"""In the OpenAPI document: what SDKs ask for beside the payload, and where others' events and the tag come in."""

from typing import Any, Final

from app.intake import ga4
from app.intake.pixel import pixel_paths
from app.management.openapi import ERRORS, JSON, PROBLEM, REFERENCE, SAID, SECURITY, TEXT, hot_operation, json_body
from app.routes.tag import tag_paths

KEY: Final[JSON] = {
    "name": "key", "in": "path", "required": True, "schema": TEXT, "example": "pk_demo",
    "description": "A publishable key.",
}  # fmt: skip
HELD: Final[JSON] = {
    "name": "Last-Event-ID", "in": "header", "schema": {"type": "string"},
    "description": "The version that the client holds: where it is current, nothing is said at once.",
}  # fmt: skip
QUERY_KEY: Final[JSON] = {
    "name": "key", "in": "query", "schema": {"type": "string"},
    "description": "A publishable key, where none is in a header: `EventSource` sends none.",
}  # fmt: skip
REFUSED: Final[JSON] = {
    "description": "An unknown key, as GrowthBook's clients read it.",
    "content": {"application/json": {"schema": {"$ref": REFERENCE.format(name="GrowthBookRefused")}}},
}
PLACE: Final = "free-shipping-banner"
TRACK: Final[JSON] = {
    "experiment": {"key": PLACE, "phase": "0", "variations": []},
    "result": {
        "variationId": 1, "key": "threshold", "value": {"banner": "Free shipping"}, "inExperiment": True,
        "hashUsed": True, "hashAttribute": "id", "hashValue": "v-1", "featureId": PLACE, "stickyBucketUsed": False,
    },
}  # fmt: skip
EVALUATED: Final[JSON] = {
    "status": 200,
    "features": {
        PLACE: {
            "defaultValue": {"banner": "Free shipping"},
            "rules": [{"force": {"banner": "Free shipping"}, "tracks": [TRACK]}],
        }
    },
    "dateUpdated": "2026-01-20T09:00:00.000Z",
}
ASKED: Final[JSON] = {
    "type": "object",
    "properties": {
        "attributes": {"type": ["object", "null"], "additionalProperties": True},
        "forcedVariations": {"type": ["object", "null"], "additionalProperties": True},
        "forcedFeatures": {"type": ["array", "null"], "items": {"description": "A pair of a key and its value."}},
        "url": {"type": ["string", "null"], "maxLength": 2048},
    },
}


def sdk_paths() -> JSON:
    """The path items of remote evaluation, of both streams, of the tag, of pictures, and of Google's protocol."""
    evaluate: JSON = {
        "tags": ["GrowthBook"],
        "summary": "Evaluate every experiment for one visitor of a GrowthBook SDK; never an exposure",
        "description": "Values alone: no condition, no weight, and of no variant but the visitor's. The address of the "
        "page may force and preview as `resonate_force` and `resonate_preview` do.",
        "operationId": "growthbook_remote_evaluation",
        "parameters": [KEY],
        **json_body(ASKED, {"attributes": {"id": "v-1", "device": "mobile"}, "url": "https://shop.example/"}),
        "responses": {
            "200": _json("What the visitor gets, and what an SDK reports when it shows that.", EVALUATED),
            "400": REFUSED,
            **{status: {**PROBLEM, "description": ERRORS[status]} for status in ("403", "408", "413", "415", "429")},
        },
    }
    changes = "GrowthBook's payload as `event: features`: at once, unless the client holds it, and at every change"
    asks = 'At every change of what may be answered `{"type": "refetchEvaluation", "etag": VERSION}`'
    failures: JSON = {status: {**PROBLEM, "description": words} for status, words in ERRORS.items()}
    collected = hot_operation(*ga4.ASKED, {})
    return {
        "/mp/collect": {"post": ga4.described(collected, SAID)},
        **pixel_paths(SECURITY, failures),
        **tag_paths({status: failures[status] for status in ("401", "403", "429")}),
        "/api/eval/{key}": {"post": evaluate},
        "/sub/{key}": {"get": _stream("GrowthBook", changes, [KEY, HELD], {"400": REFUSED})},
        "/ofrep/v1/stream": {"get": _stream("OFREP", asks, [QUERY_KEY, HELD], {"401": {"description": ERRORS["401"]}})},
    }


def _stream(tag: str, summary: str, parameters: list[JSON], refused: JSON) -> JSON:
    return {
        "tags": [tag],
        "summary": summary,
        "description": "A sign of life every 15 s; it ends with the key, and when the service stops. Clients ask again "
        "after the `retry` that they were told.",
        "security": SECURITY,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Server-sent events.", "content": {"text/event-stream": {}}},
            **refused,
            "403": {**PROBLEM, "description": ERRORS["403"]},
            "429": {**PROBLEM, "description": ERRORS["429"]},
            "503": {**PROBLEM, "description": "As many streams are open as may be; clients ask for the state itself."},
        },
    }


def _json(description: str, example: Any) -> JSON:
    content = {"example": example}
    return {"description": description, "content": {"application/json": content}}
