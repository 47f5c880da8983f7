"""What GrowthBook's own SDKs ask for: the features payload, and a place for their exposure events."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

import msgspec

from app.http.admission import admit, admit_key
from app.http.body import decode
from app.http.compression import Kept
from app.http.errors import JSON_TYPE, Problem, unreadable
from app.http.exchange import Exchange, HttpAnswer, Reply
from app.intake.forms import unwrapped
from app.routes.tracking import arrival, store
from app.worker.resources import Resources
from events.consent import Consent
from events.dialects.growthbook import read_events
from events.dialects.segment import BatchTooLarge
from experiments.assignment.payload import Drawn, by_any_unit, by_nothing, by_visitor, features
from experiments.catalog.visible import Visible

FEATURES_PREFIX: Final = "/api/features/"
CACHE_CONTROL: Final = b"public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
PRIVATE: Final = b"private, no-cache"
SUPPORTS_STREAMS: Final = (b"x-sse-support", b"enabled")
DRAWN: Final[Mapping[Consent, Drawn]] = {
    Consent.NONE: by_nothing, Consent.MEASURE: by_visitor, Consent.PERSONAL: by_any_unit,
}  # fmt: skip
EVENTS: Final = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, Any])


@dataclass(frozen=True, slots=True)
class Payload:
    """What an SDK gets of all that is visible, from one change of traffic to the next."""

    visible: Visible
    since: float
    until: float
    kept: Kept
    enrolling: tuple[tuple[str, int], ...] = ()  # key and phase of what SDKs may draw somebody into

    @classmethod
    def at(
        cls, now: float, visible: Visible, former: "Payload | None", consent: Consent = Consent.PERSONAL
    ) -> "Payload":
        """As of `now`, in epoch seconds, for who allows this; where it says what the `former` said, it is of the same
        date.
        """
        moments = [moment for experiment in visible.servable for moment in experiment.changes]
        since = max((moment for moment in moments if moment <= now), default=-inf)
        until = min((moment for moment in moments if moment > now), default=inf)
        encoded = msgspec.json.encode(features(visible.servable, now, visible.secured, DRAWN[consent]))
        etag = b'"%b"' % hashlib.sha256(encoded).hexdigest()[:32].encode()
        enrolling = tuple((each.key, each.phase) for each in visible.running if not each.stage(now).closed)
        if former is not None and etag == former.kept.etag:
            return cls(visible, since, until, former.kept, enrolling)
        updated = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = b'{"status":200,"features":%b,"dateUpdated":"%b"}' % (encoded, updated.encode())
        return cls(visible, since, until, Kept(body, etag), enrolling)

    def holds(self, visible: Visible, now: float) -> bool:
        """Whether it is what those get who see this, at `now`."""
        return visible is self.visible and self.since <= now < self.until


class Features:
    """`GET /api/features/{pk}`; the payload is made once for those who see the same, until that changes.

    SDKs draw variants themselves, so whom nobody may draw gets nothing to draw from. What the address says is kept by
    caches with it; what cookies and headers say is for who sent them alone.
    """

    def __init__(self) -> None:
        self._payloads: dict[Consent, Payload] = {}

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        key = exchange.scope["path"][len(FEATURES_PREFIX) :]
        try:
            grant = admit_key(exchange, resources.access, key.encode(), in_address=True)
        except Problem as problem:
            if problem.status == 401:
                return HttpAnswer(400, msgspec.json.encode({"status": 400, "error": "Invalid API key"}), JSON_TYPE)
            raise
        consent = resources.consent_of(exchange)
        now, payload = time.time(), self._payloads.get(consent)
        visible = resources.visible_to(grant, now)
        if payload is None or not payload.holds(visible, now):
            payload = self._payloads[consent] = Payload.at(now, visible, payload, consent)
        shared = consent is resources.consent.of_address(exchange.scope) and not exchange.notes  # a cookie is one's own
        resources.intake.evaluations.given("payload", payload.enrolling)
        headers = ((b"cache-control", CACHE_CONTROL if shared else PRIVATE), SUPPORTS_STREAMS)
        return payload.kept.answer(exchange, headers=headers)


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
