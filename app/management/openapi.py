"""The OpenAPI document: what FastAPI knows of the cold routes, joined by what the hot handlers take and give."""

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any, Final

import msgspec

from app.http.parameters import DEBUG, DEBUG_MEANS
from app.intake.paths import BATCH, LEFT_PARAMETER, paths_of
from app.routes.evaluation import FORCE, LINK
from app.routes.ofrep import EvaluationBody
from app.routes.personalize import PersonalizeBody, SlotRequest
from app.routes.recommendations import RecommendationsBody
from app.routes.tag import TOLD_PARAMETER
from app.routes.visitor import VisitorBody
from app.worker.recommendations import ListAnswer
from events.consent import OF_WORD
from events.dialects.validation import CONSENT_ATTRIBUTE, TOKEN_ATTRIBUTE
from recommender.ranking.request import ListItem

JSON = dict[str, Any]


def _object(*required: str, **properties: JSON) -> JSON:
    return {"type": "object", "required": list(required), "properties": properties}


REFERENCE: Final = "#/components/schemas/{name}"

SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}, {"basic": []}]
# It begins with a letter or sign that is seen, of the commonest scripts: others are taken too.
SEEN: Final = r"!-~\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03a1\u0400-\u052f\u05d0-\u05ea\u0621-\u064a\u0905-\u0939"
PRINTABLE: Final = rf"^[{SEEN}\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fef\uac00-\ud7a3][^\u0000-\u001f\u007f-\u009f]*$"
# The schemas promise less than is taken (ids: 256 bytes; attributes: any JSON), so that a promise always holds.
TEXT: Final[JSON] = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": PRINTABLE}
ATTRIBUTE: Final[JSON] = {
    "type": ["string", "number", "boolean", "null"],
    "minimum": -9_007_199_254_740_991,
    "maximum": 9_007_199_254_740_991,
}
WORD: Final[JSON] = {"type": "string"}
MAYBE_TEXT: Final[JSON] = {"type": ["string", "null"], "maxLength": 256}
OBJECT: Final[JSON] = {"type": ["object", "null"], "additionalProperties": True}
TIME: Final[JSON] = {"type": ["string", "null"], "format": "date-time"}
ERRORS: Final[Mapping[str, str]] = {
    "400": "The request is unreadable or invalid; `detail` names the field, what is wrong and what would be right.",
    "401": "No key, or an unknown one.",
    "403": "The wrong class of key, one without the scope of the route, or a page of an origin that it is not for.",
    "408": "The body, or a piece of an upload, took longer than 5 s to arrive.",
    "413": "The body is too large, before or after decompression, or holds too many events.",
    "414": "The address is longer than 8 kB.",
    "415": "A Content-Encoding or Content-Type that is not taken.",
    "429": "Too many requests; `Retry-After` says when.",
    "431": "The headers are larger than 16 kB.",
    "503": "Not now; `Retry-After` says when to send the same again.",
}
PROBLEM: Final[JSON] = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
}
EXAMPLE_FLAG: Final[JSON] = {
    "key": "free-shipping-banner",
    "value": {"banner": "Free shipping from 50 EUR"},
    "reason": "SPLIT",
    "variant": "threshold",
    "metadata": {
        "in_experiment": True,
        "phase": 0,
        "exposure": "logged",
        "exposure_id": "5f2c9f6a0d1e4b7a00000001",
        "user": "absent",
    },
}
CONTEXT_EXAMPLE: Final[JSON] = {"context": {"targetingKey": "v-1", "device": "mobile", "cart_value": 10.5}}
TOKEN: Final[JSON] = {"type": ["string", "null"], "maxLength": 4096,
                      "description": "A token of the shop's backend that proves the user; never stored."}  # fmt: skip
TOKEN_HEADER: Final[JSON] = {"name": "X-Resonate-User", "in": "header", "schema": {"type": "string"},
                             "description": "A user token, for bodies without one."}  # fmt: skip
