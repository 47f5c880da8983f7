"""What GrowthBook's own SDKs ask for: the features payload, and a place for their exposure events."""

import time
from typing import Any, Final

import msgspec

from app.http.admission import admit, admit_key
from app.http.body import decode
from app.http.errors import JSON_TYPE, Problem, unreadable
from app.http.exchange import Exchange, HttpAnswer, Reply
from app.intake.forms import unwrapped
from app.routes.payload import Payloads
from app.routes.tracking import arrival, store
from app.worker.resources import Resources
from events.dialects.growthbook import read_events
from events.dialects.segment import BatchTooLarge

FEATURES_PREFIX: Final = "/api/features/"
CACHE_CONTROL: Final = b"public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
PRIVATE: Final = b"private, no-cache"
SUPPORTS_STREAMS: Final = (b"x-sse-support", b"enabled")
EVENTS: Final = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, Any])


class Features:
    """`GET /api/features/{pk}`.

    What the address says is kept by caches with it; what cookies and headers say is for who sent them alone.
    """

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        invalid = admit_sdk(exchange, resources, FEATURES_PREFIX)
        if invalid is not None:
            return invalid
        consent = resources.consent_of(exchange)
        payload = self._payloads.current(resources, consent, time.time())
        shared = consent is resources.consent.of_address(exchange.scope) and not exchange.notes  # a cookie is one's own
        resources.intake.evaluations.given("payload", payload.enrolling)
        headers = [(b"cache-control", CACHE_CONTROL if shared else PRIVATE)]
        if resources.streams.most:
            headers.append(SUPPORTS_STREAMS)
        return payload.kept.answer(exchange, headers=headers)


def admit_sdk(exchange: Exchange, resources: Resources, prefix: str) -> HttpAnswer | None:
    """Lets in who has a publishable key in the path, else says in GrowthBook's words that it is none."""
    key = exchange.scope["path"][len(prefix) :]
    try:
        admit_key(exchange, resources.access, key.encode(), in_address=True)
    except Problem as problem:
        if problem.status == 401:
            return HttpAnswer(400, msgspec.json.encode({"status": 400, "error": "Invalid API key"}), JSON_TYPE)
        raise
    return None


def ingest(exchange: Exchange, resources: Resources, body: bytes) -> Reply:
    """`POST /track?client_key=`; success means durable, as everywhere."""
    grant = admit(exchange, resources.access)
    if body[:1] not in (b"[", b"{"):
        body, _ = unwrapped(body, exchange.headers.get(b"content-type", b""))
    items = decode(body, EVENTS)
    if not isinstance(items, list):  # one event alone, or `{"events": […]}`
        inner = items.get("events", [items] if "event_name" in items else None)
        if type(inner) is not list:
            raise unreadable("the body must be a JSON array of events")
        items = [msgspec.Raw(msgspec.json.encode(item)) for item in inner]
    named = resources.users.named_by_events(exchange.user_token)
    try:
        reading = read_events(items, arrival(exchange, resources, grant, named))
    except BatchTooLarge as error:
        raise Problem(413, "batch_too_large", str(error)) from None
    return store(exchange, reading, resources, grant, named)
