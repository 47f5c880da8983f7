"""What `POST /v1/recommendations` takes and gives, for the OpenAPI."""

from typing import Any, Final

from app.openapi_schemas import TEXT

JSON = dict[str, Any]

STRATEGIES: Final = ("for_you", "buy_again", "bought_together", "popular")
MAYBE_ID: Final[JSON] = {**TEXT, "type": ["string", "null"]}
ONE_OF: Final[JSON] = {
    "type": "object",
    "properties": {"$in": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 100}},
    "required": ["$in"],
    "additionalProperties": False,
}
BOUND: Final[JSON] = {"type": "number", "minimum": 0, "maximum": 1_000_000}
FILTER: Final[JSON] = {
    "type": ["object", "null"],
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
IDS: Final[JSON] = {"type": ["array", "null"], "items": {"type": "string"}}
REQUEST: Final[JSON] = {
    "type": "object",
    "properties": {
        "visitor_id": MAYBE_ID,
        "user_id": {**TEXT, "type": ["string", "integer", "null"]},
        "slot": {"type": ["string", "null"], "maxLength": 100},
        "strategy": {"enum": [*STRATEGIES, None]},
        "items": {**IDS, "maxItems": 200},
        "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
        "filter": FILTER,
        "exclude": {**IDS, "maxItems": 1000},
        "exclude_purchased": {"type": ["boolean", "null"]},
        "diversity": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    },
}
EXAMPLE: Final[JSON] = {
    "visitor_id": "v-1",
    "strategy": "bought_together",
    "items": ["sku-17"],
    "limit": 2,
    "filter": {"category": {"$in": ["Camping"]}, "price": {"$gte": 12}, "in_stock": True},
}
ITEM: Final[JSON] = {
    "type": "object",
    "required": ["product_id", "score", "position", "reason"],
    "properties": {
        "product_id": {"type": "string"},
        "score": {"type": "number"},
        "position": {"type": "integer"},
        "reason": {
            "type": "object",
            "required": ["type", "because"],
            "properties": {
                "type": {"type": "string"},
                "because": {"type": "array", "items": {"type": "string"}},
                "support": {"type": "integer"},
                "every_days": {"type": "integer"},
            },
        },
        "product": {
            "type": "object",
            "description": "What the catalogue knows of it.",
            "properties": {
                **{name: {"type": "string"} for name in ("name", "category", "brand", "url", "image_url")},
                "price": {"type": "number"},
            },
        },
    },
}
ANSWER: Final[JSON] = {
    "type": "object",
    "required": ["recommendation_id", "strategy", "model_version", "items"],
    "properties": {
        "recommendation_id": {"type": "string"},
        "strategy": {"enum": list(STRATEGIES)},
        "fallback": {"enum": list(STRATEGIES), "description": "The strategy that served in its place."},
        "model_version": {"type": ["string", "null"]},
        "history": {"const": "unavailable", "description": "The store was out of reach: recent purchases are missing."},
        "items": {"type": "array", "items": ITEM},
    },
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
}