CONSENT: Final[JSON] = {"enum": [*OF_WORD, None], "description": "What the visitor allows; the strictest word holds."}
CONSENT_HEADER: Final[JSON] = {
    "name": "X-Resonate-Consent", "in": "header", "schema": {"enum": list(OF_WORD)},
    "description": "The same; also `?consent=` and the cookie `resonate_consent`.",
}  # fmt: skip
SAID: Final = (TOKEN_HEADER, CONSENT_HEADER)
COMMON: Final[JSON] = {
    "anonymousId": MAYBE_TEXT, "userId": MAYBE_TEXT, "messageId": {"type": ["string", "null"], "maxLength": 99},
    "context": OBJECT, "timestamp": TIME, "originalTimestamp": TIME, "sentAt": TIME,
    "writeKey": {"type": ["string", "null"]}, "user_token": TOKEN, "consent": CONSENT,
}  # fmt: skip
SPECIFIC: Final[Mapping[str, tuple[list[str], JSON]]] = {
    "track": (["event"], {"event": TEXT, "properties": OBJECT}),
    "page": ([], {"name": MAYBE_TEXT, "category": MAYBE_TEXT, "properties": OBJECT}),
    "screen": ([], {"name": MAYBE_TEXT, "category": MAYBE_TEXT, "properties": OBJECT}),
    "identify": ([], {"traits": OBJECT}),
    "group": (["groupId"], {"groupId": TEXT, "traits": OBJECT}),
    "alias": (["previousId", "userId"], {"previousId": TEXT, "userId": TEXT}),
    "engagement": (
        ["pageViewId", "seq", "engagedMs"],
        {"pageViewId": TEXT, "seq": {"type": "integer", "minimum": 0}, "engagedMs": {"type": "integer", "minimum": 0},
         "final": {"type": ["boolean", "null"]}, "url": {"type": ["string", "null"]}},
    ),
}  # fmt: skip
EXAMPLES: Final[Mapping[str, JSON]] = {
    "track": {"anonymousId": "v-1", "event": "Order Completed", "messageId": "m-1",
              "properties": {"order_id": "o-1", "revenue": 49.9, "currency": "EUR",
                             "products": [{"product_id": "sku-17", "price": 49.9, "quantity": 1}]}},
    "page": {"anonymousId": "v-1", "properties": {"url": "https://shop.example/p/17", "path": "/p/17"}},
    "screen": {"anonymousId": "v-1", "name": "Cart"},
    "identify": {"anonymousId": "v-1", "userId": "u-1", "traits": {"plan": "gold"}},
    "group": {"userId": "u-1", "groupId": "g-1"},
    "alias": {"previousId": "v-1", "userId": "u-1"},
    "engagement": {"anonymousId": "v-1", "pageViewId": "pv-1", "seq": 3, "engagedMs": 42_000, "final": False},
}  # fmt: skip
SHORT: Final[JSON] = {"minLength": 1, "maxLength": 64, "pattern": PRINTABLE}
MAYBE_ID: Final[JSON] = {**SHORT, "type": ["string", "integer", "null"], "minimum": 0, "maximum": 2**53}
ONE_OF: Final[JSON] = {
    "type": "object",
    "properties": {"$in": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 100}},
    "required": ["$in"],
    "additionalProperties": False,
}
BOUND: Final[JSON] = {"type": "number", "minimum": 0, "maximum": 1_000_000}
FILTER: Final[JSON] = {
    "description": "Product fields by `$eq`, `$ne`, `$in`, `$nin`, `$gt`, `$gte`, `$lt`, `$lte`, or a value alone.",
    "properties": {
        **dict.fromkeys(("category", "brand", "group_id", "product_id"), ONE_OF),
        "price": {
            "type": "object",
            "properties": {"$gte": BOUND, "$lt": BOUND},
            "required": ["$gte"],
            "additionalProperties": False,
        },
        "in_stock": {"type": "boolean"},
    },
    "additionalProperties": False,
}
IDS: Final[JSON] = {"type": ["array", "null"], "items": MAYBE_ID}
LIMIT: Final[JSON] = {"minimum": 1, "maximum": 100, "multipleOf": 1}
# What is promised of the fields of a body beyond the types that its decoder knows.
PROMISES: Final[Mapping[type[msgspec.Struct], JSON]] = {
    EvaluationBody: {
        "context": {
            "type": "object",
            "required": ["targetingKey"],
            "properties": {
                "targetingKey": TEXT, "user_id": MAYBE_ID, TOKEN_ATTRIBUTE: TOKEN, CONSENT_ATTRIBUTE: CONSENT,
            },
            "additionalProperties": ATTRIBUTE,
            "maxProperties": 100,
        }
    },
    SlotRequest: {"slot": {"maxLength": 100}, "items": {**IDS, "maxItems": 100}, "limit": LIMIT},
    PersonalizeBody: {
        "visitor_id": MAYBE_ID,
        "user_id": MAYBE_ID,
        "attributes": {"additionalProperties": ATTRIBUTE, "maxProperties": 100},
        "experiments": {"maxItems": 200},
        "recommendations": {"maxItems": 20},
        "user_token": TOKEN,
        "consent": CONSENT,
    },
    RecommendationsBody: {
        "visitor_id": MAYBE_ID,
        "user_id": MAYBE_ID,
        "slot": {"maxLength": 100},
        "items": {**IDS, "maxItems": 200},
        "limit": LIMIT,
        "filter": FILTER,
        "exclude": {**IDS, "maxItems": 1000},
        "diversity": {"minimum": 0, "maximum": 1},
        "user_token": TOKEN,
        "consent": CONSENT,
    },
    VisitorBody: {"visitor_id": MAYBE_ID, "consent": CONSENT},
    ListAnswer: {
        "fallback": {"description": "The strategy that served in its place."},
        "history": {"type": "string", "const": "unavailable",
                    "description": "The store was out of reach: recent purchases are missing."},
    },
    ListItem: {
        "product": {"type": "object", "description": "What the catalogue knows of it.",
                    "properties": {"price": {"type": "number"},
                                   **dict.fromkeys(("name", "category", "brand", "url", "image_url"), WORD)}},
    },
}  # fmt: skip
DEBUG_PARAMETER: Final[JSON] = {"name": DEBUG, "in": "query", "schema": WORD, "description": DEBUG_MEANS}
EXAMPLE: Final[JSON] = {
    "visitor_id": "v-1",
    "strategy": "bought_together",
    "items": ["sku-17"],
    "limit": 2,
    "filter": {"category": {"$in": ["Camping"]}, "price": {"$gte": 12}, "in_stock": True},
}
ANSWER_EXAMPLE: Final[JSON] = {
    "recommendation_id": "bought_together.-.20260120T030000-4f2a91.5f2c9f6a0d1e4b7a0001",
    "strategy": "bought_together",
    "model_version": "20260120T030000-4f2a91",
    "items": [
        {
            "product_id": "sku-23",
            "score": 1.0,
            "position": 1,
            "reason": {"type": "bought_together", "because": ["sku-17"], "support": 42},
            "product": {"name": "Gas stove", "category": "Camping > Stoves", "price": 49.9, "url": "/gas-stove"},
        }
    ],
    "user": "absent",
}


