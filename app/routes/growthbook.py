"""What GrowthBook's own SDKs ask for: the features payload, and a place for their exposure events."""

import hashlib
import time
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from app.http.admission import admit, admit_key
from app.http.body import decode
from app.http.errors import JSON_TYPE, Problem, unreadable
from app.http.exchange import Exchange, HttpAnswer, Pending, matches
from app.routes.tracking import arrival, store
from app.worker.resources import Resources
from events.dialects.growthbook import read_events
from events.dialects.segment import BatchTooLarge
from experiments.assignment.payload import features
from experiments.catalog.visible import Visible

FEATURES_PREFIX: Final = "/api/features/"
CACHE_CONTROL: Final = b"public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
EVENTS: Final = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, Any])


class Features:
    """`GET /api/features/{pk}`; the payload is computed once a second at most, because traffic grows with time."""

    def __init__(self) -> None:
        self._visible: Visible | None = None
        self._second = 0
        self._payload = b""
        self._etag = b""

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        key = exchange.scope["path"][len(FEATURES_PREFIX) :]
        try:
            grant = admit_key(exchange, resources.access, key.encode(), in_address=True)
        except Problem as problem:
            if problem.status == 401:
                return HttpAnswer(400, msgspec.json.encode({"status": 400, "error": "Invalid API key"}), JSON_TYPE)
            raise
        now = time.time()
        visible = resources.visible_to(grant, now)
        if visible is not self._visible or int(now) != self._second:
            encoded = msgspec.json.encode(features(visible.servable, now, visible.secured))
            etag = b'W/"%b"' % hashlib.sha256(encoded).hexdigest()[:32].encode()
            self._visible, self._second = visible, int(now)
            if etag != self._etag:
                updated = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                self._payload = b'{"status":200,"features":%b,"dateUpdated":"%b"}' % (encoded, updated.encode())
                self._etag = etag
        headers = [(b"etag", self._etag), (b"cache-control", CACHE_CONTROL)]
        if matches(exchange.headers.get(b"if-none-match"), self._etag):
            return HttpAnswer(304, b"", headers=headers)
        return HttpAnswer(200, self._payload, headers=headers)


def ingest(exchange: Exchange, resources: Resources, body: bytes) -> Pending:
    """`POST /track?client_key=`; success means durable, as everywhere."""
    grant = admit(exchange, resources.access)
    items = decode(body, EVENTS)
    if not isinstance(items, list):  # one event alone, or `{"events": […]}`
        inner = items.get("events", [items] if "event_name" in items else None)
        if type(inner) is not list:
            raise unreadable("the body must be a JSON array of events")
        items = [msgspec.Raw(msgspec.json.encode(item)) for item in inner]
    named = resources.users.named_by_events(exchange.user_token)
    try:
        reading = read_events(items, arrival(exchange, resources, named))
    except BatchTooLarge as error:
        raise Problem(413, "batch_too_large", str(error)) from None
    return store(reading, resources, grant, named)
