"""Schemas, examples and words for the raw handlers of the fast tier."""

from collections.abc import Mapping
from typing import Any, Final

JSON = dict[str, Any]

SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}, {"basic": []}]
PRINTABLE: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
# The schemas promise less than is taken (ids: 256 bytes; attributes: any JSON), so that a promise always holds.
TEXT: Final[JSON] = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": PRINTABLE}
ATTRIBUTE: Final[JSON] = {
    "type": ["string", "number", "boolean", "null"],
    "minimum": -9_007_199_254_740_991,
    "maximum": 9_007_199_254_740_991,
}
MAYBE_TEXT: Final[JSON] = {"type": ["string", "null"], "maxLength": 256}
OBJECT: Final[JSON] = {"type": ["object", "null"], "additionalProperties": True}
TIME: Final[JSON] = {"type": ["string", "null"], "format": "date-time"}
ERROR_WORDS: Final[Mapping[str, str]] = {
    "400": "The body cannot be read, or is invalid.",
    "401": "No key, or an unknown one.",
    "403": "A page of an origin that this key is not for.",
    "408": "The body took longer than 5 s to arrive.",
    "413": "More than 500,000 bytes, before or after decompression, or more than 2,500 events.",
    "415": "A Content-Encoding other than gzip.",
    "414": "The address is longer than 8 kB.",
    "429": "Too many requests; `Retry-After` says when.",
    "431": "The headers are larger than 16 kB.",
    "503": "The store is out of reach; `Retry-After` says when to send the same again.",
}
OFREP_FAILURE: Final[JSON] = {
    "type": "object",
    "required": ["errorCode", "errorDetails"],
    "properties": {"key": {"type": "string"}, "errorCode": {"type": "string"}, "errorDetails": {"type": "string"}},
}
FLAG: Final[JSON] = {
    "type": "object",
    "required": ["key", "reason", "variant", "metadata"],
    "properties": {
        "key": {"type": "string"},
        "value": {},
        "reason": {"enum": ["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"]},
        "variant": {"type": "string"},
        "metadata": {"type": "object", "additionalProperties": {"type": ["boolean", "string", "number"]}},
    },
}
EXAMPLE_FLAG: Final[JSON] = {
    "key": "free-shipping-banner",
    "value": {"banner": "Free shipping from 50 EUR"},
    "reason": "SPLIT",
    "variant": "threshold",
    "metadata": {"in_experiment": True, "phase": 0, "exposure": "logged", "exposure_id": "5f2c9f6a0d1e4b7a00000001"},
}
CONTEXT: Final[JSON] = {
    "type": "object",
    "required": ["context"],
    "properties": {
        "context": {
            "type": "object",
            "required": ["targetingKey"],
            "properties": {"targetingKey": TEXT, "user_id": {**TEXT, "type": ["string", "null"]}},
            "additionalProperties": ATTRIBUTE,
            "maxProperties": 100,
        }
    },
}
CONTEXT_EXAMPLE: Final[JSON] = {"context": {"targetingKey": "v-1", "device": "mobile", "cart_value": 10.5}}
PERSONALIZE: Final[JSON] = {
    "type": "object",
    "required": ["visitor_id"],
    "properties": {
        "visitor_id": TEXT,
        "user_id": {**TEXT, "type": ["string", "integer", "null"]},
        "attributes": {"type": ["object", "null"], "additionalProperties": ATTRIBUTE, "maxProperties": 100},
        "experiments": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 200},
        "recommendations": {
            "type": ["array", "null"],
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["slot"],
                "properties": {
                    "slot": {"type": "string"},
                    "items": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 100},
                    "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
                },
            },
        },
        "expose": {"type": ["boolean", "null"]},
    },
}
COMMON: Final[JSON] = {
    "anonymousId": MAYBE_TEXT, "userId": MAYBE_TEXT, "messageId": {"type": ["string", "null"], "maxLength": 99},
    "context": OBJECT, "timestamp": TIME, "originalTimestamp": TIME, "sentAt": TIME,
    "writeKey": {"type": ["string", "null"]},
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
TRACKED: Final[JSON] = {
    "type": "object",
    "required": ["success"],
    "properties": {
        "success": {"const": True},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "messageId", "code", "message"],
                "properties": {
                    "index": {"type": "integer"},
                    "messageId": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