def hot_paths() -> JSON:
    """The path items of every hot route."""
    answer = _answer("As many products as were asked for, while there are so many.", ANSWER_EXAMPLE)
    listed = hot_operation("Recommendations", "Products for one visitor", _ref(RecommendationsBody), EXAMPLE, answer)
    page = {"visitor_id": "v-1", "attributes": {"device": "mobile"}, "experiments": ["free-shipping-banner"]}
    told = {"variant": "threshold", "payload": {"banner": "Free shipping from 50 EUR"}, "in_experiment": True,
            "reason": "SPLIT", "exposure": "logged", "exposure_id": "5f2c9f6a0d1e4b7a00000001"}  # fmt: skip
    shown = {"experiments": {"free-shipping-banner": told}, "recommendations": {}, "user": "absent"}
    summary = "Messages and products of one page view"
    personalize = hot_operation("Assignment", summary, _ref(PersonalizeBody), page, _answer("What to show.", shown))
    personalize["description"] = (
        "Experiments that are named are exposed, unless `expose` says otherwise; all running ones are not. "
        "A slot that is asked for twice is a 400, `duplicate_slot`; a refused request exposes nothing."
    )
    forced = {"name": FORCE, "in": "query", "schema": WORD, "example": "free-shipping-banner:threshold",
              "description": "Preview a variant, with a publishable key of what runs; never an exposure."}  # fmt: skip
    link = {"name": LINK, "in": "query", "schema": TEXT,
            "description": "The token of a preview link: one variant, a draft's too; never an exposure."}  # fmt: skip
    personalize["parameters"] = [forced, link, DEBUG_PARAMETER, *SAID]
    listed["parameters"] = [DEBUG_PARAMETER, *SAID]
    publishable = {"description": "A publishable key."}
    key = {"name": "key", "in": "path", "required": True, "schema": TEXT, "example": "pk_demo", **publishable}
    client_key = {"name": "client_key", "in": "query", "schema": {"type": "string"}, **publishable}
    example = {"status": 200, "features": {}, "dateUpdated": "2026-01-20T09:00:00.000Z"}
    features = {
        "tags": ["GrowthBook"],
        "summary": "The features payload of GrowthBook's SDKs",
        "operationId": "growthbook_features",
        "parameters": [key, TOLD_PARAMETER],
        "responses": {
            "200": _answer("Every experiment as a feature.", example),
            "304": {"description": "The payload has not changed."},
            "400": _answer("An unknown key.", {"status": 400, "error": "Invalid API key"}, "GrowthBookRefused"),
            "403": {**PROBLEM, "description": ERRORS["403"]},
            "429": {**PROBLEM, "description": ERRORS["429"]},
        },
    }
    event = _object("event_name", event_name=TEXT, properties_json=OBJECT)
    events = [{"event_name": "Experiment Viewed", "device_id": "v-1",
               "properties_json": {"experimentId": "free-shipping-banner", "variationId": "threshold",
                                   "hashAttribute": "id", "hashValue": "v-1"}}]  # fmt: skip
    ingest = _tracked(
        "Events of GrowthBook's SDKs", {"type": "array", "items": event, "maxItems": 1000}, events, tag="GrowthBook"
    )
    return {
        **_ofrep(),
        "/v1/personalize": {"post": personalize},
        "/v1/recommendations": {"post": listed},
        "/v1/visitor": {"post": _visitor()},
        **_tracking(),
        "/api/features/{key}": {"get": features},
        "/track": {"post": {**ingest, "parameters": [client_key, *SAID]}},
    }


