"""`POST /mp/collect`: events as backends and pages send them to Google Analytics 4."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.http.admission import admit_key, presented, stranger
from app.http.body import decode
from app.http.errors import Problem
from app.http.exchange import Awaited, Exchange, HttpAnswer, Reply
from app.http.parameters import query_pairs
from app.intake.tracking import arrival, store
from app.worker.resources import Resources
from events.consent import UnknownConsent
from events.dialects.ga4 import CollectBody, read_collected
from events.dialects.segment import BatchTooLarge

BODY: Final = msgspec.json.Decoder(CollectBody)
KEY: Final = "api_secret"  # of the address; Google's name for what is a publishable key here
TAKEN: Final = HttpAnswer(204, b"")
MEANING: Final = (
    "`client_id` is the visitor id; `purchase` is Order Completed, its `transaction_id` the order. A secret key is "
    "sent as `Authorization`, never in the address. With `?debug=1` it is 200 and what became of each event."
)
EXAMPLE: Final = {
    "client_id": "v-1",
    "events": [{"name": "purchase", "params": {"transaction_id": "o-1", "value": 49.9, "currency": "EUR",
                                               "items": [{"item_id": "sku-17", "price": 49.9, "quantity": 1}]}}],
}  # fmt: skip
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "client_id": {"type": ["string", "null"], "maxLength": 256},
        "user_id": {"type": ["string", "null"], "maxLength": 256},
        "events": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string", "minLength": 1}, "params": {"type": ["object", "null"]}},
            },
        },
    },
}

ASKED: Final = ("Google Analytics", "Events of Google Analytics 4", SCHEMA, EXAMPLE)


def described(operation: dict[str, Any], parameters: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The operation of the OpenAPI, with what is this route's own."""
    del operation["responses"]["200"]
    operation["responses"]["204"] = {"description": "Every event that could be read is durable."}
    key = {"name": KEY, "in": "query", "schema": {"type": "string"}, "description": "A publishable key."}
    return {**operation, "description": MEANING, "parameters": [key, *parameters]}


def collect(exchange: Exchange, resources: Resources, body: bytes) -> Reply:
    """The handler: 204 when every event that could be read is durable, `?debug=1` says what became of each.

    The key stands in the head, or in the address by Google's name for it or by ours.
    """
    pairs = dict(query_pairs(exchange))
    found = presented(exchange)
    key, in_address = (pairs[KEY].encode(), True) if found is None and KEY in pairs else found or (b"", False)
    if not key:
        raise stranger(exchange, resources.access, None)
    grant = admit_key(exchange, resources.access, key, in_address=in_address)
    told = decode(body, BODY)
    named = resources.users.named_by_events(exchange.user_token)
    try:
        reading = read_collected(told, arrival(exchange, resources, grant, named))
    except UnknownConsent as error:
        raise Problem(400, "unknown_consent", str(error)) from None
    except BatchTooLarge as error:
        raise Problem(413, "batch_too_large", str(error)) from None
    reply = store(exchange, reading, resources, grant, named)
    return reply if pairs.get("debug") == "1" else _taken(reply)


def _taken(reply: Reply) -> Reply:
    """The same answer without the body that Google's clients do not read, once it is there."""
    if isinstance(reply, HttpAnswer):
        return _bodiless(reply)
    if isinstance(reply, Awaited):
        return Awaited(reply.future, lambda: _bodiless(reply.make()))

    async def later() -> HttpAnswer:
        return _bodiless(await reply)

    return later()


def _bodiless(answer: HttpAnswer) -> HttpAnswer:
    return TAKEN if answer.status == 200 else answer