def _ofrep() -> JSON:
    flag_key = {"name": "key", "in": "path", "required": True, "schema": TEXT, "example": "free-shipping-banner"}
    condition = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"},
                 "description": "The ETag of an earlier answer."}  # fmt: skip
    summary = "Evaluate one experiment for a visitor, and log the exposure"
    single = hot_operation("OFREP", summary, _ref(EvaluationBody), CONTEXT_EXAMPLE,
                        _answer("The variant.", EXAMPLE_FLAG), failures="OfrepFailure")  # fmt: skip
    single["responses"]["404"] = _answer("No experiment of this key is served.", schema="OfrepFailure")
    single["description"] = 'Not an exposure when the context has `"resonate.expose": false`.'
    bulk = hot_operation("OFREP", "Evaluate every experiment for a visitor; never an exposure", _ref(EvaluationBody),
                      CONTEXT_EXAMPLE,
                      _answer("All flags, with a strong ETag.",
                              {"flags": [EXAMPLE_FLAG], "metadata": {"user": "absent"}}),
                      failures="OfrepFailure")  # fmt: skip
    bulk["responses"]["304"] = {"description": "Nothing has changed for this context."}
    return {
        "/ofrep/v1/evaluate/flags/{key}": {"post": {**single, "parameters": [flag_key, *SAID]}},
        "/ofrep/v1/evaluate/flags": {"post": {**bulk, "parameters": [condition, *SAID]}},
    }


def _visitor() -> JSON:
    told = {"visitor_id": "v1.EXAMPLE-VISITOR", "expires": "2027-12-29T00:00:00Z"}
    said = "The id, in a cookie too where the page may have one, and until when; nulls for who refuses."
    summary = "Issue a visitor id, or set the one that a browser kept, as a cookie"
    return hot_operation("Visitors", summary, _ref(VisitorBody), {}, _answer(said, told)) | {
        "parameters": [DEBUG_PARAMETER, CONSENT_HEADER]
    }


def _tracking() -> JSON:
    paths: JSON = {}
    for kind, (required, fields) in SPECIFIC.items():
        schema = _object(*required, **{**COMMON, **fields})
        for path in paths_of(kind) if kind != "engagement" else (f"/v1/{kind}",):
            paths[path] = {"post": _tracked(f"One {kind} event", schema, EXAMPLES[kind])}
    listed = {"type": "array", "maxItems": 1000, "items": _object("type", **COMMON, type={"enum": sorted(SPECIFIC)})}
    batch = _object("batch", batch=listed, sentAt=TIME, context=OBJECT, consent=CONSENT)
    sent = {"batch": [{"type": "track", **EXAMPLES["track"]}], "sentAt": "2026-01-20T09:00:00Z"}
    for path in paths_of(BATCH):
        paths[path] = {"post": _tracked("Many events; a bad one costs no other", batch, sent, more=(LEFT_PARAMETER,))}
    return paths


def hot_components() -> JSON:
    """The bodies of the hot routes as their decoders take them, with what is promised of each field beyond its type."""
    _, components = msgspec.json.schema_components(list(PROMISES), ref_template=REFERENCE)
    for schema in components.values():
        schema["description"] = cleandoc(schema["description"])
    for struct, promises in PROMISES.items():
        fields = components[struct.__name__]["properties"]
        for field, promise in promises.items():
            fields[field] = promise if "type" in promise else {**fields[field], **promise}
    components[EvaluationBody.__name__]["required"] = ["context"]
    return components


def _ref(struct: type[msgspec.Struct]) -> JSON:
    return {"$ref": REFERENCE.format(name=struct.__name__)}


def _tracked(summary: str, schema: JSON, example: Any, tag: str = "Tracking", more: Sequence[JSON] = ()) -> JSON:
    answer = _answer("Every event that is not named as rejected is durable.", {"success": True})
    return hot_operation(tag, summary, schema, example, answer) | {"parameters": [*SAID, *more]}


def hot_operation(
    tag: str, summary: str, schema: JSON, example: Any, answer: JSON, failures: str | None = None
) -> JSON:
    """An operation of the hot tier: a JSON body, an answer, and what may be answered instead."""
    responses: JSON = {"200": answer}
    for status, words in ERRORS.items():
        responses[status] = {**PROBLEM, "description": words} if failures is None else _answer(words, schema=failures)
    return {
        "tags": [tag],
        "summary": summary,
        "security": SECURITY,
        **json_body(schema, example),
        "responses": responses,
    }


def json_body(schema: JSON, example: Any) -> JSON:
    """What an operation says of a JSON body that it must be sent."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def _answer(description: str, example: Any = None, schema: str | None = None) -> JSON:
    """An answer of JSON; the type of a success is that of its operation."""
    content: JSON = {} if schema is None else {"schema": {"$ref": REFERENCE.format(name=schema)}}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}
